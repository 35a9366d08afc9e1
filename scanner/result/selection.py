"""Which systems come first, as a report shows it."""

from __future__ import annotations

import msgspec

from scanner.model import Scene


class SelectionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One scene of the funnel: pairs of system and scene that pass each step, and those not decided."""

    scene: Scene
    in_scene: int
    high_risk: int
    low_impact: int
    undecided: int


class ProposalRow(msgspec.Struct, frozen=True, kw_only=True):
    """One pair worth beginning with, in the order of the ranking."""

    system: str
    scene: Scene
    risk: str
    impact: str


class DecisionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A decision of a person in place of a rule's."""

    system: str
    scene: Scene
    holds: bool
    reason: str
    decided_by: str
    decided_on: str


class SelectionText(msgspec.Struct, frozen=True, kw_only=True):
    """Which systems come first, by which methods and readings."""

    systems: int
    risk: str
    impact: str
    readings: dict[str, bool]
    funnel: list[SelectionRow]
    proposals: list[ProposalRow]
    decisions: list[DecisionRow]
    unseparated: list[str]
