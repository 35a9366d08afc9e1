"""The nouns of the institution's file; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scanner.institution.costs import StatedCost
from scanner.model import Level, Scene, ServiceModel, Target, Text
from scanner.selection.choice_reader import Candidates


@dataclass(frozen=True)
class Credential:
    """Who logs in, and where the secret lies; the secret itself is never here."""

    name: str
    user: str | None
    reference: str = field(repr=False)


@dataclass(frozen=True)
class Selector:
    """Assets of one population: those that any of ``sources`` says meet any of the criteria given.

    ``sources`` empty means the sources that define the population. ``networks`` are CIDR, ``hosts`` globs over host
    names, ``tags`` are name=value, ``accounts``, ``directories`` and ``listed`` are asset keys.
    """

    sources: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    organizational_units: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    everything: bool = False


@dataclass(frozen=True)
class System:
    """One system of the institution: its scenes, who runs it, the level it aims at, and its members."""

    name: str
    title: Text
    scenes: tuple[Scene, ...]
    service_model: ServiceModel
    target: Level
    selectors: Mapping[str, tuple[Selector, ...]]
    """By population."""
    overrides: Mapping[Scene, Mapping[str, tuple[Selector, ...]]]
    """By scene, then population: replaces the population's selectors in that scene."""


@dataclass(frozen=True)
class Approver:
    """A person whose signature on a register entry counts, by one key: Ed25519 in PEM, or a line of SSH."""

    name: str
    person: str
    public_key: bytes
    ssh_key: str = ""
    """One line as it stands in ``id_ed25519.pub``; ``public_key`` is empty then."""


@dataclass(frozen=True)
class Caps:
    """How many sources are read at once: in all, with one credential, at one site."""

    parallel: int = 8
    per_credential: int = 4
    per_site: int = 4


@dataclass(frozen=True)
class Estate:
    """The institution's file and all files it pulls in; ``files`` holds their bytes by sealed name."""

    path: Path
    digest: str
    """SHA-256 over the canonical JSON of [name, sha256] of every file, in name order."""
    files: Mapping[str, bytes] = field(repr=False)
    institution_id: str
    institution_name: Text
    targets: Mapping[str, Target]
    credentials: Mapping[str, Credential]
    populations: Mapping[str, tuple[str, ...]]
    """Population to its defining sources, where the file names them."""
    precedence: Mapping[str, tuple[str, ...]]
    systems: Mapping[str, System]
    approvers: Mapping[str, Approver]
    registers: Path
    caps: Caps
    candidates: Candidates | None = None
    """Systems to choose from, where the file has a ``[selection]``."""
    costs: Mapping[str, StatedCost] = field(default_factory=dict)
    """By requirement address, where the institution says what meeting it costs; no verdict depends on it."""

    def selectors(self, system: str, scene: Scene, population: str) -> tuple[Selector, ...]:
        """Selectors of a population in a scene of a system; empty where none is written."""
        held = self.systems[system]
        override = held.overrides.get(scene, {})
        return override[population] if population in override else held.selectors.get(population, ())

    @property
    def sources(self) -> frozenset[str]:
        """Names of all sources that targets stand for."""
        return frozenset(target.source for target in self.targets.values())


def key_fault(key: str, kind: str = "") -> str | None:
    """What is wrong with an asset key, ``kind:source:key``, of the kind where one is given; None where nothing is."""
    parts = key.split(":", 2)
    if len(parts) != 3 or not all(part.strip() for part in parts):
        return f"{key!r} is not an asset key, {kind or 'kind'}:source:key"
    if kind and parts[0] != kind:
        return f"{key!r} is of kind {parts[0]!r}, expected {kind!r}"
    return None
