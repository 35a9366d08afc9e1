"""What was acknowledged is there afterwards: after a kill, on a full disk, with a database that refuses."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from agent import wire
from scanner.errors import StoreError
from scanner.fleet.answers import Answer, told
from scanner.fleet.database import Database, Full, Sqlite, Unavailable
from scanner.fleet.ingest import Ingest, Sent
from scanner.fleet.reading import FleetReader
from scanner.fleet.schema import VERSION
from scanner.fleet.writer import Busy, Writer
from tests.scanner.fleet.lab import POSTURE, Clock, Pretended, Running, enrolled, make_fleet, section


class Elsewhere(Running):
    """A server in a process of its own, which may be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, Clock()
        self.clock.now = time.time()
        command = [sys.executable, "-m", "scanner.cli", "fleet", "serve", "--folder", str(folder)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert "listens at" in line, line + self.process.stderr.read()
        self.port = int(line.rsplit(":", 1)[1])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self._reap()

    def end(self) -> None:
        self.process.terminate()
        self._reap()

    def _reap(self) -> None:
        self.process.wait(20)
        assert self.process.stderr is not None
        self.process.stderr.close()


def talk(agent: Pretended, acknowledged: list[tuple[str, int, str]], stop: threading.Event) -> None:
    """Report something new as fast as the server takes it, and keep what it acknowledged."""
    number = 0
    while not stop.is_set():
        number += 1
        changed = POSTURE | {"os": section("os", build=number)}
        try:
            reply = agent.send(wire.REPORT, agent.report(changed, send=None if agent.seq == 0 else ["os"]))
        except OSError:
            return
        if reply.status == 200:
            acknowledged.append((agent.id, agent.seq, agent.root))


@pytest.mark.slow
def test_a_killed_server_has_lost_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    folder = make_fleet(tmp_path / "server", per_minute=100_000)
    server = Elsewhere(folder)
    agents = [enrolled(server, f"host-{number}") for number in range(4)]
    acknowledged: list[tuple[str, int, str]] = []
    stop = threading.Event()
    with ThreadPoolExecutor(len(agents)) as pool:
        for agent in agents:
            pool.submit(talk, agent, acknowledged, stop)
        time.sleep(1.5)
        server.kill()
        stop.set()

    database = Sqlite(folder / "fleet.db")
    sql = "SELECT agent.id, envelope.seq, envelope.root FROM envelope JOIN agent ON agent.number = envelope.agent"
    stored = {(name, seq, root) for name, seq, root in database.rows(sql)}
    database.close()
    assert len(acknowledged) > 20
    assert set(acknowledged) - stored == set()

    again = Elsewhere(folder)
    for agent in agents:
        agent.server = again
        body = agent.report(POSTURE | {"os": section("os", build=10**6)})
        assert agent.send(wire.REPORT, body).status in (200, 409), "409: its last message was taken, but not answered"
    again.end()


@pytest.mark.slow
def test_a_server_that_is_told_to_end_answers_what_it_took(tmp_path: Path) -> None:
    server = Elsewhere(make_fleet(tmp_path / "server"))
    enrolled(server)

    server.end()

    assert server.process.returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few MB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small file system needs root")
    place = tmp_path / "small"
    place.mkdir()
    size = ["-o", "size=12m,mode=700"]
    if subprocess.run(["mount", "-t", "tmpfs", *size, "tmpfs", str(place)], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_on_a_full_disk_reports_are_refused_heartbeats_go_on_and_nothing_acknowledged_is_lost(
    small_disk: Path, tmp_path: Path
) -> None:
    made = make_fleet(tmp_path / "server", per_minute=100_000)
    folder = small_disk / "server"
    shutil.copytree(made, folder)
    fleet = Running(folder)
    agent, other = enrolled(fleet, "writes"), enrolled(fleet, "beats")
    acknowledged = []
    for number in range(400):
        bulk = section("os", noise=[os.urandom(3000).hex() for _ in range(16)], number=number)
        reply = agent.send(wire.REPORT, agent.report({"os": bulk}))
        if reply.status != 200:
            break
        acknowledged.append((agent.seq, agent.root))

    assert (reply.status, reply.word) == (503, "store")
    assert int(reply.headers["retry-after"]) > 0
    assert other.send(wire.BEAT, other.beat()).status == 200, "the reserve is there for it"
    assert fleet.get("/healthz")[0] == 503
    with fleet.database() as database:
        stored = set(database.rows("SELECT seq, root FROM envelope"))
    assert acknowledged and set(acknowledged) - stored == set()

    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    fleet.clock.now += 60
    assert other.send(wire.BEAT, other.beat()).status == 200
    assert agent.send(wire.REPORT, agent.report({"os": bulk})).status == 200
    assert fleet.get("/healthz")[0] == 200
    fleet.end()


class Refusing:
    """A database that takes nothing, or nothing of one kind."""

    def __init__(self, error: Unavailable | None, poison: str = "") -> None:
        self.error, self.poison, self.asked = error, poison, 0

    def transaction(self, *, durable: bool = True) -> Refusing:
        return self

    def rows(self, sql: str) -> list[tuple[bytes]]:
        return [(str(VERSION).encode(),)]

    def __enter__(self) -> None:
        self.asked += 1

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self.error and error is None:
            raise self.error


class Nothing(Ingest):
    """Takes every message without looking at it."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def take(self, database: Database, batch: Any, now: int) -> list[Answer]:
        self.sizes.append(len(batch))
        if any(sent.key_id == "poison" for sent in batch):
            raise Unavailable("cannot take this one")
        return [told() for _ in batch]


def sent(key_id: str = "") -> Sent:
    return Sent(key_id, cast(Any, None), b"", b"", b"", [])


def through(writer_of: Any, works: list[Any]) -> list[Answer]:
    """The answers of a writer to works that were all there before it began."""

    async def ask() -> list[Answer]:
        writer = writer_of(asyncio.get_running_loop())
        futures = [writer.send(work) for work in works]
        writer.start()
        answers = await asyncio.wait_for(asyncio.gather(*futures), 10)
        await asyncio.to_thread(writer.end)
        return list(answers)

    return asyncio.run(ask())


@pytest.mark.parametrize("error", [Unavailable("gone"), Full("full")])
def test_a_database_that_refuses_the_commit_lets_nothing_be_acknowledged(error: Unavailable) -> None:
    database = cast(Any, Refusing(error))

    answers = through(lambda loop: Writer(database, Nothing(), loop, Clock()), [sent()] * 5)

    assert {answer.status for answer in answers} == {503}
    assert all(answer.retry_after for answer in answers)


def test_one_message_that_cannot_be_stored_holds_up_no_other() -> None:
    database = cast(Any, Refusing(None))

    answers = through(lambda loop: Writer(database, Nothing(), loop, Clock()), [sent(), sent("poison"), sent(), sent()])

    assert [answer.status for answer in answers] == [200, 503, 200, 200]


def test_many_messages_share_one_transaction() -> None:
    database, ingest = Refusing(None), Nothing()

    through(lambda loop: Writer(cast(Any, database), ingest, loop, Clock()), [sent() for _ in range(600)])

    assert ingest.sizes == [256, 256, 88] and database.asked == 3


def test_a_full_lane_takes_nothing_more_and_the_others_still_do() -> None:
    async def ask() -> list[str]:
        loop = asyncio.get_running_loop()
        writer = Writer(cast(Any, Refusing(None)), Nothing(), loop, Clock(), queue=3)
        for _ in range(3):
            writer.send(sent())
        found = []
        for work in (sent(), lambda database, now: told()):
            try:
                writer.send(work)
            except Busy:
                found.append("busy")
            else:
                found.append("taken")
        writer.start()
        await asyncio.to_thread(writer.end)
        return found

    assert asyncio.run(ask()) == ["busy", "taken"]


def test_a_writer_that_fails_refuses_what_waits_and_ends_the_server() -> None:
    class Broken(Nothing):
        def take(self, database: Database, batch: Any, now: int) -> list[Answer]:
            raise ZeroDivisionError

    async def ask() -> tuple[bool, list[int]]:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[StoreError | None] = loop.create_future()
        writer = Writer(cast(Any, Refusing(None)), Broken(), loop, Clock(), died=ended.set_result)
        waiting = [writer.send(sent()) for _ in range(300)]
        writer.start()
        assert await asyncio.wait_for(ended, 10) is None
        waiting.append(writer.send(sent()))
        return writer.healthy, [future.result().status for future in waiting]

    hook, threading.excepthook = threading.excepthook, lambda arguments: None
    try:
        assert asyncio.run(ask()) == (False, [503] * 301)
    finally:
        threading.excepthook = hook


def test_tables_of_another_version_refuse_all_that_waits_and_the_server_is_told_why() -> None:
    class Changed(Refusing):
        def rows(self, sql: str) -> list[tuple[bytes]]:
            return [(b"99" if self.asked > 1 else str(VERSION).encode(),)]

    async def ask() -> tuple[str, list[int]]:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[StoreError | None] = loop.create_future()
        ingest = Nothing()
        writer = Writer(cast(Any, Changed(None)), ingest, loop, Clock(), died=ended.set_result)
        waiting = [writer.send(sent()) for _ in range(600)]
        writer.start()
        fault = await asyncio.wait_for(ended, 10)
        await asyncio.to_thread(writer.join)
        assert ingest.sizes == [256], "the second transaction took nothing"
        waiting.append(writer.send(sent()))
        return str(fault), [future.result().status for future in waiting]

    fault, answers = asyncio.run(ask())

    assert "of version 99" in fault and "newer one" in fault
    assert answers == [200] * 256 + [503] * 345


def test_the_reading_side_writes_nothing_and_needs_no_server(tmp_path: Path) -> None:
    folder = make_fleet(tmp_path / "server")
    reader = FleetReader.open(folder)

    assert list(reader.agents()) == []
    with pytest.raises(Unavailable, match="readonly"):
        reader._database.run("DELETE FROM agent")
    reader.close()
