"""What the fleet server spends on a heartbeat and on a changed report: processor, bytes stored, memory.

    python benchmarks/fleet_server.py [MESSAGES [CONNECTIONS]]

Everything runs on this machine: the server in a process of its own, the simulated agents (their keys, signatures and
chains are real) in this one; the load is as fast as both together go. Processor is user and system time of the
server's processes from /proc, that of the database's beside it; connections that are kept stand before it is read.
Yardsticks of the same run: one signature verified, one exchange and one new connection of a server that reads nothing
(uvloop, the same TLS, the same sizes), and one heartbeat at the store alone. PostgreSQL is measured where it is
installed.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fleet_agents
import msgspec
from fleet_agents import ECHO, Line, Served, Simulated

from agent import wire
from scanner.fleet.chain import Nonces, mark_of
from scanner.fleet.ingest import Ingest, Sent
from scanner.fleet.messages import Beat, decoded
from scanner.fleet.migration import in_step
from scanner.fleet.serving import secret
from scanner.fleet.settings import load_settings, open_database

AGENTS = 1000
PARTS = 3
"""Each figure is the median of so many; others use this machine, too."""


@dataclass
class Load:
    """How the simulated agents speak: over how many connections, and what."""

    folder: Path
    port: int
    tls: bool
    connections: int
    anew: bool = False
    """A new connection for every message, as agents do, or the same ones again and again."""


@dataclass
class Spent:
    """What one part of a measurement cost: processor of the server and of its database, and messages in a second."""

    server: float
    database: float
    rate: float


async def lines(load: Load, context: ssl.SSLContext | None) -> list[Line | None]:
    """Connections that stand before anything is measured; None for each where every message has its own."""
    if load.anew:
        return [None] * load.connections
    return [await fleet_agents.connect(load.port, context) for _ in range(load.connections)]


async def measured(
    served: Served, messages: int, standing: list[Line | None], one_line: Callable[[Line | None], Awaitable[None]]
) -> Spent:
    """Let every connection speak at once; ``/proc`` is read when they stand, and before they end."""
    before, began = served.processor(), time.perf_counter()
    await asyncio.gather(*(one_line(line) for line in standing))
    rate, after = messages / (time.perf_counter() - began), served.processor()
    for line in standing:
        if line is not None:
            line.transport.close()
    return Spent((after[0] - before[0]) / messages, (after[1] - before[1]) / messages, rate)


async def speak(load: Load, agents: list[Simulated], messages: int, served: Served, *, reports: bool) -> Spent:
    """Let the agents speak in turn. Anything but 200 ends the run."""
    context = fleet_agents.trusting(load.folder) if load.tls else None
    section = fleet_agents.sections_of_this_host()[fleet_agents.CHANGING]
    turns = iter(range(messages))
    free = list(agents)

    async def one_line(line: Line | None) -> None:
        for _ in turns:
            agent = free.pop(0)
            body, root = agent.changed_report(section) if reports else (agent.beat(), agent.root)
            request = agent.request(wire.REPORT if reports else wire.BEAT, body)
            used = line or await fleet_agents.connect(load.port, context)
            status, answer = await used.ask(request)
            if line is None:
                used.transport.close()
            if status != 200:
                raise SystemExit(f"the server answered {status}: {answer!r}")
            agent.accepted(root, msgspec.json.decode(answer))
            free.append(agent)

    return await measured(served, messages, await lines(load, context), one_line)


async def echo(load: Load, messages: int, served: Served) -> Spent:
    """The same traffic to a server that reads nothing."""
    context = fleet_agents.trusting(load.folder) if load.tls else None
    turns = iter(range(messages))
    request = Simulated().request(wire.BEAT, b"x" * 420)

    async def one_line(line: Line | None) -> None:
        for _ in turns:
            used = line or await fleet_agents.connect(load.port, context)
            await used.ask(request)
            if line is None:
                used.transport.close()

    return await measured(served, messages, await lines(load, context), one_line)


def stored(folder: Path, agents: list[Simulated], messages: int) -> list[float]:
    """Seconds of processor for one heartbeat at the store, 256 in a transaction."""
    settings = load_settings(folder)
    database = open_database(folder, settings)
    ingest = Ingest(Nonces(secret(database)), settings.interval)
    spent = []
    for _ in range(messages // 256):
        some = agents[:256]
        bodies = [agent.beat() for agent in some]
        batch = [
            Sent(agent.key_id, decoded(body, Beat), body, mark_of(body), b"", [])
            for agent, body in zip(some, bodies, strict=True)
        ]
        began = time.process_time()
        with in_step(database, durable=False):
            answers = ingest.take(database, batch, int(time.time() * 1000))
        spent.append((time.process_time() - began) / len(batch))
        for agent, answer in zip(some, answers, strict=True):
            agent.accepted(agent.root, msgspec.json.decode(answer.body))
    database.close()
    return spent


class Measured:
    """Prints rows, each with its ratio to one verification."""

    def __init__(self, verification: float) -> None:
        self._verification = verification

    def tell(self, what: str, seconds: Sequence[float], more: str = "") -> None:
        """One row: median, least and greatest."""
        low, median, high = min(seconds), sorted(seconds)[len(seconds) // 2], max(seconds)
        spread = f"{median * 1000:6.3f} ms ({low * 1000:.3f} to {high * 1000:.3f})"
        print(f"  {what:<58} {spread:<28} {median / self._verification:5.2f} x  {more}", flush=True)

    def measure(self, what: str, served: Served, load: Load, agents: list[Simulated], messages: int) -> None:
        """Heartbeats, then changed reports."""
        warm = messages // 10
        for reports in (False, True):
            count = (messages // 3 if reports else messages) // PARTS
            fleet_agents.run(speak(load, agents, warm, served, reports=reports))
            parts = [fleet_agents.run(speak(load, agents, count, served, reports=reports)) for _ in range(PARTS)]
            beside = sorted(part.database for part in parts)[PARTS // 2]
            own = f"database's own {beside * 1000:.3f} ms  " if served.database_pid else ""
            name = "changed report" if reports else "heartbeat"
            rate = max(part.rate for part in parts)
            self.tell(f"{what}, {name}", [part.server for part in parts], f"{own}{rate:.0f}/s")


def main() -> None:
    """Measure and print."""
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 12_000
    connections = int(sys.argv[2]) if len(sys.argv) > 2 else 128
    verification = fleet_agents.one_verification()
    rows = Measured(verification)
    print(
        f"{fleet_agents.machine()}; {messages} heartbeats, {messages // 3} changed reports, {connections} connections"
    )
    print("processor of the server for one, and as a multiple of one verified signature:")
    rows.tell("yardstick: one P-256 signature verified", [verification])
    sections = fleet_agents.sections_of_this_host()
    with tempfile.TemporaryDirectory() as place, fleet_agents.fleet(Path(place)) as folder:
        agents = fleet_agents.enrolled(folder, AGENTS, sections)
        with fleet_agents.serving(folder):
            pass  # it has made its certificate
        for tls, anew in ((True, False), (True, True), (False, False)):
            with fleet_agents.serving(folder, tls=tls, program=ECHO) as served:
                load = Load(folder, served.port, tls, connections, anew)
                fleet_agents.run(echo(load, messages // 10, served))
                count = messages // (3 if anew else 1) // PARTS
                parts = [fleet_agents.run(echo(load, count, served)) for _ in range(PARTS)]
                rows.tell(f"yardstick: nothing read, {_way(tls, anew)}", [part.server for part in parts])
        rows.tell("yardstick: one heartbeat at the store, SQLite", stored(folder, agents, 2048))
        _server("SQLite", rows, folder, agents, (messages, connections))
        _bytes(folder, agents, 2000)
    with fleet_agents.postgresql() as found:
        if found is None:
            print("PostgreSQL is not installed here: not measured")
            return
        with tempfile.TemporaryDirectory() as place, fleet_agents.fleet(Path(place), found[0]) as folder:
            agents = fleet_agents.enrolled(folder, AGENTS, sections)
            _server("PostgreSQL", rows, folder, agents, (messages, connections), found[1])


def _server(
    store: str,
    rows: Measured,
    folder: Path,
    agents: list[Simulated],
    size: tuple[int, int],
    database_pid: int | None = None,
) -> None:
    messages, connections = size
    for tls, anew in ((True, False), (True, True), (False, False)):
        with fleet_agents.serving(folder, tls=tls, database_pid=database_pid) as served:
            load = Load(folder, served.port, tls, connections, anew)
            rows.measure(f"{store}, {_way(tls, anew)}", served, load, agents, messages // (3 if anew else 1))
            now, peak = served.memory()
        print(f"    server's memory after it {now:.1f} MB, peak {peak:.1f} MB")


def _way(tls: bool, anew: bool) -> str:
    return f"{'TLS' if tls else 'no TLS'}, {'new connections' if anew else 'kept connections'}"


def _bytes(folder: Path, agents: list[Simulated], messages: int) -> None:
    """Bytes that unchanged and changed reports leave in SQLite."""
    section = fleet_agents.sections_of_this_host()[fleet_agents.CHANGING]
    settings = load_settings(folder)
    for what in ("unchanged report", "changed report"):
        before = _pages(folder)
        database = open_database(folder, settings)
        ingest = Ingest(Nonces(secret(database)), settings.interval)
        for begin in range(0, messages, 250):
            some = [agents[(begin + place) % len(agents)] for place in range(250)]
            made = [agent.changed_report(section) if what[0] == "c" else (agent.beat(), agent.root) for agent in some]
            batch = [fleet_agents.sent(agent, body) for agent, (body, _) in zip(some, made, strict=True)]
            with database.transaction(durable=False):
                answers = ingest.take(database, batch, int(time.time() * 1000))
            for agent, (_, root), answer in zip(some, made, answers, strict=True):
                agent.accepted(root, msgspec.json.decode(answer.body))
        database.close()
        print(f"  bytes in the database for one {what}: {(_pages(folder) - before) / messages:.1f}")


def _pages(folder: Path) -> int:
    """Size of the database once its log is written back."""
    database = open_database(folder, load_settings(folder))
    database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return fleet_agents.bytes_on_disk(folder)


if __name__ == "__main__":
    main()
