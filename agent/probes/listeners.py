"""Sockets that wait for connections."""

from __future__ import annotations

import ipaddress

from agent.confinement import refuse_foreign_namespaces
from agent.host import BoundSocket, Host
from agent.section import Probe, Seen

_TABLES = {"/proc/net/tcp": "tcp", "/proc/net/tcp6": "tcp", "/proc/net/udp": "udp", "/proc/net/udp6": "udp"}
_LISTEN, _UNCONNECTED = "0A", "07"
"""States of include/net/tcp_states.h as /proc/net shows them."""


def look(host: Host) -> Seen:
    """``sockets``: transport, port and reach (loopback, address, any) of each; an unconnected UDP socket counts."""
    refuse_foreign_namespaces(host, "sockets", ("net",))
    waiting = _waiting(host)
    rows = sorted({(socket.transport, socket.port, _reach(socket.address)) for socket in waiting})
    return Seen({"sockets": [{"transport": how, "port": port, "reach": reach} for how, port, reach in rows]})


def _waiting(host: Host) -> list[BoundSocket]:
    try:
        return host.sockets()
    except OSError:
        if host.system != "linux":
            raise
        return _tables(host)


def _tables(host: Host) -> list[BoundSocket]:
    """Of every socket, for kernels that do not list by themselves those that wait."""
    found = []
    for path, transport in _TABLES.items():
        try:
            lines = host.read_file(path).decode("ascii", "replace").splitlines()[1:]
        except FileNotFoundError:
            if path.endswith("6"):
                # A kernel without IPv6 has no such table, and so no such sockets.
                continue
            raise
        for line in lines:
            cells = line.split()
            if cells[3] == (_LISTEN if transport == "tcp" else _UNCONNECTED):
                address, _, port = cells[1].partition(":")
                found.append(BoundSocket(transport, _address(address), int(port, 16)))
    return found


def _address(text: str) -> str:
    """The kernel prints addresses as 32-bit words in host order; on every machine served here that is little-endian."""
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    return str(ipaddress.ip_address(b"".join(words)))


def _reach(address: str) -> str:
    parsed = ipaddress.ip_address(address.split("%", 1)[0])
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    if mapped.is_unspecified:
        return "any"
    return "loopback" if mapped.is_loopback else "address"


PROBE = Probe(name="listeners", schema_version=1, reads=("sock_diag(7)", *_TABLES), look=look)
