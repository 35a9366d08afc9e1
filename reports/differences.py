"""What differs from the previous assessment, grouped by what it can be explained by; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.cards import Scope
from reports.ladder import natural
from scanner.model import RegisterWhy, RequirementState
from scanner.result.assessment import Assessment
from scanner.result.change import ChangeCause, ChangeRow, ChangeWhat, RequirementChange, Turn
from scanner.result.register import RegisterRow

COUNTS = "counts"
"""Standing of an entry that counts."""

STANDINGS = (COUNTS, RegisterWhy.EXPIRED, RegisterWhy.LAPSED, RegisterWhy.SELF_DECLARED, RegisterWhy.REVOKED)
"""How entries stand, in the order shown; these are shown even where there is none."""


@dataclass(frozen=True)
class Change:
    """A requirement that stands otherwise, with the scopes in which it is the same.

    ``dark`` where it was disproved and is open or no more looked at.
    """

    first: RequirementChange
    dark: bool
    scopes: tuple[Scope, ...]


@dataclass(frozen=True)
class CauseOutline:
    """One cause: inputs that differ by it, and how many requirements it can explain."""

    cause: ChangeCause
    rows: tuple[ChangeRow, ...]
    worse: int
    other: int
    recorded: bool
    """False where the previous assessment does not say."""


def grouped(changes: Iterable[RequirementChange]) -> tuple[Change, ...]:
    """Changes that are alike told once, the gravest turn first."""
    groups: dict[tuple[object, ...], list[RequirementChange]] = {}
    for row in changes:
        alike = (row.item, row.requirement, row.was, row.now, row.last_proved, row.turn)
        groups.setdefault((*alike, *row.causes, None, *row.not_recorded), []).append(row)
    order = list(Turn)
    told = [
        Change(
            first=rows[0],
            dark=rows[0].was is RequirementState.NOT_MET and rows[0].turn in (Turn.DARK, Turn.OUT_OF_SCOPE),
            scopes=tuple(Scope(row.system, row.scene) for row in rows),
        )
        for rows in groups.values()
    ]
    return tuple(sorted(told, key=lambda change: (order.index(change.first.turn), natural(change.first.item))))


def by_cause(assessment: Assessment) -> tuple[CauseOutline, ...]:
    """Every cause that changed or explains something, in order."""
    changes = assessment.changes
    if changes is None:
        return ()
    told = []
    for cause in ChangeCause:
        rows = tuple(row for row in changes.inputs if row.cause is cause)
        worse = sum(cause in row.causes for row in assessment.regressions)
        other = sum(cause in row.causes for row in changes.requirements)
        unknown = any(cause in row.not_recorded for row in (*assessment.regressions, *changes.requirements))
        unknown = unknown or any(row.what is ChangeWhat.NOT_RECORDED for row in rows)
        if rows or worse or other or unknown:
            told.append(CauseOutline(cause=cause, rows=rows, worse=worse, other=other, recorded=not unknown))
    return tuple(told)


def standings(registers: Sequence[RegisterRow]) -> tuple[tuple[str, int], ...]:
    """How many register entries stand how."""
    held = Counter(COUNTS if row.counts else str(row.why) for row in registers)
    words = [*map(str, STANDINGS), *sorted(held.keys() - {str(word) for word in STANDINGS})]
    return tuple((word, held[word]) for word in words)
