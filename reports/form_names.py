"""The names under which a form asks for what an assessment says, each with its present value; documented, stable."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from reports.cards import Card, Scope
from reports.entries import KINDS, plans
from reports.outline import Outline, outline
from reports.visible import prose, visible
from reports.words import Words, load_words
from scanner.model import GapWhy, ItemState, Level, Origin, RegisterWhy
from scanner.result.dossier import Dossier
from scanner.result.grade import Grade, Span

PREFIX = "ztgrade."
"""How every name begins. Excel does not tell capital from small letters in names, and neither do we."""

FormValue = str | int | float | date | datetime | None
"""What a cell is given: text, a number, a day, a moment in UTC without its zone (workbooks know none), or nothing."""

_NUMBERED = re.compile(r"(?P<family>[a-z_.]+)\.(?P<number>[1-9][0-9]{0,3})\.(?P<part>[a-z_]+)")


@dataclass(frozen=True)
class Vocabulary:
    """Every name with its value, in a settled order; ``families`` are rows that are numbered from 1."""

    values: Mapping[str, FormValue]
    families: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Parts of a row by family; a number beyond the last row is a known name without a value."""

    def knows(self, name: str) -> bool:
        """Whether it is one of our names, in whatever letters."""
        return name.lower() in self.values or self._beyond(name.lower())

    def value(self, name: str) -> FormValue:
        """The value of a known name."""
        return self.values.get(name.lower())

    def nearest(self, name: str) -> str:
        """The known name nearest to one that is not known, part by part; empty where nothing is near."""
        known = [each.split(".") for each in self.values]
        found: list[str] = []
        for part in name.lower().split("."):
            here = sorted({each[len(found)] for each in known if len(each) > len(found)})
            close = difflib.get_close_matches(part, here, n=1, cutoff=0.5)
            if not close:
                break
            found.append(close[0])
            known = [each for each in known if each[: len(found)] == found]
        whole = ".".join(found)
        return whole if whole in self.values else ".".join(known[0]) if len(found) > 1 else ""

    def _beyond(self, name: str) -> bool:
        match = _NUMBERED.fullmatch(name)
        return match is not None and match["part"] in self.families.get(match["family"], ())


def vocabulary(dossier: Dossier, language: str) -> Vocabulary:
    """All names and values of a dossier, words in ``zh-TW`` or ``en``.

    Raises ValueError for another language, and for an assessment whose headline stands above its grades.
    """
    words = load_words(language)
    told = outline(dossier)
    values: dict[str, FormValue] = {}
    for part in (_identity(told, words), _levels(told, words), _counts(told), _items(told, words)):
        values.update(part)
    values.update(_selection(told, words))
    families: dict[str, frozenset[str]] = {}
    for family, rows in _rows(told, words).items():
        key = PREFIX + family
        families[key] = frozenset(_PARTS[family])
        for number, row in enumerate(rows, start=1):
            values.update((f"{key}.{number}.{part}", row[part]) for part in _PARTS[family])
    return Vocabulary(values, families)


def words_of(names: Iterable[str]) -> dict[str, str]:
    """How each name of the institution is written inside ours: small letters, ``_`` for all but letters and digits.

    Names that would be written alike get six digits of their own SHA-256 behind them, whichever stands first.
    """
    plain = {name: re.sub(r"[^0-9a-z]", "_", name.lower()) for name in names}
    often = Counter(plain.values())
    return {
        name: word if often[word] == 1 else f"{word}_{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:6]}"
        for name, word in plain.items()
    }


def _named(pairs: Iterable[tuple[str, FormValue]]) -> dict[str, FormValue]:
    return {PREFIX + name: visible(value) if isinstance(value, str) else value for name, value in pairs}


def _identity(told: Outline, words: Words) -> dict[str, FormValue]:
    assessment, dossier = told.assessment, told.dossier
    title = dossier.institution
    moment = None if told.as_of is None else told.as_of.astimezone(UTC).replace(tzinfo=None)
    return _named(
        [
            ("institution", assessment.institution),
            ("institution.title", None if title is None else prose(title.in_language(words.language))),
            ("as_of", moment),
            ("as_of.date", None if moment is None else moment.date()),
            ("as_of.text", assessment.as_of),
            ("program", dossier.generated_by),
            ("rule.version", dossier.rule_version),
            ("baseline.id", assessment.baseline.id),
            ("baseline.version", assessment.baseline.version),
            ("digest.assessment", assessment.assessment),
            ("digest.root", dossier.root),
            ("digest.key", dossier.key),
            ("digest.baseline", assessment.baseline.digest),
            ("digest.code", assessment.code),
            ("digest.estate", assessment.estate_digest),
            ("digest.registers", assessment.registers_digest),
            ("digest.previous", assessment.previous),
        ]
    )


def _levels(told: Outline, words: Words) -> dict[str, FormValue]:
    headline = told.assessment.headline
    found = [
        *_span("headline", headline.without_exceptions, words),
        *_span("headline.with_exceptions", headline.with_exceptions, words),
    ]
    for row in told.heat:
        found += _span(f"pillar.{row.pillar}", row.span, words)
    written = words_of(dict.fromkeys(row.scope.system for row in told.scopes))
    by_system: dict[str, list[Span]] = {}
    for row_ in told.scopes:
        by_system.setdefault(row_.scope.system, []).append(row_.span)
    for system, spans in by_system.items():
        title = told.dossier.systems.get(system)
        name = f"level.{written[system]}"
        found += [(f"{name}.system", system)]
        found += [(f"{name}.title", None if title is None else prose(title.in_language(words.language)))]
        found += _span(name, _lowest(spans), words)
    for row_ in told.scopes:
        scope = f"level.{written[row_.scope.system]}.{row_.scope.scene}"
        found += _span(scope, row_.span, words)
        found += [(f"{scope}.met", row_.met), (f"{scope}.items", row_.total)]
        for pillar, grade in row_.grades:
            if grade is not None:
                found += _grade(f"{scope}.{pillar}", grade, words)
    return _named(found)


def _grade(name: str, grade: Grade, words: Words) -> Iterator[tuple[str, FormValue]]:
    yield from _span(name, Span(floor=grade.floor, ceiling=grade.ceiling), words)
    yield f"{name}.target", words.term("level", grade.target)
    yield f"{name}.target.rank", grade.target.rank
    aim = "reached" if grade.floor.rank >= grade.target.rank else "missed"
    aim = "unproven" if aim == "missed" and grade.ceiling.rank >= grade.target.rank else aim
    yield f"{name}.aim", words.say(f"systems.{aim}")


def _span(name: str, span: Span, words: Words) -> Iterator[tuple[str, FormValue]]:
    low, high = words.term("level", span.floor), words.term("level", span.ceiling)
    yield name, low if span.floor is span.ceiling else f"{low}..{high}"
    yield f"{name}.floor", low
    yield f"{name}.floor.rank", span.floor.rank
    yield f"{name}.ceiling", high
    yield f"{name}.ceiling.rank", span.ceiling.rank


def _lowest(spans: Iterable[Span]) -> Span:
    rows = list(spans)
    return Span(floor=_least(row.floor for row in rows), ceiling=_least(row.ceiling for row in rows))


def _least(levels: Iterable[Level]) -> Level:
    return min(levels, key=lambda level: level.rank)


def _counts(told: Outline) -> dict[str, FormValue]:
    assessment = told.assessment
    origins = Counter(row.origin for row in assessment.collections)
    gaps = Counter[GapWhy]()
    for gap in assessment.gaps:
        gaps[gap.why] += gap.count
    kinds = Counter(row.kind for row in assessment.registers)
    whys = Counter(row.why.value for row in assessment.registers if row.why is not None)
    planned = [row.plan for row in assessment.registers if row.plan is not None]
    pairs: list[tuple[str, FormValue]] = [
        ("systems", len({row.scope.system for row in told.scopes})),
        ("scopes", len(told.scopes)),
        ("assessed", told.assessed),
        ("population", told.population),
        ("coverage", None if not told.population else told.assessed * 100 // told.population / 100),
        ("excepted", told.excepted),
        ("blocking", len(told.lifts.rows)),
        ("regressions", None if assessment.previous is None else len(assessment.regressions)),
        ("errors", len(assessment.errors)),
        ("unassigned", sum(row.count for row in assessment.unassigned)),
        ("collections", len(assessment.collections)),
        *((f"collections.{origin}", origins[origin]) for origin in Origin),
        ("gaps", told.gap_total),
        *((f"gaps.{why}", gaps[why]) for why in GapWhy),
        *((f"items.{state}", told.state_counts.get(state, 0)) for state in ItemState),
        ("registers", len(assessment.registers)),
        ("registers.counting", sum(row.counts for row in assessment.registers)),
        *((f"registers.{kind}", kinds[kind]) for kind in KINDS),
        ("alarms", len(assessment.alarms)),
        ("plans", len(planned)),
        ("plans.overdue", sum(plan.overdue for plan in planned)),
        *((f"registers.{why}", whys[why]) for why in RegisterWhy),
    ]
    return _named((f"count.{name}", value) for name, value in pairs)


def _items(told: Outline, words: Words) -> dict[str, FormValue]:
    written = words_of(dict.fromkeys(row.scope.system for row in told.scopes))
    found: list[tuple[str, FormValue]] = []
    for card in (*told.items, *told.gates):
        kind, _, number = card.id.rpartition(" ")
        name = f"{kind or 'item'}.{re.sub('[^0-9a-z]', '_', number.lower())}"
        found += _card(name, card, words)
        for group in card.groups:
            for scope in group.scopes:
                found.append((f"{name}.{_place(scope, written)}.state", words.term("state", group.verdict.state)))
    return _named(found)


def _place(scope: Scope, written: Mapping[str, str]) -> str:
    return f"{written[scope.system]}.{scope.scene}"


def _card(name: str, card: Card, words: Words) -> Iterator[tuple[str, FormValue]]:
    yield f"{name}.state", words.term("state", card.tally.worst)
    yield f"{name}.level", words.term("level", card.level)
    if card.text is not None:
        yield f"{name}.id", card.id
        yield f"{name}.title", prose(card.text.title.in_language(words.language))
        yield f"{name}.says", prose(card.text.says.in_language(words.language))
        yield f"{name}.fix", prose(card.text.fix.in_language(words.language))
        yield f"{name}.pillar", words.term("pillar", card.text.pillar)
    counts = dict(card.tally.counts)
    yield f"{name}.scopes", card.tally.scopes
    for state in ItemState:
        yield f"{name}.{state}", counts.get(state, 0)


def _selection(told: Outline, words: Words) -> dict[str, FormValue]:
    selection = told.dossier.selection
    if selection is None:
        return {}
    found: list[tuple[str, FormValue]] = [
        ("systems", selection.systems),
        ("risk", selection.risk),
        ("impact", selection.impact),
        ("proposals", len(selection.proposals)),
    ]
    steps = ("in_scene", "high_risk", "low_impact", "undecided")
    for row in selection.funnel:
        found += [(f"{row.scene}.{step}", getattr(row, step)) for step in steps]
    found += [(f"total.{step}", sum(getattr(row, step) for row in selection.funnel)) for step in steps]
    return _named((f"selection.{name}", value) for name, value in found)


_PARTS: Mapping[str, tuple[str, ...]] = {
    "proposal": ("system", "scene", "risk", "impact"),
    "blocking": ("item", "title", "level", "state", "cells"),
    "plan": ("system", "pillar", "current", "target", "proved", "due", "owner", "status", "overdue"),
    "register": (
        *("id", "kind", "requirement", "system", "owner", "approver", "counts", "why", "expires_at"),
        *("document", "document_sha256"),
    ),
}
"""Numbered rows and what stands in each."""


def _rows(told: Outline, words: Words) -> dict[str, list[dict[str, FormValue]]]:
    selection = told.dossier.selection
    titles = {card.id: card.text.title for card in told.items if card.text is not None}
    return {
        "proposal": [
            _shown(system=row.system, scene=words.term("scene", row.scene), risk=row.risk, impact=row.impact)
            for row in (selection.proposals if selection is not None else ())
        ],
        "blocking": [
            _shown(
                item=row.item,
                title=prose(titles[row.item].in_language(words.language)) if row.item in titles else None,
                level=words.term("level", row.level),
                state=words.term("state", row.states[0]) if row.states else None,
                cells=len(row.grades),
            )
            for row in told.lifts.rows
        ],
        "plan": [
            _shown(
                system=each.row.system,
                pillar=words.say("plan.all_pillars")
                if each.plan.pillar is None
                else words.term("pillar", each.plan.pillar),
                current=words.term("level", each.plan.current),
                target=words.term("level", each.plan.target),
                proved=None if each.proved is None else words.term("level", each.proved.floor),
                due=_day(each.plan.due),
                owner=each.row.owner,
                status=words.term("plan_status", each.plan.status),
                overdue=words.say("page.yes" if each.plan.overdue else "page.no"),
            )
            for each in plans(told.assessment)
        ],
        "register": [
            _shown(
                id=row.id,
                kind=words.term("kind", row.kind),
                requirement=row.requirement,
                system=row.system,
                owner=row.owner,
                approver=row.approver,
                counts=words.say("registers.does_count" if row.counts else "registers.does_not"),
                why=None if row.why is None else words.term("why", row.why),
                expires_at=_day(row.expires_at),
                document=row.document,
                document_sha256=row.document_sha256,
            )
            for row in told.assessment.registers
        ],
    }


def _day(text: str) -> date | str | None:
    """The day that a text names; the text itself where it names none."""
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        return text


def _shown(**parts: FormValue) -> dict[str, FormValue]:
    return {name: visible(value) if isinstance(value, str) else value for name, value in parts.items()}
