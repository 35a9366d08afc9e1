"""What is told of one item, or of the gate of one level, over all scopes; pure."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from reports.ladder import natural
from scanner.model import ItemState, Level, Pillar, RequirementKind, Scene
from scanner.result.dossier import Dossier, Example, ItemText, RequirementText
from scanner.result.grade import RequirementResult

WORST_FIRST = (
    ItemState.NOT_MET,
    ItemState.PARTIAL,
    ItemState.NOT_ASSESSED,
    ItemState.UNDETERMINED,
    ItemState.NEEDS_ATTESTATION,
    ItemState.MET,
    ItemState.NOT_APPLICABLE,
)
"""Disproved before open, open before met; not applicable only where it is so in every scope."""

STEPS = tuple(level for level in Level if level is not Level.NONE)
"""The four levels, lowest first."""


@dataclass(frozen=True)
class Scope:
    """One system in one scene."""

    system: str
    scene: Scene


@dataclass(frozen=True)
class Tally:
    """In how many scopes each state stands, worst first; only states that occur."""

    counts: tuple[tuple[ItemState, int], ...]

    @property
    def scopes(self) -> int:
        """Number of scopes counted."""
        return sum(count for _, count in self.counts)

    @property
    def worst(self) -> ItemState:
        """The worst state that occurs; not assessed where there is no scope at all."""
        return self.counts[0][0] if self.counts else ItemState.NOT_ASSESSED

    @property
    def at_worst(self) -> int:
        """Number of scopes in the worst state."""
        return self.counts[0][1] if self.counts else 0


@dataclass(frozen=True)
class Verdict:
    """One item, or the gate of one level, as it stands in one scope."""

    scope: Scope
    level: Level
    state: ItemState
    reason: str
    last_proved: str | None
    requirements: tuple[RequirementResult, ...]


@dataclass(frozen=True)
class VerdictGroup:
    """Scopes in which an item stands exactly alike, so that it is told once."""

    scopes: tuple[Scope, ...]
    verdict: Verdict


SEVERAL = "*"
"""In place of the id of a register entry: each scope of the group rests on its own. No id is spelled so."""

WIDE = 40
"""From so many scopes on a page folds: what is equal is told once, names are counted, details stand in one table."""


class Likeness:
    """Tells what is alike, and looks at each result once however many scopes share it.

    With ``fold`` two results that differ by nothing but the register entry they rest on are alike.
    """

    def __init__(self, *, fold: bool) -> None:
        self.fold = fold
        self._keys: dict[int, tuple[RequirementResult, int]] = {}
        self._numbers: dict[str, int] = {}

    def of(self, verdict: Verdict) -> tuple[object, ...]:
        """Equal for verdicts that are alike."""
        return (verdict.state, verdict.reason, verdict.last_proved, *map(self._key, verdict.requirements))

    def _key(self, result: RequirementResult) -> int:
        if id(result) not in self._keys:
            spelled = repr(_folded(result) if self.fold else result)
            self._keys[id(result)] = (result, self._numbers.setdefault(spelled, len(self._numbers)))
        return self._keys[id(result)][1]

    def told(self, verdicts: Sequence[Verdict]) -> Verdict:
        """The verdict that speaks for all of these, which are alike."""
        first = verdicts[0]
        if not self.fold or all(self._entries(verdict) == self._entries(first) for verdict in verdicts):
            return first
        return replace(first, requirements=tuple(map(_folded, first.requirements)))

    @staticmethod
    def _entries(verdict: Verdict) -> list[str | None]:
        return [result.entry for result in _with_branches(verdict.requirements)]


def _folded(result: RequirementResult) -> RequirementResult:
    """The same without the name of the entry that it rests on."""
    return msgspec.structs.replace(
        result, entry=SEVERAL if result.entry else result.entry, branches=[_folded(each) for each in result.branches]
    )


@dataclass(frozen=True)
class RequirementOutline:
    """One requirement across scopes: its words, states and examples of what did not pass; ``branch`` of an any-of."""

    id: str
    branch: bool
    kind: RequirementKind
    need: float | None
    text: RequirementText | None
    tally: Tally
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Card:
    """All that is told of one item or one gate."""

    id: str
    anchor: str
    pillar: Pillar | None
    level: Level
    text: ItemText | None
    tally: Tally
    requirements: tuple[RequirementOutline, ...]
    groups: tuple[VerdictGroup, ...]


def is_wide(dossier: Dossier) -> bool:
    """Whether there are so many scopes that the page folds."""
    return len({(grade.system, grade.scene) for grade in dossier.assessment.grades}) > WIDE


def item_cards(dossier: Dossier) -> tuple[Card, ...]:
    """A card for each item that has words or a verdict, in the order of the guideline."""
    verdicts: dict[str, list[Verdict]] = {}
    pillars: dict[str, Pillar] = {}
    for grade in dossier.assessment.grades:
        for item in grade.items:
            pillars[item.id] = grade.pillar
            verdicts.setdefault(item.id, []).append(
                Verdict(
                    scope=Scope(grade.system, grade.scene),
                    level=item.level,
                    state=item.state,
                    reason=item.reason,
                    last_proved=item.last_proved,
                    requirements=tuple(item.requirements),
                )
            )
    texts = {text.id: text for text in dossier.items}
    examples: dict[tuple[str, str], list[Example]] = {}
    for example in dossier.examples:
        examples.setdefault((example.item, slug(example.requirement)), []).append(example)
    likeness = Likeness(fold=is_wide(dossier))
    cards = []
    for item_id in sorted({*texts, *verdicts}, key=natural):
        text = texts.get(item_id)
        told = verdicts.get(item_id, [])
        cards.append(
            Card(
                id=item_id,
                anchor=anchor("item", item_id),
                pillar=text.pillar if text else pillars[item_id],
                level=text.level if text else told[0].level,
                text=text,
                tally=tally(verdict.state for verdict in told),
                requirements=_requirements(
                    told,
                    text.requirements if text else (),
                    {name: rows for (item, name), rows in examples.items() if item == item_id},
                ),
                groups=_grouped(told, likeness),
            )
        )
    return tuple(cards)


def gate_cards(dossier: Dossier) -> tuple[Card, ...]:
    """A card for the gate of each level that has one; a gate told alike by all pillars of a scope is told once."""
    likeness = Likeness(fold=False)
    verdicts: dict[Level, dict[tuple[Scope, tuple[object, ...]], Verdict]] = {}
    for grade in dossier.assessment.grades:
        scope = Scope(grade.system, grade.scene)
        for gate in grade.gates:
            verdict = Verdict(scope, gate.level, ItemState(gate.state), "", None, tuple(gate.requirements))
            verdicts.setdefault(gate.level, {}).setdefault((scope, likeness.of(verdict)), verdict)
    folding = Likeness(fold=is_wide(dossier))
    return tuple(
        Card(
            id=f"gate {level}",
            anchor=f"gate-{level}",
            pillar=None,
            level=level,
            text=None,
            tally=tally(verdict.state for verdict in verdicts[level].values()),
            requirements=_requirements(
                list(verdicts[level].values()), [text for text in dossier.gates if _of_level(text.id, level)], {}
            ),
            groups=_grouped(list(verdicts[level].values()), folding),
        )
        for level in sorted(verdicts, key=lambda level: level.rank)
    )


def _of_level(requirement: str, level: Level) -> bool:
    return requirement.rpartition("/")[0].removeprefix("gate ") in (level.value, "")


def _requirements(
    verdicts: Sequence[Verdict], texts: Sequence[RequirementText], examples: Mapping[str, list[Example]]
) -> tuple[RequirementOutline, ...]:
    results: dict[str, list[RequirementResult]] = {}
    for verdict in verdicts:
        for result in _with_branches(verdict.requirements):
            results.setdefault(slug(result.id), []).append(result)
    branches = {slug(name) for verdict in verdicts for name in _branches(verdict.requirements)}
    by_slug = {slug(text.id): text for text in texts}
    rows = []
    for name in dict.fromkeys([*by_slug, *results, *examples]):
        told = results.get(name, [])
        text = by_slug.get(name)
        rows.append(
            RequirementOutline(
                id=name,
                branch=name in branches,
                kind=text.kind if text else told[0].kind if told else RequirementKind.CHECK,
                need=next((result.need for result in told if result.need is not None), None),
                text=text,
                tally=tally(ItemState(result.state) for result in told),
                examples=tuple(examples.get(name, ())),
            )
        )
    return tuple(rows)


def _with_branches(requirements: Iterable[RequirementResult]) -> Iterable[RequirementResult]:
    for requirement in requirements:
        yield requirement
        yield from _with_branches(requirement.branches)


def _branches(requirements: Iterable[RequirementResult]) -> set[str]:
    return {branch.id for requirement in requirements for branch in _with_branches(requirement.branches)}


def _grouped(verdicts: Sequence[Verdict], likeness: Likeness) -> tuple[VerdictGroup, ...]:
    groups: dict[tuple[object, ...], list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(likeness.of(verdict), []).append(verdict)
    ordered = sorted(groups.values(), key=lambda alike: WORST_FIRST.index(alike[0].state))
    return tuple(
        VerdictGroup(scopes=tuple(verdict.scope for verdict in alike), verdict=likeness.told(alike))
        for alike in ordered
    )


def checks_of(requirements: Iterable[RequirementResult]) -> list[RequirementResult]:
    """The requirements judged by a check, those inside either/or branches included."""
    found = []
    for requirement in requirements:
        if requirement.kind is RequirementKind.CHECK:
            found.append(requirement)
        found += checks_of(requirement.branches)
    return found


def anchor(prefix: str, name: str) -> str:
    """An id for an HTML element: the name itself where it is plain, otherwise a digest of it."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}", name):
        return f"{prefix}-{name}"
    return f"{prefix}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def slug(requirement: str) -> str:
    """The last part of a requirement's address."""
    return requirement.rpartition("/")[2]


def tally(states: Iterable[ItemState]) -> Tally:
    """Count states, worst first."""
    counts = Counter(states)
    return Tally(counts=tuple((state, counts[state]) for state in WORST_FIRST if counts[state]))
