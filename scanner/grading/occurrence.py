"""What happened, and when: whether drills are recent enough and reviews add up over the period; pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from scanner.guideline.nouns import Requirement
from scanner.institution.register_entry import Entry
from scanner.institution.registers import DocumentVerdict, JudgedRegisters
from scanner.model import RegisterWhy, RequirementKind, RequirementState, Scene
from scanner.result.grade import ReviewCount

SHORTEST = timedelta(microseconds=1)
"""How long a period lasts at least that begins and ends at one moment."""


def document_verdict(
    registers: JudgedRegisters, requirement: Requirement, system: str, scene: Scene, as_of: datetime
) -> tuple[DocumentVerdict, ReviewCount | None]:
    """The verdict on a document requirement in one scope, and how many reviews count where a number is asked for.

    What the registers say comes first. Where they say met, a drill must not lie further back than the requirement's
    maximum age, and the reviews within its period must reach its number; else it is open, with the reason.
    """
    verdict = registers.document(requirement.kind, requirement.address, system, scene)
    if requirement.kind is RequirementKind.DRILL and requirement.max_age and verdict.state is RequirementState.MET:
        return _recent(verdict, _held(registers, requirement, system, scene), as_of - requirement.max_age), None
    if requirement.kind is RequirementKind.REVIEW and requirement.reviews:
        found = reviews_within(_held(registers, requirement, system, scene), as_of - requirement.within, as_of)
        counted = ReviewCount(found=found, wanted=requirement.reviews, days=requirement.within.days)
        if verdict.state is RequirementState.MET and found < requirement.reviews:
            return DocumentVerdict(RequirementState.UNDETERMINED, RegisterWhy.TOO_FEW, verdict.entry), counted
        return verdict, counted
    return verdict, None


def _held(registers: JudgedRegisters, requirement: Requirement, system: str, scene: Scene) -> list[Entry]:
    """Entries in force that speak for the requirement in the scope."""
    return [
        each.entry
        for each in registers.of(requirement.kind.value, system)
        if each.counts
        and not each.entry.denies
        and each.entry.requirement == requirement.address
        and each.entry.covers(system, scene)
    ]


def _recent(verdict: DocumentVerdict, held: Iterable[Entry], since: datetime) -> DocumentVerdict:
    fresh = [entry for entry in held if entry.occurred_at is not None and entry.occurred_at >= since]
    if not fresh:
        return DocumentVerdict(RequirementState.UNDETERMINED, RegisterWhy.TOO_OLD, verdict.entry)
    newest = max(fresh, key=lambda entry: (entry.made_at, entry.id))
    return DocumentVerdict(RequirementState.MET, None, newest.id)


def reviews_within(entries: Iterable[Entry], since: datetime, until: datetime) -> int:
    """How many reviews lie between two moments, told by the counts of the entries.

    A period that reaches out counts by the share of it that lies inside, rounded down. Periods that overlap inside are
    not added up: of all choices of entries whose periods do not overlap, the one with the most reviews counts. So a
    further entry never makes the count smaller, and the loss of one never makes it greater.
    """
    spans = sorted(
        (end, begin, count)
        for entry in entries
        if entry.period is not None
        for begin, end, count in [_inside(entry.period, entry.count, since, until)]
        if count
    )
    best = [0]
    for number, (_, begin, count) in enumerate(spans):
        before = sum(1 for end, _, _ in spans[:number] if end <= begin)
        best.append(max(best[number], best[before] + count))
    return best[-1]


def _inside(
    period: tuple[datetime, datetime], count: int, since: datetime, until: datetime
) -> tuple[datetime, datetime, int]:
    """The part of a period between two moments, and how many of its reviews fall to it."""
    begin, end = period[0], max(period[1], period[0] + SHORTEST)
    first, last = max(begin, since), min(end, until)
    if first >= last:
        return first, last, 0
    return first, last, count * ((last - first) // SHORTEST) // ((end - begin) // SHORTEST)
