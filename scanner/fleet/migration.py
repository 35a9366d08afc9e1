"""Makes the fleet's tables, or brings those of an older version to this one; never writes to those of a newer one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from scanner.errors import StoreError
from scanner.fleet.database import Database
from scanner.fleet.journal import AUDIT, note
from scanner.fleet.schema import CHANGES, READABLE, TABLES, VERSION, statements

PATIENCE_S = 10
"""For how long a change of the tables waits for transactions that are under way; those that come then wait for it."""


def prepare(database: Database, now: int) -> None:
    """Make the tables where there are none, or take each step up to this version, in one transaction.

    Of several servers that start at once one does it and the others find it done. Raises StoreError where a newer
    ztgrade made the tables.
    """
    with database.transaction():
        database.alone("tables")
        database.run(statements(TABLES, database.words)[0])
        found = _version(database)
        if found is None:
            _make(database, TABLES)
            database.run("INSERT INTO meta (name, value) VALUES ('version', ?)", (str(VERSION).encode(),))
            return
        if found > VERSION:
            raise _newer(found)
        if found < VERSION:
            database.hold("meta", PATIENCE_S)
            for step in range(found + 1, VERSION + 1):
                _make(database, CHANGES[step])
            database.run("UPDATE meta SET value = ? WHERE name = 'version'", (str(VERSION).encode(),))
            note(database, AUDIT, now, event="tables_changed", before=found, after=VERSION)


@contextmanager
def in_step(database: Database, *, durable: bool = True) -> Iterator[None]:
    """A transaction in which the tables have this version to its end, whatever other servers do.

    Whoever writes does it so: a newer ztgrade may have changed the tables since they were looked at. Raises StoreError
    as ``demand`` does, and then nothing of the transaction has happened.
    """
    with database.transaction(durable=durable):
        demand(database)  # to read meta is also what keeps a change of the tables waiting until the end
        yield


def demand(database: Database, versions: Collection[int] = (VERSION,)) -> None:
    """Raise StoreError unless the tables are there and of one of these versions; what to do stands in it."""
    found = _version(database)
    if found is None:
        raise StoreError("the fleet's database was never set up; run: ztgrade fleet init")
    if found > VERSION:
        raise _newer(found)
    if found not in versions:
        raise StoreError(
            f"the fleet's tables are of version {found}, this ztgrade works with {VERSION}; copy the database,"
            " end every server of the fleet, and start this version: ztgrade fleet serve brings them up to date"
        )


def demand_readable(database: Database) -> None:
    """The same for those who only read agents and sections."""
    demand(database, READABLE)


def _make(database: Database, text: str) -> None:
    for statement in statements(text, database.words):
        database.run(statement)


def _version(database: Database) -> int | None:
    """Of the tables; None where none was ever set down. Raises Unavailable where there are no tables at all."""
    found = database.rows("SELECT value FROM meta WHERE name = 'version'")
    if not found:
        return None
    told = bytes(found[0][0])
    if not told.isdigit() or not int(told):
        raise StoreError(f"the version of the fleet's tables is {told!r}, which is none; restore the database")
    return int(told)


def _newer(found: int) -> StoreError:
    return StoreError(
        f"the fleet's tables are of version {found}, this ztgrade knows {VERSION} at most;"
        " use the version of ztgrade that made them, or a newer one"
    )
