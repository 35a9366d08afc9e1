"""How far each requirement, item and gate of a scope is met, and the levels that follow."""

from __future__ import annotations

import msgspec

from scanner.model import ItemState, Level, Origin, Pillar, RequirementKind, RequirementState, Scene


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A level as an interval: proven at least, possible at most."""

    floor: Level
    ceiling: Level


class ReviewCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many reviews count within the days that end at ``as_of``, of how many that the baseline asks for."""

    found: int
    wanted: int
    days: int


class RequirementResult(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement in one scope. Counts are assets; for documents they are zero."""

    id: str
    kind: RequirementKind
    state: RequirementState
    origin: list[Origin] = []
    population: int = 0
    assessed: int = 0
    passed: int = 0
    failed: int = 0
    unknown: int = 0
    excepted: int = 0
    over: str = ""
    use: str = ""
    closed: bool = True
    need: float | None = None
    state_with_exceptions: RequirementState | None = None
    why: list[str] = []
    """Gap whys that keep a check open, or a register why; sorted, distinct."""
    entry: str | None = None
    """Register entry that satisfies or disproves a document requirement."""
    reviewed: ReviewCount | None = None
    """Where the baseline asks for a number of reviews."""
    last_proved: str | None = None
    branches: list[RequirementResult] = []


class ItemResult(msgspec.Struct, frozen=True, kw_only=True):
    """One item in one scope."""

    id: str
    level: Level
    state: ItemState
    reason: str
    last_proved: str | None
    requirements: list[RequirementResult]


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """The documents that the text of a level asks for before its items count."""

    level: Level
    state: RequirementState
    requirements: list[RequirementResult]


class Blocking(msgspec.Struct, frozen=True, kw_only=True):
    """One thing between the floor and the next level."""

    item: str
    """Item id, or ``gate II`` / ``gate III``."""
    level: Level
    state: str
    requirements: list[str]


class Grade(msgspec.Struct, frozen=True, kw_only=True):
    """One cell: system x scene x pillar."""

    system: str
    scene: Scene
    pillar: Pillar
    floor: Level
    ceiling: Level
    floor_with_exceptions: Level
    ceiling_with_exceptions: Level
    target: Level
    passed_over: list[Level]
    gates: list[GateResult]
    blocking: list[Blocking]
    items: list[ItemResult]
