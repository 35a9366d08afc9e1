"""From tallies and documents to requirements, items and grades, one scope at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from scanner.grading.grade import Tally
from scanner.grading.history import History
from scanner.grading.verdict import Verdicts
from scanner.guideline.nouns import Baseline, Item, Requirement
from scanner.institution.registers import JudgedRegisters
from scanner.judging.judge import Use
from scanner.judging.scope import Scope
from scanner.judging.tally import Counts
from scanner.model import (
    GapWhy,
    ItemState,
    Level,
    Origin,
    Pillar,
    RegisterWhy,
    RequirementKind,
    RequirementState,
    Scene,
    ServiceModel,
)
from scanner.result.grade import Grade, RequirementResult
from tests.scanner.miniature import mfa, text

MET, NOT_MET, OPEN = RequirementState.MET, RequirementState.NOT_MET, RequirementState.UNDETERMINED
SCOPE = Scope("core", Scene.REMOTE_WORK, ServiceModel.ON_PREMISES, Level.II)
CLOUD = Scope("core", Scene.CLOUD_ACCESS, ServiceModel.SAAS, Level.II)
USE = Use(mfa, {"modes": ["enforced"]}, timedelta(days=7))


def requirement(slug: str, kind: RequirementKind = RequirementKind.CHECK, **fields: Any) -> Requirement:
    if kind is RequirementKind.CHECK:
        fields = {"check": mfa.id, "parameters": {"modes": ["enforced"]}, "max_age": timedelta(days=7)} | fields
    return Requirement(f"1-1/{slug}", slug, kind, text(slug), text("fix"), **fields)


CHECK = requirement("mfa")
DOCUMENT = requirement("paper", RequirementKind.ATTESTATION)
CHOICE = requirement(
    "either", RequirementKind.ANY_OF, branches=(replace(CHECK, slug="left", address="1-1/left"), DOCUMENT)
)


def item(*requires: Requirement, level: Level = Level.I, **fields: Any) -> Item:
    given = {"listed": None, "exercised": False, "provenance": "DECK"} | fields
    name = f"1-{level.rank}"
    return Item(
        name, Pillar.IDENTITY, level, text("f"), text("t"), text("s"), text("x"), requires=requires, **given
    )  # fmt: skip


@dataclass
class Papers:
    """Registers that say what a test wants."""

    documents: Mapping[str, tuple[RequirementState, RegisterWhy | None, str | None]] = field(default_factory=dict)
    excepted: Sequence[str] = ()
    stated: Sequence[tuple[str, str]] = ()
    standings: Sequence[Any] = ()

    def document(self, kind: str, requirement: str, system: str, scene: Scene) -> Any:
        state, why, entry = self.documents.get(requirement, (OPEN, RegisterWhy.MISSING, None))
        return SimpleNamespace(state=state, why=why, entry=entry)

    def exceptions(self, requirement: str, system: str, scene: Scene) -> list[Any]:
        return [SimpleNamespace(assets=self.excepted, id="EX-1")] if self.excepted else []

    def statements(self, system: str, scene: Scene) -> list[Any]:
        return [SimpleNamespace(item=item, population=population, id="SC-1") for item, population in self.stated]


def verdicts(
    *items: Item,
    tally: Tally | None = None,
    papers: Papers | None = None,
    gates: Mapping[Level, tuple[Requirement, ...]] | None = None,
    proved: Mapping[tuple[str, str], str] | None = None,
    reasons: Mapping[str, set[GapWhy]] | None = None,
    crashed: frozenset[str] = frozenset(),
    taken: int = 0,
    empty: bool = False,
) -> Verdicts:
    counts = {(USE.id, scope): tally for scope in (SCOPE, CLOUD)} if tally is not None else {}
    return Verdicts(
        baseline=cast(Baseline, SimpleNamespace(items={each.id: each for each in items}, gates=gates or {})),
        uses=dict.fromkeys(("1-1/mfa", "1-1/left"), USE),
        counts={"User": Counts(counts)},
        registers=cast(JudgedRegisters, papers or Papers()),
        history=History({}, proved or {}),
        reasons=reasons or {},
        opened={},
        crashed=crashed,
        origins={USE.id: [Origin.SUPPLIED]},
        excepted=lambda use, scope, assets: taken,
        empty=lambda population, scope: empty,
        as_of=datetime(2026, 11, 20, tzinfo=UTC),
    )


def only(grade: Grade) -> RequirementResult:
    return grade.items[0].requirements[0]


def closed(passed: int, failed: int, unknown: int) -> Tally:
    return Tally(passed, failed, unknown, closed=True)


@pytest.mark.parametrize(
    ("tally", "state", "why"),
    [
        (closed(3, 0, 0), MET, []),
        (closed(3, 1, 0), NOT_MET, []),
        (closed(3, 0, 1), OPEN, ["denied"]),
        (closed(2, 1, 1), NOT_MET, ["denied"]),
        (closed(0, 0, 0), OPEN, ["denied"]),
        (Tally(3, 0, 0), OPEN, ["denied", "unseen"]),
        (Tally(3, 1, 0), NOT_MET, ["denied", "unseen"]),
        (None, OPEN, ["denied", "unseen"]),
    ],
)
def test_a_check_stands_as_its_tally_says_with_the_reasons_for_what_is_open(
    tally: Tally | None, state: RequirementState, why: list[str]
) -> None:
    found = only(verdicts(item(CHECK), tally=tally, reasons={USE.id: {GapWhy.DENIED}}).grade(SCOPE, Pillar.IDENTITY))
    assert (found.state, found.why) == (state, why)
    counted = tally or Tally()
    assert (found.population, found.passed, found.failed, found.unknown) == (
        counted.n,
        counted.passed,
        counted.failed,
        counted.unknown,
    )
    assert (found.assessed, found.closed, found.use) == (counted.passed + counted.failed, counted.closed, USE.id)
    assert found.origin == [Origin.SUPPLIED]


def test_a_crashed_use_says_error_and_nothing_else() -> None:
    made = verdicts(
        item(CHECK), tally=closed(0, 0, 3), reasons={USE.id: {GapWhy.STALE}}, crashed=frozenset({USE.id})
    )  # fmt: skip
    assert only(made.grade(SCOPE, Pillar.IDENTITY)).why == ["error"]


@pytest.mark.parametrize(
    ("tally", "taken", "state", "eased"),
    [
        (closed(3, 1, 0), 1, NOT_MET, MET),
        (closed(3, 2, 0), 1, NOT_MET, NOT_MET),
        (closed(3, 1, 1), 1, NOT_MET, OPEN),
        (closed(0, 1, 0), 1, NOT_MET, OPEN),
        (Tally(3, 1, 0), 1, NOT_MET, OPEN),
    ],
)
def test_an_exception_takes_failures_out_and_never_what_is_unknown(
    tally: Tally, taken: int, state: RequirementState, eased: RequirementState
) -> None:
    made = verdicts(item(CHECK), tally=tally, papers=Papers(excepted=["user:ad:a"]), taken=taken)
    found = only(made.grade(SCOPE, Pillar.IDENTITY))
    assert (found.state, found.state_with_exceptions, found.excepted) == (state, eased, taken)


def test_levels_are_given_without_and_with_exceptions() -> None:
    made = verdicts(item(CHECK), tally=closed(3, 1, 0), papers=Papers(excepted=["user:ad:a"]), taken=1)
    grade = made.grade(SCOPE, Pillar.IDENTITY)
    assert (grade.floor, grade.ceiling) == (Level.NONE, Level.NONE)
    assert (grade.floor_with_exceptions, grade.ceiling_with_exceptions) == (Level.I, Level.I)


@pytest.mark.parametrize(
    ("compensated_by", "holds", "eased", "taken"),
    [
        ("", closed(0, 1, 0), MET, 1),
        ("1-1/left", closed(2, 0, 0), MET, 1),
        ("1-1/left", closed(1, 1, 0), NOT_MET, 0),
        ("1-1/left", closed(1, 0, 1), NOT_MET, 0),
        ("1-1/left", Tally(2, 0, 0), NOT_MET, 0),
        ("1-1/left", None, NOT_MET, 0),
        ("1-1/paper", closed(2, 0, 0), NOT_MET, 0),
    ],
)
def test_an_exception_counts_only_while_the_check_that_compensates_is_met_in_the_scope(
    compensated_by: str, holds: Tally | None, eased: RequirementState, taken: int
) -> None:
    acceptance = SimpleNamespace(compensated_by=compensated_by)
    papers = Papers(
        excepted=["user:ad:a"],
        standings=[SimpleNamespace(entry=SimpleNamespace(id="EX-1", acceptance=acceptance))],
    )
    made = verdicts(item(CHECK), tally=closed(3, 1, 0), papers=papers)
    other = replace(USE, parameters={"modes": ["absent"]})
    known = {each.address: each for each in (CHECK, *CHOICE.branches)}
    made = replace(
        made,
        baseline=cast(Baseline, SimpleNamespace(items=made.baseline.items, gates={}, requirement=known.__getitem__)),
        uses={"1-1/mfa": USE, "1-1/left": other},
        counts={"User": Counts({**made.counts["User"].tallies, **({(other.id, SCOPE): holds} if holds else {})})},
        excepted=lambda use, scope, assets: len(assets),
    )
    found = only(made.grade(SCOPE, Pillar.IDENTITY))
    assert (found.state, found.state_with_exceptions, found.excepted) == (NOT_MET, eased, taken)


@pytest.mark.parametrize(
    ("document", "tally", "state"),
    [
        ((MET, None, "AT-1"), closed(0, 1, 0), MET),
        ((OPEN, RegisterWhy.MISSING, None), closed(1, 0, 0), MET),
        ((NOT_MET, None, "AT-1"), closed(0, 1, 0), NOT_MET),
        ((OPEN, RegisterWhy.EXPIRED, "AT-1"), closed(0, 1, 0), OPEN),
    ],
)
def test_one_branch_is_enough_and_all_must_fail(
    document: tuple[RequirementState, RegisterWhy | None, str | None], tally: Tally, state: RequirementState
) -> None:
    made = verdicts(item(CHOICE), tally=tally, papers=Papers({"1-1/paper": document}))
    found = only(made.grade(SCOPE, Pillar.IDENTITY))
    assert found.state is state
    left, paper = found.branches
    assert (left.id, paper.id, paper.entry) == ("left", "paper", document[2])
    assert paper.why == ([document[1].value] if document[1] else [])


def test_only_missing_documents_is_a_state_of_its_own() -> None:
    made = verdicts(item(CHECK, DOCUMENT), tally=closed(1, 0, 0))
    (found,) = made.grade(SCOPE, Pillar.IDENTITY).items
    assert (found.state, found.reason) == (ItemState.NEEDS_ATTESTATION, "documents are missing: paper")


def test_an_open_requirement_that_was_disproved_keeps_the_date() -> None:
    proved = {("core/remote_work", "1-1/mfa"): "2026-10-01T00:00:00Z"}
    open_, shut = closed(0, 0, 2), closed(2, 0, 0)
    (found,) = verdicts(item(CHECK), tally=open_, proved=proved).grade(SCOPE, Pillar.IDENTITY).items
    assert found.last_proved == found.requirements[0].last_proved == "2026-10-01T00:00:00Z"
    (found,) = verdicts(item(CHECK), tally=shut, proved=proved).grade(SCOPE, Pillar.IDENTITY).items
    assert (found.last_proved, found.state) == (None, ItemState.MET)


def test_only_the_matrix_of_the_cloud_scene_or_a_proved_statement_takes_an_item_away() -> None:
    matrix = item(CHECK, listed={ServiceModel.SAAS: False})
    made = verdicts(matrix, tally=closed(0, 1, 0))
    assert made.grade(CLOUD, Pillar.IDENTITY).items[0].state is ItemState.NOT_APPLICABLE
    assert made.grade(SCOPE, Pillar.IDENTITY).items[0].state is ItemState.NOT_MET
    stated = Papers(stated=[("1-1", "User")])
    for empty, state in ((True, ItemState.NOT_APPLICABLE), (False, ItemState.NOT_ASSESSED)):
        made = verdicts(item(CHECK), tally=Tally(), papers=stated, empty=empty)
        assert made.grade(SCOPE, Pillar.IDENTITY).items[0].state is state


def test_a_gate_without_its_documents_holds_the_floor_and_blocks() -> None:
    gate = {Level.II: (replace(DOCUMENT, address="II/paper"),)}
    low, high = item(CHECK), item(CHECK, level=Level.II)
    grade = verdicts(low, high, tally=closed(2, 0, 0), gates=gate).grade(SCOPE, Pillar.IDENTITY)
    assert (grade.floor, grade.ceiling) == (Level.I, Level.II)
    assert [(row.item, row.requirements) for row in grade.blocking] == [("gate II", ["paper"])]
    papers = Papers({"II/paper": (MET, None, "AT-2")})
    grade = verdicts(low, high, tally=closed(2, 0, 0), gates=gate, papers=papers).grade(SCOPE, Pillar.IDENTITY)
    assert (grade.floor, grade.ceiling, grade.blocking) == (Level.II, Level.II, [])
    denied = Papers({"II/paper": (NOT_MET, None, "AT-2")})
    grade = verdicts(low, high, tally=closed(2, 0, 0), gates=gate, papers=denied).grade(SCOPE, Pillar.IDENTITY)
    assert (grade.floor, grade.ceiling) == (Level.I, Level.I)


def test_a_pillar_holds_its_own_items_only() -> None:
    grade = verdicts(item(CHECK), tally=closed(2, 0, 0)).grade(SCOPE, Pillar.DATA)
    assert (grade.items, grade.floor, grade.ceiling) == ([], Level.NONE, Level.NONE)
    assert grade.passed_over == [Level.I, Level.II, Level.III, Level.IV]
