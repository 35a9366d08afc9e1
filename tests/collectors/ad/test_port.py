"""Connections that fail before anything is read: certificates, silence, garbage, and credentials that are not there."""

from __future__ import annotations

import importlib.util
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from collectors.ports.ldap import connect
from collectors.ports.ldap_errors import translated
from scanner.errors import AccessDenied, LoginRefused, Malformed, ReadError, Truncated, Unreachable, Unsupported
from tests.collectors.ad.asking import AskingAccess, ad_target
from tests.lab.relay import DAY, certificate


@contextmanager
def server(pem: Path | None, answer: bytes | None = b"") -> Iterator[int]:
    """Takes one connection, over TLS where there is a certificate, answers one request; None stays silent."""
    listening = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listening.accept()
            try:
                if pem is not None:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(pem)
                    connection = context.wrap_socket(connection, server_side=True)
                connection.recv(4096)
                if answer is None:
                    done.wait(20)
                else:
                    connection.sendall(answer)
            finally:
                connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        done.set()
        listening.close()
        thread.join(20)


def attempt(port: int, *, seconds: int = 2, scheme: str = "ldaps", **options: Any) -> ReadError:
    given = {"server_name": "dc1.corp.test"} | options
    target = ad_target(f"{scheme}://127.0.0.1:{port}", seconds=seconds, **given)
    access = AskingAccess(target, "svc@corp.test", "a secret word")
    with pytest.raises(ReadError) as caught:
        connect(access)
    assert access.log["login"] <= 1
    assert "a secret word" not in str(caught.value)
    return caught.value


def test_an_expired_certificate_is_not_trusted(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "dc1.corp.test", until=-DAY)
    with server(pem) as port:
        error = attempt(port, ca_file=str(pem))

    assert type(error) is Unreachable
    assert "expired" in str(error)


def test_a_certificate_for_another_name_is_not_trusted(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "dc9.corp.test", until=DAY)
    with server(pem) as port:
        error = attempt(port, ca_file=str(pem))

    assert type(error) is Unreachable
    assert "dc1.corp.test" in str(error)


def test_an_unknown_authority_is_not_trusted(tmp_path: Path) -> None:
    ours = certificate(tmp_path, "ours.test", until=DAY)
    with server(certificate(tmp_path, "dc1.corp.test", until=DAY)) as port:
        error = attempt(port, ca_file=ours.read_text().split("-----BEGIN PRIVATE")[0])

    assert type(error) is Unreachable
    assert "not trusted" in str(error)


def test_a_missing_ca_file_is_named(tmp_path: Path) -> None:
    with server(None) as port:
        error = attempt(port, ca_file=str(tmp_path / "none.pem"))

    assert type(error) is Unreachable
    assert "ca_file" in str(error)


def test_nobody_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

    assert "refused" in str(attempt(port))


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_a_server_that_says_nothing_is_unreachable_in_time(scheme: str) -> None:
    with server(None, answer=None) as port:
        error = attempt(port, seconds=1, scheme=scheme)

    assert type(error) is Unreachable


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
@pytest.mark.parametrize("answer", [b"", b"\xff" * 64, b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_server_that_does_not_speak_ldap_is_an_error_of_ours(answer: bytes, scheme: str) -> None:
    with server(None, answer) as port:
        error = attempt(port, scheme=scheme)

    assert isinstance(error, (Unreachable, Malformed, Truncated))


@pytest.mark.parametrize("answer", [b"", b"\x30\x05\x02\x01\x01\x61", b"\xff" * 64])
def test_a_login_that_is_cut_off_is_an_error_of_ours(answer: bytes, tmp_path: Path) -> None:
    pem = certificate(tmp_path, "dc1.corp.test", until=DAY)
    with server(pem, answer) as port:
        error = attempt(port, ca_file=str(pem))

    assert isinstance(error, (Unreachable, Malformed, Truncated))


@pytest.mark.parametrize(("account", "password"), [(None, "x"), ("", "x"), ("svc", "")])
def test_an_anonymous_login_is_never_tried(account: str | None, password: str) -> None:
    access = AskingAccess(ad_target("ldaps://127.0.0.1:1"), account, password)

    with pytest.raises(LoginRefused, match="anonymous"):
        connect(access)
    assert access.log["login"] == 0


def test_what_kerberos_says_is_an_error_of_ours() -> None:
    missing = type("MissingCredentialsError", (Exception,), {"__module__": "gssapi.raw.exceptions"})

    with pytest.raises(AccessDenied, match="no ticket here"), translated("dc1:636", "logging in"):
        raise missing("no ticket here")


def test_an_unknown_bind_and_a_missing_library_are_named() -> None:
    assert "simple, kerberos or ntlm" in str(attempt(1, bind="magic"))
    if importlib.util.find_spec("gssapi") is None:
        error = attempt(1, bind="kerberos")
        assert (type(error), "gssapi" in str(error)) == (Unsupported, True)
