"""Connections to the lab's domain controller that break, and what its counters say afterwards."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import ldap3  # type: ignore[import-untyped]

from collectors.ports import ldap
from tests.lab import samba
from tests.lab.samba import DomainController


def refused_logins(domain: DomainController, account: str) -> int:
    """badPwdCount of an account, as its administrator reads it."""
    tls = ldap._VerifiedTls(str(domain.ca_file), domain.server_name)
    server = ldap3.Server(domain.address, port=636, use_ssl=True, tls=tls, get_info=ldap3.NONE)
    with ldap3.Connection(server, samba.ADMINISTRATOR, samba.PASSWORD) as connection:
        connection.search(samba.BASE, f"(sAMAccountName={account})", attributes=["badPwdCount"])
        found = [row["raw_attributes"]["badPwdCount"] for row in connection.response if "raw_attributes" in row]
    return int(found[0][0]) if found and found[0] else 0


@contextmanager
def cutting(to: str, after: int, *, stall: bool = False) -> Iterator[str]:
    """A relay to port 636 that breaks the connection off, or falls silent, after so many bytes of answers."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def relay() -> None:
        inner, _ = listening.accept()
        outer = socket.create_connection((to, 636))
        threading.Thread(target=pump, args=(inner, outer, None), daemon=True).start()
        pump(outer, inner, after)

    def pump(source: socket.socket, sink: socket.socket, most: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(4096):
                passed += len(data)
                if most is not None and passed > most:
                    over.wait(20 if stall else 0)
                    break
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    threading.Thread(target=relay, daemon=True).start()
    try:
        yield f"ldaps://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        over.set()
        listening.close()
