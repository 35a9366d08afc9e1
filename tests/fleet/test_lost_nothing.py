"""What was acknowledged is there afterwards, whatever becomes of the server, its disk, and its files."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from agent import wire
from scanner.errors import ZtgradeError
from scanner.fleet.database import Sqlite
from scanner.fleet.serving import FleetServer
from tests.fleet.population import Acknowledged, Member, talk
from tests.fleet.processes import Served, TrueClock, made_fleet
from tests.scanner.fleet.lab import POSTURE, Pretended, Reply, Running, enrolled, section
from tests.scanner.fleet.test_durability import small_disk

__all__ = ["small_disk"]

WAL_HEAD, FRAME = 32, 24 + 4096
"""Bytes of SQLite's write-ahead log before the first page, and of each page in it."""


def stored(path: Path) -> Acknowledged:
    """Every report that a database holds; it must be whole."""
    database = Sqlite(path)
    try:
        database.run("PRAGMA synchronous=OFF")  # what is read here is a copy, or its server is dead
        assert database.rows("PRAGMA integrity_check") == [("ok",)]
        sql = "SELECT agent.id, envelope.seq, envelope.root FROM envelope JOIN agent ON agent.number = envelope.agent"
        return {(agent, seq, root) for agent, seq, root in database.rows(sql)}
    finally:
        database.close()


def test_a_server_killed_again_and_again_under_load_lost_no_report_and_takes_no_agent_for_a_copy(
    tmp_path: Path,
) -> None:
    folder = made_fleet(tmp_path / "server")
    served = Served(folder)
    token = served.full_token(tmp_path, uses=5).read_text()
    members = [Member(tmp_path / f"agent-{number}", f"host-{number}").enrol(token) for number in range(5)]
    stop = threading.Event()
    with ThreadPoolExecutor(len(members)) as pool:
        talking = [pool.submit(talk, member, stop) for member in members]
        try:
            for _ in range(2):
                time.sleep(0.8)
                served.kill()
                served = Served(folder)
            time.sleep(0.8)
            served.kill()
        finally:
            stop.set()
    for each in talking:
        each.result()

    acknowledged = set().union(*(member.acknowledged for member in members))
    assert len(acknowledged) > 40
    assert acknowledged - stored(folder / "fleet.db") == set()

    served = Served(folder)
    for member in members:
        cycle = member.cycle()
        cycle.collect()
        assert cycle.tell(), cycle.attempts.last_error
        identity = cycle.identity()
        assert identity is not None
        with served.reader() as reader:
            found = reader.agent(identity.agent)
        assert found is not None and found.clone_suspected is None
        assert (found.seq, found.root) == (cycle.standing().seq, cycle.standing().root)
    served.end()


def bulky(agent: Pretended, number: int) -> Reply:
    """Tell something large and new."""
    noise = [(f"{number}-{part}" * 800)[:6000] for part in range(16)]
    changed = POSTURE | {"os": section("os", noise=noise, salt=[time.time_ns().to_bytes(8, "big").hex()] * 9)}
    return agent.send(wire.REPORT, agent.report(changed))


def test_killed_with_a_full_disk_and_started_on_it_the_server_still_has_every_report_and_goes_on_with_room(
    small_disk: Path, tmp_path: Path
) -> None:
    made = made_fleet(tmp_path / "server", url="https://127.0.0.1:8443", listen="127.0.0.1:0")
    folder = small_disk / "server"
    shutil.copytree(made, folder)
    served = Served(folder)
    agents = [enrolled(served, f"host-{number}") for number in range(3)]
    acknowledged: Acknowledged = set()

    def fill(agent: Pretended) -> str:
        for number in range(2000):
            reply = bulky(agent, number)
            if reply.status != 200:
                return reply.word
            acknowledged.add((agent.id, agent.seq, agent.root))
        return "never full"

    filler = (small_disk / "filler").open("wb", buffering=0)
    with ThreadPoolExecutor(len(agents)) as pool:
        filling = [pool.submit(fill, agent) for agent in agents]
        time.sleep(1)
        with suppress(OSError):
            while True:
                filler.write(bytes(1 << 16))
        assert [each.result() for each in filling] == ["store"] * 3
    served.kill()
    filler.close()
    assert len(acknowledged) > 10

    (tmp_path / "copy").mkdir()
    for path in folder.glob("fleet.db*"):
        shutil.copy(path, tmp_path / "copy")
    assert acknowledged - stored(tmp_path / "copy" / "fleet.db") == set()

    (small_disk / "filler").unlink()
    again = Served(folder)
    for agent in agents:
        agent.server = again
        reply = bulky(agent, 1)
        assert reply.status in (200, 409), "409: its last message was taken, but not answered"
    again.end()
    assert acknowledged - stored(folder / "fleet.db") == set()


def test_a_store_cut_at_every_boundary_still_has_every_report_that_was_acknowledged_before(tmp_path: Path) -> None:
    running = Running(made_fleet(tmp_path / "server"), TrueClock())
    agent = enrolled(running)
    log = running.folder / "fleet.db-wal"
    acknowledged: list[tuple[int, tuple[str, int, str]]] = []
    for number in range(6):
        reply = agent.send(wire.REPORT, agent.report(POSTURE | {"os": section("os", build=number)}))
        assert reply.status == 200
        acknowledged.append((log.stat().st_size, (agent.id, agent.seq, agent.root)))
    whole, base = log.read_bytes(), (running.folder / "fleet.db").read_bytes()
    running.end()

    begin = acknowledged[0][0]
    frames = range(begin, len(whole) + 1, FRAME)
    assert (begin - WAL_HEAD) % FRAME == 0 and len(frames) > 15
    cut = tmp_path / "cut.db"
    for place in sorted({edge + off for edge in frames for off in (-1, 0, 24)}):
        for name, content in (("cut.db", base), ("cut.db-wal", whole[:place])):
            (tmp_path / name).write_bytes(content)
        (tmp_path / "cut.db-shm").unlink(missing_ok=True)
        assert {told for size, told in acknowledged if size <= place} <= stored(cut), place


def test_a_file_of_the_server_that_was_cut_is_made_anew_or_named_and_never_taken_for_whole(tmp_path: Path) -> None:
    folder = made_fleet(tmp_path / "server")
    FleetServer(folder, TrueClock())  # makes its certificate
    for path in [folder / "root.pem", folder / "server.pem", *sorted((folder / "issuing").iterdir())]:
        whole = path.read_bytes()
        for cut in {0, 1, *range(0, len(whole) - 2, max(1, len(whole) // 9))}:
            path.write_bytes(whole[:cut])
            if path.name == "server.pem":
                FleetServer(folder, TrueClock())
                assert path.read_bytes().count(b"-----END") == 4, cut
            else:
                with pytest.raises(ZtgradeError) as told:
                    FleetServer(folder, TrueClock())
                assert path.name in str(told.value), cut
        path.write_bytes(whole)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_database_that_was_cut_is_refused_and_no_empty_one_takes_its_place(tmp_path: Path, share: float) -> None:
    folder = made_fleet(tmp_path / "server")
    path = folder / "fleet.db"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    with ThreadPoolExecutor(1) as pool, pytest.raises(ZtgradeError, match=r"fleet\.db|never set up"):
        pool.submit(FleetServer(folder, TrueClock()).run).result(30)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A server in this process, at the true time."""
    found = Running(made_fleet(tmp_path / "server"), TrueClock())
    yield found
    found.end()


def test_an_upload_cut_at_any_place_leaves_nothing_behind(running: Running) -> None:
    agent = enrolled(running)
    assert agent.send(wire.REPORT, agent.report(POSTURE)).status == 200
    before = kept(running)
    body = agent.report(POSTURE | {"os": section("os", build=2)})
    (name, value) = next(iter(agent.signed(wire.REPORT, body).items()))
    head = f"POST {wire.REPORT} HTTP/1.1\r\nHost: x\r\n{name}: {value}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    whole = head + body
    edges = {1, 4, 5, 16, 30, len(head) - 4, len(head) - 2, len(head) - 1, len(head), len(head) + 1, len(whole) - 1}
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for cut in sorted(edges | set(range(len(head), len(whole), len(body) // 12))):
        with (
            socket.create_connection(("127.0.0.1", running.port), timeout=10) as plain,
            context.wrap_socket(plain) as sock,
        ):
            sock.sendall(whole[:cut])
    assert kept(running) == before
    assert agent.send(wire.REPORT, body).status == 200, "whole, it is the next message as ever"
    assert kept(running) != before


def kept(running: Running) -> list[object]:
    """All that the server keeps of agents' messages."""
    tables = ("envelope", "section", "agent_section", "agent_state", "offered")
    with running.database() as database:
        return [database.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]
