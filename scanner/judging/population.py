"""The assets of one kind that a grade speaks of: who lists them, and whether that listing is closed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from scanner.judging.evidence import Evidence, quoted
from scanner.model import Fact


@dataclass(frozen=True)
class Population:
    """The assets of one kind that its defining sources list, and for which ages that listing is closed."""

    fact: type[Fact]
    defined_by: tuple[str, ...]
    evidence: Evidence
    listed: frozenset[str] = frozenset()
    """Keys named by the estate; members with nothing known until a source speaks for them."""

    @property
    def name(self) -> str:
        """Name of the population fact."""
        return self.fact.__name__

    @property
    def table(self) -> str:
        """Name of its roster: (id, asset), sorted by asset."""
        return f"roster__{self.name}"

    def closed(self, max_age: timedelta) -> bool:
        """Whether every defining source's listing is closed and it is settled which keys name one asset."""
        return bool(self.defined_by) and (
            all(self.evidence.closed(source, self.name, max_age) for source in self.defined_by)
            and self.evidence.identity_known(self.fact.kind, max_age)
        )

    def roster_sql(self) -> str:
        """SQL of the roster: (id, asset), numbered from 0 in order of asset, every asset that anyone names."""
        said = [rows for source in self.defined_by if (rows := self.evidence.rows(source, self.name)) is not None]
        parts = [f"SELECT asset FROM ({rows})" for rows in said]
        named = {
            self.evidence.same.canonical.get(key, key)
            for source in self.defined_by
            for target in self.evidence.by_source.get(source, [])
            for census in target.censuses
            if census.fact == self.name and census.keys
            for key in census.keys
        } | {self.evidence.same.canonical.get(key, key) for key in self.listed}
        if named:
            keys = ", ".join(quoted(key) for key in sorted(named))
            parts.append(f"SELECT unnest([{keys}]) AS asset")
        if not parts:
            parts.append("SELECT CAST(NULL AS VARCHAR) AS asset")
        return (
            "SELECT CAST(row_number() OVER (ORDER BY asset) - 1 AS INTEGER) AS id, asset "
            f"FROM ({' UNION '.join(parts)}) WHERE asset IS NOT NULL ORDER BY asset"
        )

    def build(self) -> int:
        """Make the roster table; returns the number of assets."""
        connection = self.evidence.connection
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {self.table} AS {self.roster_sql()}")
        row = connection.execute(f"SELECT count(*) FROM {self.table}").fetchone()
        return 0 if row is None else int(row[0])
