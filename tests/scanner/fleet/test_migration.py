"""A database of another version: an older one is brought up to date whole or left as it was, a newer one is refused."""

from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent import wire
from collectors.ports.fleet import FleetStore
from scanner.cli import cli
from scanner.errors import StoreError, Unreachable
from scanner.fleet import journal, migration, operations, schema
from scanner.fleet.database import Sqlite
from scanner.fleet.migration import in_step, prepare
from scanner.fleet.reading import FleetReader
from scanner.fleet.serving import FleetServer
from scanner.fleet.settings import load_settings, open_database
from tests.scanner.fleet.earlier import fill
from tests.scanner.fleet.lab import POSTURE, Clock, Running, enrolled, make_fleet

NOW = 1_790_000_000_000


def older(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """A file as version 1 left it."""
    database = Sqlite(path)
    found = fill(database)
    database.close()
    return found


def shape(path: Path) -> list[tuple[Any, ...]]:
    """Every table with its columns, and every index."""
    database = Sqlite(path, read_only=True)
    kept = "type IN ('table', 'index') AND sql IS NOT NULL AND name NOT LIKE 'sqlite%'"
    names = database.rows(f"SELECT type, name, CASE type WHEN 'index' THEN sql END FROM sqlite_master WHERE {kept}")
    columns = [
        (name, *column)
        for kind, name, _ in names
        if kind == "table"
        for column in database.rows(f"PRAGMA table_info({name})")
    ]
    database.close()
    return sorted((kind, name, (sql or "").replace("IF NOT EXISTS ", "")) for kind, name, sql in names) + sorted(
        columns, key=str
    )


def told(path: Path) -> list[Any]:
    """Every agent with its sections, as those who judge read them."""
    reader = FleetReader.of_file(path)
    found = [(agent, reader.sections(agent, past=True)) for agent in reader.agents()]
    reader.close()
    return found


def everything(path: Path) -> list[str]:
    """Every row of every table."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def set_version(path: Path, version: bytes | None) -> None:
    database = Sqlite(path)
    if version is None:
        database.run("DELETE FROM meta WHERE name = 'version'")
    else:
        database.run("UPDATE meta SET value = ? WHERE name = 'version'", (version,))
    database.close()


def test_a_database_of_version_1_becomes_what_a_new_one_is_and_keeps_every_row(tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    rows, before = older(old), told(old)
    for path in (old, new):
        database = Sqlite(path)
        prepare(database, NOW)
        if path == old:
            kept = {
                table: [row[: len(rows[table][0])] for row in database.rows(f"SELECT * FROM {table} ORDER BY 1, 2")]
                for table in rows
                if rows[table]
            }
            last = next(journal.entries(database, journal.AUDIT, 1))
            assert len(journal.verify(database, journal.AUDIT)) == 64
        database.close()

    assert shape(old) == shape(new)
    assert told(old) == before and len(before) == 2
    assert last.made == NOW and last.says == {"event": "tables_changed", "before": 1, "after": schema.VERSION}
    kept["journal"] = [row for row in kept["journal"] if row[2] != NOW]
    for name in ("meta", *kept):
        same = [row for row in rows[name] if row[0] != "version"]
        assert [row for row in kept[name] if row[0] != "version"] == same, name


def test_a_server_brings_an_older_database_up_to_date_and_its_agents_go_on(tmp_path: Path) -> None:
    folder = make_fleet(tmp_path / "server")
    clock = Clock()
    first = Running(folder, clock)
    agent = enrolled(first)
    assert agent.send(wire.REPORT, agent.report(POSTURE)).status == 200
    first.end()
    database = Sqlite(folder / "fleet.db")
    for statement in schema.statements(schema.CHANGES[2], database.words):  # back to what version 1 was
        words = statement.split()
        undone = f"ALTER TABLE {words[2]} DROP COLUMN {words[5]}" if words[0] == "ALTER" else f"DROP INDEX {words[2]}"
        database.run(undone)
    database.close()
    set_version(folder / "fleet.db", b"1")

    refused = CliRunner().invoke(cli, ["fleet", "token", "--folder", str(folder)])
    assert refused.exit_code == 2 and "ztgrade fleet serve" in refused.output
    agent.server = Running(folder, clock)

    assert agent.send(wire.BEAT, agent.beat()).status == 200
    assert agent.server.events().count("tables_changed") == 1
    agent.server.end()


def test_servers_that_start_at_once_change_the_tables_once(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    older(path)

    def start(number: int) -> None:
        database = Sqlite(path)
        prepare(database, NOW + number)
        database.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(4)))
    database = Sqlite(path)
    events = [entry.says["event"] for entry in journal.entries(database, journal.AUDIT)]
    database.close()
    assert events.count("tables_changed") == 1


def test_a_change_that_fails_leaves_the_database_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fleet.db"
    older(path)
    before, seen = shape(path), told(path)
    broken = {2: schema.CHANGES[2] + "; CREATE INDEX no ON nothing (here)"}
    monkeypatch.setattr(migration, "CHANGES", broken)

    database = Sqlite(path)
    with pytest.raises(StoreError, match="nothing"):
        prepare(database, NOW)
    database.close()

    assert (shape(path), told(path)) == (before, seen)


@pytest.mark.parametrize(
    ("version", "says"),
    [(b"99", "of version 99.*newer one"), (b"1x", "which is none"), (None, "never set up"), (b"0", "which is none")],
)
def test_an_unknown_version_is_never_an_empty_fleet(tmp_path: Path, version: bytes | None, says: str) -> None:
    path = tmp_path / "fleet.db"
    older(path)
    set_version(path, version)

    with pytest.raises(StoreError, match=says):
        FleetReader.of_file(path)
    with pytest.raises(Unreachable, match=says):
        FleetStore.open(path)


def test_an_agent_that_is_only_half_there_is_never_left_out(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    older(path)
    database = Sqlite(path)
    database.run("DELETE FROM agent_state WHERE agent = 2")
    database.close()

    store = FleetStore.open(path)
    with pytest.raises(Unreachable, match="not where it stands"):
        list(store.agents())
    with pytest.raises(Unreachable, match="not where it stands"):
        store.latest()
    store.close()


def test_a_file_that_is_no_fleets_is_never_an_empty_fleet(tmp_path: Path) -> None:
    Sqlite(tmp_path / "other.db").close()

    with pytest.raises(Unreachable, match=r"other\.db"):
        FleetStore.open(tmp_path / "other.db")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_server_whose_tables_a_newer_one_changes_acknowledges_nothing_more_and_ends(tmp_path: Path) -> None:
    folder = make_fleet(tmp_path / "server")
    running = Running(folder, Clock())
    agent = enrolled(running)
    assert agent.send(wire.REPORT, agent.report(POSTURE)).status == 200
    opened = open_database(folder, load_settings(folder))
    set_version(folder / "fleet.db", b"3000")
    before = everything(folder / "fleet.db")

    body = agent.beat()
    reply = agent.send(wire.BEAT, body)
    assert (reply.status, reply.word) == (503, "store") and int(reply.headers["retry-after"]) > 0
    running.end()
    assert isinstance(running.failure, StoreError) and "of version 3000" in str(running.failure)
    with pytest.raises(StoreError, match="of version 3000"):
        operations.ban(opened, agent.id, "by a command that was under way", running.ms)
    opened.close()
    assert everything(folder / "fleet.db") == before

    set_version(folder / "fleet.db", str(schema.VERSION).encode())  # as if this were the newer one
    agent.server = Running(folder, running.clock)
    assert agent.send(wire.BEAT, body).status == 200, "the agent sends what was refused again"
    agent.server.end()


def test_whoever_writes_sees_the_version_in_the_same_transaction(tmp_path: Path) -> None:
    place = Path(migration.__file__).parent
    own = {"migration.py", "database.py", "postgresql.py"}
    sources = {path.name: path.read_text(encoding="utf-8") for path in place.glob("*.py")}
    assert [name for name, text in sources.items() if ".transaction(" in text and name not in own] == []

    database = Sqlite(tmp_path / "fleet.db")
    prepare(database, NOW)
    with in_step(database):
        database.run("INSERT INTO meta (name, value) VALUES ('kept', ?)", (b"1",))
    database.run("UPDATE meta SET value = ? WHERE name = 'version'", (b"1",))
    with pytest.raises(StoreError, match="of version 1"), in_step(database):
        database.run("DELETE FROM meta WHERE name = 'kept'")
    assert database.rows("SELECT value FROM meta WHERE name = 'kept'") == [(b"1",)]
    database.close()


def test_whoever_reads_takes_nothing_from_tables_that_a_newer_one_changed_since_they_were_opened(
    tmp_path: Path,
) -> None:
    path = tmp_path / "fleet.db"
    older(path)
    reader, store = FleetReader.of_file(path), FleetStore.open(path)
    agents = store.agents()
    assert next(agents).sections
    first = next(reader.agents())
    set_version(path, b"3000")

    for look in (lambda: list(reader.agents()), lambda: reader.agent(first.id), lambda: reader.sections(first)):
        with pytest.raises(StoreError, match="of version 3000"):
            look()
    with pytest.raises(Unreachable, match="of version 3000"):
        list(agents)
    reader.close()
    store.close()


def test_a_newer_database_is_refused_by_everything_and_not_touched(tmp_path: Path) -> None:
    folder = make_fleet(tmp_path / "server")
    set_version(folder / "fleet.db", b"3000")
    shutil.copy(folder / "fleet.db", tmp_path / "before.db")

    with ThreadPoolExecutor(1) as pool, pytest.raises(StoreError, match="newer one"):
        pool.submit(FleetServer(folder, Clock()).run).result(30)
    for words in (["token"], ["list"], ["rekey", "--all"], ["audit"], ["signal", "token", "--list"]):
        result = CliRunner().invoke(cli, ["fleet", *words, "--folder", str(folder)])
        assert result.exit_code == 2 and "of version 3000" in result.output, words

    database = Sqlite(folder / "fleet.db")
    assert [entry.says["event"] for entry in journal.entries(database, journal.AUDIT)] == ["set_up", "issuing_made"]
    database.close()
    assert shape(folder / "fleet.db") == shape(tmp_path / "before.db")
