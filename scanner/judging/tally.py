"""Counts of outcomes per use and scope, from findings and membership, in one group-by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scanner.grading.grade import Tally
from scanner.judging.evidence import identifier, quoted
from scanner.judging.judge import Judged, Use
from scanner.judging.scope import Membership, Scope
from scanner.model import Outcome

PLACES = 31
"""Scopes whose memberships fit into one 64-bit integer, two bits each."""
MEMBER, UNSETTLED = 1, 2
"""Values of these two bits; 0 is no member."""
BITS = 21
"""Bits of one count in the integer that holds the three counts of a use; no group has as many assets."""


@dataclass(frozen=True)
class Counts:
    """Tallies of every use over one population in every scope, and the assets whose failures may be excepted."""

    tallies: Mapping[tuple[str, Scope], Tally]

    def of(self, use: Use, scope: Scope) -> Tally:
        """The tally of a use in a scope; open and empty where it was never judged."""
        return self.tallies.get((use.id, scope), Tally())


def count(judged: Judged, membership: Membership) -> Counts:
    """Count outcomes per use and scope.

    Assets are grouped by their membership in all scopes at once, so that the cost does not grow with the number of
    scopes; the three counts of a use are summed in one integer. An asset whose membership is unknown counts as unknown
    unless the check does not apply to it.
    """
    scopes = membership.distinct
    if not scopes or not judged.uses:
        return Counts({})
    connection = judged.population.evidence.connection
    connection.execute(f"CREATE OR REPLACE TEMP TABLE counted AS {_counted_sql(judged, membership)}")
    sums = {(use.id, scope): [0, 0, 0] for use in judged.uses for scope in scopes}
    unpacked = ", ".join(
        f"sum((packed_{number} >> {place * BITS}) & {2**BITS - 1})"
        for number in range(len(judged.uses))
        for place in range(3)
    )
    marks = ", ".join(f"marks_{number}" for number in range(_words(scopes)))
    rows = connection.execute(
        f"SELECT place, mark, {unpacked} FROM (SELECT scopes.place, counted.*, "
        f"([{marks}][1 + place // {PLACES}] >> (2 * (place % {PLACES}))) & 3 AS mark "
        f"FROM counted, range({len(scopes)}) AS scopes (place)) WHERE mark <> 0 GROUP BY place, mark"
    ).fetchall()
    for place, mark, *values in rows:
        for number, use in enumerate(judged.uses):
            passed, failed, unknown = values[3 * number : 3 * number + 3]
            total = sums[(use.id, scopes[place])]
            if mark == MEMBER:
                total[0] += passed
                total[1] += failed
                total[2] += unknown
            else:
                total[2] += passed + failed + unknown
    closed = {use.id: judged.population.closed(use.max_age) for use in judged.uses}
    told = {key: Tally(passed, failed, unknown, closed[key[0]]) for key, (passed, failed, unknown) in sums.items()}
    return Counts(
        {(use.id, scope): told[use.id, membership.alike[scope]] for use in judged.uses for scope in membership.scopes}
    )


def _words(scopes: Sequence[Scope]) -> int:
    return -(-len(scopes) // PLACES)


def _counted_sql(judged: Judged, membership: Membership) -> str:
    """SQL of one row per combination of memberships: ``marks_N``, two bits a scope, and ``packed_N`` for each use."""
    scopes = membership.distinct
    marks = ", ".join(
        " + ".join(
            f"CAST(coalesce(members.{identifier(scope.column)}, {UNSETTLED}) AS BIGINT) * {4**place}"
            for place, scope in enumerate(scopes[number * PLACES : (number + 1) * PLACES])
        )
        + f" AS marks_{number}"
        for number in range(_words(scopes))
    )
    packed = ", ".join(
        f"CAST(sum(CASE findings.{identifier(use.id)} WHEN {Outcome.PASS.code} THEN 1 "
        f"WHEN {Outcome.FAIL.code} THEN {2**BITS} WHEN {Outcome.UNKNOWN.code} THEN {4**BITS} ELSE 0 END) AS BIGINT) "
        f"AS packed_{number}"
        for number, use in enumerate(judged.uses)
    )
    grouped = ", ".join(f"marks_{number}" for number in range(_words(scopes)))
    return (
        f"SELECT {marks}, {packed} FROM {judged.table} AS findings "
        f"JOIN {membership.placed(judged.population)} AS members USING (id) GROUP BY {grouped}, id >> {BITS - 1}"
    )


def excepted(judged: Judged, membership: Membership, use: Use, scope: Scope, assets: Sequence[str]) -> int:
    """How many of the named assets are members of the scope that fail the use: what an exception takes out of n."""
    if not assets:
        return 0
    names = ", ".join(quoted(asset) for asset in sorted(set(assets)))
    row = judged.population.evidence.connection.execute(
        f"SELECT count(*) FROM {judged.table} AS findings "
        f"JOIN {membership.table(judged.population)} AS members USING (id) "
        f"WHERE findings.{identifier(use.id)} = {Outcome.FAIL.code} AND members.{identifier(scope.column)} = 1 "
        f"AND findings.asset IN ({names})"
    ).fetchone()
    return 0 if row is None else int(row[0])


@dataclass(frozen=True)
class Beside:
    """How assets named stand beside all others under one use, in any of some scopes."""

    seen: int = 0
    """Of those named, how many there are at all, in the scopes or not."""
    named: int = 0
    """Of those named, how many are members that fail."""
    named_unknown: int = 0
    beyond: int = 0
    """Of the others, how many are members that fail."""
    beyond_unknown: int = 0


def beside(
    judged: Judged,
    membership: Membership,
    use: Use,
    scopes: Sequence[Scope],
    named: Sequence[str],
    excepted: Sequence[str],
) -> Beside:
    """Count failures among the assets named, and among those that no exception names; each asset once."""
    if not scopes:
        return Beside()
    member = " OR ".join(f"members.{identifier(scope.column)} = 1" for scope in scopes)
    outcome = f"findings.{identifier(use.id)}"
    fails = f"({member}) AND {outcome} = {Outcome.FAIL.code}"
    unknown = (
        f"(({member}) AND {outcome} = {Outcome.UNKNOWN.code}) "
        f"OR (({member}) IS NULL AND {outcome} <> {Outcome.NA.code})"
    )
    within = _among(named)
    outside = f"NOT {_among((*named, *excepted))}"
    row = judged.population.evidence.connection.execute(
        f"SELECT count(*) FILTER (WHERE {within}), count(*) FILTER (WHERE {within} AND {fails}), "
        f"count(*) FILTER (WHERE {within} AND ({unknown})), count(*) FILTER (WHERE {outside} AND {fails}), "
        f"count(*) FILTER (WHERE {outside} AND ({unknown})) FROM {judged.table} AS findings "
        f"JOIN {membership.table(judged.population)} AS members USING (id)"
    ).fetchone()
    return Beside(*(int(value) for value in row)) if row is not None else Beside()


def _among(assets: Sequence[str]) -> str:
    names = ", ".join(quoted(asset) for asset in sorted(set(assets)))
    return f"(findings.asset IN ({names}))" if names else "false"
