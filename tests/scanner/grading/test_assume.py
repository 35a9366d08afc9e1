"""An assumption moves levels by the ladder that grades, never downwards where it says met, and nothing without one."""

from __future__ import annotations

import random

import msgspec
import pytest

from scanner.errors import UsageError
from scanner.grading.assume import Assumption, Assumptions, assumed
from scanner.model import ItemState, Level, RequirementState, Scene
from tests.scanner.grading.grades import addresses, choice, drawn, grade, requirement

DRAWS = range(300)
NOTHING = Assumptions()


def met(*found: str) -> Assumptions:
    return Assumptions(Assumption(address) for address in found)


def test_nothing_assumed_is_the_assessment() -> None:
    for number in DRAWS:
        found = drawn(random.Random(number))
        again = assumed(found, NOTHING)
        assert msgspec.structs.replace(again, blocking=[]) == found


def test_what_already_holds_may_be_assumed_without_any_change() -> None:
    for number in DRAWS:
        found = drawn(random.Random(number))
        again = assumed(
            found,
            Assumptions(
                Assumption(f"{owner}/{each.id}", each.state)
                for owner, held in [(item.id, item.requirements) for item in found.items]
                for each in held
                if each.state_with_exceptions in {None, each.state}
            ),
        )
        assert (again.floor, again.ceiling) == (found.floor, found.ceiling)
        assert [item.state for item in again.items] == [item.state for item in found.items]


def test_assuming_met_never_lowers_a_floor_or_a_ceiling() -> None:
    moved = 0
    for number in DRAWS:
        draw = random.Random(number)
        found = drawn(draw)
        names = addresses(found)
        chosen = draw.sample(names, draw.randint(0, len(names)))
        once, more = assumed(found, met(*chosen)), assumed(found, met(*chosen, *draw.sample(names, len(names) // 2)))
        for before, after in ((found, once), (once, more)):
            assert after.floor.rank >= before.floor.rank
            assert after.ceiling.rank >= before.ceiling.rank
            assert after.floor_with_exceptions.rank >= before.floor_with_exceptions.rank
            assert after.ceiling_with_exceptions.rank >= before.ceiling_with_exceptions.rank
        moved += once.floor is not found.floor
    assert moved > 20


def test_assuming_unknown_or_not_met_never_raises_a_level() -> None:
    for number in DRAWS:
        draw = random.Random(number)
        found = drawn(draw)
        names = [name for name in addresses(found) if not name.endswith(("left", "right"))]
        chosen = draw.sample(names, draw.randint(0, len(names)))
        worse = assumed(found, Assumptions(Assumption(name, RequirementState.NOT_MET) for name in chosen))
        assert worse.ceiling.rank <= found.ceiling.rank
        assert worse.floor.rank <= found.floor.rank
        dark = Assumptions(Assumption(name, RequirementState.UNDETERMINED) for name in chosen)
        assert assumed(found, dark).floor.rank <= found.floor.rank


def test_everything_met_reaches_the_highest_level_that_has_items() -> None:
    for number in DRAWS:
        found = drawn(random.Random(number))
        carried = [level for level in Level if level is not Level.NONE and level not in found.passed_over]
        again = assumed(found, met(*addresses(found)))
        assert again.floor is (carried[-1] if carried else Level.NONE)


def test_a_choice_follows_its_branches_and_what_is_assumed_of_itself_wins() -> None:
    found = grade({("1-1", "I"): [choice("either", requirement("a", "n"), requirement("b", "n"))]})
    assert found.ceiling is Level.NONE
    assert assumed(found, met("1-1/b")).floor is Level.I
    assert assumed(found, met("1-1/either")).floor is Level.I
    both = Assumptions([Assumption("1-1/b"), Assumption("1-1/either", RequirementState.NOT_MET)])
    assert assumed(found, both).ceiling is Level.NONE


def test_an_assumption_does_not_make_an_item_apply() -> None:
    found = grade({("1-1", "I"): [requirement("a", "m")], ("1-2", "II"): None})
    again = assumed(found, met("1-2/a"))
    assert again.floor is Level.I
    assert again.items[1].state is ItemState.NOT_APPLICABLE


def test_a_gate_can_be_assumed() -> None:
    found = grade(
        {("1-1", "I"): [requirement("a", "m")], ("1-2", "II"): [requirement("a", "m")]},
        {"II": [requirement("surface", "u")]},
    )
    assert (found.floor, found.ceiling) == (Level.I, Level.II)
    assert assumed(found, met("II/surface")).floor is Level.II


def test_an_assumption_holds_where_it_is_made_and_the_narrower_one_wins() -> None:
    found = [
        grade({("1-1", "I"): [requirement("a", "n")]}, system=system, scene=scene)
        for system in ("core", "web")
        for scene in (Scene.REMOTE_WORK, Scene.CLOUD_ACCESS)
    ]
    taken = Assumptions(
        [
            Assumption("1-1/a", RequirementState.NOT_MET),
            Assumption("1-1/a", system="core", scene=Scene.CLOUD_ACCESS),
            Assumption("1-1/a", RequirementState.UNDETERMINED, system="core"),
        ]
    )
    again = [assumed(each, taken) for each in found]
    assert [(each.floor.value, each.ceiling.value) for each in again] == [
        ("none", "I"),
        ("I", "I"),
        ("none", "none"),
        ("none", "none"),
    ]


def test_assumptions_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="contradict"):
        Assumptions([Assumption("1-1/a"), Assumption("1-1/a", RequirementState.NOT_MET)])
    assert len(Assumptions([Assumption("1-1/a"), Assumption("1-1/a")]).stated) == 1
