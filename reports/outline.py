"""What a report shows and in which order, worked out of a dossier without words or markup; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reports.cards import STEPS, WORST_FIRST, Card, Scope, anchor, checks_of, gate_cards, is_wide, item_cards
from reports.differences import CauseOutline, Change, by_cause, grouped, standings
from reports.ladder import Differences, Lifts, compare, headline_holds, lifts, lowest
from scanner.model import GapWhy, ItemState, Level, Origin, Pillar, RequirementState
from scanner.result.assessment import Assessment
from scanner.result.collection import CollectionRef, GapRow
from scanner.result.dossier import Dossier
from scanner.result.grade import Grade, Span


@dataclass(frozen=True)
class HeatRow:
    """One pillar of the heat map: lowest interval over all scopes, and the cards of each level."""

    pillar: Pillar
    span: Span
    cells: tuple[tuple[Level, tuple[Card, ...]], ...]


@dataclass(frozen=True)
class ScopeOutline:
    """One row of the table of systems. ``assessed`` and ``population`` count asset x check."""

    scope: Scope
    grades: tuple[tuple[Pillar, Grade | None], ...]
    span: Span
    counts: Mapping[ItemState, int]
    total: int
    assessed: int
    population: int
    open_checks: int
    checks: int

    @property
    def met(self) -> int:
        """Number of items met in this scope."""
        return self.counts.get(ItemState.MET, 0)


@dataclass(frozen=True)
class CollectionOutline:
    """One collection and its age at ``as_of``; no age where a time cannot be read, no anchor where it is repeated."""

    ref: CollectionRef
    age: timedelta | None
    anchor: str | None


@dataclass(frozen=True)
class SourceOutline:
    """All collections of one source and origin, in numbers."""

    source: str
    origin: Origin
    collections: int
    incomplete: int
    gaps: int
    oldest: timedelta | None


@dataclass(frozen=True)
class GapGroup:
    """Gaps of one fact type of one target with one reason."""

    fact: str
    why: GapWhy
    count: int
    rows: tuple[GapRow, ...]


@dataclass(frozen=True)
class TargetGaps:
    """All gaps of one target."""

    target: str
    collector: str
    count: int
    groups: tuple[GapGroup, ...]


@dataclass(frozen=True)
class Excluded:
    """An item that does not apply, with the written reason and the scopes in which it does not."""

    item: Card
    reason: str
    scopes: tuple[Scope, ...]


@dataclass(frozen=True)
class Outline:
    """A dossier in the order in which a report tells it."""

    dossier: Dossier
    assessment: Assessment
    as_of: datetime | None
    scopes: tuple[ScopeOutline, ...]
    heat: tuple[HeatRow, ...]
    items: tuple[Card, ...]
    gates: tuple[Card, ...]
    lifts: Lifts
    changes: tuple[Change, ...]
    """Regressions."""
    turns: tuple[Change, ...]
    """Requirements that stand otherwise without standing worse."""
    causes: tuple[CauseOutline, ...]
    standings: tuple[tuple[str, int], ...]
    """Register entries by how they stand."""
    collections: tuple[CollectionOutline, ...]
    sources: tuple[SourceOutline, ...]
    origins: tuple[tuple[Origin, int], ...]
    gaps: tuple[TargetGaps, ...]
    gap_total: int
    excluded: tuple[Excluded, ...]
    strict: Differences | None
    assessed: int
    population: int
    excepted: int
    state_counts: Mapping[ItemState, int]
    supplied_met: int
    wide: bool
    """There are so many scopes that the page folds."""


def outline(dossier: Dossier) -> Outline:
    """Order and group a dossier.

    Raises ValueError where the headline stands above the lowest grade: a report repeats verdicts, it neither repairs
    nor prints a wrong one.
    """
    assessment = dossier.assessment
    headline_holds(assessment)
    if dossier.strict is not None:
        headline_holds(dossier.strict)
    as_of = moment(assessment.as_of)
    scopes = _scopes(assessment)
    items = item_cards(dossier)
    gates = gate_cards(dossier)
    collections = _collections(assessment.collections, as_of)
    leaves = [leaf for grade in assessment.grades for item in grade.items for leaf in checks_of(item.requirements)]
    states = Counter(item.state for grade in assessment.grades for item in grade.items)
    return Outline(
        dossier=dossier,
        assessment=assessment,
        as_of=as_of,
        scopes=scopes,
        heat=_heat(assessment, items),
        items=items,
        gates=gates,
        lifts=lifts(assessment),
        changes=grouped(assessment.regressions),
        turns=grouped(assessment.changes.requirements if assessment.changes is not None else ()),
        causes=by_cause(assessment),
        standings=standings(assessment.registers),
        collections=collections,
        sources=_sources(collections),
        origins=tuple(sorted(Counter(ref.origin for ref in assessment.collections).items())),
        gaps=_gaps(assessment.gaps),
        gap_total=sum(row.count for row in assessment.gaps),
        excluded=_excluded(items),
        strict=None if dossier.strict is None else compare(assessment, dossier.strict),
        assessed=sum(leaf.assessed for leaf in leaves),
        population=sum(leaf.population for leaf in leaves),
        excepted=sum(leaf.excepted for leaf in leaves),
        state_counts={state: states[state] for state in WORST_FIRST if states[state]},
        supplied_met=sum(leaf.state is RequirementState.MET and Origin.SUPPLIED in leaf.origin for leaf in leaves),
        wide=is_wide(dossier),
    )


def moment(text: str | None) -> datetime | None:
    """The time that an RFC 3339 text names, or None where it names none or has no zone."""
    try:
        parsed = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return parsed if parsed is not None and parsed.tzinfo is not None else None


def _age(as_of: datetime | None, then: datetime | None) -> timedelta | None:
    return None if as_of is None or then is None else as_of - then


def _scopes(assessment: Assessment) -> tuple[ScopeOutline, ...]:
    by_scope: dict[Scope, list[Grade]] = {}
    for grade in assessment.grades:
        by_scope.setdefault(Scope(grade.system, grade.scene), []).append(grade)
    rows = []
    for scope, grades in by_scope.items():
        items = [item for grade in grades for item in grade.items]
        leaves = [leaf for item in items for leaf in checks_of(item.requirements)]
        by_pillar = {grade.pillar: grade for grade in grades}
        rows.append(
            ScopeOutline(
                scope=scope,
                grades=tuple((pillar, by_pillar.get(pillar)) for pillar in Pillar),
                span=lowest(grades),
                counts=Counter(item.state for item in items),
                total=len(items),
                assessed=sum(leaf.assessed for leaf in leaves),
                population=sum(leaf.population for leaf in leaves),
                open_checks=sum(not leaf.closed for leaf in leaves),
                checks=len(leaves),
            )
        )
    return tuple(rows)


def _heat(assessment: Assessment, items: Sequence[Card]) -> tuple[HeatRow, ...]:
    return tuple(
        HeatRow(
            pillar=pillar,
            span=lowest([grade for grade in assessment.grades if grade.pillar is pillar]),
            cells=tuple(
                (level, tuple(card for card in items if card.pillar is pillar and card.level is level))
                for level in STEPS
            ),
        )
        for pillar in Pillar
    )


def _collections(refs: Iterable[CollectionRef], as_of: datetime | None) -> tuple[CollectionOutline, ...]:
    rows: list[CollectionOutline] = []
    seen: set[str] = set()
    for ref in refs:
        own = None if ref.digest in seen else anchor("collection", ref.digest)
        seen.add(ref.digest)
        rows.append(CollectionOutline(ref=ref, age=_age(as_of, moment(ref.collected_at)), anchor=own))
    return tuple(rows)


def _sources(collections: Sequence[CollectionOutline]) -> tuple[SourceOutline, ...]:
    by_source: dict[tuple[str, Origin], list[CollectionOutline]] = {}
    for collection in collections:
        by_source.setdefault((collection.ref.source, collection.ref.origin), []).append(collection)
    return tuple(
        SourceOutline(
            source=source,
            origin=origin,
            collections=len(rows),
            incomplete=sum(not row.ref.complete for row in rows),
            gaps=sum(row.ref.gaps for row in rows),
            oldest=max((row.age for row in rows if row.age is not None), default=None),
        )
        for (source, origin), rows in sorted(by_source.items())
    )


def _gaps(rows: Sequence[GapRow]) -> tuple[TargetGaps, ...]:
    targets: dict[tuple[str, str], dict[tuple[str, GapWhy], list[GapRow]]] = {}
    for row in rows:
        targets.setdefault((row.target, row.collector), {}).setdefault((row.fact, row.why), []).append(row)
    return tuple(
        TargetGaps(
            target=target,
            collector=collector,
            count=sum(row.count for same in groups.values() for row in same),
            groups=tuple(
                GapGroup(fact=fact, why=why, count=sum(row.count for row in same), rows=tuple(same))
                for (fact, why), same in sorted(groups.items())
            ),
        )
        for (target, collector), groups in sorted(targets.items())
    )


def _excluded(cards: Iterable[Card]) -> tuple[Excluded, ...]:
    rows: dict[tuple[str, str], list[Scope]] = {}
    by_id = {card.id: card for card in cards}
    for card in by_id.values():
        for group in card.groups:
            if group.verdict.state is ItemState.NOT_APPLICABLE:
                rows.setdefault((card.id, group.verdict.reason), []).extend(group.scopes)
    return tuple(
        Excluded(item=by_id[item], reason=reason, scopes=tuple(scopes)) for (item, reason), scopes in rows.items()
    )
