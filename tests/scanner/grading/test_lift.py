"""What lifts a grade is exactly what lies between its floor and the aim: no less would do, no more is asked."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from scanner.grading.assume import Assumption, Assumptions, assumed
from scanner.grading.lift import Cell, Cost, Prices, cells
from scanner.guideline.nouns import Baseline, Requirement
from scanner.institution.costs import StatedCost
from scanner.model import Effort, Impact, ItemState, Level, RequirementKind, Text
from scanner.result.grade import Grade
from tests.scanner.grading.grades import choice, drawn, grade, requirement

WORDS = Text(zh_tw="修", en="mend")


def prices(costs: Mapping[str, tuple[Effort, Impact]], stated: Mapping[str, StatedCost] | None = None) -> Prices:
    """Prices of a baseline that has only these requirements."""
    known = [
        Requirement(
            address, address.partition("/")[2], RequirementKind.CHECK, WORDS, WORDS, effort=effort, impact=impact
        )
        for address, (effort, impact) in costs.items()
    ]
    return Prices(cast("Baseline", SimpleNamespace(requirements=lambda: iter(known))), stated or {})


FREE = prices({})


def only(found: Grade, given: Prices = FREE, **asked: Any) -> Cell:
    """The one cell of one grade."""
    (cell,) = cells([found], given, **asked)
    return cell


def named(cell: Cell) -> list[str]:
    return [need.address for need in cell.needs]


TWO = {
    ("1-1", "I"): [requirement("a", "m"), requirement("b", "n", failed=2, unknown=1, population=5, assessed=4)],
    ("1-2", "II"): [requirement("c", "u", kind=RequirementKind.ATTESTATION, why=["missing"])],
    ("1-3", "III"): [requirement("d", "u")],
}


def test_the_target_of_the_system_is_asked_for_unless_another_is() -> None:
    found = grade(TWO, {"II": [requirement("surface", "u", kind=RequirementKind.ATTESTATION)]}, target=Level.II)

    assert sorted(named(only(found))) == ["1-1/b", "1-2/c", "II/surface"]
    assert named(only(found, target=Level.I)) == ["1-1/b"]
    assert len(named(only(found, target=Level.III))) == 4
    assert named(only(found, onward=True)) == ["1-1/b"]


def test_each_need_tells_how_it_stands() -> None:
    needs = {need.address: need for need in only(grade(TWO, target=Level.III)).needs}

    assert needs["1-1/b"].why is ItemState.NOT_MET
    assert (needs["1-1/b"].failing, needs["1-1/b"].unknown, needs["1-1/b"].population) == (2, 1, 5)
    assert needs["1-2/c"].why is ItemState.NEEDS_ATTESTATION
    assert needs["1-2/c"].reasons == ("missing",)
    assert needs["1-3/d"].why is ItemState.NOT_ASSESSED
    assert {name for name, need in needs.items() if need.look_first} == {"1-3/d"}


def test_the_cheapest_comes_first_and_what_nobody_states_last() -> None:
    given = prices(
        {
            "1-1/b": (Effort.PROJECT, Impact.NONE),
            "1-2/c": (Effort.CHANGE, Impact.HIGH),
            "II/surface": (Effort.CHANGE, Impact.LOW),
        }
    )
    found = grade(TWO, {"II": [requirement("surface", "u")]}, target=Level.III)

    assert named(only(found, given)) == ["II/surface", "1-2/c", "1-1/b", "1-3/d"]


def test_the_institution_has_the_last_word_and_its_reason_is_kept() -> None:
    stated = {"1-1/b": StatedCost(Effort.SETTING, None, "the policy is ready")}
    given = prices({"1-1/b": (Effort.PROJECT, Impact.LOW), "1-2/c": (Effort.CHANGE, Impact.NONE)}, stated)

    first, second = only(grade(TWO), given).needs
    assert first.step.cost == Cost(Effort.SETTING, Impact.LOW, "the policy is ready")
    assert second.step.cost == Cost(Effort.CHANGE, Impact.NONE)


def test_what_does_not_apply_is_left_out() -> None:
    found = grade({("1-1", "I"): [requirement("a", "n")], ("1-3", "I"): None, ("1-2", "II"): [requirement("a", "m")]})
    assert named(only(found)) == ["1-1/a"]


def test_a_level_without_items_is_passed_over_but_its_gate_is_not() -> None:
    found = grade(
        {("1-1", "I"): [requirement("a", "m")], ("1-2", "II"): None, ("1-3", "III"): [requirement("a", "n")]},
        {"II": [requirement("surface", "u")]},
        target=Level.II,
    )
    asked_two = only(found)
    assert (asked_two.aim, asked_two.needs) == (Level.I, ())
    onward = only(found, onward=True)
    assert (onward.asked, sorted(named(onward))) == (Level.III, ["1-3/a", "II/surface"])


def test_at_the_top_nothing_is_left_to_do() -> None:
    found = grade({("1-1", level.value): [requirement("a", "m")] for level in Level if level is not Level.NONE})
    assert only(found, onward=True).needs == ()


CHEAP, DEAR = (Effort.SETTING, Impact.NONE), (Effort.CHANGE, Impact.LOW)
NONE_EXISTS = {"kind": RequirementKind.ATTESTATION}


def test_of_a_choice_the_cheapest_branch_is_the_step_and_the_others_are_named() -> None:
    found = grade(
        {("1-1", "I"): [choice("either", requirement("guarded", "u"), requirement("none", "u", **NONE_EXISTS))]}
    )
    (need,) = only(found, prices({"1-1/guarded": DEAR, "1-1/none": CHEAP})).needs

    assert (need.address, need.step.address) == ("1-1/either", "1-1/none")
    assert [other.address for other in need.others] == ["1-1/guarded"]


def test_nobody_is_advised_to_sign_that_there_is_none_of_what_was_seen() -> None:
    guarded = requirement("guarded", "n", failed=1, assessed=1, population=1)
    found = grade({("1-1", "I"): [choice("either", guarded, requirement("none", "u", **NONE_EXISTS))]})
    (need,) = only(found, prices({"1-1/guarded": DEAR, "1-1/none": CHEAP})).needs

    assert need.step.address == "1-1/guarded"
    assert [(other.address, other.spoken_against) for other in need.others] == [("1-1/none", True)]


def test_nobody_is_advised_to_sign_what_was_signed_to_be_false() -> None:
    found = grade(
        {("1-1", "I"): [choice("either", requirement("guarded", "u"), requirement("none", "n", **NONE_EXISTS))]}
    )
    (need,) = only(found, prices({"1-1/guarded": DEAR, "1-1/none": CHEAP})).needs

    assert need.step.address == "1-1/guarded"


def test_the_needs_suffice_and_each_is_needed() -> None:
    lifted = 0
    for number in range(300):
        draw = random.Random(number)
        found = drawn(draw, target=draw.choice([Level.I, Level.II, Level.III, Level.IV]))
        for cell in (only(found), only(found, onward=True)):
            steps = [need.step.address for need in cell.needs]
            whole = assumed(found, Assumptions(map(Assumption, steps)))
            assert whole.floor.rank >= cell.aim.rank
            assert bool(steps) == (found.floor.rank < cell.aim.rank)
            for left_out in steps:
                part = Assumptions(Assumption(step) for step in steps if step != left_out)
                assert assumed(found, part).floor.rank < cell.aim.rank
            lifted += bool(steps)
    assert lifted > 100
