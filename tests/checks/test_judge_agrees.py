"""The judge and the small evaluator, written apart, say the same of every small world of every check."""

from __future__ import annotations

import duckdb

from scanner.judging.judge import outcomes_sql
from scanner.judging.world import with_quantified
from scanner.model import Outcome
from tests.checks.test_contract import built_of, each_check, worlds_of
from tests.checks.world import load


@each_check
def test_judge_says_the_same(name: str) -> None:
    built, worlds = built_of(name), worlds_of(name)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        load(connection, built, [worlds.row(world) for world in worlds.outcomes])
        table = "SELECT n AS id, 'test:world:' || n AS asset, * EXCLUDE (n) FROM world"
        joined = with_quantified(connection, table, built.touched.quantified)
        found = connection.sql(outcomes_sql(connection, joined, {name: built})).order("id").fetchall()
    assert [list(Outcome)[code] for _, _, code in found] == list(worlds.outcomes.values())
