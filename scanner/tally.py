"""Counts of outcomes per use and scope, from findings and membership, in one group-by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scanner.evidence import identifier, quoted
from scanner.grade import Tally
from scanner.judge import Judged, Use
from scanner.model import Outcome
from scanner.scope import Membership, Scope


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
    scopes. An asset whose membership is unknown counts as unknown unless the check does not apply to it.
    """
    scopes = membership.scopes
    if not scopes or not judged.uses:
        return Counts({})
    connection = judged.population.evidence.connection
    signature = " || ".join(
        f"CASE members.{identifier(scope.column)} WHEN 1 THEN '1' WHEN 0 THEN '0' ELSE '?' END" for scope in scopes
    )
    outcomes = (Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN)
    counted = ", ".join(
        f"count(*) FILTER (findings.{identifier(use.id)} = {outcome.code})"
        for use in judged.uses
        for outcome in outcomes
    )
    rows = connection.execute(
        f"SELECT {signature} AS signature, {counted} FROM {judged.table} AS findings "
        f"JOIN {membership.table(judged.population)} AS members USING (id) GROUP BY signature"
    ).fetchall()
    closed = {use.id: judged.population.closed(use.max_age) for use in judged.uses}
    sums: dict[tuple[str, Scope], list[int]] = {(use.id, scope): [0, 0, 0] for use in judged.uses for scope in scopes}
    for signature_text, *values in rows:
        for place, scope in enumerate(scopes):
            member = str(signature_text)[place]
            if member == "0":
                continue
            for number, use in enumerate(judged.uses):
                passed, failed, unknown = values[3 * number : 3 * number + 3]
                total = sums[(use.id, scope)]
                if member == "1":
                    total[0] += passed
                    total[1] += failed
                    total[2] += unknown
                else:
                    total[2] += passed + failed + unknown
    return Counts(
        {key: Tally(passed, failed, unknown, closed[key[0]]) for key, (passed, failed, unknown) in sums.items()}
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
