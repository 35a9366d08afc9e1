"""Register entries as a report tells them: by kind, and the plans beside what the evidence proves; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.ladder import lowest, natural
from scanner.result.assessment import Assessment
from scanner.result.grade import Span
from scanner.result.register import PlanRow, RegisterRow

KINDS = ("attestation", "drill", "review", "exception", "scope_statement", "adoption", "revocation")
"""Kinds of entries in the order in which they are told; any other follows them."""


@dataclass(frozen=True)
class EntryCount:
    """Entries of one requirement in numbers."""

    requirement: str
    entries: int
    counting: int
    first_end: str
    """When the first of those that count ends; empty where none does."""


@dataclass(frozen=True)
class EntryGroup:
    """All entries of one kind, and how many of them count."""

    kind: str
    rows: tuple[RegisterRow, ...]

    @property
    def counting(self) -> int:
        """Number of entries that count."""
        return sum(row.counts for row in self.rows)

    def first(self, limit: int) -> tuple[RegisterRow, ...]:
        """So many rows, in their order; where there are more, those that do not count before those that do."""
        if len(self.rows) <= limit:
            return self.rows
        order = {row.id: place for place, row in enumerate(self.rows)}
        return tuple(sorted(self.rows, key=lambda row: (row.counts, order[row.id]))[:limit])

    def by_requirement(self) -> tuple[EntryCount, ...]:
        """All rows in numbers, in order of requirement."""
        held: dict[str, list[RegisterRow]] = {}
        for row in self.rows:
            held.setdefault(row.requirement, []).append(row)
        return tuple(
            EntryCount(
                requirement=requirement,
                entries=len(rows),
                counting=sum(row.counts for row in rows),
                first_end=min((row.expires_at for row in rows if row.counts and row.expires_at), default=""),
            )
            for requirement, rows in sorted(held.items(), key=lambda told: natural(told[0]))
        )


@dataclass(frozen=True)
class PlanOutline:
    """One adoption plan, and the lowest interval that the evidence gives where it applies; None without a grade."""

    row: RegisterRow
    plan: PlanRow
    proved: Span | None

    @property
    def reached(self) -> bool:
        """Whether the evidence proves the level that is planned."""
        return self.proved is not None and self.proved.floor.rank >= self.plan.target.rank


def entry_groups(rows: Sequence[RegisterRow]) -> tuple[EntryGroup, ...]:
    """Entries by kind; those that say what is planned stand in the chapter of the plans instead."""
    told = [row for row in rows if row.plan is None]
    kinds = sorted({row.kind for row in told}, key=lambda kind: (KINDS.index(kind) if kind in KINDS else 99, kind))
    return tuple(EntryGroup(kind, tuple(row for row in told if row.kind == kind)) for kind in kinds)


def plans(assessment: Assessment) -> tuple[PlanOutline, ...]:
    """Adoption plans, those overdue first, then by the day on which they are due."""
    found = [
        PlanOutline(row, row.plan, _proved(assessment, row, row.plan))
        for row in assessment.registers
        if row.plan is not None
    ]
    return tuple(sorted(found, key=lambda each: (not each.plan.overdue, each.plan.due, each.row.system, each.row.id)))


def _proved(assessment: Assessment, row: RegisterRow, plan: PlanRow) -> Span | None:
    grades = [
        grade
        for grade in assessment.grades
        if grade.system == row.system
        and (not row.scenes or grade.scene in row.scenes)
        and plan.pillar in {None, grade.pillar}
    ]
    return lowest(grades) if grades else None
