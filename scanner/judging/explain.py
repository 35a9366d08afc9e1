"""Why an outcome is unknown, and what a check saw: read back from the same relations that were judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scanner.column import Built
from scanner.judging.evidence import identifier, quoted
from scanner.judging.judge import Judged, Use, roster_first
from scanner.judging.world import Merged, conflict_sql, touched_by, world
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


def _why(field: Merged) -> str:
    """SQL of the reason for a null field: conflict, stale, or unseen."""
    spoke = [voice for voice in field.voices if voice.join and voice.speaks_of(field.info)]
    stale = " OR ".join(f"({voice.present} AND NOT {voice.fresh})" for voice in spoke) or "false"
    conflict = conflict_sql(spoke, field.info) or "false"
    return (
        f"CASE WHEN {field.value} IS NOT NULL THEN NULL WHEN {conflict} THEN {quoted(GapWhy.CONFLICT.value)} "
        f"WHEN {stale} THEN {quoted(GapWhy.STALE.value)} ELSE {quoted(GapWhy.UNSEEN.value)} END"
    )


def missing(
    judged: Judged, as_of: datetime, precedence: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Missing, frozenset[str]]]:
    """Every field whose absence left some use unknown, with the ids of the uses that touch it."""
    connection = judged.population.evidence.connection
    built = _built(judged.uses, as_of, judged.errors)
    for max_age in sorted({use.max_age for use, _ in built.values()}):
        group = {use_id: claim for use_id, (use, claim) in built.items() if use.max_age == max_age}
        if connection.execute(f"SELECT id FROM {judged.table} AS roster WHERE {_unknown(group)} LIMIT 1").fetchone():
            yield from _missing(judged, group, max_age, precedence)


def _unknown(uses: Iterable[str]) -> str:
    """SQL that is true of findings of which one of these uses is unknown."""
    return "(" + " OR ".join(f"roster.{identifier(use)} = {Outcome.UNKNOWN.code}" for use in sorted(uses)) + ")"


def _missing(
    judged: Judged, group: Mapping[str, Built], max_age: timedelta, precedence: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Missing, frozenset[str]]]:
    """The same for the uses of one maximum age, in one pass over the findings."""
    connection = judged.population.evidence.connection
    joined = world(judged.population, touched_by(group.values()), max_age, precedence)
    users = [
        frozenset(use for use, claim in group.items() if (field.fact, field.info.name) in claim.touched.fields)
        for field in joined.fields
    ]
    whys = ", ".join(
        f"CASE WHEN {_unknown(touching)} THEN {_why(field)} END"
        for touching, field in zip(users, joined.fields, strict=True)
    )
    with roster_first(connection):
        rows = connection.execute(
            "SELECT field, why, n, asset FROM (SELECT field, why, count(*) AS n, min(id) AS id FROM ("
            f"SELECT roster.id, unnest([{whys}]) AS why, unnest(range({len(users)})) AS field "
            f"FROM {judged.table} AS roster {joined.joins} WHERE {_unknown(group)}"
            f") WHERE why IS NOT NULL GROUP BY field, why) JOIN {judged.table} USING (id) ORDER BY field, why"
        ).fetchall()
    for place, reason, n, example in rows:
        field = joined.fields[place]
        heard = tuple(voice.source for voice in field.voices if voice.speaks_of(field.info))
        lack = Missing(field.fact.__name__, field.info.name, GapWhy(reason), int(n), str(example), heard)
        yield lack, users[place]


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
    judged: Judged, as_of: datetime, precedence: Mapping[str, Sequence[str]], outcomes: Sequence[Outcome], limit: int
) -> dict[str, list[Shown]]:
    """By id of every use that did not crash: its first assets of each outcome, outcome by outcome."""
    connection = judged.population.evidence.connection
    by_age: dict[timedelta, dict[str, _Look]] = {}
    for use in judged.uses:
        if use.id not in judged.errors:
            by_age.setdefault(use.max_age, {})[use.id] = _look(use, as_of)
    found: dict[str, list[Shown]] = {}
    for max_age, looks in by_age.items():
        firsts = ", ".join(
            f"min(id, {int(limit)}) FILTER (WHERE {identifier(use)} = {outcome.code})"
            for use in looks
            for outcome in outcomes
        )
        lists = iter(connection.execute(f"SELECT {firsts} FROM {judged.table}").fetchone() or ())
        ids = {use: [int(place) for _ in outcomes for place in next(lists) or ()] for use in looks}
        wanted = sorted({place for places in ids.values() for place in places})
        if not wanted:
            continue
        rows = {
            int(row["id"]): row
            for row in _rows(
                judged, looks.values(), max_age, precedence, f"WHERE id IN ({', '.join(map(str, wanted))})"
            )
        }
        found |= {use: [looks[use].shown(rows[place]) for place in places] for use, places in ids.items()}
    return found


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
    which = f"WHERE {' AND '.join(wanted)} ORDER BY id" + (f" LIMIT {int(limit)}" if limit is not None else "")
    if use.id in judged.errors:
        rows = judged.population.evidence.connection.execute(
            f"SELECT asset, {identifier(use.id)} FROM {judged.table} {which}"
        ).fetchall()
        return [Shown(str(key), _OUTCOMES[int(code)], {}, {}, None, (GapWhy.ERROR.value,)) for key, code in rows]
    look = _look(use, as_of)
    return [look.shown(row) for row in _rows(judged, [look], use.max_age, precedence, which)]


_OUTCOMES = tuple(Outcome)


@dataclass(frozen=True)
class _Look:
    """What one use reads of an asset."""

    use: Use
    fields: tuple[tuple[type[Fact], str], ...]
    shows: Mapping[str, str]
    """Label to ``Fact.field``."""

    def shown(self, row: Mapping[str, Any]) -> Shown:
        """What it saw, out of a row of ``_rows``."""
        names = [f"{fact.__name__}.{name}" for fact, name in self.fields]
        outcome = _OUTCOMES[int(row[self.use.id])]
        moments = [at for fact in {fact for fact, _ in self.fields} for at in row[fact.__name__] if at is not None]
        whys = {str(row[f"why {name}"]) for name in names if row[f"why {name}"]}
        return Shown(
            asset=str(row["asset"]),
            outcome=outcome,
            shows={label: row[name] for label, name in self.shows.items()},
            fields={name: row[name] for name in names},
            observed_at=min(moments, default=None),
            why=tuple(sorted(whys)) if outcome is Outcome.UNKNOWN else (),
        )


def _look(use: Use, as_of: datetime) -> _Look:
    built = use.check.build(as_of, use.parameters)
    shows: dict[str, str] = {}
    fields = {(fact, name) for fact, names in touched_by([built]).items() for name in names}
    for label, column in built.shows.items():
        fields |= column.touched.fields
        if len(column.touched.fields) == 1:
            ((fact, name),) = column.touched.fields
            shows[label] = f"{fact.__name__}.{name}"
    return _Look(use, tuple(sorted(fields, key=lambda field: (field[0].__name__, field[1]))), shows)


def _rows(
    judged: Judged,
    looks: Iterable[_Look],
    max_age: timedelta,
    precedence: Mapping[str, Sequence[str]],
    which: str,
) -> list[dict[str, Any]]:
    """Findings with all that some uses of one maximum age read, in order of asset.

    Each row has the columns of the findings; ``Fact.field`` and ``why Fact.field`` for every field; and by name of fact
    the times at which its sources observed the asset.
    """
    population = judged.population
    population.evidence.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE chosen AS SELECT * FROM {judged.table} {which}"
    )
    touched: dict[type[Fact], set[str]] = {}
    for look in looks:
        for fact, name in look.fields:
            touched.setdefault(fact, set()).add(name)
    joined = world(population, {fact: frozenset(names) for fact, names in touched.items()}, max_age, precedence)
    columns = ["roster.*"]
    for field in joined.fields:
        name = f"{field.fact.__name__}.{field.info.name}"
        columns += [f"{field.value} AS {identifier(name)}", f"{_why(field)} AS {identifier('why ' + name)}"]
    for fact, speaking in {field.fact: field.voices for field in joined.fields}.items():
        times = ", ".join(f"{voice.alias}.observed_at" for voice in speaking if voice.join)
        columns.append(f"[{times}] AS {identifier(fact.__name__)}")
    with roster_first(population.evidence.connection):
        cursor = population.evidence.connection.execute(
            f"SELECT {', '.join(columns)} FROM chosen AS roster {joined.joins} ORDER BY roster.id"
        )
        names = [str(column[0]) for column in cursor.description or ()]
        rows = cursor.fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]
