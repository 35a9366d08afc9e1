"""Simulated agents, a fleet server in a process of its own, and what both cost; for the benchmarks of the fleet.

An agent here is only its protocol: a real key, real signatures, a chain of real nonces; its posture is that of this
host without the list of software, about 4 KB. Agents are enrolled and tell their first posture at the server's store,
before the server starts, so that what is measured is the server alone.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent import posture, wire
from agent.host import ThisHost
from scanner.fleet import operations, tokens
from scanner.fleet.authority import Requested, load_issuing
from scanner.fleet.chain import Nonces, mark_of
from scanner.fleet.enrolment import Registrar
from scanner.fleet.ingest import Ingest, Sent
from scanner.fleet.messages import Attributes, Beat, Enrolment, Report, decoded, offered
from scanner.fleet.serving import secret
from scanner.fleet.settings import load_settings, open_database

SERVER = """
import sys, time
from pathlib import Path
from scanner.fleet.serving import FleetServer

class Plain(FleetServer):
    def _config(self, application):
        config = super()._config(application)
        config.ssl_context_factory = None
        return config

server = (Plain if sys.argv[2] == "plain" else FleetServer)(Path(sys.argv[1]), time.time)
server.run(lambda address: print(address[1], flush=True))
"""
"""``plain`` takes TLS off, which no setting does: only to see what it costs."""
BOOT = "7d9f2c1e-0000-4000-8000-000000000001"
SIGNED = ec.ECDSA(hashes.SHA256())
CHANGING = "patching"
"""The section that changes where a report is to be new."""
ECHO = """
import asyncio, ssl, sys
import uvloop

class Echo(asyncio.Protocol):
    answer = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: 200\\r\\n\\r\\n" + b"x" * 200
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        if data.endswith(b"x"):
            self.transport.write(self.answer)

async def main():
    context = None
    if sys.argv[2] == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.num_tickets = 0
        context.load_cert_chain(sys.argv[1] + "/server.pem")
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, ssl=context, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

uvloop.run(main())
"""
"""The yardstick of a server: the same bytes over the same TLS, read by nobody."""
TICKS = os.sysconf("SC_CLK_TCK")


def sections_of_this_host() -> dict[str, dict[str, Any]]:
    """What the agent would send from here, without the software, which is long and seldom sent."""
    found = posture.as_posture(posture.look(ThisHost(), frozenset({"software"})))
    return {name: dict(section) for name, section in found.sections.items()}


class Simulated:
    """One agent."""

    __slots__ = ("boot_id", "changes", "id", "index", "key", "key_id", "nonce", "root", "seq")

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.key_id = hashlib.sha256(self.spki).hexdigest()
        self.id, self.nonce, self.root = "", "", wire.EMPTY_ROOT
        self.seq, self.changes = 0, 0
        self.index: dict[str, str] = {}

    @property
    def spki(self) -> bytes:
        """Its public key."""
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def _beat(self, root: str) -> dict[str, Any]:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return wire.beat(
            self.id,
            self.seq + 1,
            boot_id=BOOT,
            nonce=self.nonce,
            root=root,
            prev_root=self.root,
            ts=now,
            version="1.0.0",
        )

    def beat(self) -> bytes:
        """The body of its next heartbeat."""
        return msgspec.json.encode(self._beat(self.root))

    def first_report(self, sections: Mapping[str, Mapping[str, Any]]) -> bytes:
        """The body that tells everything."""
        self.index = {name: wire.section_digest(section) for name, section in sections.items()}
        self.root = wire.root_digest(self.index)
        beat = self._beat(self.root) | {"prev_root": wire.EMPTY_ROOT}
        return msgspec.json.encode(wire.report(beat, self.index, list(sections.values())))

    def changed_report(self, section: Mapping[str, Any]) -> tuple[bytes, str]:
        """The body that tells of one changed section, and its root."""
        self.changes += 1
        new = {**section, "values": {**section["values"], "benchmark": f"{self.key_id[:16]}-{self.changes}"}}
        self.index = self.index | {CHANGING: wire.section_digest(new)}
        root = wire.root_digest(self.index)
        return msgspec.json.encode(wire.report(self._beat(root), self.index, [new])), root

    def sign(self, kind: str, body: bytes) -> bytes:
        """The signature over a body."""
        return self.key.sign(wire.signed_bytes(kind, body), SIGNED)

    def request(self, path: str, body: bytes) -> tuple[bytes, bytes]:
        """Head and body as ``http.client`` would send them."""
        kind = wire.BEAT_TYPE if path == wire.BEAT else wire.REPORT_TYPE
        signature = wire.Signature(self.key_id, self.sign(kind, body)).header()
        fields = {
            "Host": "127.0.0.1",
            "Accept-Encoding": "identity",
            "Content-Length": len(body),
            "Content-Type": "application/json",
            "User-Agent": "ztagent/1.0.0",
            wire.SIGNATURE_HEADER: signature,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode(), body

    def accepted(self, root: str, receipt: Mapping[str, Any]) -> None:
        """Follow the server's receipt."""
        self.seq, self.nonce, self.root = receipt["seq"], receipt["nonce"], root


def enrolled(folder: Path, count: int, sections: Mapping[str, Mapping[str, Any]]) -> list[Simulated]:
    """New agents of a fleet that has its folder but no running server; each has told its first posture."""
    settings = load_settings(folder)
    database = open_database(folder, settings)
    nonces = Nonces(secret(database))
    issuing = load_issuing(folder)
    registrar = Registrar(lambda: issuing, nonces, settings.domain, settings.interval)
    ingest = Ingest(nonces, settings.interval)
    now = int(time.time() * 1000)
    made = [Simulated() for _ in range(count)]
    token = tokens.mint(database, url=settings.url, pin="", now=now, uses=count)
    word = msgspec.json.decode(base64.urlsafe_b64decode(token.removeprefix(tokens.PREFIX) + "=="))["t"]
    for begin in range(0, count, 256):
        some = made[begin : begin + 256]
        with database.transaction(durable=False):
            for agent in some:
                asked = Enrolment(1, word, "", "n" * 24, Attributes(hostname=f"host-{agent.key_id[:12]}"))
                key = Requested(agent.key.public_key(), agent.spki, agent.key_id)
                answer = msgspec.json.decode(registrar.enrol(database, asked, key, "127.0.0.1", now).body)
                agent.id, agent.nonce = answer["agent"], answer["nonce"]
            batch = [sent(agent, agent.first_report(sections)) for agent in some]
            for agent, answer in zip(some, ingest.take(database, batch, now), strict=True):
                agent.accepted(agent.root, msgspec.json.decode(answer.body))
    database.close()
    return made


def sent(agent: Simulated, body: bytes) -> Sent:
    """A message as the server has it once its signature is found right."""
    form = Report if b'"index":' in body else Beat
    message = decoded(body, form)
    sections = offered(message, body) if isinstance(message, Report) else []
    kind = wire.REPORT_TYPE if isinstance(message, Report) else wire.BEAT_TYPE
    return Sent(agent.key_id, message, body, mark_of(body), agent.sign(kind, body), sections)


@dataclass(frozen=True)
class Served:
    """A running server."""

    port: int
    pid: int
    database_pid: int | None

    def processor(self) -> tuple[float, float]:
        """Seconds of processor so far: of the server, and of its database where that runs by itself."""
        return tree_seconds(self.pid), tree_seconds(self.database_pid) if self.database_pid else 0.0

    def memory(self) -> tuple[float, float]:
        """Resident megabytes now, and at the most."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return tuple(int(status.split(word)[1].split()[0]) / 1024 for word in ("VmRSS:", "VmHWM:"))  # type: ignore[return-value]


def tree_seconds(pid: int) -> float:
    """User and system time of a process, of all below it, and of those of them that have ended."""
    total, waiting = 0.0, [pid]
    children: dict[int, list[tuple[int, list[str]]]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append((int(place.parent.name), fields))
        if int(place.parent.name) == pid:
            total += sum(map(int, fields[11:15])) / TICKS
    while waiting:
        for child, fields in children.get(waiting.pop(), []):
            total += sum(map(int, fields[11:15])) / TICKS
            waiting.append(child)
    return total


@contextmanager
def fleet(place: Path, database: str = "", **chosen: Any) -> Iterator[Path]:
    """A fleet folder in a place; ``database`` is a URL where it is not SQLite."""
    settings = {"url": "https://127.0.0.1:8443", "domain": "lab.example", "listen": "127.0.0.1:0"}
    settings |= {"per_minute": 100_000} | chosen | ({"database": database} if database else {})
    operations.make_fleet(place / "fleet", place / "root", settings, int(time.time() * 1000))
    yield place / "fleet"


@contextmanager
def serving(
    folder: Path, *, tls: bool = True, program: str = SERVER, database_pid: int | None = None
) -> Iterator[Served]:
    """Run the server of a folder, or what stands for it."""
    command = [sys.executable, "-c", program, str(folder), "tls" if tls else "plain"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Served(int(process.stdout.readline()), process.pid, database_pid)
        finally:
            process.terminate()


@contextmanager
def postgresql() -> Iterator[tuple[str, int] | None]:
    """A PostgreSQL of our own as URL and process, or None where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        yield None
        return
    user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="ztbench"))
    if user:
        shutil.chown(folder, "postgres", "postgres")

    def run(program: str, *arguments: str) -> None:
        command = [str(found[-1].parent / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)

    data = str(folder / "data")
    run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c shared_buffers=256MB"
    run("pg_ctl", "start", "-w", "-D", data, "-l", str(folder / "log"), "-o", options)
    try:
        pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        yield f"postgresql:///postgres?host={folder}&user=postgres", pid
    finally:
        run("pg_ctl", "stop", "-w", "-m", "fast", "-D", data)
        shutil.rmtree(folder)


class Line(asyncio.Protocol):
    """One connection that asks and waits for one answer at a time."""

    def __init__(self) -> None:
        self._got = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        """It stands."""
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the connection ended before the answer"))

    def data_received(self, data: bytes) -> None:
        """Take the answer once it is whole."""
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found or self._answer is None or self._answer.done():
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) >= length:
            self._got = b""
            self._answer.set_result((int(head[9:12]), body[:length]))

    def ask(self, request: tuple[bytes, bytes]) -> asyncio.Future[tuple[int, bytes]]:
        """Send a request; gives status and body."""
        self._answer = asyncio.get_running_loop().create_future()
        for part in request:  # http.client, too, sends them apart
            self.transport.write(part)
        return self._answer


def trusting(folder: Path) -> ssl.SSLContext:
    """What an agent checks of the server."""
    return ssl.create_default_context(cafile=str(folder / "root.pem"))


async def connect(port: int, context: ssl.SSLContext | None) -> Line:
    """A new connection, with TLS if there is a context."""
    name = "127.0.0.1" if context else None
    making = asyncio.get_running_loop().create_connection(Line, "127.0.0.1", port, ssl=context, server_hostname=name)
    return (await making)[1]


def bytes_on_disk(folder: Path) -> int:
    """Of an SQLite fleet, with its log of changes."""
    return sum(path.stat().st_size for path in folder.glob("fleet.db*"))


def run(coroutine: Any) -> Any:
    """Run the simulated agents; with uvloop where it is there."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(coroutine)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


def machine() -> str:
    """What this runs on, and what else runs on it."""
    info = Path("/proc/cpuinfo").read_text()
    model = info.partition("model name")[2].partition(":")[2].split("\n")[0].strip() or "unknown processor"
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} x {model}, Python {sys.version.split()[0]}, load {load} before the run"


def one_verification(rounds: int = 400) -> float:
    """Seconds of processor for one verified signature here and now."""
    agent = Simulated()
    body = b"x" * 500
    signature, key = agent.key.sign(body, SIGNED), agent.key.public_key()
    spent = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(rounds):
            key.verify(signature, body, SIGNED)
        spent.append((time.process_time() - began) / rounds)
    return min(spent)


def shares(values: Sequence[float], *points: float) -> list[float]:
    """Percentiles."""
    ordered = sorted(values)
    return [ordered[min(len(ordered) - 1, int(len(ordered) * point))] for point in points]
