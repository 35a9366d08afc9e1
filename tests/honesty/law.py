"""Law 12 for whatever is taken away from a source: the grade with it, the grade without it, and what was said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

from msgspec import Struct

from scanner.model import Census, Gap, GapWhy, Record, RequirementState
from tests.collectors.aws.losses import rows, wrongs
from tests.honesty.grading import Assessed, Grader, Marks, in_full, states, tallies, vanished
from tests.honesty.institution import Institution, Sources, marks
from tests.scanner.losing import improvements

OPEN = RequirementState.UNDETERMINED


@dataclass(frozen=True)
class Loss:
    """Something taken away: under which name the table has it, and one of which words must tell it."""

    name: str
    sources: Sources
    words: tuple[str, ...]
    group: str = ""
    """What the table gathers it under; its own name unless given."""
    why: GapWhy | None = None
    """Why it must be told to be gone, where only one reason is true."""


@dataclass(frozen=True)
class Outcome:
    """What became of evidence and grade."""

    loss: Loss
    same: bool
    """Nothing that is judged differs: the right was not needed, or something else tells the same."""
    unknown: frozenset[str]
    """``Fact`` where rows are gone, ``Fact.field`` where a value is, ``Fact (open)`` where a listing stays open."""
    undetermined: frozenset[str]
    """Requirements that were met or not met and are open now, ``item/requirement`` by scope."""
    faults: tuple[str, ...]
    """What the law forbids: grades that improved, assets that vanished, losses without a word."""
    told: str
    """The words of a gap."""


@dataclass
class Bench:
    """Takes evidence away from one institution, again and again."""

    institution: Institution
    grader: Grader = field(init=False)
    whole: Assessed = field(init=False)
    _marks: Marks = field(init=False)
    _known: dict[str, Assessed] = field(init=False, default_factory=dict)
    losses: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        everything: dict[str, Callable[[], Any]] = {**self.institution.sources, "rest": lambda: None}
        inputs = self.institution.inputs(self.institution.collect(everything))
        self._marks = {name: marks(records) for name, records in self.institution.whole.items()}
        self.grader = Grader(inputs, self._marks)
        self.whole = self.grader.assess(inputs.targets, self._marks)

    @property
    def distinct(self) -> int:
        """How many different bodies of evidence were sealed and graded."""
        return len(self._known)

    def without(self, loss: Loss) -> Outcome:
        """What the law says of one loss."""
        self.losses += 1
        after = {name: self.institution.read(name, source) for name, source in loss.sources.items()}
        left = {**self._marks, **{name: marks(records) for name, records in after.items()}}
        same = left == self._marks
        assessed, fresh = self.whole, False
        if not same:
            key = json.dumps(left, sort_keys=True)
            fresh = key not in self._known
            if fresh:
                self._known[key] = self._sealed(loss.sources, left)
            assessed = self._known[key]
        gaps = self._new_gaps(assessed, after, fresh)
        named = [detail for why, detail in gaps if any(word.lower() in detail.lower() for word in loss.words)]
        faults = [*improvements(self.whole.grades, assessed.grades), *vanished(self.whole, assessed)]
        for name, records in after.items():
            faults += [] if same else altered(self.institution.whole[name], records)
        if not same and not named:
            faults.append(f"no gap speaks of any of {', '.join(loss.words)}")
        if not same and loss.why is not None and not any(why is loss.why for why, _ in gaps):
            faults.append(f"no gap says {loss.why.value}")
        return Outcome(
            loss,
            same,
            frozenset(name for target in after for name in _unknown(self.institution.whole[target], after[target])),
            self._opened(assessed),
            tuple(faults),
            _shortest(named),
        )

    def in_full(self, loss: Loss) -> bool:
        """Whether grading with nothing remembered gives the same."""
        left = {**self._marks, **{name: marks(self.institution.read(name, one)) for name, one in loss.sources.items()}}
        remembered = self._known.get(json.dumps(left, sort_keys=True), self.whole)
        sealed = self.institution.collect(loss.sources)
        inputs = self.institution.inputs(sealed)
        targets = tuple(now if now.target in sealed else was for was, now in self._beside(inputs.targets))
        return tallies(in_full(replace(inputs, targets=targets))) == tallies(remembered.grades)

    def _beside(self, targets: Sequence[Any]) -> Iterable[tuple[Any, Any]]:
        return zip(self.grader.inputs.targets, targets, strict=True)

    def _sealed(self, sources: Sources, left: Marks) -> Assessed:
        sealed = self.institution.collect(sources)
        inputs = self.institution.inputs(sealed)
        targets = [now if now.target in sealed else was for was, now in self._beside(inputs.targets)]
        return self.grader.assess(targets, left)

    def _new_gaps(
        self, assessed: Assessed, after: Mapping[str, Sequence[Record]], fresh: bool
    ) -> list[tuple[GapWhy, str]]:
        """Why and words of the gaps that the whole reading has not; as sealed where this was sealed."""
        if fresh:
            old = {(gap.target, gap.fact, gap.field, gap.asset, gap.detail) for gap in self.whole.gaps}
            return [
                (gap.why, gap.detail)
                for gap in assessed.gaps
                if (gap.target, gap.fact, gap.field, gap.asset, gap.detail) not in old
            ]
        found = []
        for name, records in after.items():
            known = {gap for gap in self.institution.whole[name] if isinstance(gap, Gap)}
            found += [(gap.why, gap.detail) for gap in records if isinstance(gap, Gap) and gap not in known]
        return found

    def _opened(self, assessed: Assessed) -> frozenset[str]:
        if assessed is self.whole:
            return frozenset()
        now = states(assessed.grades)
        return frozenset(
            name for name, was in states(self.whole.grades).items() if was is not OPEN and now[name] is OPEN
        )


def _unknown(before: Sequence[Record], after: Sequence[Record]) -> set[str]:
    old, new = rows(before), rows(after)
    found = {fact for fact, asset in old.keys() - new.keys()}
    for key in old.keys() & new.keys():
        was, now = old[key], new[key]
        found |= {
            f"{key[0]}.{name}"
            for name in was.__struct_fields__
            if getattr(was, name) is not None and getattr(now, name) is None
        }
    closed = {one.fact for one in before if isinstance(one, Census) and one.complete}
    return found | {
        f"{name} (open)" for name in closed - {o.fact for o in after if isinstance(o, Census) and o.complete}
    }


def _shortest(details: Iterable[str]) -> str:
    """The shortest of some words; of equally short ones the first."""
    return min(details, key=lambda detail: (len(detail), detail), default="")


def altered(before: Sequence[Record], after: Sequence[Record]) -> list[str]:
    """What the law forbids of facts; in a list of structures single fields may be lost, if a gap says so."""
    old, new = rows(before), rows(after)
    told = {(gap.fact, gap.field) for gap in after if isinstance(gap, Gap)}
    lessened = {
        f"{fact}.{name} of {asset} turned"
        for (fact, asset), row in new.items()
        if (fact, asset) in old
        for name in row.__struct_fields__
        if (fact, name) in told and _lesser(getattr(old[fact, asset], name), getattr(row, name))
    }
    return [wrong for wrong in wrongs(before, after) if not wrong.startswith(tuple(lessened))]


def _lesser(was: Any, now: Any) -> bool:
    """Whether a list holds the same structures as another, but for fields that are not known any more."""
    if not (isinstance(was, list) and isinstance(now, list) and len(was) == len(now)):
        return False
    return any(
        all(
            isinstance(lesser, Struct)
            and all(getattr(lesser, name) in (None, getattr(whole, name)) for name in lesser.__struct_fields__)
            for whole, lesser in zip(order, now, strict=True)
        )
        for order in permutations(was)
    )
