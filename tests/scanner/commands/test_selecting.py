"""``ztgrade select``: the funnel, one system with its reasons, what-if, and an estate that is wrong about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.scanner.commands.stage import ESTATE, ztgrade

SELECTION = """
[selection]
inventory = "systems.csv"
tax_id = "12345678"
"""
COLUMNS = (
    "system,staff_path,customer_personal,automated_service,rto_hours,user_tax_ids,external_path,bulk_sensitive,"
    "accounts_separated\n"
)
SYSTEMS = (
    COLUMNS
    + """ledger,vpn,yes,yes,8.0,12345678,none,yes,no
archive,vpn,yes,no,72,12345678;87654321,vpn,no,yes
intranet,internal,no,no,24,12345678,none,no,yes
unclear,vpn,yes,,,12345678,none,,
"""
)


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    path = tmp_path / "estate.toml"
    before, _, _ = ESTATE.partition("[approvers")
    path.write_text(before.replace('options.supplier_key = "keys/supplier.pem"', "") + SELECTION)
    (tmp_path / "systems.csv").write_text(SYSTEMS)
    return path


def test_the_funnel_the_order_and_the_finding_are_printed(estate: Path) -> None:
    result = ztgrade("select", "--estate", estate)

    assert result.exit_code == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["remote_work", "3", "3", "1", "1"] in lines
    assert ["pairs", "of", "system", "and", "scene", "4", "4", "1"] in lines
    assert "1. archive / remote_work: holds customer personal data" in result.stdout
    assert "finding against 4-1: ledger" in result.stdout


def test_one_system_is_told_with_a_reason_for_every_step(estate: Path) -> None:
    result = ztgrade("select", "--estate", estate, "--system", "ledger")

    assert "remote_work: chosen: no" in result.stdout
    assert "low_impact: no: none of it" in result.stdout
    assert "archive" not in result.stdout


def test_what_if_changes_one_system_for_this_once(estate: Path) -> None:
    changed = ztgrade("select", "--estate", estate, "--system", "ledger", "--what-if", "rto_hours=8.5")

    assert "remote_work: chosen: yes  (was no)" in changed.stdout
    assert "chosen: no" in ztgrade("select", "--estate", estate, "--system", "ledger").stdout


def test_an_answer_taken_away_by_what_if_leaves_it_open(estate: Path) -> None:
    changed = ztgrade("select", "--estate", estate, "--system", "archive", "--what-if", "customer_personal=")

    assert "remote_work: chosen: not known  (was yes)" in changed.stdout


def test_json_holds_methods_readings_funnel_and_every_pair(estate: Path) -> None:
    found = json.loads(ztgrade("select", "--estate", estate, "--json").stdout)

    assert found["methods"] == {"risk": "any_of", "impact": "any_of"}
    assert len(found["pairs"]) == 4 * 6
    assert found["proposals"] == [
        {"rank": 1, "system": "archive", "scene": "remote_work", "risk_score": None, "impact_score": None}
    ]
    assert found["findings"] == [{"item": "4-1", "system": "ledger"}]


def test_a_decision_of_a_person_is_heeded_and_marked(estate: Path) -> None:
    estate.write_text(
        estate.read_text()
        + '[[selection.decision]]\nsystem = "archive"\nscene = "cross_institution"\nholds = true\n'
        + 'reason = "the partner reaches it from its own offices, which we hold to be outside"\n'
        + 'decided_by = "risk committee"\ndecided_on = 2026-10-01\n'
    )
    found = json.loads(ztgrade("select", "--estate", estate, "--json").stdout)

    assert [(row["system"], row["scene"]) for row in found["pairs"] if row["by_person"]] == [
        ("archive", "cross_institution")
    ]
    assert len(found["proposals"]) == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (SELECTION, "", "selection: is missing (add [selection]"),
        ('tax_id = "12345678"', 'tax_id = "1234"', "selection.tax_id: '1234' is no tax identification number"),
        ('"systems.csv"', '"none.csv"', "selection.inventory: 'none.csv': no such file"),
        ('tax_id = "12345678"', 'tax_id = "12345678"\nrisk = { method = "factors" }', "'threshold' is missing"),
        ('tax_id = "12345678"', 'tax_id = "12345678"\nrisk = { threshold = 9 }', "takes no threshold"),
        ('tax_id = "12345678"', 'tax_id = "12345678"\nseperated_accounts = true', "did you mean 'separated_accounts'"),
        (
            'tax_id = "12345678"',
            (
                'tax_id = "12345678"\n[[selection.decision]]\nsystem = "legder"\nscene = "remote_work"\nholds = true\n'
                'reason = "no"\ndecided_by = "x"\ndecided_on = 2026-10-01'
            ),
            "did you mean 'ledger'",
        ),
    ],
)
def test_a_wrong_selection_is_told_by_file_and_key(estate: Path, old: str, new: str, said: str) -> None:
    estate.write_text(estate.read_text().replace(old, new))
    result = ztgrade("select", "--estate", estate)

    assert result.exit_code == 2
    assert said in result.stderr


def test_a_wrong_cell_is_told_by_file_line_and_column(estate: Path) -> None:
    (estate.parent / "systems.csv").write_text(SYSTEMS.replace("72", "many"))
    result = ztgrade("select", "--estate", estate)

    assert result.exit_code == 2
    assert "systems.csv:3: rto_hours: expected a number, found 'many'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--system", "legder"], "did you mean 'ledger'"),
        (["--what-if", "rto_hours=9"], "name it with --system"),
        (["--system", "ledger", "--what-if", "rto_hour=9"], "did you mean 'rto_hours'"),
        (["--system", "ledger", "--what-if", "rto_hours=x"], "rto_hours: expected a number"),
    ],
)
def test_a_wrong_question_is_refused(estate: Path, arguments: list[str], said: str) -> None:
    result = ztgrade("select", "--estate", estate, *arguments)

    assert result.exit_code == 2
    assert said in result.stderr
