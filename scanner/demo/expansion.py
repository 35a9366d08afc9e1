"""Expands the description of the lab bank into the lines that each of its sources supplies."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from scanner.demo.description import Description
from scanner.facts import FACTS

Fields = dict[str, Any]

UNSAID = "?"
"""Stands in the description for a field that the source leaves unsaid."""


@dataclass(frozen=True)
class Asset:
    """One asset of the bank before its facts: key, population, posture, and the group it belongs to, if any."""

    key: str
    population: str
    posture: str
    group: str | None = None
    archetype: str | None = None
    number: int = 0

    @property
    def name(self) -> str:
        """The last part of its key."""
        return self.key.split(":", 2)[2]


@dataclass
class Lines:
    """What one target supplies: rows by fact and asset, gaps, and lines that cannot be understood."""

    rows: dict[tuple[str, str], Fields] = field(default_factory=dict)
    gaps: list[Fields] = field(default_factory=list)
    broken: list[Fields] = field(default_factory=list)

    def keys(self, fact: str) -> list[str]:
        """Sorted asset keys of one fact."""
        return sorted(asset for name, asset in self.rows if name == fact)

    def content(self) -> bytes:
        """NDJSON, in order of fact and asset; gaps and broken lines follow the facts."""
        ordered = [{"fact": fact, "asset": asset, **self.rows[fact, asset]} for fact, asset in sorted(self.rows)]
        gaps = [{"gap": gap} for gap in sorted(self.gaps, key=lambda gap: json.dumps(gap, sort_keys=True))]
        every = [*ordered, *self.broken, *gaps]
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in every).encode()


def assets_of(description: Description) -> Iterator[Asset]:
    """Every asset of the bank, groups first."""
    for prefix, group in description.groups.items():
        number = 0
        for population in description.sources:
            for archetype, count in group.get(population, {}).items():
                for index in range(1, count + 1):
                    number += 1
                    source = source_of(description, population, population, prefix, "")
                    key = f"{_kind(population)}:{source}:{prefix}-{archetype}-{index:03}"
                    yield Asset(key, population, group["posture"], prefix, archetype, number)
    for single in description.singles:
        yield Asset(single["asset"], single["population"], single["posture"])


def source_of(description: Description, population: str, fact: str, group: str | None, key: str) -> str:
    """Which target speaks of a fact about an asset."""
    named = description.sources[population][fact]
    if not named.startswith("@"):
        return str(named)
    if group is None:
        return key.split(":")[1]
    default = "firewalls" if named == "@segments" else ""
    return str(description.groups[group].get(named[1:], default))


def expand(description: Description) -> dict[str, Lines]:
    """What every target supplies, by its name."""
    expansion = _Expansion(description)
    for asset in assets_of(description):
        expansion.add(asset)
    return expansion.lines


def _kind(population: str) -> str:
    return {fact.__name__: fact.kind for fact in FACTS}[population]


class _Expansion:
    """One run over all assets."""

    def __init__(self, description: Description) -> None:
        self.description = description
        self.lines = {target: Lines() for target in description.targets}

    def add(self, asset: Asset) -> None:
        description = self.description
        facts = self._facts(asset)
        times = dict.fromkeys(facts, description.observed_at)
        unsaid: list[tuple[str, str, str]] = []
        for case in description.cases_of(asset.key):
            for fact in case.get("copy", ()):
                facts[fact] = copy.deepcopy(description.postures["healthy"][asset.population][fact])
                times[fact] = description.observed_at
            for fact, changes in case.get("set", {}).items():
                facts[fact].update(changes)
                unsaid += [(fact, name, case["why"]) for name, value in changes.items() if value == UNSAID]
            times.update({fact: case.get("observed_at", description.stale_at) for fact in case.get("stale", ())})
            self._also(asset, case)
            for fact, fields in case.get("broken_line", {}).items():
                self._of(asset, fact).broken.append(
                    {"fact": fact, "asset": asset.key, "observed_at": description.observed_at, **fields}
                )
        for fact, name, why in unsaid:
            del facts[fact][name]
            self._of(asset, fact).gaps.append(
                {"fact": fact, "why": "denied", "detail": why, "asset": asset.key, "field": name}
            )
        for fact, fields in facts.items():
            self._of(asset, fact).rows[fact, asset.key] = {"observed_at": times[fact], **fields}
        if asset.posture == "dark":
            self._dark(asset, facts)

    def _of(self, asset: Asset, fact: str) -> Lines:
        return self.lines[source_of(self.description, asset.population, fact, asset.group, asset.key)]

    def _facts(self, asset: Asset) -> dict[str, Fields]:
        """Facts by posture, archetype, single description and place, before any case."""
        description = self.description
        facts: dict[str, Fields] = copy.deepcopy(dict(description.postures[asset.posture][asset.population]))
        if asset.archetype is not None:
            overlay = description.archetypes[asset.population][asset.archetype]
            for layer in (overlay, overlay.get(asset.posture, {})):
                for fact, fields in layer.items():
                    if fact in facts:
                        facts[fact].update(fields)
        for single in description.singles:
            if single["asset"] == asset.key:
                for fact, fields in single.items():
                    if fact in facts:
                        facts[fact].update(fields)
        own = {fact.__name__: fact for fact in FACTS}[asset.population].__struct_fields__
        for name, value in _names(asset).items():
            if name in own:
                facts[asset.population].setdefault(name, value)
        if asset.group is not None:
            facts["Placement"] = self._placement(asset, description.groups[asset.group])
        return facts

    def _placement(self, asset: Asset, group: Mapping[str, Any]) -> Fields:
        place = group["placement"]
        if asset.population == "User":
            directory = group["directory"]
            return {
                "directory": f"directory:{directory}:{directory.removeprefix('ad-')}",
                "groups": [place["group"]],
                "organizational_unit": place["unit"],
                "account": "none",
                "tags": [],
                "addresses": [],
                "host_name": "none",
            }
        return {
            "directory": "none",
            "groups": [],
            "organizational_unit": place["unit"],
            "account": place.get("account", "none"),
            "tags": [place["tag"]],
            "addresses": [f"{group['network']}.{asset.number // 250}.{asset.number % 250 + 1}"],
            "host_name": asset.name,
        }

    def _also(self, asset: Asset, case: Mapping[str, Any]) -> None:
        """Rows of another source that knows the asset under a key of its own."""
        if "also" not in case:
            return
        source = case["also"]["source"]
        alias = f"{_kind(asset.population)}:{source}:{asset.name}"
        seen = {"observed_at": self.description.observed_at}
        rows = self.lines[source].rows
        rows["Same", alias] = {**seen, "same_as": asset.key, "by": "hardware_uuid"}
        for fact, fields in case["also"]["facts"].items():
            rows[fact, alias] = {**seen, **fields}

    def _dark(self, asset: Asset, facts: Mapping[str, Fields]) -> None:
        """A gap for every fact that a source owes and for every field that a dark row leaves unsaid."""
        for fact in self.description.sources[asset.population]:
            if fact in facts or (fact == "Placement" and asset.group is None):
                continue
            why = self.description.gaps[fact]
            self._of(asset, fact).gaps.append({"fact": fact, "asset": asset.key, **why})
        for fact, lack in self.description.unsaid.items():
            for name in lack["fields"] if fact in facts else ():
                if name not in facts[fact]:
                    self._of(asset, fact).gaps.append(
                        {
                            "fact": fact,
                            "asset": asset.key,
                            "field": name,
                            "why": lack["why"],
                            "detail": lack["detail"],
                        }
                    )


def _names(asset: Asset) -> Fields:
    """Names that a source would show; made up from the key."""
    return {
        "name": asset.name,
        "host_name": asset.name,
        "display_name": f"Demo {asset.name}",
        "login": f"{asset.name}@lab-bank.example",
    }
