"""Tokens to enrol with: shown once, kept only as a digest, good for a time, a number of uses, networks and names."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import hmac
import ipaddress
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from scanner.errors import UsageError
from scanner.fleet.database import Database, Row
from scanner.fleet.journal import AUDIT, note

PREFIX = "zt1."
_HANDLE = 16
_COLUMNS = "number, handle, digest, expires, uses, used, networks, names, approval, revoked"


@dataclass(frozen=True)
class Token:
    """One token as the server knows it; ``handle`` names it without giving it away."""

    number: int
    handle: str
    digest: bytes
    expires: int
    uses: int
    used: int
    networks: tuple[str, ...]
    names: tuple[str, ...]
    approval: bool
    revoked: bool

    def allows(self, address: str, hostname: str) -> bool:
        """Whether a host may use it from where it comes and as what it calls itself."""
        near = not self.networks or within(address, self.networks)
        named = not self.names or any(fnmatch.fnmatchcase(hostname.lower(), glob.lower()) for glob in self.names)
        return near and named


def mint(
    database: Database,
    *,
    url: str,
    pin: str,
    now: int,
    life_s: int = 86_400,
    uses: int = 1,
    networks: Sequence[str] = (),
    names: Sequence[str] = (),
    approval: bool = False,
    note_: str = "",
) -> str:
    """A new token as the agent is given it; only here is it ever seen whole. Raises UsageError for a wrong network."""
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise UsageError(f"{network!r} is no network; write it like 10.1.0.0/16 ({error})") from error
    secret = secrets.token_urlsafe(32)
    digest = hashlib.sha256(secret.encode()).digest()
    handle = digest.hex()[:_HANDLE]
    with database.transaction():
        database.run(
            "INSERT INTO token (handle, digest, made, expires, uses, used, networks, names, approval, revoked, note)"
            " VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, 0, ?)",
            (
                handle,
                digest,
                now,
                now + life_s * 1000,
                uses,
                json.dumps(list(networks)),
                json.dumps(list(names)),
                int(approval),
                note_,
            ),
        )
        note(database, AUDIT, now, event="token_made", token=handle, uses=uses, life_s=life_s, approval=approval)
    told = json.dumps({"u": url, "p": pin, "t": secret}, separators=(",", ":")).encode()
    return PREFIX + base64.urlsafe_b64encode(told).rstrip(b"=").decode()


def revoke(database: Database, handle: str, now: int) -> None:
    """Let a token be good for nothing more; raises UsageError where there is none of that handle."""
    with database.transaction():
        if not database.rows("UPDATE token SET revoked = 1 WHERE handle = ? RETURNING number", (handle,)):
            raise UsageError(f"there is no token {handle!r}; see: ztgrade fleet token --list")
        note(database, AUDIT, now, event="token_revoked", token=handle)


def find(database: Database, secret: str) -> Token | None:
    """The token of a secret, whatever has become of it."""
    digest = hashlib.sha256(secret.encode()).digest()
    for row in database.rows(f"SELECT {_COLUMNS} FROM token WHERE handle = ?", (digest.hex()[:_HANDLE],)):
        token = _token(row)
        if hmac.compare_digest(token.digest, digest):
            return token
    return None


def listing(database: Database) -> list[Token]:
    """Every token, oldest first."""
    return [_token(row) for row in database.rows(f"SELECT {_COLUMNS} FROM token ORDER BY number")]


def _token(row: Row) -> Token:
    number, handle, digest, expires, uses, used, networks, names, approval, revoked = row
    return Token(
        number,
        str(handle),
        bytes(digest),
        expires,
        uses,
        used,
        tuple(json.loads(str(networks))),
        tuple(json.loads(str(names))),
        bool(approval),
        bool(revoked),
    )


def within(address: str, networks: Sequence[str]) -> bool:
    """Whether an address lies in one of the networks; what is no address lies in none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in ipaddress.ip_network(network) for network in networks)
