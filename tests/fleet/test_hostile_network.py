"""What lies between agents and the server, or comes from elsewhere: bodies without end, clients that drip, proxies."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent import wire
from agent.cycle import Cycle
from tests.agent.fleet_double import Authority
from tests.fleet.population import Member
from tests.fleet.processes import Served, made_fleet
from tests.scanner.fleet.lab import POSTURE, enrolled

PATIENCE = 3
"""Seconds in which a request must have arrived at this server."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server process for all tests."""
    found = Served(made_fleet(tmp_path_factory.mktemp("network") / "server", request_seconds=PATIENCE))
    yield found
    found.end()


def opened(port: int) -> ssl.SSLSocket:
    """A connection that trusts anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10))


def test_a_body_of_a_gigabyte_is_refused_at_once_and_costs_no_memory(served: Served) -> None:
    agent = enrolled(served, "before")
    assert agent.send(wire.REPORT, agent.report(POSTURE)).status == 200
    before, piece = served.memory(), bytes(1 << 16)
    begun = time.monotonic()
    with ExitStack() as held:
        socks = [held.enter_context(opened(served.port)) for _ in range(4)]
        for sock, path in zip(socks, (wire.ENROL, wire.BEAT, wire.REPORT, wire.RENEW), strict=True):
            sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 30}\r\n\r\n".encode())
            assert sock.recv(4096).startswith(b"HTTP/1.1 413 ")
        for sock in socks:
            with suppress(OSError):
                while time.monotonic() - begun < 20:
                    sock.sendall(piece)
                    time.sleep(0.005)

    assert time.monotonic() - begun < 10, "it hangs up instead of listening on"
    assert served.memory() - before < 1 << 20
    assert agent.send(wire.BEAT, agent.beat()).status == 200


def test_two_hundred_clients_that_drip_hold_nobody_up_and_are_cut_off(served: Served) -> None:
    agent = enrolled(served, "beside")
    before = served.memory()
    heads = [
        b"POST /v1/hb HT",
        b"POST /v1/hb HTTP/1.1\r\nX-A: ",
        b"POST /v1/hb HTTP/1.1\r\nContent-Length: 900\r\n\r\nab",
    ]
    with ExitStack() as held:
        slow = [held.enter_context(opened(served.port)) for _ in range(200)]
        for number, sock in enumerate(slow):
            sock.sendall(heads[number % len(heads)])
        begun = time.monotonic()
        for _ in range(5):
            assert agent.send(wire.BEAT, agent.beat()).status == 200
        assert time.monotonic() - begun < PATIENCE
        ended = [sock for sock in slow if cut_off(sock)]

    assert len(ended) == len(slow)
    assert served.memory() - before < 40 << 20


def cut_off(sock: ssl.SSLSocket) -> bool:
    """Whether the server ends the connection in a time, without an answer that counts."""
    sock.settimeout(3 * PATIENCE)
    try:
        return not sock.recv(4096).startswith(b"HTTP/1.1 2")
    except TimeoutError:
        return False
    except OSError:
        return True


Tamper = Callable[[bytes], bytes]


class Inspector:
    """A proxy that opens TLS with an authority of its own, and may change what it reads."""

    def __init__(self, port: int, folder: Path, tamper: Tamper) -> None:
        self.authority, self._port, self._tamper = Authority(), port, tamper
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.authority.served(folder, (timedelta(minutes=-10), timedelta(days=30))))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.seen: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Listen no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                with suppress(OSError), self._context.wrap_socket(client, server_side=True) as sock:
                    self._one(sock)

    def _one(self, sock: ssl.SSLSocket) -> None:
        sock.settimeout(10)
        stream = sock.makefile("rb")
        while head := b"".join(iter(lambda: stream.readline(), b"\r\n")):
            fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
            length = next((int(value) for name, value in fields.items() if name.lower() == b"content-length"), 0)
            body = stream.read(length)
            self.seen.append(body)
            body = self._tamper(body)
            kept = [line for line in head.split(b"\r\n") if line and not line.lower().startswith(b"content-length")]
            kept += [b"Content-Length: %d" % len(body), b"Connection: close"]
            with opened(self._port) as beyond:
                beyond.sendall(b"\r\n".join(kept) + b"\r\n\r\n" + body)
                while piece := beyond.recv(65536):
                    sock.sendall(piece)
            return


@contextmanager
def inspected(served: Served, folder: Path, tamper: Tamper = lambda body: body) -> Iterator[Inspector]:
    """A proxy in front of the server."""
    found = Inspector(served.port, folder, tamper)
    try:
        yield found
    finally:
        found.end()


def through(member: Member, proxy: Inspector, ca_file: Path | None) -> Cycle:
    """One cycle of an agent whose way leads through the proxy."""
    identity = member.state.identity()
    assert identity is not None
    trusted = str(ca_file) if ca_file else ""
    member.state.keep(replace(identity, server=f"https://localhost:{proxy.port}", ca_file=trusted))
    cycle = member.cycle()
    cycle.collect()
    cycle.tell()
    member.state.keep(identity)
    return cycle


@pytest.fixture
def member(served: Served, tmp_path: Path) -> Member:
    """An enrolled agent."""
    return Member(tmp_path / "agent", "inspected").enrol(served.full_token(tmp_path).read_text())


def test_a_proxy_that_opens_tls_gets_nothing_unless_it_is_trusted_and_then_changes_nothing(
    served: Served, member: Member, tmp_path: Path
) -> None:
    with inspected(served, tmp_path) as proxy:
        assert "not trusted" in through(member, proxy, None).attempts.last_error
        assert proxy.seen == []
        (tmp_path / "proxy.pem").write_text(proxy.authority.pem)
        cycle = through(member, proxy, tmp_path / "proxy.pem")
    assert cycle.attempts.last_error == "" and len(proxy.seen) == 2, "both postures since"
    assert (cycle.standing().seq, cycle.standing().root) == held(served, member)


def test_what_a_trusted_proxy_changes_is_refused_and_nothing_of_it_is_kept(
    served: Served, member: Member, tmp_path: Path
) -> None:
    def lie(body: bytes) -> bytes:
        return body.replace(b'"inspected-', b'"harmless-')

    before = held(served, member)
    with inspected(served, tmp_path, lie) as proxy:
        (tmp_path / "proxy.pem").write_text(proxy.authority.pem)
        cycle = through(member, proxy, tmp_path / "proxy.pem")
        assert json.loads(proxy.seen[-1])["seq"] == before[0] + 1 and lie(proxy.seen[-1]) != proxy.seen[-1]
    assert "bad_signature" in cycle.attempts.last_error
    assert held(served, member) == before
    again = member.cycle()
    assert again.tell(), again.attempts.last_error
    assert held(served, member)[0] == before[0] + 1, "without the proxy the same report counts"


def held(served: Served, member: Member) -> tuple[int, str]:
    """Number and root that the server has of an agent."""
    identity = member.state.identity()
    assert identity is not None
    with served.reader() as reader:
        found = reader.agent(identity.agent)
    assert found is not None and found.clone_suspected is None
    return found.seq, found.root
