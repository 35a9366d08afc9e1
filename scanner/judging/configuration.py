"""What a signed statement speaks of: the settings of a system's assets, digested, so that a change can be told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from scanner.judging.evidence import identifier, judged_fields
from scanner.judging.population import Population
from scanner.judging.scope import Membership, Scope
from scanner.sealed.canonical import canonical_json


def configuration_digest(
    facts: Iterable[str], scopes: Iterable[Scope], populations: Mapping[str, Population], membership: Membership
) -> str | None:
    """SHA-256 in hex over what every source says of these facts about every possible member of the scopes.

    Moments are left out: when something was last used is no setting. None where nothing judges assets of that kind, or
    where nothing at all is said of one of the facts.
    """
    columns = [identifier(scope.column) for scope in scopes]
    digest = hashlib.sha256()
    for name in sorted(set(facts)):
        held = [population for population in populations.values() if population.fact.kind == _kind(name, membership)]
        if not held or not columns:
            return None
        said = False
        for population in sorted(held, key=lambda each: each.name):
            for row in _rows(name, columns, population, membership):
                said = True
                digest.update(canonical_json([name, *row]) + b"\n")
        if not said:
            return None
    return digest.hexdigest()


def _kind(fact: str, membership: Membership) -> str:
    return membership.evidence.facts[fact].kind


def _rows(fact: str, columns: list[str], population: Population, membership: Membership) -> Iterable[list[Any]]:
    """Source, asset and settings by name of every row, in order."""
    evidence = membership.evidence
    fields = [info.name for info in judged_fields(evidence.facts[fact])]
    inside = " OR ".join(f"coalesce(members.{column}, 1) = 1" for column in columns)
    for source in evidence.promising(fact):
        said = evidence.rows(source, fact)
        if said is None:
            continue
        chosen = "".join(f", said.{identifier(name)}" for name in fields)
        found = evidence.connection.execute(
            f"SELECT roster.asset{chosen} FROM {population.table} AS roster "
            f"JOIN {membership.table(population)} AS members ON members.id = roster.id "
            f"JOIN ({said}) AS said ON said.asset = roster.asset WHERE {inside} ORDER BY roster.asset"
        ).fetchall()
        for asset, *values in found:
            settings = {name: _setting(value) for name, value in zip(fields, values, strict=True)}
            yield [source, asset, {name: value for name, value in settings.items() if value is not None}]


def _setting(value: Any) -> Any:
    """The value without the moments in it."""
    if isinstance(value, datetime):
        return None
    if isinstance(value, dict):
        kept = {name: _setting(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner is not None}
    if isinstance(value, list):
        return [_setting(inner) for inner in value]
    return value
