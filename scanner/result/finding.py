"""One use of a check on one asset, as ``findings --json`` prints it."""

from __future__ import annotations

import msgspec

from scanner.model import Outcome, Scene


class FindingScope(msgspec.Struct, frozen=True, kw_only=True):
    """What a finding means in one scope."""

    system: str
    scene: Scene
    member: bool | None
    outcome: Outcome


class FindingRow(msgspec.Struct, frozen=True, kw_only=True):
    """One use of a check on one asset, as ``findings --json`` prints it."""

    id: str
    check: str
    use: str
    asset: str
    outcome: Outcome
    why: list[str]
    evidence: dict[str, object]
    observed_at: str | None
    scopes: list[FindingScope]
