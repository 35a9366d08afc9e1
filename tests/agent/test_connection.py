"""Ways to the server: proxies, client certificates, answers that drip or are none."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from agent import connection, wire
from agent.connection import Connection, Way
from agent.errors import Misconfigured, Unreached
from agent.settings import Settings
from tests.agent.fleet_double import Fault, Handler
from tests.agent.test_telling import Site, authority, site

__all__ = ["authority", "site"]


class Proxy:
    """Answers CONNECT and passes bytes on; keeps the heads that it was sent."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.status = "200 OK"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            self.heads.append(head.decode())
            client.sendall(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
            if self.status[:3] != "200":
                return
            name, port = head.split()[1].decode().rsplit(":", 1)
            with socket.create_connection((name, int(port))) as server:
                there = threading.Thread(target=self._pass, args=(client, server), daemon=True)
                there.start()
                self._pass(server, client)
                there.join()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while piece := one.recv(65536):
                other.sendall(piece)
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)

    def end(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    one = Proxy()
    yield one
    one.end()


def test_everything_goes_through_the_proxy(site: Site, proxy: Proxy) -> None:
    site.prepare(proxy=f"http://127.0.0.1:{proxy.port}")
    assert site.cycle().attempts.last_error == ""
    assert {head.split()[1] for head in proxy.heads} == {f"localhost:{site.port}"}
    assert len(proxy.heads) == 3  # the first look at the certificates, the enrolment, the report


def test_a_proxys_password_comes_from_the_settings(site: Site, proxy: Proxy) -> None:
    site.settings = Settings(proxy=f"http://user:p%40ss@127.0.0.1:{proxy.port}")
    site.prepare()
    assert site.cycle().attempts.last_error == ""
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'user:p@ss').decode()}" in proxy.heads[-1]
    assert "p@ss" not in (site.folder / "attempts.json").read_text()


def test_a_proxy_that_refuses_is_told(site: Site, proxy: Proxy) -> None:
    site.enrolled()
    proxy.status = "407 Proxy Authentication Required"
    site.settings = Settings(proxy=f"http://user:geheim@127.0.0.1:{proxy.port}")
    error = site.cycle().attempts.last_error
    assert "407" in error and "geheim" not in error


def test_the_agents_certificate_is_shown_where_that_is_set(site: Site) -> None:
    agent = site.enrolled()
    site.settings = Settings(client_certificate=True)
    assert site.cycle().attempts.last_error == ""
    identity = agent.identity()
    assert identity is not None
    chain = (site.folder / "keys" / f"{identity.key_id}.crt").read_text()
    assert chain == identity.certificate + identity.chain


def test_nobody_is_trusted_by_default() -> None:
    with pytest.raises(Misconfigured, match="vouch"):
        connection.trusting(Way("https://localhost"))


def drips(handler: Handler, body: bytes) -> bool:
    """Never comes to an end."""
    handler.send_response_only(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    with suppress(OSError):
        for _ in range(200):
            handler.wfile.write(b" ")
            threading.Event().wait(0.05)
    return False


def is_no_http(handler: Handler, body: bytes) -> bool:
    """Says something else."""
    handler.wfile.write(b"SSH-2.0-OpenSSH_9\r\n\r\n")
    handler.close_connection = True
    return False


def is_no_json(handler: Handler, body: bytes) -> bool:
    """A page of something in between."""
    handler.answer(200, b"<html>Welcome to the hotel</html>")
    return False


def is_nested(handler: Handler, body: bytes) -> bool:
    """Too deep to be read."""
    handler.answer(200, b"[" * 100_000)
    return False


def is_huge(handler: Handler, body: bytes) -> bool:
    """More than an answer has."""
    with suppress(OSError):
        handler.answer(200, b" " * 2_000_000)
    handler.close_connection = True
    return False


@pytest.mark.parametrize("fault", [drips, is_no_http, is_no_json, is_nested, is_huge])
def test_an_answer_that_is_none_is_a_failure_soon_and_the_next_attempt_works(
    site: Site, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ALTOGETHER", 1.0)
    site.enrolled()
    site.fleet.faults[wire.BEAT] = [fault]
    assert site.cycle().attempts.failures == 1
    assert site.cycle().attempts.failures == 0


def test_a_server_that_is_not_there_is_told(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with (
        pytest.raises(Unreached, match="refused"),
        Connection(Way(f"https://localhost:{port}", authority=site.fleet.authority.pem)) as one,
    ):
        one.post(wire.BEAT, b"{}")
