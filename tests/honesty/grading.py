"""Grades what is left after a loss; uses whose evidence was judged before keep what was counted then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from scanner import registry
from scanner.grading.assess import MEMBERSHIP_MAX_AGE, Graded, Inputs, grade
from scanner.grading.coverage import collected_gaps
from scanner.grading.grade import Tally
from scanner.judging.evidence import Evidence, ReadTarget
from scanner.judging.judge import Judged, Use, judge
from scanner.judging.population import Population
from scanner.judging.scope import REFERENCED, Membership, Scope, listed_keys
from scanner.judging.tally import Counts, count
from scanner.model import RequirementState
from scanner.result.collection import GapRow
from scanner.result.grade import Grade, RequirementResult
from tests.scanner.beside import evidence_beside

Marks = Mapping[str, Mapping[str, str]]
"""By target, a digest for each fact type over all that judging reads of it."""


@dataclass(frozen=True)
class Counted:
    """One population: members by scope, whether its listing is closed, and who is in it."""

    members: Mapping[Scope, tuple[int, int]]
    closed: bool
    assets: frozenset[str]


@dataclass(frozen=True)
class Assessed:
    """The grades of some evidence, the populations they speak of, and what collecting could not see."""

    grades: Sequence[Grade]
    populations: Mapping[str, Counted]
    gaps: Sequence[GapRow] = ()


@dataclass
class Grader:
    """Grades like ``scanner.grading.assess.grade``; what rests on evidence judged before is not judged again.

    A use rests on the facts that it touches, on the facts that place assets and on its population; who belongs to a
    population that is referred to, on every other population as well.
    """

    inputs: Inputs
    marks: Marks
    whole: Graded = field(init=False)
    judged: int = field(init=False, default=0)
    """How many uses were really judged."""
    _uses: dict[str, Use] = field(init=False)
    _place: dict[str, set[str]] = field(init=False, default_factory=dict)
    _touched: dict[str, set[str]] = field(init=False, default_factory=dict)
    _populations: dict[str, Counted] = field(init=False, default_factory=dict)
    _tallies: dict[str, dict[Scope, Tally]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.whole = grade(self.inputs, registry.checks(), registry.facts())
        self._uses = {use.id: use for use in self.whole.uses.values()}
        names = {use.over for use in self._uses.values()}
        for name in names:
            others = names - REFERENCED.keys() if name in REFERENCED else set()
            self._place[name] = {name, "Placement", "Same", *others}
        for key, use in self._uses.items():
            touched = use.check.build(self.inputs.as_of, use.parameters).touched.fields
            self._touched[key] = {fact.__name__ for fact, _ in touched} | self._place[use.over]

    def assess(self, targets: Sequence[ReadTarget], marks: Marks) -> Assessed:
        """Grades of these targets."""
        places = {name: _key(name, read, marks) for name, read in self._place.items()}
        keys = {use: _key(use, read, marks) for use, read in self._touched.items()}
        lacking = [self._uses[use] for use, key in keys.items() if key not in self._tallies]
        names = {name for name, key in places.items() if key not in self._populations}
        if lacking or names:
            self._judge(targets, lacking, names | {use.over for use in lacking}, keys, places)
        populations = {name: self._populations[key] for name, key in places.items()}
        counts: dict[str, dict[tuple[str, Scope], Tally]] = {name: {} for name in places}
        for use, key in keys.items():
            counts[self._uses[use].over] |= {(use, scope): tally for scope, tally in self._tallies[key].items()}
        verdicts = replace(
            self.whole.verdicts,
            counts={name: Counts(held) for name, held in counts.items()},
            excepted=lambda use, scope, assets: 0,
            empty=lambda name, scope: populations[name].closed and populations[name].members[scope] == (0, 0),
        )
        grades = [grade for scope in self.whole.membership.scopes for grade in verdicts.grades(scope)]
        return Assessed(grades, populations, list(collected_gaps(targets)))

    def _judge(
        self,
        targets: Sequence[ReadTarget],
        uses: Sequence[Use],
        names: AbstractSet[str],
        keys: Mapping[str, str],
        places: Mapping[str, str],
    ) -> None:
        inputs = self.inputs
        evidence = evidence_beside(self.whole.evidence, targets)
        membership = Membership(inputs.estate, evidence, MEMBERSHIP_MAX_AGE)
        held: dict[str, Judged] = {}
        built = self._place.keys() if names & REFERENCED.keys() else names
        populations = {name: self._population(name, evidence) for name in sorted(built)}
        for name, population in populations.items():
            held[name] = judge(
                population, [use for use in uses if use.over == name], inputs.as_of, inputs.estate.precedence
            )
            assert not held[name].errors
            if name not in REFERENCED:
                membership.build(population)
        holders = [population for name, population in populations.items() if name not in REFERENCED]
        for name in sorted(names):
            population = populations[name]
            if name in REFERENCED:
                membership.build_referenced(population, holders)
            rows = evidence.connection.execute(f"SELECT asset FROM {population.table}").fetchall()
            self._populations[places[name]] = Counted(
                membership.counts(population),
                population.closed(MEMBERSHIP_MAX_AGE),
                frozenset(str(asset) for (asset,) in rows),
            )
            for (use, scope), tally in count(held[name], membership).tallies.items():
                self._tallies.setdefault(keys[use], {})[scope] = tally
        self.judged += len(uses)
        evidence.connection.close()

    def _population(self, name: str, evidence: Evidence) -> Population:
        fact, estate = evidence.facts[name], self.inputs.estate
        defined_by = tuple(estate.populations.get(name) or evidence.promising(name))
        return Population(fact, defined_by, evidence, listed_keys(estate, name, fact.kind))


def _key(name: str, read: AbstractSet[str], marks: Marks) -> str:
    facts = [
        (target, fact, held[fact]) for target, held in sorted(marks.items()) for fact in sorted(read & held.keys())
    ]
    return hashlib.sha256(json.dumps([name, *facts]).encode()).hexdigest()


def in_full(inputs: Inputs) -> list[Grade]:
    """The same by the way that the command line takes, with nothing remembered."""
    return list(grade(inputs, registry.checks(), registry.facts()).assessment.grades)


def states(grades: Sequence[Grade]) -> dict[str, RequirementState]:
    """State of every requirement, branches too, by ``system/scene: item/requirement``; and the number of each."""
    found: dict[str, RequirementState] = {}

    def note(place: str, requirements: Sequence[RequirementResult]) -> None:
        for one in requirements:
            found[f"{place}/{one.id}"] = one.state
            note(f"{place}/{one.id}", one.branches)

    for cell in grades:
        for item in cell.items:
            note(f"{cell.system}/{cell.scene.value}: {item.id}", item.requirements)
    return found


def tallies(grades: Sequence[Grade]) -> list[object]:
    """Levels, states and counts in order: all of a grade but the reasons that gaps give."""

    def of(one: RequirementResult) -> object:
        counted = (one.passed, one.failed, one.unknown, one.population, one.closed)
        return one.id, one.state, counted, [of(branch) for branch in one.branches]

    return [
        (
            cell.floor,
            cell.ceiling,
            [(item.id, item.state, [of(one) for one in item.requirements]) for item in cell.items],
        )
        for cell in grades
    ]


def vanished(before: Assessed, after: Assessed) -> list[str]:
    """Assets that are gone from a population that is still called complete."""
    return [
        f"{name}: {asset} is gone, and the listing is called complete"
        for name, was in before.populations.items()
        for now in [after.populations[name]]
        if now.closed
        for asset in sorted(was.assets - now.assets)
    ]
