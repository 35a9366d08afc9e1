"""Sessions of one engine for a whole process of tests: to start another takes forty times as long as a session."""

from __future__ import annotations

import atexit
from functools import cache

import duckdb

from scanner.judging.evidence import connect


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    atexit.register(_engine.cache_clear)  # else it outlives the library that made it, which complains
    return connect()


def session() -> duckdb.DuckDBPyConnection:
    """What ``connect`` gives, with tables of its own; its settings are those of all."""
    opened = _engine().cursor()
    opened.execute("SET TimeZone = 'UTC'")
    return opened
