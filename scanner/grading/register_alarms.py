"""What is to be looked at again about exceptions, and what plans say, at the moment of assessment; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import msgspec

from scanner.institution.register_nouns import Entry, EntryKind
from scanner.institution.registers import JudgedRegisters
from scanner.judging.scope import Scope
from scanner.judging.tally import Beside
from scanner.model import AlarmWord, RegisterWhy
from scanner.result.assessment import Assessment
from scanner.result.register import AlarmRow, PlanRow, RegisterRow

STEPS = (7, 14, 30)
"""Days before its end at which an exception is told of."""


@dataclass(frozen=True)
class Watch:
    """What alarms follow from."""

    registers: JudgedRegisters
    scopes: Sequence[Scope]
    compensated: Callable[[Entry, Scope], bool]
    """Whether nothing is to compensate an exception, or what is to do so is met in the scope."""
    beside: Callable[[Entry, Sequence[Scope], Sequence[str]], Beside]
    """Failures among the assets that an exception names, and among those named neither by it nor in the list."""
    closed: Callable[[Entry, Scope], bool]
    """Whether every asset of the requirement that an exception speaks of is known to be seen."""
    as_of: datetime
    previous: Assessment | None = None

    def told(self) -> tuple[list[RegisterRow], list[AlarmRow]]:
        """Every entry with what follows at this moment, and the alarms, both in order of entry ids."""
        counts = {entry.id: self._count(entry) for entry in self._exceptions()}
        rows = [self._row(row, counts) for row in self.registers.rows()]
        alarms = [alarm for entry in self._exceptions() for alarm in self._alarms(entry, counts[entry.id])]
        return rows, alarms

    @cached_property
    def _entries(self) -> Mapping[str, Entry]:
        return {each.entry.id: each.entry for each in self.registers.standings}

    def _exceptions(self) -> Iterator[Entry]:
        for standing in self.registers.standings:
            if standing.counts and standing.entry.kind is EntryKind.EXCEPTION:
                yield standing.entry

    def _covered(self, entry: Entry) -> list[Scope]:
        return [scope for scope in self.scopes if entry.covers(scope.system, scope.scene)]

    def _count(self, entry: Entry) -> Beside:
        """Its count; what an open listing may hide counts as unknown."""
        scopes = self._covered(entry)
        others = [
            asset
            for other in self._exceptions()
            if other.requirement == entry.requirement and any(other.covers(s.system, s.scene) for s in scopes)
            for asset in other.assets
        ]
        found = self.beside(entry, scopes, others)
        if all(self.closed(entry, scope) for scope in scopes):
            return found
        return Beside(
            found.seen,
            found.named,
            found.named_unknown + len(set(entry.assets)) - found.seen,
            found.beyond,
            max(found.beyond_unknown, 1),
        )

    # rows

    def _row(self, row: RegisterRow, counts: Mapping[str, Beside]) -> RegisterRow:
        entry = self._entries.get(row.id)
        if entry is None:
            return row
        if entry.plan is not None:
            plan = PlanRow(
                pillar=entry.plan.pillar,
                current=entry.plan.current,
                target=entry.plan.target,
                due=entry.plan.due.isoformat(),
                status=entry.plan.status.value,
                overdue=entry.plan.overdue(self.as_of),
            )
            return msgspec.structs.replace(row, plan=plan, statement=entry.statement)
        if row.id not in counts:
            return row
        row = msgspec.structs.replace(row, matched=counts[row.id].named, beyond=counts[row.id].beyond)
        lost = [scope for scope in self._covered(entry) if not self.compensated(entry, scope)]
        if not lost or entry.acceptance is None:
            return row
        where = ", ".join(scope.column for scope in lost)
        detail = f"{entry.acceptance.compensated_by} is to compensate, and is no check that is met in {where}"
        if len(lost) < len(self._covered(entry)):
            return msgspec.structs.replace(row, detail=detail)
        return msgspec.structs.replace(row, counts=False, why=RegisterWhy.UNCOMPENSATED, detail=detail)

    # alarms

    def _alarms(self, entry: Entry, found: Beside) -> Iterator[AlarmRow]:
        noted = entry.acceptance
        matched, beyond = (noted.matched, noted.beyond) if noted is not None else (None, None)
        yield from self._widened(entry, beyond, found.beyond, found.beyond_unknown, named=False)
        yield from self._widened(entry, matched, found.named, found.named_unknown, named=True)
        if not found.named:
            before = matched if matched is not None else self._before(entry, named=True)
            yield _alarm(entry, AlarmWord.STALE, before, 0, named=True, unknown=found.named_unknown)
        for days in STEPS:
            if entry.expires_at - self.as_of <= timedelta(days=days):
                yield _alarm(entry, AlarmWord.EXPIRING, None, (entry.expires_at - self.as_of).days, days=days)
                break
        for scope in self._covered(entry):
            if noted is not None and not self.compensated(entry, scope):
                lost = _alarm(entry, AlarmWord.COMPENSATION_LOST, matched, found.named, named=True)
                yield msgspec.structs.replace(lost, requirement=noted.compensated_by, scene=scope.scene)

    def _widened(self, entry: Entry, noted: int | None, now: int, unknown: int, *, named: bool) -> Iterator[AlarmRow]:
        """More than was approved, or than the previous assessment saw.

        An alarm once told stays, against the same number, until it is seen that no more fail than that: another
        assessment does not silence it, and neither does a source that went dark.
        """
        was = self._alarmed(entry, named)
        before = noted if noted is not None else was.before if was is not None else self._before(entry, named)
        if before is None:
            return
        if now > before or (was is not None and now + unknown > before):
            yield _alarm(entry, AlarmWord.WIDENED, before, now, named=named, unknown=unknown)

    def _alarmed(self, entry: Entry, named: bool) -> AlarmRow | None:
        rows = self.previous.alarms if self.previous is not None else []
        found = [row for row in rows if (row.entry, row.word, row.named) == (entry.id, AlarmWord.WIDENED, named)]
        return found[0] if found else None

    def _before(self, entry: Entry, named: bool) -> int | None:
        rows = self.previous.registers if self.previous is not None else []
        counts = [row.matched if named else row.beyond for row in rows if row.id == entry.id]
        return counts[0] if counts else None


def _alarm(
    entry: Entry,
    word: AlarmWord,
    before: int | None,
    now: int,
    *,
    named: bool = False,
    unknown: int = 0,
    days: int = 0,
) -> AlarmRow:
    return AlarmRow(
        entry=entry.id,
        word=word,
        requirement=entry.requirement,
        system=entry.system,
        scene=None,
        before=before,
        now=now,
        named=named,
        unknown=unknown,
        days=days,
    )
