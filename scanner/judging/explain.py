"""Why an outcome is unknown, and what a check saw: read back from the same relations that were judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scanner.column import Built, FieldInfo, column_name
from scanner.judging.evidence import identifier, judged_fields, quoted
from scanner.judging.judge import Judged, Use
from scanner.judging.population import Population
from scanner.judging.world import Voice, conflict_sql, touched_by, voices, world_sql
from scanner.model import Fact, GapWhy, Outcome


@dataclass(frozen=True)
class Missing:
    """Assets for which a field was not known where some use of it stayed unknown."""

    fact: str
    field: str
    why: GapWhy
    count: int
    example: str
    sources: tuple[str, ...]


def _built(uses: Sequence[Use], as_of: datetime, errors: Mapping[str, str]) -> dict[str, tuple[Use, Built]]:
    return {use.id: (use, use.check.build(as_of, use.parameters)) for use in uses if use.id not in errors}


def _why(speaking: Sequence[Voice], info: FieldInfo, name: str) -> str:
    """SQL of the reason for a null field: conflict, stale, or unseen."""
    spoke = [voice for voice in speaking if voice.join and voice.speaks_of(info)]
    stale = " OR ".join(f"({voice.present} AND NOT {voice.fresh})" for voice in spoke) or "false"
    conflict = conflict_sql(spoke, info) or "false"
    return (
        f"CASE WHEN world.{name} IS NOT NULL THEN NULL WHEN {conflict} THEN {quoted(GapWhy.CONFLICT.value)} "
        f"WHEN {stale} THEN {quoted(GapWhy.STALE.value)} ELSE {quoted(GapWhy.UNSEEN.value)} END"
    )


def missing(
    judged: Judged, as_of: datetime, precedence: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Missing, frozenset[str]]]:
    """Every field whose absence left some use unknown, with the ids of the uses that touch it."""
    evidence = judged.population.evidence
    built = _built(judged.uses, as_of, judged.errors)
    for max_age in sorted({use.max_age for use, _ in built.values()}):
        group = {use_id: claim for use_id, (use, claim) in built.items() if use.max_age == max_age}
        unknown = " OR ".join(f"{identifier(use_id)} = {Outcome.UNKNOWN.code}" for use_id in group)
        evidence.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE unknowns AS SELECT id, asset FROM {judged.table} WHERE {unknown}"
        )
        row = evidence.connection.execute("SELECT count(*) FROM unknowns").fetchone()
        if row is None or not row[0]:
            continue
        yield from _missing(judged, group, max_age, precedence)


def _missing(
    judged: Judged, group: Mapping[str, Built], max_age: timedelta, precedence: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Missing, frozenset[str]]]:
    """The same for the uses of one maximum age, over the table ``unknowns``."""
    population, evidence = judged.population, judged.population.evidence
    touched = touched_by(group.values())
    world = world_sql(population, touched, max_age, precedence, "unknowns")
    joins: list[str] = []
    columns: list[str] = []
    fields: list[tuple[type[Fact], str, tuple[str, ...]]] = []
    for fact in sorted(touched, key=lambda item: item.__name__):
        order = precedence.get(fact.__name__)
        sources = evidence.promising(fact.__name__) if order is None else list(order)
        speaking = voices(evidence, fact.__name__, population.fact.kind, sources, max_age)
        joins += [voice.join for voice in speaking if voice.join]
        for info in judged_fields(fact):
            if info.name in touched[fact]:
                name = identifier(column_name(fact.__name__, info.name))
                columns.append(f"{_why(speaking, info, name)} AS why_{len(fields)}")
                silent = {source for source, voice in zip(sources, speaking, strict=True) if not voice.speaks_of(info)}
                fields.append((fact, info.name, tuple(source for source in sources if source not in silent)))
    evidence.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE reasons AS SELECT roster.id, {', '.join(columns)} FROM unknowns AS roster "
        f"JOIN ({world}) AS world ON world.id = roster.id {' '.join(joins)}"
    )
    for number, (fact, field_name, heard) in enumerate(fields):
        users = frozenset(use for use, claim in group.items() if (fact, field_name) in claim.touched.fields)
        concerned = " OR ".join(f"findings.{identifier(use)} = {Outcome.UNKNOWN.code}" for use in sorted(users))
        rows = evidence.connection.execute(
            f"SELECT why_{number}, count(*), min(findings.asset) FROM reasons "
            f"JOIN {judged.table} AS findings USING (id) WHERE why_{number} IS NOT NULL AND ({concerned}) "
            f"GROUP BY why_{number} ORDER BY why_{number}"
        ).fetchall()
        for reason, n, example in rows:
            yield Missing(fact.__name__, field_name, GapWhy(reason), int(n), str(example), heard), users


@dataclass(frozen=True)
class Shown:
    """What one use saw of one asset."""

    asset: str
    outcome: Outcome
    shows: Mapping[str, Any]
    fields: Mapping[str, Any]
    """``Fact.field`` to the value that was judged; None where it was not known."""
    observed_at: datetime | None
    why: tuple[str, ...]


def first_shown(
    judged: Judged,
    use: Use,
    as_of: datetime,
    precedence: Mapping[str, Sequence[str]],
    outcomes: Sequence[Outcome],
    limit: int,
) -> list[Shown]:
    """The first assets of each outcome, outcome by outcome, as ``shown`` tells them one outcome at a time."""
    held = identifier(use.id)
    wanted = ", ".join(str(outcome.code) for outcome in outcomes)
    rows = _chosen(
        judged,
        use,
        as_of,
        precedence,
        f"WHERE {held} IN ({wanted}) "
        f"QUALIFY row_number() OVER (PARTITION BY {held} ORDER BY id) <= {int(limit)} ORDER BY id",
    )
    return sorted(rows, key=lambda row: outcomes.index(row.outcome))


def shown(
    judged: Judged,
    use: Use,
    as_of: datetime,
    precedence: Mapping[str, Sequence[str]],
    outcome: Outcome | None = None,
    asset: str | None = None,
    limit: int | None = None,
) -> list[Shown]:
    """Outcome, shown values and judged fields of a use for the assets asked for, in order of asset.

    Built on demand: nothing of this is stored, all of it follows from the collections.
    """
    wanted = ["true"]
    if outcome is not None:
        wanted.append(f"{identifier(use.id)} = {outcome.code}")
    if asset is not None:
        wanted.append(f"asset = {quoted(asset)}")
    at_most = f" LIMIT {int(limit)}" if limit is not None else ""
    return _chosen(judged, use, as_of, precedence, f"WHERE {' AND '.join(wanted)} ORDER BY id{at_most}")


def _chosen(
    judged: Judged, use: Use, as_of: datetime, precedence: Mapping[str, Sequence[str]], which: str
) -> list[Shown]:
    population, evidence = judged.population, judged.population.evidence
    evidence.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE chosen AS SELECT id, asset, {identifier(use.id)} AS outcome "
        f"FROM {judged.table} {which}"
    )
    row = evidence.connection.execute("SELECT count(*) FROM chosen").fetchone()
    if row is None or not row[0]:
        return []
    outcomes = list(Outcome)
    if use.id in judged.errors:
        rows = evidence.connection.execute("SELECT asset, outcome FROM chosen ORDER BY id").fetchall()
        return [Shown(str(key), outcomes[int(code)], {}, {}, None, (GapWhy.ERROR.value,)) for key, code in rows]
    return _shown(population, use, as_of, precedence)


def _shown(population: Population, use: Use, as_of: datetime, precedence: Mapping[str, Sequence[str]]) -> list[Shown]:
    evidence = population.evidence
    built = use.check.build(as_of, use.parameters)
    touched: dict[type[Fact], set[str]] = {fact: set(names) for fact, names in touched_by([built]).items()}
    for column in built.shows.values():
        for fact, name in column.touched.fields:
            touched.setdefault(fact, set()).add(name)
    frozen = {fact: frozenset(names) for fact, names in touched.items()}
    world = world_sql(population, frozen, use.max_age, precedence, "chosen")
    names = [(fact, name) for fact in sorted(frozen, key=lambda f: f.__name__) for name in sorted(frozen[fact])]
    joins, reasons, times = [], [], []
    for fact in sorted(frozen, key=lambda item: item.__name__):
        order = precedence.get(fact.__name__)
        sources = evidence.promising(fact.__name__) if order is None else list(order)
        speaking = voices(evidence, fact.__name__, population.fact.kind, sources, use.max_age)
        joins += [voice.join for voice in speaking if voice.join]
        times += [f"{voice.alias}.observed_at" for voice in speaking if voice.join]
        for info in judged_fields(fact):
            if info.name in frozen[fact]:
                name = identifier(column_name(fact.__name__, info.name))
                reasons.append(_why(speaking, info, name))
    oldest = f"least({', '.join(times)})" if times else "CAST(NULL AS TIMESTAMP)"
    values = ", ".join(f"world.{identifier(column_name(fact.__name__, name))}" for fact, name in names)
    why = f"[{', '.join(reasons)}]" if reasons else "[]"
    query = (
        f"SELECT roster.asset, roster.outcome, {oldest} AS observed_at, {why} AS why"
        f"{', ' + values if values else ''} FROM chosen AS roster "
        f"JOIN ({world}) AS world ON world.id = roster.id {' '.join(joins)} ORDER BY roster.id"
    )
    rows = evidence.connection.execute(query).fetchall()
    outcomes = list(Outcome)
    told: list[Shown] = []
    scalar = {name: column for name, column in built.shows.items() if len(column.touched.fields) == 1}
    for asset, code, moment, whys, *rest in rows:
        fields = {f"{fact.__name__}.{name}": value for (fact, name), value in zip(names, rest, strict=True)}
        shows: dict[str, Any] = {}
        for label, column in scalar.items():
            ((fact, field_name),) = column.touched.fields
            shows[label] = fields[f"{fact.__name__}.{field_name}"]
        outcome = outcomes[int(code)]
        found = tuple(sorted({str(item) for item in whys if item})) if outcome is Outcome.UNKNOWN else ()
        told.append(Shown(str(asset), outcome, shows, fields, moment, found))
    return told
