"""The same fleet on a real PostgreSQL: several servers, one truth, and a database that may go away."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent import wire
from scanner.errors import StoreError
from scanner.fleet import journal, migration, operations
from scanner.fleet.database import Unavailable
from scanner.fleet.migration import demand, in_step, prepare
from scanner.fleet.postgresql import Postgresql
from scanner.fleet.retention import Sweep
from scanner.fleet.schema import VERSION
from tests.scanner.fleet import earlier
from tests.scanner.fleet.lab import POSTURE, Clock, Pretended, Reply, Running, enrolled, make_fleet, new_key, section


def programs() -> Path | None:
    """Folder of PostgreSQL's own programs, of the newest version that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    here = shutil.which("initdb")
    return found[-1].parent if found else Path(here).parent if here else None


@dataclass
class Cluster:
    """A PostgreSQL of the test's own, behind a socket in its folder."""

    folder: Path
    programs: Path

    @property
    def url(self) -> str:
        return f"postgresql:///postgres?host={self.folder}&user=postgres"

    def run(self, program: str, *arguments: str) -> None:
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        command = [str(self.programs / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **user)  # type: ignore[call-overload]

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c shared_buffers=32MB"
        log = str(self.folder / "log")
        self.run("pg_ctl", "start", "-w", "-D", str(self.folder / "data"), "-l", log, "-o", options)

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self.folder / "data"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    place = programs()
    if place is None:
        pytest.skip("no PostgreSQL: make lab-deps installs it, as root")
    folder = Path(tempfile.mkdtemp(prefix="ztpg"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    found = Cluster(folder, place)
    found.run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
    found.start()
    yield found
    found.stop()
    shutil.rmtree(folder)


def shape(database: Postgresql) -> list[tuple[object, ...]]:
    """Every table with its columns, and every index."""
    columns = "table_name, column_name, data_type, is_nullable, column_default"
    sql = f"SELECT {columns} FROM information_schema.columns WHERE table_schema = 'public'"
    indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    return sorted([*database.rows(sql), *database.rows(indexes)], key=str)


def test_a_database_of_version_1_is_brought_up_to_date_once_by_servers_that_start_together(cluster: Cluster) -> None:
    found = {}
    for name in ("old", "new"):
        cluster.run("createdb", "-h", str(cluster.folder), "-U", "postgres", name)
        found[name] = Postgresql(cluster.url.replace("/postgres?", f"/{name}?"))
    rows = earlier.fill(found["old"])
    with pytest.raises(StoreError, match="ztgrade fleet serve"):
        demand(found["old"])
    prepare(found["new"], 1)
    again = Postgresql(cluster.url.replace("/postgres?", "/old?"))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda database: prepare(database, 2), (found["old"], again)))

    assert shape(found["old"]) == shape(found["new"])
    events = [entry.says["event"] for entry in journal.entries(again, journal.AUDIT)]
    assert events.count("tables_changed") == 1 and len(journal.verify(again, journal.AUDIT)) == 64
    assert len(again.rows("SELECT * FROM envelope")) == len(rows["envelope"]) > 0
    again.run("UPDATE meta SET value = ? WHERE name = 'version'", (b"99",))
    with pytest.raises(StoreError, match="newer one"):
        prepare(again, 3)
    for database in (*found.values(), again):
        database.close()


def test_a_change_of_the_tables_and_a_transaction_wait_for_each_other_and_neither_misses_the_other(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.run("createdb", "-h", str(cluster.folder), "-U", "postgres", "race")
    newer, older = (Postgresql(cluster.url.replace("/postgres?", "/race?")) for _ in range(2))
    earlier.fill(newer)
    monkeypatch.setattr(migration, "PATIENCE_S", 0.2)
    with older.transaction():
        with pytest.raises(StoreError, match="of version 1"):
            demand(older)
        with pytest.raises(Unavailable, match="lock timeout"):  # what one has looked at does not change under it
            prepare(newer, 2)
    prepare(newer, 3)

    def write(reason: str) -> str:
        try:
            with in_step(older):
                older.run("UPDATE agent SET reason = ?", (reason,))
        except StoreError as error:
            return str(error)
        return "written"

    waits = "SELECT COUNT(*) FROM pg_locks WHERE relation = 'meta'::regclass AND NOT granted"
    with ThreadPoolExecutor(1) as pool:
        for version in (VERSION, VERSION, 99):  # the third time by a statement that the database has prepared
            with newer.transaction():
                newer.alone("tables")
                newer.hold("meta", 10)
                writing = pool.submit(write, f"for tables of version {version}")
                while newer.rows(waits) == [(0,)]:
                    assert not writing.done()
                newer.run("UPDATE meta SET value = ? WHERE name = 'version'", (str(version).encode(),))
            said = writing.result(10)
            assert said == "written" if version == VERSION else "of version 99" in said
    assert newer.rows("SELECT DISTINCT reason FROM agent") == [(f"for tables of version {VERSION}",)]
    newer.close()
    older.close()


@pytest.fixture(scope="module")
def servers(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Running]]:
    """Two servers of one fleet."""
    folder = make_fleet(tmp_path_factory.mktemp("pg") / "server", database=cluster.url, per_minute=100_000)
    clock = Clock()
    found = Running(folder, clock), Running(folder, clock)
    yield found
    for running in found:
        running.end()


def test_an_agent_may_speak_to_any_of_the_servers(servers: tuple[Running, Running]) -> None:
    one, other = servers
    agent = enrolled(one)

    for number in range(6):
        agent.server = servers[number % 2]
        changed = POSTURE | {"os": section("os", build=number, name="作業系統")}
        reply = agent.send(wire.REPORT, agent.report(changed, send=None if number == 0 else ["os"]))
        assert (reply.status, reply.says.get("need")) == (200, [])

    with other.reader() as reader:
        found = reader.agent(agent.id)
        assert found is not None and found.trusted and found.seq == 6
        history = [each for each in reader.sections(found, past=True) if each.name == "os"]
    assert [each.content["values"]["build"] for each in history] == list(range(6))


def test_a_repetition_at_the_other_server_gets_the_same_receipt_and_a_copy_is_found(
    servers: tuple[Running, Running],
) -> None:
    one, other = servers
    agent = enrolled(one)
    twin = copy.copy(agent)
    body = agent.beat()
    first, again = (server.post(wire.BEAT, body, agent.signed(wire.BEAT, body)) for server in servers)
    assert first.says["nonce"] == again.says["nonce"]

    twin.server = other
    assert twin.send(wire.BEAT, twin.beat()).word == "clone_suspected"
    assert agent.send(wire.BEAT, agent.beat()).word == "clone_suspected"
    with one.database() as database:
        operations.approve(database, agent.id, "copy removed", one.ms)
    assert agent.send(wire.BEAT, agent.beat()).status == 200


def at_both(
    servers: tuple[Running, Running], path: str, body: bytes, headers: dict[str, str] | None = None
) -> list[Reply]:
    """What both servers answer to one request that they get at the same time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda server: server.post(path, body, headers), servers))


def test_two_servers_redeem_one_token_once(servers: tuple[Running, Running]) -> None:
    for _ in range(5):
        token = servers[0].token()
        with ThreadPoolExecutor(2) as pool:
            replies = list(pool.map(lambda server: Pretended(server).enrol(token), servers))  # noqa: B023

        assert sorted(reply.status for reply in replies) == [200, 409]


def test_two_servers_give_one_key_one_agent_and_one_successor(servers: tuple[Running, Running]) -> None:
    agent = Pretended(servers[0])
    one, other = at_both(servers, wire.ENROL, agent.enrolment(servers[0].token(uses=9)))
    assert (one.status, one.says) == (200, other.says)

    agent.id, agent.nonce = one.says["agent"], one.says["nonce"]
    body = agent.renewal(new_key())
    first, second = at_both(servers, wire.RENEW, body, agent.signed(wire.RENEW, body))
    assert (first.status, first.says["certificate"]) == (200, second.says["certificate"])


def test_two_servers_take_one_message_once(servers: tuple[Running, Running]) -> None:
    agents = [enrolled(servers[0], f"host-{number}") for number in range(6)]

    def speak(agent: Pretended) -> set[int]:
        statuses = set()
        for number in range(5):
            body = agent.report(POSTURE | {"os": section("os", build=number)})
            signed = agent.signed(wire.REPORT, body)
            replies = at_both(servers, wire.REPORT, body, signed)
            statuses |= {reply.status for reply in replies}
            assert replies[0].says["nonce"] == replies[1].says["nonce"]
            agent.seq, agent.nonce = replies[0].says["seq"], replies[0].says["nonce"]
            agent.root = wire.root_digest(
                {
                    name: wire.section_digest(each)
                    for name, each in (POSTURE | {"os": section("os", build=number)}).items()
                }
            )
        return statuses

    with ThreadPoolExecutor(6) as pool:
        assert set().union(*pool.map(speak, agents)) == {200}
    assert servers[0].counted("SELECT COUNT(*) FROM agent_section WHERE name = 'os'") >= 30


def test_tokens_renewals_and_logs_hold_on_postgresql_too(servers: tuple[Running, Running]) -> None:
    one, other = servers
    token = one.token()
    agent = Pretended(one)
    first = agent.enrol(token)
    agent.server = other
    assert agent.enrol(token).says == first.says
    assert Pretended(other, "thief").enrol(token).word == "token_used"

    key = new_key()
    assert agent.renew(agent.renewal(key), key).status == 200
    agent.server = one
    assert agent.send(wire.BEAT, agent.beat()).status == 200
    with one.database() as database:
        assert len(journal.verify(database, journal.AUDIT)) == 64
        assert len(journal.verify(database, journal.ISSUANCE)) == 64


def test_old_reports_are_removed_and_never_while_another_server_may_count_on_a_body(
    servers: tuple[Running, Running],
) -> None:
    agent = enrolled(servers[0])
    for number in range(4):
        body = agent.report({"os": section("os", build=f"{agent.id} {number}")})
        assert agent.send(wire.REPORT, body).status == 200
    later = servers[0].ms + 500 * 86_400_000
    mine = f"agent = (SELECT number FROM agent WHERE id = '{agent.id}')"
    left = f"SELECT COUNT(*) FROM envelope WHERE {mine}"
    bodies = "SELECT COUNT(*) FROM section"

    with servers[0].database() as one, servers[1].database() as other:
        before = one.rows(bodies)[0][0]
        with other.transaction():
            other.rows("SELECT 1 FROM section LIMIT 1")  # as one looks who has just been told what is there already
            with pytest.raises(Unavailable, match="lock"), one.transaction():
                Sweep(400)(one, later)
        assert one.rows(left) == [(4,)]
        with one.transaction():
            Sweep(400)(one, later)
        assert one.rows(left) == [(1,)] and one.rows(bodies)[0][0] <= before - 3
        assert one.size() > 1_000_000
    assert servers[1].events()[-1] == "removed"
    with servers[1].reader() as reader:
        found = reader.agent(agent.id)
        assert found is not None and [each.content["values"]["build"][-1] for each in reader.sections(found)] == ["3"]
    assert agent.send(wire.BEAT, agent.beat()).status == 200


def test_without_its_database_a_server_acknowledges_nothing_and_comes_back_with_it(
    cluster: Cluster, servers: tuple[Running, Running]
) -> None:
    agent, unknown = enrolled(servers[0]), enrolled(servers[0])
    agent.send(wire.BEAT, agent.beat())
    cluster.stop()

    body = agent.beat()
    refused = [agent.send(wire.BEAT, body), unknown.send(wire.BEAT, unknown.beat())]
    cluster.start()

    assert [(reply.status, reply.word) for reply in refused] == [(503, "store")] * 2
    assert agent.send(wire.BEAT, body).status == 200
    assert unknown.send(wire.BEAT, unknown.beat()).status == 200
    assert threading.active_count() < 100
