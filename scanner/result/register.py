"""How every register entry counts, and which exceptions are to be looked at again."""

from __future__ import annotations

import msgspec

from scanner.model import AlarmWord, Level, Pillar, RegisterWhy, Scene


class PlanRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an adoption plan says, and whether its day has passed at ``as_of``."""

    pillar: Pillar | None
    """None: all of them."""
    current: Level
    target: Level
    due: str
    status: str
    overdue: bool


class RegisterRow(msgspec.Struct, frozen=True, kw_only=True):
    """One register entry and how it counts at ``as_of``."""

    id: str
    kind: str
    requirement: str
    system: str
    scenes: list[Scene]
    owner: str
    approver: str
    made_at: str
    expires_at: str
    document: str
    counts: bool
    why: RegisterWhy | None
    detail: str = ""
    assets: int = 0
    document_sha256: str = ""
    plan: PlanRow | None = None
    statement: str = ""
    """What a plan says; other kinds are read where they stand."""
    matched: int | None = None
    """How many of the assets that a valid exception names fail now."""
    beyond: int | None = None
    """How many others fail its requirement now that no exception names."""


class AlarmRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be looked at again about one exception, in all its scenes where ``scene`` is None.

    ``before`` and ``now`` count assets that fail: beyond all exceptions, or among those named (``widened``), or those
    named (``stale``, ``compensation_lost``). For ``expiring``, ``now`` is the whole days that are left.
    """

    entry: str
    word: AlarmWord
    requirement: str
    """For ``compensation_lost`` the one that was to compensate."""
    system: str
    scene: Scene | None
    before: int | None
    now: int
    named: bool = False
    """Counts the assets that the exception names, not those beyond."""
    unknown: int = 0
    """Assets of which it is not known, so that ``now`` may be more."""
    days: int = 0
    """``expiring``: the step that was reached, 30, 14 or 7."""
