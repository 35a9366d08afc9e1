"""Lost evidence never looks like progress: what was disproved stays told until it is seen again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from scanner.grading.history import History, history_of, regressions
from scanner.model import ItemState, Level, Pillar, RequirementKind, RequirementState, Scene
from scanner.result.assessment import Assessment, BaselineRef, Headline
from scanner.result.change import Regression
from scanner.result.grade import GateResult, Grade, ItemResult, RequirementResult, Span

MET, NOT_MET, OPEN = RequirementState.MET, RequirementState.NOT_MET, RequirementState.UNDETERMINED
THEN, BEFORE = "2026-10-01T00:00:00Z", "2026-09-01T00:00:00Z"


def result(state: RequirementState, id: str = "mfa", **fields: Any) -> RequirementResult:
    return RequirementResult(id=id, kind=RequirementKind.CHECK, state=state, **fields)


def grade(*requirements: RequirementResult, state: ItemState = ItemState.MET, gate: RequirementState = MET) -> Grade:
    document = RequirementResult(id="protect-surface", kind=RequirementKind.ATTESTATION, state=gate)
    return Grade(
        system="core",
        scene=Scene.REMOTE_WORK,
        pillar=Pillar.IDENTITY,
        floor=Level.NONE,
        ceiling=Level.IV,
        floor_with_exceptions=Level.NONE,
        ceiling_with_exceptions=Level.IV,
        target=Level.I,
        passed_over=[],
        gates=[GateResult(level=Level.II, state=gate, requirements=[document])],
        blocking=[],
        items=[
            ItemResult(
                id="1-1", level=Level.I, state=state, reason="r", last_proved=None, requirements=list(requirements)
            )
        ],
    )


def assessment(*grades: Grade) -> Assessment:
    span = Span(floor=Level.NONE, ceiling=Level.NONE)
    return Assessment(
        schema_version=1,
        assessment="a" * 64,
        path="",
        institution="small",
        as_of=THEN,
        baseline=BaselineRef(id="b", version="1", digest="d"),
        estate_digest="",
        registers_digest="",
        code="",
        previous=None,
        collections=[],
        headline=Headline(without_exceptions=span, with_exceptions=span),
        grades=list(grades),
        gaps=[],
    )


def told(was: History, now: Grade) -> list[Regression]:
    return list(regressions(was, [now]))


KEY = ("core/remote_work", "1-1/mfa")


def test_without_a_previous_assessment_there_is_no_history() -> None:
    was = history_of(None)
    assert (dict(was.states), dict(was.proved)) == ({}, {})
    assert told(was, grade(result(NOT_MET), result(OPEN, "other"))) == []


@pytest.mark.parametrize(
    ("state", "last_proved", "proved"),
    [(NOT_MET, None, THEN), (NOT_MET, BEFORE, THEN), (OPEN, BEFORE, BEFORE), (OPEN, None, None), (MET, None, None)],
)
def test_when_a_requirement_was_last_disproved(
    state: RequirementState, last_proved: str | None, proved: str | None
) -> None:
    was = history_of(assessment(grade(result(state, last_proved=last_proved))))
    assert was.states[KEY] is state
    assert was.proved.get(KEY) == proved


def test_branches_and_gates_have_a_history_of_their_own() -> None:
    choice = RequirementResult(
        id="either", kind=RequirementKind.ANY_OF, state=OPEN, branches=[result(NOT_MET, "left"), result(OPEN, "right")]
    )
    was = history_of(assessment(grade(choice, gate=NOT_MET)))
    assert was.proved == {
        ("core/remote_work", "1-1/left"): THEN,
        ("core/remote_work", "II/protect-surface"): THEN,
    }


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        (MET, result(MET), None),
        (MET, result(OPEN), (MET, OPEN, None)),
        (MET, result(NOT_MET), (MET, NOT_MET, None)),
        (OPEN, result(NOT_MET), None),
        (NOT_MET, result(NOT_MET), None),
        (NOT_MET, result(MET), None),
        (NOT_MET, result(OPEN, last_proved=THEN), (NOT_MET, OPEN, THEN)),
        (OPEN, result(OPEN, last_proved=BEFORE), (NOT_MET, OPEN, BEFORE)),
    ],
)
def test_what_stands_worse_or_went_dark_is_a_regression(
    was: RequirementState, now: RequirementResult, expected: tuple[Any, ...] | None
) -> None:
    found = told(history_of(assessment(grade(result(was)))), grade(now))
    assert [(row.was, row.now, row.last_proved) for row in found] == ([expected] if expected else [])
    assert all((row.system, row.item, row.requirement) == ("core", "1-1", "mfa") for row in found)


def test_an_item_that_does_not_apply_any_more_is_no_regression() -> None:
    was = history_of(assessment(grade(result(MET))))
    assert told(was, grade(result(OPEN), state=ItemState.NOT_APPLICABLE)) == []


def test_another_system_has_another_history() -> None:
    was = history_of(assessment(grade(result(MET))))
    elsewhere = msgspec.structs.replace(grade(result(OPEN)), system="branch")
    assert told(was, elsewhere) == []
