"""Bundles lift what they claim by the ladder itself, the small ones are the best there are, and size is borne."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Sequence

from scanner.grading.assume import Assumption, Assumptions, assumed
from scanner.grading.lift import cells
from scanner.grading.lift_together import STEPS, together
from scanner.model import Level, Pillar, Scene
from scanner.result.grade import Grade
from tests.scanner.grading.grades import drawn, grade, requirement
from tests.scanner.grading.test_lift import FREE


def reached(grades: Sequence[Grade], addresses: Sequence[str]) -> list[tuple[str, Scene, Pillar]]:
    """Cells below their target that reach it when these requirements are met everywhere."""
    taken = Assumptions(map(Assumption, addresses))
    aims = {(cell.system, cell.scene, cell.pillar): cell.aim for cell in cells(grades, FREE) if cell.needs}
    return [
        key
        for found in grades
        if (key := (found.system, found.scene, found.pillar)) in aims
        and assumed(found, taken).floor.rank >= aims[key].rank
    ]


def institution(seed: int, systems: int = 6) -> list[Grade]:
    draw = random.Random(seed)
    return [drawn(draw, system=f"s{number}", pillar=pillar) for number in range(systems) for pillar in list(Pillar)[:2]]


def named(grades: Sequence[Grade]) -> list[str]:
    return sorted({need.address for cell in cells(grades, FREE) for need in cell.needs})


def test_a_bundle_lifts_exactly_as_many_cells_as_the_ladder_says() -> None:
    for seed in range(20):
        grades = institution(seed)
        whole = together(cells(grades, FREE))
        for bundle in whole.bundles:
            assert len(reached(grades, bundle.addresses)) == bundle.cells
        for single in whole.singles:
            assert len(reached(grades, [single.address])) == single.lifts


def test_no_other_bundle_of_its_size_lifts_more() -> None:
    for seed in range(12):
        grades = institution(seed, systems=4)
        names = named(grades)
        found = {len(bundle.addresses): bundle for bundle in together(cells(grades, FREE)).bundles}
        best = 0
        for size in (1, 2):
            most = max((len(reached(grades, each)) for each in itertools.combinations(names, size)), default=0)
            bundle = found.get(size)
            assert (bundle.cells if bundle else best) == most, (seed, size)
            assert bundle is None or bundle.exact
            best = most


def test_steps_add_up_to_everything_when_there_are_enough_of_them() -> None:
    finished = 0
    for seed in range(20):
        grades = institution(seed, systems=3)
        whole = together(cells(grades, FREE))
        chosen: list[str] = []
        for step in whole.steps:
            before = len(reached(grades, chosen))
            chosen += step.addresses
            assert len(reached(grades, chosen)) - before == step.cells
        if len(whole.steps) < STEPS:
            assert sum(step.cells for step in whole.steps) == whole.cells
            assert sum(step.scopes for step in whole.steps) == whole.scopes
            assert sorted(chosen) == named(grades)
            finished += 1
    assert finished > 5


def test_a_gate_that_alone_holds_back_all_pillars_of_a_scope_comes_first() -> None:
    items = {("1-1", "I"): [requirement("a", "m")], ("1-2", "II"): [requirement("b", "m")]}
    grades = [grade(items, {"II": [requirement("surface", "u")]}, pillar=pillar) for pillar in Pillar]
    whole = together(cells(grades, FREE))

    (single,) = whole.singles
    assert (single.address, single.lifts, single.open_scopes) == ("II/surface", 5, 1)
    (bundle,) = whole.bundles
    assert (bundle.cells, bundle.scopes, bundle.levels, bundle.exact) == (5, 1, (Level.II,), True)


def test_two_that_only_lift_together_are_found() -> None:
    both = {("1-1", "I"): [requirement("a", "n"), requirement("b", "n")]}
    grades = [grade(both, system=f"s{number}") for number in range(3)]
    grades.append(grade({("1-1", "I"): [requirement("c", "n")]}, system="other"))
    first, second, third = together(cells(grades, FREE)).bundles

    assert (first.addresses, first.cells) == (("1-1/c",), 1)
    assert (second.addresses, second.cells) == (("1-1/a", "1-1/b"), 3)
    assert (third.addresses, third.cells) == (("1-1/a", "1-1/b", "1-1/c"), 4)


def test_where_nothing_is_below_its_target_nothing_is_said() -> None:
    whole = together(cells([grade({("1-1", "I"): [requirement("a", "m")]}, target=Level.I)], FREE))
    assert (whole.cells, whole.singles, whole.bundles, whole.steps) == (0, (), (), ())


def test_many_different_systems_are_borne_and_an_unfinished_search_says_so() -> None:
    draw = random.Random(1)
    slugs = [f"r{number}" for number in range(140)]
    grades = []
    for number in range(300):
        open_ones = set(draw.sample(slugs, draw.choice([2, 3, 4, 5, 20])))
        held = [requirement(slug, "n" if slug in open_ones else "m") for slug in slugs]
        grades += [grade({("1-1", "I"): held}, system=f"s{number}")]
    started = time.process_time()
    whole = together(cells(grades * 5, FREE))
    assert time.process_time() - started < 30

    assert len(whole.steps) == STEPS
    assert not all(bundle.exact for bundle in whole.bundles)
