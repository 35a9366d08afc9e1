"""The small port to a database, and SQLite behind it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from scanner.errors import StoreError
from scanner.sealed.disk import is_full

Row = tuple[Any, ...]


class Unavailable(StoreError):
    """The database did not take a change, or could not be asked; nothing of the transaction has happened."""


class Full(Unavailable):
    """The disk took no more."""


class Database(Protocol):
    """What the fleet asks of a database; parameters are marked with ``?``. Not to be used by two threads at once."""

    blocks: bool
    """Whether a look-up by key may take longer than a fraction of a ms, so that the event loop must not wait for it."""
    words: Mapping[str, str]
    """Its words for the types of columns, and what it needs to be told of some tables."""

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Every row that a query or a RETURNING clause gives."""
        ...

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """One change."""
        ...

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """One change for each row."""
        ...

    def among(self, column: str, values: Sequence[str] | Sequence[int]) -> tuple[str, Any]:
        """A condition that a column holds one of these texts or numbers, and its one parameter."""
        ...

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        """All or nothing, durable at its end; raises Unavailable, or Full.

        What is not ``durable`` outlives the death of any process, but perhaps not that of the machine.
        """
        ...

    def alone(self, what: str) -> None:
        """Until the end of the transaction, let no other server do what bears this name."""
        ...

    def hold(self, table: str, patience_s: float = 0.3) -> None:
        """Until the end of the transaction, let no other server look at a table; raises Unavailable out of patience.

        Every server that has looked at the table in a transaction of its own is waited for until the end of that.
        """
        ...

    def size(self) -> int:
        """Bytes that it takes up on disk, about."""
        ...

    def locked(self, sql: str) -> str:
        """A query whose rows no other server changes until the end of the transaction."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Sqlite:
    """One connection to an SQLite file with a write-ahead log; raises Unavailable for whatever SQLite refuses."""

    blocks = False
    words: Mapping[str, str] = {
        "blob": "BLOB",
        "int": "INTEGER",
        "serial": "INTEGER PRIMARY KEY",
        "narrow": "",
        "rowless": "",
    }

    def __init__(self, path: Path, *, synchronous: str = "full", read_only: bool = False) -> None:
        mode = "ro" if read_only else "rwc"
        self._path = path
        self._level = self._now = "NORMAL" if synchronous == "normal" else "FULL"
        with self._translated():
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
                timeout=10,
            )
            if not read_only:
                path.chmod(0o600)
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._connection.execute(f"PRAGMA synchronous={self._level}")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Every row that a query gives."""
        with self._translated():
            return self._connection.execute(sql, parameters).fetchall()

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """One change."""
        with self._translated():
            self._connection.execute(sql, parameters)

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """One change for each row."""
        with self._translated():
            self._connection.executemany(sql, rows)

    def among(self, column: str, values: Sequence[str] | Sequence[int]) -> tuple[str, Any]:
        """A condition that a column holds one of these, and its parameter."""
        return f"{column} IN (SELECT value FROM json_each(?))", json.dumps(values)

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """All or nothing."""
        level = self._level if durable else "NORMAL"
        if level != self._now:
            self.run(f"PRAGMA synchronous={level}")
            self._now = level
        self.run("BEGIN IMMEDIATE")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.rollback()
            raise

    def alone(self, what: str) -> None:
        """SQLite lets only one write at a time."""

    def hold(self, table: str, patience_s: float = 0.3) -> None:
        """SQLite lets only one write at a time."""

    def size(self) -> int:
        """Bytes of the file and of its log."""
        log = self._path.with_name(self._path.name + "-wal")
        return sum(path.stat().st_size for path in (self._path, log) if path.exists())

    def locked(self, sql: str) -> str:
        """A query as it locks its rows; a write of SQLite locks all."""
        return sql

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if is_full(str(error)):
                raise Full(f"{self._path}: the disk is full; free space") from error
            raise Unavailable(f"{self._path}: {error}; see that it is there, whole, and not locked") from error
