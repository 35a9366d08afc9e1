"""A small institution: two cloud accounts, a domain, and a source that tells the rest; collected, sealed and graded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from collectors.ad import AdCollector
from collectors.aws import AwsCollector
from scanner import registry
from scanner.collecting.collect import collect
from scanner.demo.description import read_description
from scanner.facts import FACTS
from scanner.grading.assess import Inputs, read_targets
from scanner.guideline.baseline import load_baseline
from scanner.institution.estate import Estate, load_estate
from scanner.institution.registers import load_registers
from scanner.model import (
    Access,
    Capture,
    Census,
    Collector,
    Fact,
    Listing,
    Permission,
    PlannedCall,
    Record,
    SourceIdentity,
    Target,
    promised_facts,
    promised_fields,
)
from scanner.sealed.collection import Collection
from scanner.sealed.store import Store
from tests.collectors.ad.asking import AskingAccess
from tests.collectors.stage import NOW

ESTATE = Path(__file__).with_name("estate.toml")
KINDS = {fact.__name__: fact for fact in FACTS}
UNHEALTHY = re.compile(r"val|old|web|plain|:volume/", re.IGNORECASE)
"""Names and keys of assets of which the rest is told badly, so that requirements are met here and disproved there."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")

Sources = Mapping[str, Callable[[], Any]]
"""By target: what answers, made anew for each reading."""


def moved(value: Any, by: timedelta) -> Any:
    """The same plain value with every time in it moved."""
    match value:
        case str():
            return _TIME.sub(lambda found: (datetime.fromisoformat(found.group()) + by).isoformat(), value)
        case dict():
            return {key: moved(item, by) for key, item in value.items()}
        case list():
            return [moved(item, by) for item in value]
    return value


@dataclass
class Rest:
    """A source that speaks of everything of which the others never speak, and always says the same."""

    rows: Sequence[Fact] = ()
    promised: frozenset[str] = frozenset({"Employment"})
    name: str = "rest"
    version: str = "1"
    permissions: tuple[Permission, ...] = ()

    def promises(self, target: Target) -> frozenset[str]:
        return self.promised

    def plan(self, target: Target) -> Iterator[PlannedCall]:
        yield PlannedCall(host="localhost", login="-", call="none")

    def read(self, access: Access) -> Iterator[Record]:
        listings = {name: Listing(KINDS[name], "all") for name in sorted(promised_facts(self.promised))}
        for row in self.rows:
            listings[type(row).__name__].add(row.asset)
            yield row
        for listing in listings.values():
            yield listing.census(as_of=NOW)


def rest_of(read: Iterable[tuple[frozenset[str], Sequence[Record]]]) -> Rest:
    """What the others leave out, of each asset that they saw; ``read`` has promises and records of each of them.

    A fact of which some of them speak in part is completed field by field; one of which an asset's own source does not
    speak is told whole.
    """
    sources = list(read)
    description = read_description()
    by = NOW - datetime.fromisoformat(description.as_of)
    partly: dict[str, set[str]] = {}
    for promises, _ in sources:
        for fact, names in promised_fields(promises).items():
            partly.setdefault(fact, set()).update(names)
    wholly = {fact for promises, _ in sources for fact in promised_facts(promises) - promised_fields(promises).keys()}
    rows: list[Fact] = []
    promised: set[str] = set()
    for promises, records in sources:
        for row in records:
            population = type(row).__name__
            posture = "broken" if UNHEALTHY.search(_named(row)) else "healthy"
            for name, fields in description.postures[posture].get(population, {}).items():
                given = moved(dict(fields), by)
                if name in partly and name not in wholly:
                    given = {key: value for key, value in given.items() if key not in partly[name]}
                    promised |= {f"{name}.{key}" for key in given}
                elif name in partly or name == population or name in promised_facts(promises):
                    continue
                else:
                    promised.add(name)
                assert isinstance(row, Fact)
                rows.append(msgspec.convert({"asset": row.asset, "observed_at": NOW, **given}, KINDS[name]))
    return Rest(tuple(rows), frozenset(promised))


def _named(row: Record) -> str:
    names = ("asset", "name", "login", "host_name")
    return " ".join(str(getattr(row, name, "")) for name in names) if isinstance(row, Fact) else ""


def plain(records: Iterable[Record]) -> list[Record]:
    """Records without captures and identities, which no grade depends on."""
    return [row for row in records if not isinstance(row, Capture | SourceIdentity)]


def marks(records: Iterable[Record]) -> Mapping[str, str]:
    """A digest for each fact type over its rows and censuses: what judging depends on. Gaps are words."""
    held: dict[str, list[bytes]] = {}
    for row in records:
        match row:
            case Fact():
                held.setdefault(type(row).__name__, []).append(msgspec.json.encode(row))
            case Census():
                held.setdefault(row.fact, []).append(msgspec.json.encode(row))
    return {name: hashlib.sha256(b"\n".join(sorted(rows))).hexdigest() for name, rows in held.items()}


@dataclass
class Institution:
    """An estate on disk, its store, and the baseline; sources are given for each reading."""

    folder: Path
    sources: Sources
    baseline_id: str = "fsc-2024"
    whole: Mapping[str, Sequence[Record]] = field(init=False)
    """What each source says if nothing is taken away."""
    rest: Rest = field(init=False, default_factory=Rest)

    def __post_init__(self) -> None:
        (self.folder / "registers").mkdir(parents=True)
        place = self.folder / "estate.toml"
        place.write_bytes(ESTATE.read_bytes())
        self.estate: Estate = load_estate(place, frozenset(self._collectors(self.sources)))
        self.store = Store.open(self.folder / "store", create=True, now=lambda: NOW)
        self.whole = {name: self.read(name) for name in self.sources}
        promises = {
            name: self._collector(name, self.sources).promises(self.estate.targets[name]) for name in self.whole
        }
        self.rest = rest_of((promises[name], records) for name, records in self.whole.items())
        self.baseline = load_baseline(self.baseline_id, registry.checks())
        self.registers = load_registers(self.estate.registers)

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def _collectors(self, sources: Sources) -> dict[str, Collector]:
        """Collectors by name; which target is read says which source answers."""
        return {
            "aws": AwsCollector(lambda access: sources[access.target.name]()),
            "ad": AdCollector(lambda access: sources[access.target.name]()),
            "rest": self.rest,
        }

    def _collector(self, target: str, sources: Sources) -> Collector:
        return self._collectors(sources)[self.estate.targets[target].collector]

    def read(self, target: str, source: Callable[[], Any] | None = None) -> list[Record]:
        """What the collector says of a target, unsealed: cheap, to see whether it was seen before."""
        sources = {**self.sources, target: source or self.sources[target]}
        access = AskingAccess(self.estate.targets[target], "reader", "secret", at=NOW)
        return plain(self._collector(target, sources).read(access))

    def collect(self, sources: Sources) -> Mapping[str, Collection]:
        """Read and seal these targets; ``rest`` is read where it is named."""
        names = list(sources)
        given = {**self.sources, **sources}
        sealed = collect(self.estate, self.store, collectors=self._collectors(given), targets=names, clock=lambda: NOW)
        return {collection.meta.target: collection for collection in sealed}

    def inputs(self, newest: Mapping[str, Collection]) -> Inputs:
        """All that the grade of these collections depends on."""
        targets = read_targets(self.estate, self._collectors(self.sources), newest)
        return Inputs(self.estate, self.baseline, self.registers, targets, NOW)
