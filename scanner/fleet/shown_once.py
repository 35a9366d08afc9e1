"""Secrets that are shown once and kept as a digest, each under a handle that names it without giving it away."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass

from scanner.errors import UsageError
from scanner.fleet.database import Database, Row

_HANDLE = 16
"""Hexadecimal digits of the digest."""


@dataclass(frozen=True)
class Kept:
    """What is kept of a secret."""

    handle: str
    digest: bytes

    @classmethod
    def of(cls, secret: str) -> Kept:
        """Of a secret as it was shown."""
        digest = hashlib.sha256(secret.encode()).digest()
        return cls(digest.hex()[:_HANDLE], digest)


def find(database: Database, table: str, columns: str, secret: str) -> Row | None:
    """The row of a secret, whatever has become of it; ``columns`` do not name ``digest``."""
    kept = Kept.of(secret)
    for digest, *row in database.rows(f"SELECT digest, {columns} FROM {table} WHERE handle = ?", (kept.handle,)):
        if hmac.compare_digest(bytes(digest), kept.digest):
            return tuple(row)
    return None


def revoke(database: Database, table: str, handle: str) -> bool:
    """Let a secret be good for nothing more; whether there is one of that handle."""
    return bool(database.rows(f"UPDATE {table} SET revoked = 1 WHERE handle = ? RETURNING handle", (handle,)))


def written(networks: Sequence[str]) -> str:
    """Networks as they are stored; raises UsageError for what is none."""
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise UsageError(f"{network!r} is no network; write it like 10.1.0.0/16 ({error})") from error
    return json.dumps(list(networks))


def within(address: str, networks: Sequence[str]) -> bool:
    """Whether an address lies in one of the networks; what is no address lies in none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in ipaddress.ip_network(network) for network in networks)
