"""Levels as a report reads them: what blocks the next one, whether the headline holds, and how two readings differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scanner.model import ItemState, Level, Pillar, RequirementState, Scene
from scanner.result.assessment import Assessment
from scanner.result.grade import Grade, RequirementResult, Span

_DISPROVED = (ItemState.NOT_MET.value, ItemState.PARTIAL.value)


@dataclass(frozen=True)
class Lift:
    """One item or gate between the lowest floor and the level above it, over the scopes that stand there."""

    item: str
    level: Level
    states: tuple[str, ...]
    requirements: tuple[str, ...]
    grades: tuple[tuple[str, Scene, Pillar], ...]


@dataclass(frozen=True)
class Lifts:
    """What lifts the headline from ``floor`` to ``next``; ``next`` is None at level IV."""

    floor: Level
    next: Level | None
    grades_at_floor: int
    grades: int
    rows: tuple[Lift, ...]


@dataclass(frozen=True)
class Difference:
    """A requirement that stands otherwise under the second reading, with its scopes."""

    item: str
    requirement: str
    here: RequirementState
    there: RequirementState
    scopes: tuple[tuple[str, Scene], ...]


@dataclass(frozen=True)
class Differences:
    """The same evidence under a second baseline."""

    other: Assessment
    requirements: tuple[Difference, ...]
    grades: tuple[tuple[Grade, Grade], ...]


def lowest(grades: Sequence[Grade]) -> Span:
    """The lowest floor and the lowest ceiling; below level I where there is no grade."""
    if not grades:
        return Span(floor=Level.NONE, ceiling=Level.NONE)
    return Span(
        floor=min((grade.floor for grade in grades), key=lambda level: level.rank),
        ceiling=min((grade.ceiling for grade in grades), key=lambda level: level.rank),
    )


def headline_holds(assessment: Assessment) -> None:
    """Refuse, with ValueError, a headline that stands above the lowest of its grades, or an upside-down interval."""
    grades = assessment.grades
    plain = assessment.headline.without_exceptions
    accepted = assessment.headline.with_exceptions
    bounds = [
        ("floor", plain.floor, [grade.floor for grade in grades]),
        ("ceiling", plain.ceiling, [grade.ceiling for grade in grades]),
        ("floor with exceptions", accepted.floor, [grade.floor_with_exceptions for grade in grades]),
        ("ceiling with exceptions", accepted.ceiling, [grade.ceiling_with_exceptions for grade in grades]),
    ]
    for name, told, found in bounds:
        limit = min((level.rank for level in found), default=0)
        if told.rank > limit:
            raise ValueError(f"the headline {name} {told} stands above the lowest grade; the assessment is not sound")
    spans = [plain, accepted, *(Span(floor=grade.floor, ceiling=grade.ceiling) for grade in grades)]
    if any(span.floor.rank > span.ceiling.rank for span in spans):
        raise ValueError("a floor stands above its ceiling; the assessment is not sound")


def lifts(assessment: Assessment) -> Lifts:
    """What the grades at the headline floor say blocks them, one row an item, by level and disproved first."""
    floor = assessment.headline.without_exceptions.floor
    above = list(Level)[floor.rank + 1 :]
    low = [grade for grade in assessment.grades if grade.floor is floor]
    rows: dict[str, list[tuple[Grade, Level, str, list[str]]]] = {}
    for grade in low:
        for block in grade.blocking:
            rows.setdefault(block.item, []).append((grade, block.level, block.state, block.requirements))
    found = [
        Lift(
            item=item,
            level=told[0][1],
            states=tuple(sorted({state for _, _, state, _ in told}, key=_urgency)),
            requirements=tuple(dict.fromkeys(name for _, _, _, names in told for name in names)),
            grades=tuple((grade.system, grade.scene, grade.pillar) for grade, _, _, _ in told),
        )
        for item, told in rows.items()
    ]
    found.sort(key=lambda lift: (lift.level.rank, _urgency(lift.states[0]), natural(lift.item)))
    return Lifts(
        floor=floor,
        next=above[0] if above else None,
        grades_at_floor=len(low),
        grades=len(assessment.grades),
        rows=tuple(found),
    )


def compare(here: Assessment, there: Assessment) -> Differences:
    """Requirements whose state, and grades whose interval, differ between two readings of the same scopes."""
    others = {_grade_key(grade): grade for grade in there.grades}
    found: dict[tuple[str, str, RequirementState, RequirementState], list[tuple[str, Scene]]] = {}
    grades = []
    for grade in here.grades:
        other = others.get(_grade_key(grade))
        if other is None:
            continue
        if (grade.floor, grade.ceiling) != (other.floor, other.ceiling):
            grades.append((grade, other))
        theirs = {(item.id, row.id): row for item in other.items for row in _flat(item.requirements)}
        for item in grade.items:
            for row in _flat(item.requirements):
                match = theirs.get((item.id, row.id))
                if match is not None and match.state is not row.state:
                    key = (item.id, row.id, row.state, match.state)
                    found.setdefault(key, []).append((grade.system, grade.scene))
    rows = [Difference(*key, scopes=tuple(scopes)) for key, scopes in found.items()]
    rows.sort(key=lambda row: (natural(row.item), row.requirement))
    return Differences(other=there, requirements=tuple(rows), grades=tuple(grades))


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sorting key under which 1-10 follows 1-9."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    return tuple((0, int(part), "") if part.isdecimal() and part.isascii() else (1, 0, part) for part in parts)


def _urgency(state: str) -> tuple[bool, str]:
    return (state not in _DISPROVED, state)


def _grade_key(grade: Grade) -> tuple[str, Scene, Pillar]:
    return (grade.system, grade.scene, grade.pillar)


def _flat(requirements: Iterable[RequirementResult]) -> Iterable[RequirementResult]:
    for requirement in requirements:
        yield requirement
        yield from _flat(requirement.branches)
