"""Very many scopes in one table: a row each, with every level and the state of every item; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from reports.cards import Scope
from reports.glyphs import AIM_GLYPHS, GLYPHS, aim_of
from reports.ladder import natural
from reports.outline import Outline
from reports.words import Words
from scanner.model import Level
from scanner.result.assessment import ScopeRow
from scanner.result.grade import Grade


@dataclass(frozen=True)
class CompactRow:
    """One scope as text."""

    system: str
    scene: str
    met: str
    seen: str
    """Asset x check seen of those there are."""
    open: str
    """Checks over an open listing, of all."""
    cells: tuple[str, ...]
    """For each pillar its interval, how it stands to the target, and a glyph for each item."""


def compact_rows(told: Outline, words: Words, name: Callable[[str], str]) -> Iterator[CompactRow]:
    """A row for each scope, in order."""
    for row in told.scopes:
        yield CompactRow(
            system=name(row.scope.system),
            scene=words.term("scene", row.scope.scene),
            met=f"{row.met}/{row.total}",
            seen=f"{row.assessed:,}/{row.population:,}",
            open=f"{row.open_checks}/{row.checks}",
            cells=tuple(words.say("systems.absent") if grade is None else _cell(grade) for _, grade in row.grades),
        )


def _cell(grade: Grade) -> str:
    span = _span(grade.floor, grade.ceiling)
    eased = _span(grade.floor_with_exceptions, grade.ceiling_with_exceptions)
    items = "".join(GLYPHS[item.state] for item in sorted(grade.items, key=lambda item: natural(item.id)))
    return f"{span}{f' ({eased})' if eased != span else ''} {AIM_GLYPHS[aim_of(grade)]} {grade.target} {items}"


def _span(floor: Level, ceiling: Level) -> str:
    low, high = ("0" if level is Level.NONE else level.value for level in (floor, ceiling))
    return low if floor is ceiling else f"{low}..{high}"


def alike_populations(rows: Sequence[ScopeRow], *, fold: bool) -> list[tuple[ScopeRow, tuple[Scope, ...]]]:
    """Each population of each scope; with ``fold`` those with the same numbers once, with their scopes."""
    if not fold:
        return [(row, (Scope(row.system, row.scene),)) for row in rows]
    groups: dict[object, list[ScopeRow]] = {}
    for row in rows:
        key = (row.population, row.members, row.undetermined, row.closed, row.note)
        groups.setdefault(key, []).append(row)
    return [(alike[0], tuple(Scope(row.system, row.scene) for row in alike)) for alike in groups.values()]
