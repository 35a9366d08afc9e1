"""From every system to those that come first: in the scene, high risk, low impact; counted and ranked per scene."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from scanner.facts.kleene import every
from scanner.model import Scene
from scanner.selection.inventory import SystemRecord
from scanner.selection.priority import Measure, high_risk, low_impact, score
from scanner.selection.scene_rule import Decision, SceneRules, duties_unseparated, scenes_of


@dataclass(frozen=True)
class Override:
    """A person's decision in place of a rule's, with its reason."""

    system: str
    scene: Scene
    holds: bool
    reason: str
    decided_by: str
    decided_on: date


@dataclass(frozen=True)
class Choice:
    """How the institution chooses: readings of doubtful rules, methods with their thresholds, decisions of people."""

    rules: SceneRules
    risk: Measure = field(default_factory=Measure)
    impact: Measure = field(default_factory=Measure)
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True)
class Pair:
    """One system in one scene and what was decided of it at each step."""

    system: str
    scene: Scene
    in_scene: Decision
    overridden: Override | None
    high_risk: Decision
    low_impact: Decision

    @property
    def chosen(self) -> bool | None:
        """In the scene, high risk and low impact."""
        return every(self.in_scene.holds, self.high_risk.holds, self.low_impact.holds)


@dataclass(frozen=True)
class Step:
    """One line of the funnel: pairs of a scene that pass each step for certain, and those that may."""

    scene: Scene
    in_scene: int
    high_risk: int
    low_impact: int
    undecided: int
    """Pairs that no answer has ruled out and that lack an answer."""


@dataclass(frozen=True)
class Proposal:
    """A pair worth beginning with, and its place in the order."""

    rank: int
    pair: Pair
    risk_score: int | None
    impact_score: int | None


@dataclass(frozen=True)
class Selection:
    """What came of the inventory."""

    choice: Choice
    pairs: tuple[Pair, ...]
    funnel: tuple[Step, ...]
    proposals: tuple[Proposal, ...]
    unseparated: tuple[str, ...]
    """Systems whose administrators and users share accounts over sensitive data: findings against 4-1."""

    @property
    def total(self) -> tuple[int, int, int]:
        """Sums over the scenes: pairs, not systems."""
        return (
            sum(step.in_scene for step in self.funnel),
            sum(step.high_risk for step in self.funnel),
            sum(step.low_impact for step in self.funnel),
        )


def select(records: Iterable[SystemRecord], choice: Choice) -> Selection:
    """Decide every system in every scene, count the funnel, and rank what is left at its end."""
    known = {record.name: record for record in records}
    decided = {(override.system, override.scene): override for override in choice.overrides}
    pairs = tuple(pair for record in known.values() for pair in _pairs(record, choice, decided))
    by_scene: dict[Scene, list[Pair]] = {scene: [] for scene in Scene}
    for pair in pairs:
        by_scene[pair.scene].append(pair)
    return Selection(
        choice=choice,
        pairs=pairs,
        funnel=tuple(_step(scene, found) for scene, found in by_scene.items()),
        proposals=_ranked([pair for pair in pairs if pair.chosen], known),
        unseparated=tuple(record.name for record in known.values() if duties_unseparated(record)),
    )


def _pairs(record: SystemRecord, choice: Choice, decided: Mapping[tuple[str, Scene], Override]) -> Iterable[Pair]:
    risk, impact = high_risk(record, choice.risk), low_impact(record, choice.impact)
    for scene, by_rule in scenes_of(record, choice.rules).items():
        override = decided.get((record.name, scene))
        decision = by_rule
        if override is not None:
            decision = Decision(override.holds, f"{override.reason} ({override.decided_by}; by rule: {by_rule.why})")
        yield Pair(record.name, scene, decision, override, risk, impact)


def _step(scene: Scene, pairs: list[Pair]) -> Step:
    inside = [pair for pair in pairs if pair.in_scene.holds]
    risky = [pair for pair in inside if pair.high_risk.holds]
    return Step(
        scene=scene,
        in_scene=len(inside),
        high_risk=len(risky),
        low_impact=sum(1 for pair in risky if pair.low_impact.holds),
        undecided=sum(1 for pair in pairs if pair.chosen is None),
    )


def _ranked(pairs: list[Pair], records: Mapping[str, SystemRecord]) -> tuple[Proposal, ...]:
    """Highest risk first, then least impact; unscored ones after the scored, then by name: the same order always."""

    def order(pair: Pair) -> tuple[int, int, int, str, str]:
        record = records[pair.system]
        risk, impact = score(record.risk), score(record.impact)
        kinds = sum(map(bool, (record.customer_personal, record.customer_transaction, record.employee_personal)))
        return (-(risk or 0), impact if impact is not None else 99, -kinds, pair.system, pair.scene.value)

    return tuple(
        Proposal(rank, pair, score(records[pair.system].risk), score(records[pair.system].impact))
        for rank, pair in enumerate(sorted(pairs, key=order), start=1)
    )
