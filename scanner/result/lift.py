"""What lifts the institution to its targets, as a report shows it."""

from __future__ import annotations

import msgspec

from scanner.model import Effort, Impact, ItemState, Level, Pillar, Scene, Text


class LiftCost(msgspec.Struct, frozen=True, kw_only=True):
    """What meeting a requirement takes; None where nobody says, ``reason`` where the institution does."""

    effort: Effort | None
    impact: Impact | None
    reason: str = ""


class LiftNeed(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement between floors and aims of one scope, for all the pillars that it holds back."""

    requirement: str
    item: str
    level: Level
    why: ItemState
    population: int
    failing: int
    unknown: int
    pillars: list[Pillar]
    step: str
    """What to do: the requirement itself, or the cheapest branch of a choice."""
    cost: LiftCost
    others: list[str]
    """Other branches of the choice."""
    look_first: bool
    """Nothing that was seen fails, so that seeing it may be all that is lacking."""


class LiftPillar(msgspec.Struct, frozen=True, kw_only=True):
    """Where one pillar of a scope stands below its aim, and how many requirements lie between."""

    pillar: Pillar
    floor: Level
    aim: Level
    needs: int


class LiftScope(msgspec.Struct, frozen=True, kw_only=True):
    """What lifts one system in one scene; ``needs`` holds the cheapest of ``total``."""

    system: str
    scene: Scene
    pillars: list[LiftPillar]
    needs: list[LiftNeed]
    total: int


class LiftSingle(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement over the whole institution; ``lifts`` counts the pillars that it lifts alone."""

    requirement: str
    item: str
    cost: LiftCost
    pillars: int
    scopes: int
    lifts: int


class LiftBundle(msgspec.Struct, frozen=True, kw_only=True):
    """Requirements that, met wherever they are open, bring so many pillars to their aim."""

    requirements: list[str]
    pillars: int
    scopes: int
    levels: list[Level]
    exact: bool


class LiftText(msgspec.Struct, frozen=True, kw_only=True):
    """What lifts the institution to its targets; lists hold the first of so many as the totals say."""

    pillars: int
    below: int
    scopes_below: int
    singles: list[LiftSingle]
    singles_total: int
    bundles: list[LiftBundle]
    steps: list[LiftBundle]
    scopes: list[LiftScope]
    fixes: dict[str, Text]
    """How to mend, by the step of a need."""
