"""What changed since the previous assessment, told apart by cause, on a small institution assessed again and again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scanner.grading.changes import input_changes
from scanner.grading.history import turned
from scanner.result.assessment import Assessment
from tests.scanner.grading.sequence import START, Bank, attestation, people, states, told

ONE_FAILS = {"ad": people("amy", without=["bob"])}
BOTH_PASS = {"ad": people("amy", "bob")}


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bank:
    """One that is graded by one code, whatever is edited meanwhile."""
    monkeypatch.setattr("scanner.grading.assess.code_lock", lambda used=(): "ztgrade 1")
    return Bank(tmp_path, dict(ONE_FAILS))


def test_reading_the_same_again_changes_nothing(bank: Bank) -> None:
    first = bank.assess()
    assert first.changes is None
    second = bank.assess()
    assert told(second) == []
    assert second.basis == first.basis
    assert turned(first, first) == ([], []) and input_changes(first, first) == []


def test_better_facts_then_worse_then_none(bank: Bank) -> None:
    bank.assess()
    assert told(bank.assess(said=BOTH_PASS)) == ["better: core 1-1/mfa-enforced not_met -> met by facts"]
    assert told(bank.assess(said=ONE_FAILS)) == ["worse: core 1-1/mfa-enforced met -> not_met by facts"]
    dark = "dark: core 1-1/mfa-enforced not_met -> undetermined"
    assert told(bank.assess(said={"ad": None})) == [
        f"{dark} by coverage proved 2026-11-03",
        "coverage target ad dark",
    ]
    assert told(bank.assess(said={"ad": None})) == [f"{dark} by nothing proved 2026-11-03"]
    assert told(bank.assess(said=BOTH_PASS)) == [
        "assessed: core 1-1/mfa-enforced undetermined -> met by coverage",
        "coverage target ad seen",
    ]


def test_evidence_that_only_grew_old_is_explained_by_time(bank: Bank) -> None:
    bank.assess(said=BOTH_PASS)
    bank.moment = START + timedelta(days=20)
    (lost, *_) = told(bank.assess())
    assert lost == "lost: core 1-1/mfa-enforced met -> undetermined by age"


@pytest.mark.parametrize(
    ("change", "row"),
    [
        ({"need": "0.5"}, "rule requirement 1-1/mfa-enforced need 1 0.5"),
        (
            {"modes": '"enforced", "not_required"'},
            'rule requirement 1-1/mfa-enforced parameters modes = ["enforced"] modes = ["enforced","not_required"]',
        ),
    ],
)
def test_a_looser_rule_is_named_as_what_made_it_better(bank: Bank, change: dict[str, str], row: str) -> None:
    bank.assess()
    assert told(bank.assess(rule=change)) == [
        "better: core 1-1/mfa-enforced not_met -> met by rule",
        row,
    ]


def test_where_rule_and_facts_changed_both_are_named(bank: Bank) -> None:
    bank.assess()
    better = bank.assess(rule={"need": "0.5"}, said=BOTH_PASS)
    assert told(better)[0] == "better: core 1-1/mfa-enforced not_met -> met by facts+rule"


def test_another_maximum_age_is_a_change_of_rule_and_new_words_are_none(bank: Bank) -> None:
    bank.assess()
    assert told(bank.assess(rule={"max_age": "8d"})) == ["rule requirement 1-1/mfa-enforced max_age 7d 8d"]
    assert told(bank.assess(wording="# clearer\n")) == ["rule baseline small wording"]


def test_entries_are_told_by_id_and_explain_documents_only(bank: Bank) -> None:
    bank.assess(said=BOTH_PASS)
    document = "core 1-1/written-rule"
    assert told(bank.assess(registers=attestation(), signed=False)) == ["registers entry AT-1 added self_declared"]
    assert told(bank.assess(signed=True))[:2] == [
        f"assessed: {document} undetermined -> met by registers",
        "registers entry AT-1 signed self_declared counts",
    ]
    assert told(bank.assess(registers=attestation(expires="2026-11-05"))) == [
        "registers entry AT-1 edited counts counts"
    ]
    assert told(bank.assess()) == [
        f"lost: {document} met -> undetermined by registers",
        "registers entry AT-1 expired counts expired",
    ]
    assert told(bank.assess(registers="", chain=b"")) == ["registers entry AT-1 removed expired"]


def test_other_code_is_a_cause_that_cannot_be_ruled_out(bank: Bank) -> None:
    first = bank.assess()
    bank.last = msgspec.structs.replace(first, code="ztgrade 0")
    better, code = told(bank.assess(said=BOTH_PASS))
    assert better == "better: core 1-1/mfa-enforced not_met -> met by facts+code"
    assert code == "code code changed ztgrade 0 ztgrade 1"


def test_changes_of_the_estate_are_told_one_by_one(bank: Bank) -> None:
    bank.assess(said=BOTH_PASS)
    more = {"core": 'groups = ["staff"]', "crm": "all = true"}
    rows = told(bank.assess(systems=more, target="II", said={"ad": people("amy", "bob"), "new": []}))
    assert rows[0].startswith("lost: core 1-1/mfa-enforced met -> undetermined by ") and "scope" in rows[0]
    assert rows[1:] == [
        "coverage target new seen",
        "scope system crm added",
        "scope target_level core raised I II",
        "scope members core: User changed",
        "scope source new added",
        "scope target new added",
    ]


def older(assessment: Assessment, **fields: Any) -> Assessment:
    """As an earlier version wrote it: without what it rests on."""
    return msgspec.structs.replace(assessment, basis=None, changes=None, **fields)


def test_what_an_older_assessment_does_not_say_is_not_recorded_never_unchanged(bank: Bank) -> None:
    first = bank.assess()
    bank.last = older(first)
    assert told(bank.assess()) == [], "equal digests of whole files settle it"
    bank.last = older(first, estate_digest="e", registers_digest="r")
    bank.last = msgspec.structs.replace(
        bank.last, baseline=msgspec.structs.replace(first.baseline, digest="b"), assessment="a" * 64
    )
    assert told(bank.assess(said=BOTH_PASS)) == [
        "better: core 1-1/mfa-enforced not_met -> met by ?facts ?scope ?rule ?registers",
        "scope estate not_recorded",
        "rule baseline not_recorded",
        "registers register_file not_recorded",
    ]


# Never worse than silence


TWO = {"ad": people("amy"), "branch": people(without=["bob"])}
UNSEEN = "out_of_scope: core 1-1/mfa-enforced not_met -> met"


def statement(made: str) -> str:
    """A signed statement that the scope of item 1-1 was changed."""
    return f"""[[scope_statement]]
id = "SC-1"
item = "1-1"
population = "User"
system = "core"
owner = "wang"
approver = "chang"
statement = "The branch was closed and its directory switched off."
made_at = {made}
expires_at = 2027-10-01
"""


def test_a_target_taken_out_of_the_estate_hides_nothing(bank: Bank) -> None:
    assert states(bank.assess(said=dict(TWO)))["mfa-enforced"] == "not_met"
    without = {"ad": TWO["ad"]}
    second = bank.assess(said=dict(without))
    assert states(second)["mfa-enforced"] == "met"
    assert told(second) == [
        f"{UNSEEN} by scope proved 2026-11-01 lost target branch",
        "scope source branch removed",
        "scope target branch removed",
    ]
    stays = [f"{UNSEEN} by scope proved 2026-11-01 lost target branch"]
    assert told(bank.assess()) == stays, "it stays until observed again"
    early = bank.assess(registers=statement("2026-10-15"))
    assert told(early)[:1] == stays, "a statement from before it was disproved says nothing of it"
    assert early.registers[0].counts
    settled = bank.assess(registers=statement("2026-11-02"), chain=b"")
    assert settled.registers[0].counts and settled.regressions == []
    assert bank.assess().regressions == []


def test_a_target_that_is_back_is_observed_again(bank: Bank) -> None:
    bank.assess(said=dict(TWO))
    bank.assess(said={"ad": TWO["ad"]})
    back = bank.assess(said={"ad": TWO["ad"], "branch": people("bob")})
    assert states(back)["mfa-enforced"] == "met" and back.regressions == []


def test_an_unsigned_scope_statement_settles_nothing(bank: Bank) -> None:
    bank.assess(said=dict(TWO))
    second = bank.assess(said={"ad": TWO["ad"]}, registers=statement("2026-11-01"), signed=False)
    assert [row.turn for row in second.regressions] == ["out_of_scope"]


def test_a_source_that_went_out_of_the_estate_and_dark_keeps_its_date(bank: Bank) -> None:
    bank.assess(said=dict(TWO))
    bank.assess(said={"ad": TWO["ad"]})
    dark = bank.assess(said={"ad": None})
    assert told(dark)[0].startswith("dark: core 1-1/mfa-enforced not_met -> undetermined by coverage proved 2026-11-01")


def test_a_system_taken_out_of_the_estate_hides_nothing(bank: Bank) -> None:
    bank.assess(systems={"core": "all = true", "crm": 'listed = ["user:ad:amy"]'})
    gone = bank.assess(systems={"crm": 'listed = ["user:ad:amy"]'})
    (row,) = (row for row in gone.regressions if row.system == "core")
    assert (row.turn, row.now, row.causes, row.last_proved) == (
        "out_of_scope",
        None,
        ["scope"],
        "2026-11-01T00:00:00Z",
    )
    assert [row.system for row in bank.assess().regressions] == ["core"]
    back = bank.assess(systems={"core": "all = true", "crm": 'listed = ["user:ad:amy"]'})
    assert back.regressions == [] and states(back)["mfa-enforced"] == "not_met"


def test_selectors_that_leave_the_failing_out_hide_nothing(bank: Bank) -> None:
    bank.assess()
    narrow = bank.assess(systems={"core": 'listed = ["user:ad:amy"]'})
    assert states(narrow)["mfa-enforced"] == "met"
    assert told(narrow)[0] == f"{UNSEEN} by scope proved 2026-11-01 lost members of core: User"


def test_a_scene_taken_out_and_a_service_model_that_asks_for_less_hide_nothing(bank: Bank) -> None:
    bank.assess(scene="cloud_access")
    (unasked,) = bank.assess(model="saas").regressions
    assert (unasked.turn, unasked.causes, list(unasked.lost)) == ("out_of_scope", ["scope"], ["service model of core"])
    (gone,) = bank.assess(scene="remote_work", said=BOTH_PASS, model="iaas").regressions
    assert (gone.scene.value, gone.now, gone.last_proved) == ("cloud_access", None, "2026-11-02T00:00:00Z")
    stated = statement("2026-11-03").replace('system = "core"', 'system = "core"\nscenes = ["cloud_access"]')
    assert bank.assess(registers=stated).regressions == []


def test_a_requirement_that_the_baseline_drops_is_told_once_and_is_no_regression(bank: Bank) -> None:
    bank.assess()
    dropped = bank.assess(rule={"slug": "factor-enforced"})
    assert dropped.regressions == []
    assert told(dropped) == [
        "gone: core 1-1/mfa-enforced not_met -> None by rule proved 2026-11-01",
        "rule requirement 1-1/factor-enforced added",
        "rule requirement 1-1/mfa-enforced removed",
    ]
    assert told(bank.assess()) == []
