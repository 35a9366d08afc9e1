"""What a result rests on, part by part, so that the next assessment can tell what changed."""

from __future__ import annotations

import msgspec

from scanner.model import Level, Scene, ServiceModel


class RuleBasis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What judged one requirement, without its words."""

    check: str = ""
    """Id of the check; the kind where there is none."""
    need: float | None = None
    max_age: int = 0
    """Seconds."""
    parameters: dict[str, str] = {}
    """JSON of each, or its digest where it is long."""
    item: str = ""
    """Digest of what the item or gate is: level, pillar, cloud matrix, whether an exercised event is needed."""
    branches: list[str] = []
    over: str = ""
    reads: list[str] = []
    """Fields that it reads, as ``Fact.field``; a fact alone stands for its keys."""
    sources: list[str] = []
    """Sources that promise any of these facts."""


class SystemBasis(msgspec.Struct, frozen=True, kw_only=True):
    """What the estate says of one system, its names left out."""

    scenes: list[Scene]
    service_model: ServiceModel
    target: Level
    members: dict[str, str]
    """Digest of the selectors by population, or by ``scene/population`` where a scene has its own."""


class TargetBasis(msgspec.Struct, frozen=True, kw_only=True):
    """What a target reads: its source, and a digest of collector, address, promises and options."""

    source: str
    digest: str


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What a result rests on, part by part and small, so that the next assessment can tell what changed."""

    rules: dict[str, RuleBasis]
    """By address of the requirement."""
    systems: dict[str, SystemBasis]
    targets: dict[str, TargetBasis]
    populations: dict[str, list[str]]
    """Defining sources, where the estate names them."""
    precedence: dict[str, list[str]]
    entries: dict[str, str]
    """Digest of every register entry as written, its signature left out, by id."""
    approvers: dict[str, str]
    """Digest of person and key by name."""
    register_files: dict[str, str]
    """SHA-256 of every register file and signature."""
    chain: str = ""
    """SHA-256 of the last link of the registers' chain; empty where there is none."""
    engine: str
    """What computed ``said``; only values of one engine are comparable."""
    said: dict[str, dict[str, str]]
    """By target and ``Fact.field``: rows and a hash over keys and values, times of observation left out."""
