"""A situation that looks like a pass and is none: what its sources say, and what each requirement must say of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from scanner import registry
from scanner.guideline.baseline import load_baseline
from scanner.guideline.nouns import Baseline, Requirement
from scanner.judging.evidence import Evidence
from scanner.judging.judge import Use, judge
from scanner.judging.population import Population
from scanner.model import Fact, Outcome, Target
from tests.engine import session
from tests.scanner.miniature import AS_OF, FRESH, VOCABULARY, Said

Facts = Mapping[str, Mapping[str, Any]]
"""Fields by fact; what is not named the source did not say."""
READ = ("ad", "aws", "endpoint")
"""Sources whose collectors are there; every other name stands for a source that says what the situation needs."""
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "ad": {"entrance": True},
    "endpoint": {"external": False, "advisories": [{"kind": "osv", "file": "all.zip"}]},
}
"""Options under which a collector promises most."""


def ago(*, days: float = 0) -> datetime:
    """The moment that lies so long before the situations are judged; negative for the future."""
    return AS_OF - timedelta(days=days)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """One known false pass as its sources tell it."""

    item: str
    """Item of the guideline, or ``every`` where it may befall each."""
    says: str
    """The false pass, in a sentence."""
    said: Mapping[str, Facts]
    """What each source says of the one asset."""
    judged: Mapping[str, Outcome]
    """What each requirement must say of it, by address: fail or unknown."""
    mended: Mapping[str, Facts] = field(default_factory=dict)
    """What must be said instead for every one of the requirements to pass: shows that nothing else is wrong."""

    def after(self) -> Mapping[str, Facts]:
        """What is said once it is mended."""
        return {
            source: {
                fact: {**self.said.get(source, {}).get(fact, {}), **self.mended.get(source, {}).get(fact, {})}
                for fact in dict.fromkeys([*self.said.get(source, {}), *self.mended.get(source, {})])
            }
            for source in dict.fromkeys([*self.said, *self.mended])
        }

    def facts(self) -> Iterator[tuple[str, type[Fact], str]]:
        """Source, fact and field of everything that is said, before and after."""
        for said in (self.said, self.after()):
            for source, facts in said.items():
                for fact, fields in facts.items():
                    for name in fields.keys() - {"observed_at"} or {""}:
                        yield source, VOCABULARY[fact], name


def baseline() -> Baseline:
    """The baseline whose parameters count."""
    return load_baseline("fsc-2024", registry.checks())


def promised(source: str) -> frozenset[str]:
    """What the collector of that name promises at most."""
    target = Target(name=source, collector=source, source=source, options=OPTIONS.get(source, {}))
    return registry.collectors()[source].promises(target)


def use_of(requirement: Requirement) -> Use:
    """The use of a check by a requirement."""
    assert requirement.check is not None, requirement.address
    return Use(registry.checks()[requirement.check], requirement.parameters, requirement.max_age)


def outcomes(
    situations: Sequence[Situation], known: Mapping[str, Requirement], folder: Path
) -> Mapping[tuple[int, bool, str], Outcome]:
    """Outcome by place in the list, whether mended, and requirement; all judged together."""
    keys = {
        (place, mended): f"{_over(situation, known).kind}:case:{place}{'-mended' if mended else ''}"
        for place, situation in enumerate(situations)
        for mended in (False, True)
    }
    rows: dict[str, list[Fact]] = {}
    for (place, mended), asset in keys.items():
        told = situations[place].after() if mended else situations[place].said
        for source, facts in told.items():
            rows.setdefault(source, []).extend(
                msgspec.convert({"observed_at": FRESH, **fields, "asset": asset}, VOCABULARY[fact], strict=True)
                for fact, fields in facts.items()
            )
    says = {
        source: {f"{fact.__name__}.{name}" if name else fact.__name__ for each, fact, name in _told(situations)
                 if each == source}
        for source in rows
    }  # fmt: skip
    targets = [
        Said(facts, promised(source) | says[source] if source in READ else says[source]).read(source, folder / source)
        for source, facts in rows.items()
    ]
    evidence = Evidence(session(), targets, VOCABULARY, AS_OF)
    found: dict[tuple[int, bool, str], Outcome] = {}
    for over in dict.fromkeys(_over(situation, known) for situation in situations):
        asked = dict.fromkeys(address for each in situations if _over(each, known) is over for address in each.judged)
        uses = {address: use_of(known[address]) for address in asked}
        population = Population(over, tuple(evidence.promising(over.__name__)), evidence)
        table = judge(population, list(uses.values()), AS_OF, {}).table
        columns = ", ".join(f'"{use.id}"' for use in uses.values())
        codes = {
            row[0]: row[1:] for row in evidence.connection.execute(f"SELECT asset, {columns} FROM {table}").fetchall()
        }
        words = list(Outcome)
        for (place, mended), asset in keys.items():
            if _over(situations[place], known) is over:
                for address, code in zip(uses, codes[asset], strict=True):
                    found[place, mended, address] = words[code]
    return found


def _told(situations: Iterable[Situation]) -> Iterator[tuple[str, type[Fact], str]]:
    for situation in situations:
        yield from situation.facts()


def _over(situation: Situation, known: Mapping[str, Requirement]) -> type[Fact]:
    (over,) = {use_of(known[address]).check.over for address in situation.judged}
    return over
