"""System x scene: which assets belong to it, three-valued, and which items apply to it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from scanner.column import fields_of
from scanner.facts import Placement
from scanner.institution.estate import Estate, Selector
from scanner.judging.evidence import Evidence, identifier, quoted
from scanner.judging.population import Population
from scanner.judging.world import Voice, agreed, voices
from scanner.model import GapWhy, Level, Scene, ServiceModel

REFERENCED = {"Directory": "directory", "Account": "account"}
"""Populations that belong to the scopes holding one of their assets, by the Placement field that refers to them."""


@dataclass(frozen=True, order=True)
class Scope:
    """One system in one scene."""

    system: str
    scene: Scene
    service_model: ServiceModel
    target: Level

    @property
    def column(self) -> str:
        """Name of its column in membership tables: ``system/scene``."""
        return f"{self.system}/{self.scene.value}"


def scopes_of(estate: Estate) -> tuple[Scope, ...]:
    """Every system x scene of the estate, in order."""
    return tuple(
        Scope(system.name, scene, system.service_model, system.target)
        for _, system in sorted(estate.systems.items())
        for scene in Scene
        if scene in system.scenes
    )


def alike(estate: Estate, scopes: Iterable[Scope]) -> dict[Scope, Scope]:
    """The first scope with the same selectors in every population, for each scope."""
    first: dict[object, Scope] = {}
    found = {}
    for scope in scopes:
        system = estate.systems[scope.system]
        names = sorted({*system.selectors, *system.overrides.get(scope.scene, {})})
        held = tuple((name, estate.selectors(scope.system, scope.scene, name)) for name in names)
        found[scope] = first.setdefault(tuple(each for each in held if each[1]), scope)
    return found


def listed_keys(estate: Estate, population: str, kind: str) -> frozenset[str]:
    """Asset keys of a population that selectors name: members even where no source ever spoke of them."""
    prefix = f"{kind}:"
    return frozenset(
        key
        for scope in scopes_of(estate)
        for selector in estate.selectors(scope.system, scope.scene, population)
        for key in selector.listed
        if key.startswith(prefix)
    )


PLACED_BY = {
    "groups": "groups",
    "organizational_units": "organizational_unit",
    "accounts": "account",
    "directories": "directory",
    "tags": "tags",
    "networks": "addresses",
    "hosts": "host_name",
}
"""Criterion of a selector to the Placement field that it reads."""


class Membership:
    """Membership of populations in scopes: view ``members__<Population>`` (id, one int8 a scope; null is unknown).

    Scopes whose selectors are the same in every population hold the same assets: they share one column of the table
    beneath the view, for a column costs the engine half a megabyte however few rows it has.
    """

    def __init__(self, estate: Estate, evidence: Evidence, max_age: timedelta) -> None:
        self.estate = estate
        self.evidence = evidence
        self.max_age = max_age
        self.scopes = scopes_of(estate)
        self.alike = alike(estate, self.scopes)
        self._matched: dict[tuple[str, ...], tuple[list[str], list[str]]] = {}

    @staticmethod
    def table(population: Population) -> str:
        """Name of the view of a population's membership in every scope."""
        return f"members__{population.name}"

    @staticmethod
    def placed(population: Population) -> str:
        """Name of the table beneath it, with the column of one scope of those alike."""
        return f"placed__{population.name}"

    @property
    def distinct(self) -> tuple[Scope, ...]:
        """One scope of those alike, in order."""
        return tuple(dict.fromkeys(self.alike.values()))

    def build(self, population: Population) -> None:
        """Make the membership table of a population that selectors place."""
        joins: dict[str, str] = {}
        columns = []
        for scope in self.distinct:
            selectors = self.estate.selectors(scope.system, scope.scene, population.name)
            parts = [self._selector_sql(population, selector, joins) for selector in selectors]
            value = " OR ".join(f"({part})" for part in parts) if parts else "CAST(NULL AS BOOLEAN)"
            columns.append(f"CAST({value} AS TINYINT) AS {identifier(scope.column)}")
        selected = ", ".join(["roster.id", *columns])
        self.evidence.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {self.placed(population)} AS "
            f"SELECT {selected} FROM {population.table} AS roster {' '.join(joins.values())}"
        )
        named = [f"{identifier(self.alike[s].column)} AS {identifier(s.column)}" for s in self.scopes]
        self.evidence.connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {self.table(population)} AS "
            f"SELECT {', '.join(['id', *named])} FROM {self.placed(population)}"
        )

    def _voices(self, population: Population, fact: str, sources: Sequence[str], joins: dict[str, str]) -> list[Voice]:
        found = voices(self.evidence, fact, population.fact.kind, sources, self.max_age)
        joins.update({voice.alias: voice.join for voice in found if voice.join})
        return found

    def _selector_sql(self, population: Population, selector: Selector, joins: dict[str, str]) -> str:
        sources = selector.sources or population.defined_by
        parts: list[str] = []
        if selector.everything:
            for voice in self._voices(population, population.name, sources, joins):
                parts.append(_told(voice, "true"))
        criteria = self._criteria(selector)
        if criteria:
            for voice in self._voices(population, "Placement", sources, joins):
                parts.extend(_told(voice, criterion.replace("@", f"{voice.alias}.")) for criterion in criteria)
        if selector.listed:
            keys = {self.evidence.same.canonical.get(key, key) for key in selector.listed}
            parts.append(f"roster.asset IN ({', '.join(quoted(key) for key in sorted(keys))})")
        return " OR ".join(f"({part})" for part in parts) if parts else "false"

    def _criteria(self, selector: Selector) -> list[str]:
        criteria = []
        if selector.groups:
            criteria.append(_holds_any("@groups", selector.groups))
        for unit in selector.organizational_units:
            lowered = unit.lower()
            criteria.append(
                f"(lower(@organizational_unit) = {quoted(lowered)} "
                f"OR ends_with(lower(@organizational_unit), {quoted(',' + lowered)}))"
            )
        if selector.accounts:
            criteria.append(f"@account IN ({', '.join(quoted(name) for name in selector.accounts)})")
        if selector.directories:
            criteria.append(f"@directory IN ({', '.join(quoted(name) for name in selector.directories)})")
        if selector.tags:
            criteria.append(_holds_any("@tags", selector.tags))
        if selector.networks:
            inside, unreadable = self._addresses(tuple(selector.networks))
            criteria.append(
                f"CASE WHEN list_has_any(@addresses, {_list(inside)}) THEN true "
                f"WHEN list_has_any(@addresses, {_list(unreadable)}) THEN NULL "
                "WHEN @addresses IS NULL THEN NULL ELSE false END"
            )
        criteria.extend(f"lower(@host_name) GLOB {quoted(host.lower())}" for host in selector.hosts)
        return criteria

    def _addresses(self, networks: tuple[str, ...]) -> tuple[list[str], list[str]]:
        """Distinct addresses of every Placement that lie in the networks, and those that are no addresses."""
        if networks not in self._matched:
            ranges = [ipaddress.ip_network(network) for network in networks]
            inside, unreadable = [], []
            for text in self._all_addresses:
                try:
                    address = ipaddress.ip_address(text)
                except ValueError:
                    unreadable.append(text)
                    continue
                if any(address in network for network in ranges if network.version == address.version):
                    inside.append(text)
            self._matched[networks] = (inside, unreadable)
        return self._matched[networks]

    @cached_property
    def _all_addresses(self) -> list[str]:
        said = [
            rows
            for source in self.evidence.promising("Placement")
            if (rows := self.evidence.rows(source, "Placement")) is not None
        ]
        if not said:
            return []
        union = " UNION ".join(f"SELECT unnest(addresses) AS address FROM ({rows})" for rows in said)
        return [str(row[0]) for row in self.evidence.connection.execute(f"{union} ORDER BY address").fetchall()]

    def build_referenced(self, population: Population, holders: Iterable[Population]) -> None:
        """Make the membership table of a population that belongs to the scopes holding one of its assets.

        A scope with selectors for it uses those. Otherwise an asset is a member where a member refers to it; it is no
        member only where every possible member's Placement is known and none refers to it.
        """
        connection = self.evidence.connection
        self.build(population)
        reference = fields_of(Placement)[REFERENCED[population.name]]
        placed = list(holders)
        settled = all(holder.closed(self.max_age) for holder in placed)
        for scope in self.distinct:
            if self.estate.selectors(scope.system, scope.scene, population.name):
                continue
            column = identifier(scope.column)
            union = []
            for holder in placed:
                joins: dict[str, str] = {}
                speaking = self._voices(holder, "Placement", self.evidence.promising("Placement"), joins)
                union.append(
                    f"SELECT members.{column} AS member, {agreed(speaking, reference)} AS reference "
                    f"FROM {holder.table} AS roster "
                    f"JOIN {self.placed(holder)} AS members ON members.id = roster.id {' '.join(joins.values())} "
                    f"WHERE coalesce(members.{column}, 1) = 1"
                )
            if not union:
                continue
            connection.execute(f"CREATE OR REPLACE TEMP TABLE referred AS {' UNION ALL '.join(union)}")
            connection.execute(
                f"UPDATE {self.placed(population)} SET {column} = ("
                "SELECT CASE WHEN bool_or(referred.member = 1 AND referred.reference = roster.asset) THEN 1 "
                f"WHEN NOT {str(settled).lower()} THEN NULL "
                "WHEN bool_or(referred.reference IS NULL OR (referred.member IS NULL "
                "AND referred.reference = roster.asset)) THEN NULL ELSE 0 END "
                f"FROM {population.table} AS roster, referred WHERE roster.id = {self.placed(population)}.id)"
            )

    def unplaced(self, population: Population) -> Iterator[tuple[str, str, GapWhy, int, str]]:
        """Placement fields that selectors read and some row leaves open: (source, field, why, assets, an example)."""
        fields: dict[str, set[str]] = {}
        for scope in self.scopes:
            for selector in self.estate.selectors(scope.system, scope.scene, population.name):
                for source in selector.sources or population.defined_by:
                    fields.setdefault(source, set()).update(
                        field for criterion, field in PLACED_BY.items() if getattr(selector, criterion)
                    )
        for source, names in sorted(fields.items()):
            (voice,) = voices(self.evidence, "Placement", population.fact.kind, [source], self.max_age)
            if not voice.join:
                continue
            for name in sorted(names):
                why = f"CASE WHEN NOT {voice.fresh} THEN {quoted(GapWhy.STALE)} ELSE {quoted(GapWhy.UNSEEN)} END"
                rows = self.evidence.connection.execute(
                    f"SELECT {why} AS why, count(*), min(roster.asset) FROM {population.table} AS roster {voice.join} "
                    f"WHERE {voice.present} AND (NOT {voice.fresh} OR {voice.alias}.{name} IS NULL) "
                    "GROUP BY why ORDER BY why"
                ).fetchall()
                for reason, n, example in rows:
                    yield source, name, GapWhy(reason), int(n), str(example)

    def counts(self, population: Population) -> Mapping[Scope, tuple[int, int]]:
        """Members and undetermined assets of a population per scope."""
        if not self.scopes:
            return {}
        parts = ", ".join(
            f"count(*) FILTER ({identifier(scope.column)} = 1), count(*) FILTER ({identifier(scope.column)} IS NULL)"
            for scope in self.distinct
        )
        row = self.evidence.connection.execute(f"SELECT {parts} FROM {self.placed(population)}").fetchone()
        values = [0] * (2 * len(self.distinct)) if row is None else [int(value) for value in row]
        found = {scope: (values[2 * i], values[2 * i + 1]) for i, scope in enumerate(self.distinct)}
        return {scope: found[self.alike[scope]] for scope in self.scopes}

    def of(
        self, population: Population, assets: Iterable[str] | None = None
    ) -> dict[str, list[tuple[Scope, bool | None]]]:
        """Membership in every scope of the assets named, or of all; None where it is not known."""
        columns = ", ".join(f"members.{identifier(scope.column)}" for scope in self.distinct) or "NULL"
        places = {scope: place for place, scope in enumerate(self.distinct)}
        order = [(scope, places[self.alike[scope]]) for scope in self.scopes]
        named = "" if assets is None else ", ".join(quoted(asset) for asset in sorted(set(assets)))
        where = "" if assets is None else f"WHERE roster.asset IN ({named})" if named else "WHERE false"
        rows = self.evidence.connection.execute(
            f"SELECT roster.asset, {columns} FROM {self.placed(population)} AS members "
            f"JOIN {population.table} AS roster USING (id) {where} ORDER BY roster.id"
        ).fetchall()
        told: dict[tuple[int | None, ...], list[tuple[Scope, bool | None]]] = {}
        for _, *values in rows:
            if (key := tuple(values)) not in told:
                states = [None if value is None else value == 1 for value in values]
                told[key] = [(scope, states[place]) for scope, place in order]
        return {str(asset): told[tuple(values)] for asset, *values in rows}

    def overlaps(self, population: Population) -> list[tuple[str, int]]:
        """Pairs of systems that share members, with how many; ``a + b``."""
        systems = sorted({scope.system for scope in self.scopes})
        any_of = {
            system: " OR ".join(
                f"coalesce({identifier(scope.column)} = 1, false)" for scope in self.scopes if scope.system == system
            )
            for system in systems
        }
        found = []
        for i, first in enumerate(systems):
            for second in systems[i + 1 :]:
                row = self.evidence.connection.execute(
                    f"SELECT count(*) FROM {self.table(population)} WHERE ({any_of[first]}) AND ({any_of[second]})"
                ).fetchone()
                if row is not None and row[0]:
                    found.append((f"{first} + {second}", int(row[0])))
        return found

    def unassigned(self, population: Population, examples: int = 10) -> tuple[int, list[str]]:
        """How many assets no scope claims, and the first of them."""
        nowhere = " AND ".join(f"{identifier(scope.column)} = 0" for scope in self.distinct) or "true"
        connection = self.evidence.connection
        row = connection.execute(f"SELECT count(*) FROM {self.placed(population)} WHERE {nowhere}").fetchone()
        rows = connection.execute(
            f"SELECT asset FROM {population.table} AS roster JOIN {self.placed(population)} AS members USING (id) "
            f"WHERE {nowhere} ORDER BY asset LIMIT {int(examples)}"
        ).fetchall()
        return (0 if row is None else int(row[0])), [str(found[0]) for found in rows]


def _told(voice: Voice, criterion: str) -> str:
    """What one source says about a criterion: null where it is stale, or silent without a closed listing."""
    if not voice.join:
        return "false" if voice.excludes else "CAST(NULL AS BOOLEAN)"
    silent = "false" if voice.excludes else "NULL"
    return f"CASE WHEN {voice.fresh} THEN {criterion} WHEN {voice.present} THEN NULL ELSE {silent} END"


FEW = 16
"""Up to so many values, asking for each in turn is many times faster than asking for any of a list."""


def _holds_any(column: str, values: Sequence[str]) -> str:
    """SQL that is true where a list of texts holds one of the values."""
    if len(values) > FEW:
        return f"list_has_any({column}, {_list(values)})"
    return "(" + " OR ".join(f"list_contains({column}, {quoted(value)})" for value in values) + ")"


def _list(values: Iterable[str]) -> str:
    inner = ", ".join(quoted(value) for value in values)
    return f"CAST([{inner}] AS VARCHAR[])"
