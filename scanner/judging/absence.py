"""When it is known that an asset has nothing that a fact could tell of, instead of only that nobody told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from scanner.judging.evidence import Evidence, ReadTarget, quoted
from scanner.judging.population import Population
from scanner.model import Fact


def absent_sql(population: Population, fact: type[Fact], sources: Sequence[str], max_age: timedelta) -> str:
    """SQL over the roster that is true of assets which lack what the fact tells of; empty where that cannot be known.

    A closed listing leaves an asset out for two reasons: the asset has no such thing, or it stands there under a key
    of the source's own that nobody told to be the same. The second is excluded only where every asset of each source
    of the fact is told to be one that another source lists, and is found there. Then what that other source lists
    beyond them has none, unless a gap speaks of it.
    """
    evidence = population.evidence
    if not fact.absent or not sources:
        return ""
    if not all(evidence.excludes(source, fact.__name__, population.fact.kind, max_age) for source in sources):
        return ""
    listing = set.intersection(*(_listing(population, source, max_age) for source in sources))
    if not listing:
        return ""
    untold: set[str] = set()
    for source in sources:
        lacking = _lacking(evidence, source, fact)
        if lacking is None:
            return ""
        untold |= lacking
    listed = [place for source in sorted(listing) for place in evidence.files(source, population.name)]
    conditions = [f"roster.asset IN (SELECT asset FROM {_read(listed)})"]
    conditions += [
        f"roster.asset NOT IN (SELECT asset FROM ({rows}))"
        for source in sources
        for told in (population.name, fact.__name__)
        if (rows := evidence.rows(source, told)) is not None
    ]
    if untold:
        conditions.append(f"roster.asset NOT IN ({', '.join(quoted(key) for key in sorted(untold))})")
    return " AND ".join(conditions)


def _listing(population: Population, source: str, max_age: timedelta) -> set[str]:
    """The other sources in whose listing every asset of a source is found, under the key that it is told to have."""
    evidence, name = population.evidence, population.name
    own = evidence.files(source, name)
    if not own or not evidence.closed(source, name, max_age) or not evidence.same.canonical:
        return set()
    known = f"SELECT same.canonical FROM {_read(own)} AS said LEFT JOIN same ON same.alias = said.asset"
    found = set()
    for other in evidence.promising(name):
        listed = evidence.files(other, name)
        if other == source or not listed:
            continue
        there = f"coalesce(canonical IN (SELECT asset FROM {_read(listed)}), false)"
        # Null, thus no, over no asset at all: whom nobody is told to be is nobody's proof.
        if evidence.connection.execute(f"SELECT bool_and({there}) FROM ({known})").fetchone() == (True,):
            found.add(other)
    return found


def _read(files: Sequence[tuple[ReadTarget, Path]]) -> str:
    return f"read_parquet([{', '.join(quoted(str(path)) for _, path in files)}], union_by_name = true)"


def _lacking(evidence: Evidence, source: str, fact: type[Fact]) -> set[str] | None:
    """Assets of which the source says that it could not see the fact; None where it says so of itself as a whole."""
    found: set[str] = set()
    for target in evidence.by_source.get(source, []):
        for gap in target.gaps:
            if gap.fact == fact.__name__ and gap.field is None:
                if gap.asset is None:
                    return None
                found.add(evidence.same.canonical.get(gap.asset, gap.asset))
    return found
