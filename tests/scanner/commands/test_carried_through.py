"""The lab bank carried from an inventory to a signed result as ``docs/walk-through.md`` tells it, and tampered with."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.scanner.commands import walk as page
from tests.scanner.commands.stage import ztgrade
from tests.scanner.commands.walk import ASKED, Carrier, Walk, as_workbook, assessment, stand_in
from tests.scanner.institution.test_ssh_signature import needs_ssh

pytestmark = needs_ssh


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Every block of the page carried out."""
    with pytest.MonkeyPatch.context() as patch:
        return Carrier(tmp_path_factory.mktemp("walk"), patch).run()


@pytest.fixture(scope="module")
def december(walk: Walk) -> dict[str, Any]:
    return assessment(walk, -1)


@pytest.fixture
def inside(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> Walk:
    """The folder as it was left, to look at with more commands."""
    stand_in(walk.folder, monkeypatch)
    return walk


def states(result: dict[str, Any]) -> dict[str, str]:
    return {row["id"]: row["why"] or "counts" for row in result["registers"]}


def text_of(path: Path) -> str:
    """A page as it is read: without markup."""
    body = re.sub(r"<(style|script)\b.*?</\1>", " ", path.read_text("utf-8"), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def first_page(path: Path) -> str:
    """From the identity to the end of the result."""
    whole = path.read_text("utf-8")
    return unescape(re.sub(r"<[^>]+>", " ", whole[whole.index('id="identity"') : whole.index('id="differences"')]))


def test_every_command_of_the_page_ends_as_it_should(walk: Walk) -> None:
    ends = {each.line: each.code for each in walk.told if each.code}

    assert ends == {"ztgrade assess": 3, "ztgrade assess --fail-on regression": 3}
    assert [each.code for each in walk.of("ztgrade assess")] == [4, 3, 3]


def test_each_step_tells_the_next(walk: Walk) -> None:
    for each in walk.told:
        if re.match(
            r"ztgrade (attest|drill|review|exception|plan-register) (add|revoke)|ztgrade sample read", each.line
        ):
            (told,) = re.findall(r"ztgrade [a-z-]+ (?:approve \S+ --key|payload \S+ --output)", each.err)
            assert any(other.line.startswith(told) for other in walk.told) or "AT-repair" in told
    assert "ssh-keygen -Y sign -n ztgrade-register" in walk.of("ztgrade attest payload")[0].err


def test_selection_ranks_with_reasons_and_keeps_what_people_decided(walk: Walk, inside: Walk) -> None:
    said = walk.of("ztgrade select")[0].out
    chosen = json.loads(ztgrade("select", "--json").stdout)
    decided = [(pair["system"], pair["scene"]) for pair in chosen["pairs"] if pair["by_person"]]

    assert "1 decisions of people" in said
    assert "1. branch / application_administration: holds customer personal data" in said
    assert "finding against 4-1: branch" in said
    assert decided == [("crm", "cross_institution")]
    assert ("portal", "cloud_access") in {(each["system"], each["scene"]) for each in chosen["proposals"]}
    assert "(was no)" in walk.of("ztgrade select --system ebank")[0].out


def test_an_inventory_in_xlsx_selects_the_same(inside: Walk, tmp_path: Path) -> None:
    estate = inside.folder / "estate.toml"
    (inside.folder / "systems.xlsx").write_bytes(as_workbook((inside.folder / "systems.csv").read_text("utf-8")))
    other = inside.folder / "estate-xlsx.toml"
    other.write_text(estate.read_text("utf-8").replace('"systems.csv"', '"systems.xlsx"'), "utf-8")
    results = [ztgrade("select", "--json", "--estate", path) for path in (estate, other)]

    assert results[0].stdout == results[1].stdout
    assert results[0].exit_code == results[1].exit_code == 0


def test_every_entry_stands_as_the_page_says(december: dict[str, Any]) -> None:
    found = states(december)
    alarms = {(row["entry"], row["word"]) for row in december["alarms"]}
    told = re.findall(r"^\| (`[^|]+) \| ([^|]+) \| [^|]+ \|$", page.PAGE.read_text("utf-8"), re.MULTILINE)
    words = {"self-declared": "self_declared"}
    assert len(told) == 12
    for names, said in told:
        first, *rest = re.split(r", | and ", said.strip())
        for name in re.findall(r"`([^`]+)`", names):
            assert found[name] == words.get(first, first), name
            assert {(name, word) for word in rest if word not in {"too few", "overdue"}} <= alarms

    assert ("static-load-balancer", "compensation_lost") in alarms


def test_reviews_add_up_over_a_year_and_one_is_too_few(december: dict[str, Any]) -> None:
    found = {
        item["id"]: (each["state"], each["why"], each["reviewed"]["found"])
        for grade in december["grades"]
        if (grade["system"], grade["scene"]) == ("branch", "remote_work")
        for item in grade["items"]
        for each in item["requirements"]
        if each["id"] == "log-review"
    }

    assert found["1-6"] == ("met", [], 4)
    assert found["2-6"] == ("undetermined", ["too_few"], 1)


def test_the_exception_that_expired_counted_before(walk: Walk, december: dict[str, Any]) -> None:
    def excepted(result: dict[str, Any]) -> int:
        return sum(
            each["excepted"]
            for grade in result["grades"]
            if grade["system"] == "portal"
            for item in grade["items"]
            for each in item["requirements"]
            if each["id"] == "os-supported"
        )

    before = assessment(walk, 1)
    assert states(before)["EX-server"] == "counts"
    assert (excepted(before) > 0, excepted(december)) == (True, 0)
    assert december["previous"] == before["assessment"]


def test_assuming_moves_no_level_of_the_assessment(walk: Walk) -> None:
    said = walk.of("ztgrade lift latest --system portal --assume")[0].out

    assert said.splitlines()[-1].startswith("ASSUMED, NOT A GRADE")
    assert "1-4/mechanism-table" in said


WORDS = {
    "en": ("expired", "lapsed", "self-declared", "revoked", "too few", "sample does not prove it", "not compensated"),
    "zh-TW": ("文件已過期", "已失效", "僅自行宣告", "已撤銷", "次數不足", "抽樣未能證明", "補償措施未成立"),
}
ALARMS = {"en": ("Overdue", "overdue"), "zh-TW": ("逾期", "逾期")}


@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_reports_show_every_state(walk: Walk, language: str) -> None:
    text = text_of(walk.folder / f"december.{language}.html")

    assert [word for word in WORDS[language] if word not in text] == []
    assert any(word in text for word in ALARMS[language])
    for name in ("AT-surface", "AT-boundary", "EX-carrier", "EX-standing", "PL-portal", "wang", "hsu"):
        assert name in text, name


@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_the_first_page_counts_entries_by_state_and_names_causes(walk: Walk, language: str) -> None:
    text = " ".join(first_page(walk.folder / f"december.{language}.html").split())

    assert [word for word in WORDS[language] if word not in text and word not in {"too few", "次數不足"}] == []
    assert "AT-boundary" in text
    assert "AT-map" in text


def test_the_report_as_json_says_the_same(walk: Walk, december: dict[str, Any]) -> None:
    told = json.loads((walk.folder / "december.json").read_text("utf-8"))

    assert states(told) == states(december)
    assert {cause for row in told["regressions"] for cause in row["causes"]} >= {"facts", "registers"}


def test_a_form_of_others_is_filled(walk: Walk, december: dict[str, Any]) -> None:
    rows = openpyxl.load_workbook(walk.folder / "survey-filled.xlsx").active
    assert rows is not None
    filled = {rows.cell(row, 1).value: rows.cell(row, 2).value for row in range(1, len(ASKED) + 1)}

    assert filled["count.registers.expired"] == sum(why == "expired" for why in states(december).values())
    assert (filled["count.registers.lapsed"], filled["count.registers.unproved"]) == (1, 1)
    assert (filled["count.plans.overdue"], filled["count.alarms"]) == (2, len(december["alarms"]))


def test_what_is_handed_out_verifies_with_the_key_alone(walk: Walk) -> None:
    assert "whole, signed by a trusted key" in walk.of("ztgrade verify")[0].out


@pytest.fixture(scope="module")
def tampered(walk: Walk, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A copy with entries edited, dated back, signed by who wrote them, and signed with another's signature."""
    folder = tmp_path_factory.mktemp("tampered") / "walk"
    shutil.copytree(walk.folder, folder)
    registers, said = folder / "registers", {}

    def tell(name: str, *words: object) -> None:
        result = ztgrade(*words)
        said[name] = f"{result.exit_code} {result.stdout}{result.stderr}"

    what = ("--requirement", "2-2/repair-times", "--system", "branch", "--statement", "So it is.", "--answer", "yes")
    until = ("--expires-at", "2027-10-31", "--document", "minutes.pdf")
    with pytest.MonkeyPatch.context() as patch:
        stand_in(folder, patch)
        path = registers / "attestations.toml"
        path.write_text(path.read_text("utf-8").replace("services and users to protect", "nothing to protect"), "utf-8")
        tell("edited", "attest", "show", "AT-surface")
        tell(
            "backdated",
            "attest",
            "add",
            "AT-old",
            *what,
            "--owner",
            "wang",
            "--approver",
            "hsu",
            *until,
            "--made-at",
            "2026-03-01",
        )
        tell("written", "attest", "add", "AT-own", *what, "--owner", "許文", "--approver", "hsu", *until)
        tell("own", "attest", "approve", "AT-own", "--key", "hsu.pem")
        tell("ssh", "attest", "approve", "AT-surface", "--ssh-signature", "EX-carrier.json.sig")
        shutil.copy(registers / "AT-boundary.dsse.json", registers / "AT-repair.dsse.json")
        by_hand = path.read_text("utf-8").split("[[attestation]]")
        (entry,) = [each for each in by_hand if '"AT-map"' in each]
        old = re.sub(r"(?m)^(made_at|effective_from) = .*$", r"\1 = 2026-03-01", entry.replace("AT-map", "AT-old"))
        (registers / "old.toml").write_text("[[attestation]]" + old, "utf-8")
        tell("recorded", "registers", "record")
        tell("signed", "attest", "approve", "AT-old", "--key", "hsu.pem")
        tell("list", "attest", "list")
        tell("assess", "assess", "--beside", "none")
        tell("report", "report", "latest", "--lang", "en", "--output", "tampered.html")
    return folder, said


def test_tampering_is_refused_with_the_reason(tampered: tuple[Path, dict[str, str]]) -> None:
    _, said = tampered

    assert "self_declared: the signature of SSH does not hold: what was signed is something else" in said["edited"]
    assert said["backdated"].startswith("2 ")
    assert "lies before the end of the chain" in said["backdated"]
    assert said["own"].startswith("2 ")
    assert "its owner and its approver are one person" in said["own"]
    assert "one person" in said["written"]
    assert said["ssh"].startswith("2 ")
    assert "what was signed is something else" in said["ssh"]
    assert "AT-old: made_at lies before" in said["recorded"]
    lines = {line.split(" ")[0]: line for line in said["list"].splitlines()}
    assert "self_declared" in lines["AT-surface"]
    assert "it is the signature of another entry, AT-boundary" in lines["AT-repair"]
    assert "its owner and its approver are one person" in lines["AT-own"]


def test_tampering_shows_in_the_report(tampered: tuple[Path, dict[str, str]]) -> None:
    folder, said = tampered
    text = text_of(folder / "tampered.html")

    assert said["report"].startswith("0 ")
    assert "it is the signature of another entry, AT-boundary" in text
    assert "its owner and its approver are one person" in text
    assert "the signature of SSH does not hold" in text
    assert "AT-old" in text
    assert "when the chain, which first names it" in text
