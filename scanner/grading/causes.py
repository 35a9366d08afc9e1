"""Which changes can explain that one requirement stands otherwise in one scope: all of them, never a guess; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from scanner.grading.changes import rule_differences, standing
from scanner.judging.scope import REFERENCED
from scanner.model import GapWhy, RequirementKind, Scene
from scanner.result.assessment import Assessment
from scanner.result.basis import Basis, RuleBasis
from scanner.result.change import ChangeCause
from scanner.result.grade import RequirementResult
from scanner.result.register import RegisterRow

NO_BLINDNESS = frozenset({GapWhy.STALE.value, GapWhy.CONFLICT.value})
"""Reasons for not knowing that come of age, or of what was said."""


@dataclass
class Explanation:
    """Causes that can explain a change, and those that can be neither named nor ruled out."""

    found: set[ChangeCause] = field(default_factory=set)
    open: set[ChangeCause] = field(default_factory=set)

    def causes(self) -> list[ChangeCause]:
        """The causes, in their order."""
        return [cause for cause in ChangeCause if cause in self.found]

    def not_recorded(self) -> list[ChangeCause]:
        """What is open, in order."""
        return [cause for cause in ChangeCause if cause in self.open - self.found]


@dataclass(frozen=True)
class Compared:
    """Two assessments beside each other."""

    was: Assessment
    now: Assessment
    _differing: dict[str, bool] = field(default_factory=dict, repr=False)
    """By address, whether what the requirement reads was said otherwise; what was found once."""

    def lost(self, system: str, scene: Scene, address: str, carried: Mapping[str, str]) -> dict[str, str]:
        """What a scope lacks or has otherwise, by name with the digest that it had.

        ``carried`` is what it lacked before already; what stands there again as it was is lost no more.
        """
        if not carried and self.was.estate_digest == self.now.estate_digest:
            return {}
        old, new = self._scopes(system, scene, address)
        return {name: digest for name, digest in (old | dict(carried)).items() if new.get(name) != digest}

    def explain(
        self, system: str, scene: Scene, address: str, was: RequirementResult | None, now: RequirementResult | None
    ) -> Explanation:
        """What can explain that a requirement came to stand otherwise, with or without exceptions."""
        told = Explanation()
        self._from_inputs(told, system, scene, address)
        if was is None or now is None:
            return told
        if now.kind is RequirementKind.ANY_OF:
            owner = address.partition("/")[0]
            before = {branch.id: branch for branch in was.branches}
            for branch in now.branches:
                if branch != before.get(branch.id):
                    part = self.explain(system, scene, f"{owner}/{branch.id}", before.get(branch.id), branch)
                    told.found |= part.found
                    told.open |= part.open
            return told
        self._from_registers(told, system, scene, address)
        if now.kind is RequirementKind.CHECK:
            self._from_evidence(told, address, was, now)
        return told

    def _from_inputs(self, told: Explanation, system: str, scene: Scene, address: str) -> None:
        if self.was.code != self.now.code:
            told.found.add(ChangeCause.CODE)
        old, new = self.was.basis, self.now.basis
        if old is None or new is None:
            for cause, same in (
                (ChangeCause.SCOPE, self.was.estate_digest == self.now.estate_digest),
                (ChangeCause.RULE, self.was.baseline.digest == self.now.baseline.digest),
            ):
                told.open |= set() if same else {cause}
            return
        before, after = old.rules.get(address), new.rules.get(address)
        if before is None or after is None or any(rule_differences(before, after)):
            told.found.add(ChangeCause.RULE)
        scopes = self._scopes(system, scene, address)
        if self.was.estate_digest != self.now.estate_digest and scopes[0] != scopes[1]:
            told.found.add(ChangeCause.SCOPE)

    def _from_registers(self, told: Explanation, system: str, scene: Scene, address: str) -> None:
        old, new = self.was.basis, self.now.basis
        recorded = old is not None and new is not None
        stood = [
            [
                (row.id, standing(row), basis.entries.get(row.id) if recorded and basis is not None else None)
                for row in assessment.registers
                if row.requirement == address and _covers(row, system, scene)
            ]
            for assessment, basis in ((self.was, old), (self.now, new))
        ]
        if stood[0] != stood[1]:
            told.found.add(ChangeCause.REGISTERS)
        elif not recorded and self.was.registers_digest != self.now.registers_digest:
            told.open.add(ChangeCause.REGISTERS)

    def _from_evidence(self, told: Explanation, address: str, was: RequirementResult, now: RequirementResult) -> None:
        tallies = [(row.passed, row.failed, row.unknown, row.closed) for row in (was, now)]
        if tallies[0] == tallies[1]:
            return  # the state follows from the tally and the need alone
        if (was.unknown, was.closed) != (now.unknown, now.closed):
            whys = {*was.why, *now.why}
        else:
            whys = set(was.why) ^ set(now.why)
        if whys - NO_BLINDNESS - ({GapWhy.UNSEEN.value} if GapWhy.STALE in whys else set()):
            told.found.add(ChangeCause.COVERAGE)
        if GapWhy.STALE in whys and self.was.as_of != self.now.as_of:
            told.found.add(ChangeCause.AGE)
        self._from_facts(told, address)
        if not told.found and not told.open and self.was.as_of != self.now.as_of:
            told.found.add(ChangeCause.AGE)

    def _from_facts(self, told: Explanation, address: str) -> None:
        old, new = self.was.basis, self.now.basis
        if _read(self.was) == _read(self.now):
            return
        if old is None or new is None or old.engine != new.engine:
            told.open.add(ChangeCause.FACTS)
            return
        if address not in self._differing:
            fields = {name for basis in (old, new) if address in basis.rules for name in basis.rules[address].reads}
            self._differing[address] = _said_otherwise(old, new, fields)
        if self._differing[address]:
            told.found.add(ChangeCause.FACTS)

    def _scopes(self, system: str, scene: Scene, address: str) -> tuple[dict[str, str], dict[str, str]]:
        old, new = self.was.basis, self.now.basis
        if old is None or new is None:
            return _presence(self.was, system, scene), _presence(self.now, system, scene)
        rules = [basis.rules[address] for basis in (old, new) if address in basis.rules]
        return _scope(old, system, scene, rules), _scope(new, system, scene, rules)


def _covers(row: RegisterRow, system: str, scene: Scene) -> bool:
    return row.system == system and (not row.scenes or scene in row.scenes)


def _read(assessment: Assessment) -> list[tuple[str, str]]:
    """What was read for an assessment: the same collections say the same."""
    return sorted((ref.target, ref.digest) for ref in assessment.collections)


def _said_otherwise(was: Basis, now: Basis, fields: Iterable[str]) -> bool:
    """Whether a target that spoke of one of the fields both times said something else."""
    names = sorted(fields)
    return any(
        name in before and name in after and before[name] != after[name]
        for target in sorted(was.said.keys() & now.said.keys())
        for before, after in ((was.said[target], now.said[target]),)
        for name in names
    )


def _presence(assessment: Assessment, system: str, scene: Scene) -> dict[str, str]:
    there = any(grade.system == system and grade.scene is scene for grade in assessment.grades)
    return {f"{system}/{scene.value}": ""} if there else {}


def _scope(basis: Basis, system: str, scene: Scene, rules: Iterable[RuleBasis]) -> dict[str, str]:
    """All of the estate that decides which assets a requirement is judged on in a scope, by name."""
    held = basis.systems.get(system)
    if held is None or scene not in held.scenes:
        return {}
    found = {f"{system}/{scene.value}": "", f"service model of {system}": held.service_model.value}
    for rule in rules:
        for population in _populations(rule, basis, system):
            own = f"{scene.value}/{population}"
            if own in held.members or population in held.members:
                place = own if own in held.members else population
                found[f"members of {system}: {population}"] = held.members[place]
        found |= {
            f"target {name}": target.digest for name, target in basis.targets.items() if target.source in rule.sources
        }
        for fact in {name.partition(".")[0] for name in rule.reads}:
            found |= dict(_listed("sources that define", fact, basis.populations))
            found |= dict(_listed("precedence for", fact, basis.precedence))
    return found


def _populations(rule: RuleBasis, basis: Basis, system: str) -> Iterator[str]:
    """Populations whose selectors decide membership; one that is referred to belongs where its holders do."""
    if rule.over and rule.over not in REFERENCED:
        yield rule.over
    elif rule.over:
        yield from sorted({place.rpartition("/")[2] for place in basis.systems[system].members})


def _listed(what: str, fact: str, lists: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    if fact in lists:
        yield f"{what} {fact}", ", ".join(lists[fact])
