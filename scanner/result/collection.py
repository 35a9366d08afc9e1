"""What an assessment rests on, and what could not be seen."""

from __future__ import annotations

import msgspec

from scanner.model import GapWhy, Origin


class CollectionRef(msgspec.Struct, frozen=True, kw_only=True):
    """One sealed collection that the assessment rests on."""

    target: str
    source: str
    collector: str
    origin: Origin
    collected_at: str
    complete: bool
    facts: int
    gaps: int
    digest: str
    identities: list[str] = []


class GapRow(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that could not be seen, with where it was looked for."""

    target: str
    collector: str
    fact: str
    field: str | None
    asset: str | None
    why: GapWhy
    detail: str
    count: int
