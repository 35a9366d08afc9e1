"""Sixty checks over a million users of two sources, in thirty-six scopes, beside hand-written SQL of the same answer.

Run with the Python that has ztgrade installed:

    python benchmarks/judge_million.py [--users 1000000] [--runs 3] [--folder DIR]

Each run judges in a process of its own and prints wall seconds, processor seconds and peak memory, the stages, and the
ratio to one hand-written query that reads the same Parquet files and must come to equal tallies. The query counts only:
it neither proves that listings are closed nor keeps, writes or digests findings; the ratio is given for both extents.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
from measured import Cost, Stages, run, spread
from million_checks import QUESTIONS, checks
from million_users import AS_OF, PROMISES, SCENES, SOURCES, SYSTEMS, WEEK, estate, selectors, targets, write

from scanner.facts import FACTS, User
from scanner.judging.evidence import Evidence, ReadTarget, connect
from scanner.judging.judge import Use, findings_digest, judge, write_findings
from scanner.judging.population import Population
from scanner.judging.scope import Membership
from scanner.judging.tally import count
from scanner.model import Census

GOAL_SECONDS, GOAL_MEGABYTES = 10, 1024
COUNTING = ("evidence", "roster", "judging", "membership", "tally")
"""Stages whose result the hand-written query has too."""


def judged(folder: Path) -> dict[str, object]:
    """Stages and tallies of the kernel."""
    stages = Stages()

    @dataclass(frozen=True)
    class Timed(Population):
        def build(self) -> int:
            with stages.stage("roster"):
                return super().build()

    read = targets_from(folder)
    started = time.perf_counter()
    uses = [Use(one, {}, WEEK) for one in checks()]
    with stages.stage("evidence"):
        evidence = Evidence(connect(), read, {fact.__name__: fact for fact in FACTS}, AS_OF)
        population = Timed(User, SOURCES, evidence)
        for source in SOURCES:
            for fact in PROMISES[source]:
                assert evidence.closed(source, fact, WEEK), (source, fact)
    with stages.stage("judging"):
        found = judge(population, uses, AS_OF, {})
        assert not found.errors, found.errors
    membership = Membership(estate(), evidence, timedelta(days=30))
    with stages.stage("membership"):
        membership.build(population)
    with stages.stage("tally"):
        counts = count(found, membership)
    with stages.stage("findings written"):
        write_findings(found, str(folder / "findings.parquet"))
    with stages.stage("digest"):
        digest = findings_digest(found)
    wall = time.perf_counter() - started
    tallies = {
        f"{scope.column} {use.check.id}": [tally.passed, tally.failed, tally.unknown]
        for use in uses
        for scope in membership.scopes
        if (tally := counts.of(use, scope))
    }
    assert all(tally.closed for tally in counts.tallies.values())
    return {
        "stages": stages.seconds,
        "wall": wall,
        "tallies": tallies,
        "digest": digest,
        "megabytes": (folder / "findings.parquet").stat().st_size / 1e6,
    }


def targets_from(folder: Path) -> list[ReadTarget]:
    """The two sources, with the censuses that were stated when the files were written."""
    stated = msgspec.json.decode((folder / "censuses.json").read_bytes(), type=dict[str, list[Census]])
    return [
        ReadTarget(
            target=source,
            source=source,
            collector="import",
            promises=frozenset(PROMISES[source]),
            folder=folder / source,
            complete=True,
            facts={census.fact: census.n for census in censuses},
            censuses=censuses,
        )
        for source, censuses in stated.items()
    ]


FIELDS = {
    "User": ("enabled", "category", "external"),
    "SignIn": (
        "mfa",
        "excluded",
        "policy",
        "legacy_protocols",
        "remembered",
        "remembered_hours",
        "conditions",
        "trusted_network_bypass",
        "revocation",
        "revocation_minutes",
    ),
    "Authenticators": ("methods",),
    "Credentials": ("password", "access_keys", "access_keys_need_mfa", "oldest_access_key"),
}


def by_hand(folder: Path) -> str:
    """One query: merge both sources, mask what is old or contradicted, answer, place, and count."""
    young = "BETWEEN TIMESTAMP '2026-10-25' AND TIMESTAMP '2026-11-01 00:10:00'"
    merged = []
    for fact, fields in FIELDS.items():
        a, b = (f"read_parquet('{folder / source / 'facts' / fact}.parquet')" for source in SOURCES)
        picked = ", ".join(
            f"CASE WHEN a.observed_at {young} AND (b.asset IS NULL OR (b.observed_at {young} "
            f"AND a.{name} IS NOT DISTINCT FROM b.{name})) THEN a.{name} END AS {name}"
            for name in fields
        )
        merged.append(
            f"{fact.lower()} AS (SELECT a.asset, {picked} FROM {a} AS a LEFT JOIN {b} AS b ON a.asset = b.asset)"
        )
    outcomes = ", ".join(
        f"CASE WHEN NOT ({q.applies_sql}) THEN 3 WHEN ({q.applies_sql}) AND ({q.holds_sql}) THEN 0 "
        f"WHEN ({q.applies_sql}) AND NOT ({q.holds_sql}) THEN 1 ELSE 2 END AS q{number}"
        for number, q in enumerate(QUESTIONS)
    )
    members = []
    for place in range(SYSTEMS * len(SCENES)):
        system, scene = divmod(place, len(SCENES))
        chosen = selectors(system, SCENES[scene])
        held = [f"list_has_any(groups, {list(chosen.groups)})"] if chosen.groups else []
        held += [f"list_has_any(tags, {list(chosen.tags)})"] if chosen.tags else []
        held += [
            f"(lower(organizational_unit) = '{unit.lower()}' OR lower(organizational_unit) LIKE '%,{unit.lower()}')"
            for unit in chosen.organizational_units
        ]
        criterion = " OR ".join(held)
        members.append(
            f"CASE WHEN p.observed_at BETWEEN TIMESTAMP '2026-10-02' AND TIMESTAMP '2026-11-01 00:10:00' "
            f"THEN CASE WHEN {criterion} THEN '1' ELSE '0' END WHEN p.asset IS NULL THEN '0' ELSE '?' END"
        )
    counted = ", ".join(
        f"count(*) FILTER (q{n} = {code}) AS c{n}_{code}" for n in range(len(QUESTIONS)) for code in (0, 1, 2)
    )
    summed = ", ".join(
        f"CAST(sum(CASE WHEN mark = '1' THEN c{n}_0 ELSE 0 END) AS BIGINT), "
        f"CAST(sum(CASE WHEN mark = '1' THEN c{n}_1 ELSE 0 END) AS BIGINT), "
        f"CAST(sum(CASE WHEN mark = '1' THEN c{n}_2 ELSE c{n}_0 + c{n}_1 + c{n}_2 END) AS BIGINT)"
        for n in range(len(QUESTIONS))
    )
    placement = f"read_parquet('{folder / 'ad' / 'facts' / 'Placement'}.parquet')"
    return (
        (
            f"WITH {', '.join(merged)}, "
            f"judged AS (SELECT {' || '.join(members)} AS marks, {outcomes} FROM user AS u "
            "LEFT JOIN signin AS s ON s.asset = u.asset LEFT JOIN authenticators AS m ON m.asset = u.asset "
            f"LEFT JOIN credentials AS c ON c.asset = u.asset LEFT JOIN {placement} AS p ON p.asset = u.asset), "
            f"counted AS (SELECT marks, {counted} FROM judged GROUP BY marks), "
            "placed AS (SELECT place, marks[place + 1] AS mark, counted.* "
            f"FROM counted, range({len(members)}) AS r (place)) "
            f"SELECT place, {summed} FROM placed WHERE mark <> '0' GROUP BY place ORDER BY place"
        )
        .replace("FROM user AS", 'FROM "user" AS')
        .replace("WITH user AS", 'WITH "user" AS')
    )


def queried(folder: Path) -> dict[str, object]:
    """Tallies of the hand-written query."""
    query = by_hand(folder)
    connection = connect()
    started = time.perf_counter()
    rows = connection.execute(query).fetchall()
    wall = time.perf_counter() - started
    tallies = {}
    for place, *values in rows:
        system, scene = divmod(int(place), len(SCENES))
        for number in range(len(QUESTIONS)):
            column = f"system-{system:02}/{SCENES[scene].value}"
            tallies[f"{column} benchmark.question_{number:02}"] = values[3 * number : 3 * number + 3]
    return {"wall": wall, "tallies": tallies}


def prepare(folder: Path, users: int) -> None:
    """Write the files and state their censuses, once."""
    mark = folder / "censuses.json"
    if mark.is_file():
        return
    write(folder, users)
    mark.write_bytes(msgspec.json.encode({target.source: target.censuses for target in targets(folder)}))


def main(arguments: Sequence[str]) -> None:
    """Prepare, run both in turn, compare, print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--users", type=int, default=1_000_000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--folder", type=Path, help="keep the data there for the next time")
    options.add_argument("--only", choices=["prepare", "kernel", "query"], help=argparse.SUPPRESS)
    chosen = options.parse_args(arguments)
    if chosen.only is not None:
        if chosen.only == "prepare":
            prepare(chosen.folder, chosen.users)
        else:
            print(json.dumps(judged(chosen.folder) if chosen.only == "kernel" else queried(chosen.folder)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        this = [sys.executable, __file__, "--folder", folder, "--users", str(chosen.users), "--only"]
        run([*this, "prepare"])
        kernels: list[Cost] = []
        queries: list[Cost] = []
        for _ in range(chosen.runs):
            kernels.append(run([*this, "kernel"]))
            queries.append(run([*this, "query"]))
    print(f"{len(QUESTIONS)} checks, {chosen.users} users, {SYSTEMS * len(SCENES)} scopes, {chosen.runs} runs")
    _print(kernels, queries)


def _print(kernels: Sequence[Cost], queries: Sequence[Cost]) -> None:
    def told(costs: Sequence[Cost]) -> str:
        peak = max(cost.peak for cost in costs)
        return (
            f"{spread([cost.wall for cost in costs])} s wall, "
            f"{spread([cost.processor for cost in costs])} s processor, {peak:.0f} MB peak"
        )

    print(f"kernel, whole process: {told(kernels)}; goal {GOAL_SECONDS} s, {GOAL_MEGABYTES} MB")
    for name in kernels[0].report["stages"]:
        wall, processor = ([cost.report["stages"][name][part] for cost in kernels] for part in (0, 1))
        print(f"  {name:17} {spread(wall)} s wall, {spread(processor)} s processor")
    print(f"  findings {kernels[0].report['megabytes']:.1f} MB")
    print(f"query by hand:         {told(queries)}")
    for one, other in zip(kernels, queries, strict=True):
        assert one.report["tallies"] == other.report["tallies"], "the tallies differ"
        assert one.report["digest"] == kernels[0].report["digest"], "the digests differ"
    print(f"equal tallies: {len(kernels[0].report['tallies'])}")
    pairs = list(zip(kernels, queries, strict=True))
    counting = [sum(k.report["stages"][name][0] for name in COUNTING) / q.report["wall"] for k, q in pairs]
    print(f"ratio to the query, same extent (to the tallies): {spread(counting)}")
    print(f"ratio to the query, everything:                   {spread([k.wall / q.wall for k, q in pairs])}")


if __name__ == "__main__":
    main(sys.argv[1:])
