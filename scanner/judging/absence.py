"""When it is known that an asset has nothing that a fact could tell of, instead of only that nobody told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from scanner.judging.evidence import Evidence, quoted
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
    others = {_other(population, source, max_age) for source in sources}
    if len(others) != 1 or None in others:
        return ""
    (other,) = others
    untold: set[str] = set()
    for source in sources:
        lacking = _lacking(evidence, source, fact)
        if lacking is None:
            return ""
        untold |= lacking
    conditions = [f"split_part(roster.asset, ':', 2) = {quoted(str(other))}"]
    conditions += [
        f"roster.asset NOT IN (SELECT asset FROM ({rows}))"
        for source in sources
        for told in (population.name, fact.__name__)
        if (rows := evidence.rows(source, told)) is not None
    ]
    if untold:
        conditions.append(f"roster.asset NOT IN ({', '.join(quoted(key) for key in sorted(untold))})")
    return " AND ".join(conditions)


def _other(population: Population, source: str, max_age: timedelta) -> str | None:
    """The one other source in whose listing every asset of a source is found by its own key; None where none is."""
    evidence, name = population.evidence, population.name
    rows = evidence.files(source, name)
    if not rows or not evidence.closed(source, name, max_age) or not evidence.same.canonical:
        return None
    paths = ", ".join(quoted(str(path)) for _, path in rows)
    found = evidence.connection.execute(
        "SELECT DISTINCT split_part(same.canonical, ':', 2) "
        f"FROM read_parquet([{paths}], union_by_name = true) AS said LEFT JOIN same ON same.alias = said.asset"
    ).fetchall()
    if len(found) != 1 or found[0][0] in {None, source}:
        return None
    other = str(found[0][0])
    listed = evidence.files(other, name)
    if not listed:
        return None
    places = ", ".join(quoted(str(path)) for _, path in listed)
    beyond = evidence.connection.execute(
        f"SELECT count(*) FROM read_parquet([{paths}], union_by_name = true) AS said "
        "JOIN same ON same.alias = said.asset WHERE same.canonical NOT IN "
        f"(SELECT asset FROM read_parquet([{places}], union_by_name = true))"
    ).fetchone()
    return other if beyond == (0,) else None


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
