"""Register entries as a report tells them: by kind, and the plans beside what the evidence proves; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.ladder import lowest
from scanner.result import Assessment, PlanRow, RegisterRow, Span

KINDS = ("attestation", "drill", "review", "exception", "scope_statement", "adoption", "revocation")
"""Kinds of entries in the order in which they are told; any other follows them."""


@dataclass(frozen=True)
class EntryGroup:
    """All entries of one kind, and how many of them count."""

    kind: str
    rows: tuple[RegisterRow, ...]

    @property
    def counting(self) -> int:
        """Number of entries that count."""
        return sum(row.counts for row in self.rows)


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
