"""The catalogue of a store: an index of its sealed folders in SQLite, always rebuildable from them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    Boolean,
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError
from sqlalchemy.pool import NullPool, StaticPool

from scanner.errors import StoreError
from scanner.sealed.disk import disk_full, is_full

VERSION = 1


@dataclass(frozen=True)
class Row:
    """One sealed folder as the catalogue knows it; what belongs to one kind only is empty for the other.

    Times are RFC 3339 text in UTC, which sorts as they do; ``name`` is the name of the folder.
    """

    root: str
    kind: str
    name: str
    sequence: int
    previous: str | None
    seal: str
    key_id: str
    sealed_at: str
    target: str = ""
    source: str = ""
    finished_at: str = ""
    complete: bool = False
    baseline: str = ""
    as_of: str = ""


def _table() -> Table:
    return Table(
        f"sealed_v{VERSION}",
        MetaData(),
        Column("root", String, primary_key=True),
        Column("kind", String, primary_key=True),
        Column("name", String, nullable=False),
        Column("sequence", Integer, nullable=False, index=True),
        Column("previous", String),
        Column("seal", String, nullable=False),
        Column("key_id", String, nullable=False),
        Column("sealed_at", String, nullable=False),
        Column("target", String, nullable=False, index=True),
        Column("source", String, nullable=False),
        Column("finished_at", String, nullable=False),
        Column("complete", Boolean, nullable=False),
        Column("baseline", String, nullable=False),
        Column("as_of", String, nullable=False),
    )


def _engine(path: Path) -> Engine:
    engine = create_engine("sqlite+pysqlite://", creator=lambda: sqlite3.connect(path, timeout=10), poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def _durable(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA synchronous = FULL")

    return engine


def _in_memory() -> Engine:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(":memory:", check_same_thread=False)

    return create_engine("sqlite+pysqlite://", creator=connect, poolclass=StaticPool)


class Catalogue:
    """The index; open it with ``Catalogue.at``. Safe to use from several threads."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self._path = path
        self._engine = engine
        self._sealed = _table()

    @classmethod
    def at(cls, path: Path) -> Catalogue:
        """The catalogue in a file, made where it is missing or damaged, in memory where the disk is read-only."""
        damaged = False
        for attempt in ("open", "replace", "memory"):
            if attempt == "replace":
                if not damaged:
                    continue
                for name in (path, path.with_name(path.name + "-journal")):
                    _unlink(name)
            catalogue = cls(path, _in_memory() if attempt == "memory" else _engine(path))
            try:
                with catalogue._engine.begin() as connection:
                    catalogue._sealed.metadata.create_all(connection)
                if attempt != "memory":
                    path.chmod(0o600)
                return catalogue
            except (DBAPIError, OSError) as error:
                catalogue.close()
                if is_full(str(error)):
                    raise disk_full(path) from error
                damaged = isinstance(error, DatabaseError) and not isinstance(error, OperationalError)
                if "locked" in str(error):
                    raise StoreError(f"{path}: another process holds the catalogue; try again") from error
        raise StoreError(f"{path}: the catalogue cannot be made; check the disk")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            if is_full(str(error)):
                raise disk_full(self._path) from error
            raise StoreError(
                f"{self._path}: {error.orig}; check the disk and its rights; the catalogue is rebuilt at next start"
            ) from error

    def add(self, rows: Iterable[Row]) -> None:
        """Note sealed folders; those that are known already stay as they are. Raises StoreError."""
        values = [vars(row) for row in rows]
        if values:
            with self._translated(), self._engine.begin() as connection:
                connection.execute(insert(self._sealed).prefix_with("OR IGNORE"), values)

    def rows(self, kind: str | None = None) -> list[Row]:
        """Every sealed folder, of one kind where one is named, in the order of sealing."""
        query = select(self._sealed).order_by(self._sealed.c.sequence, self._sealed.c.root)
        if kind is not None:
            query = query.where(self._sealed.c.kind == kind)
        with self._translated(), self._engine.connect() as connection:
            return [Row(**row._mapping) for row in connection.execute(query)]

    def newest_of(self, target: str, complete_only: bool) -> list[Row]:
        """Collections of one target, the one that finished last first; ties by order of sealing."""
        table = self._sealed.c
        query = select(self._sealed).where(table.kind == "collection", table.target == target)
        if complete_only:
            query = query.where(table.complete)
        query = query.order_by(table.finished_at.desc(), table.sequence.desc())
        with self._translated(), self._engine.connect() as connection:
            return [Row(**row._mapping) for row in connection.execute(query)]

    def head(self) -> Row | None:
        """The newest link of the chain that was ever noted."""
        newest = select(func.max(self._sealed.c.sequence)).scalar_subquery()
        query = select(self._sealed).where(self._sealed.c.sequence == newest).order_by(self._sealed.c.root).limit(1)
        with self._translated(), self._engine.connect() as connection:
            row = connection.execute(query).first()
            return Row(**row._mapping) if row is not None else None

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        # A read-only disk keeps its damaged catalogue; the one in memory serves instead.
        return


def remembered(path: Path) -> list[tuple[int, str]]:
    """Sequence and root of every folder that a catalogue file knows; empty where there is none that can be read."""
    if not path.is_file():
        return []
    uri = f"{path.resolve().as_uri()}?mode=ro"
    engine = create_engine("sqlite+pysqlite://", creator=lambda: sqlite3.connect(uri, uri=True), poolclass=NullPool)
    table = _table()
    try:
        if not inspect(engine).has_table(table.name):
            return []
        with engine.connect() as connection:
            found = connection.execute(select(table.c.sequence, table.c.root).order_by(table.c.sequence))
            return [(number, root) for number, root in found]
    except DBAPIError:
        return []
    finally:
        engine.dispose()
