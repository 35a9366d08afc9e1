"""Who may read verdicts, and nothing else: named tokens, shown once, kept as a digest, good for a time and networks."""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from scanner.errors import UsageError
from scanner.fleet import shown_once
from scanner.fleet.database import Database, Row
from scanner.fleet.journal import AUDIT, note
from scanner.fleet.migration import in_step
from scanner.fleet.shown_once import Kept, within, written

PREFIX = "zp1."
"""Of tokens that read verdicts; tokens to enrol with begin otherwise and open nothing here."""
LONGEST_S = 366 * 86_400
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_COLUMNS = "handle, name, expires, networks, revoked, certificate"


@dataclass(frozen=True)
class Caller:
    """One who may read verdicts; ``handle`` names the token without giving it away."""

    handle: str
    name: str
    expires: int
    """In ms since 1970."""
    networks: tuple[str, ...]
    revoked: bool
    certificate: str
    """SHA-256 over the public key of the certificate that it must show, too, in hex; empty where it needs none."""

    def refused(self, address: str, shown: str, now: int) -> str:
        """The word for why it may not read now, with the key that its connection ``shown``; empty where it may."""
        if self.revoked or now >= self.expires:
            return "caller_expired"
        if self.certificate and not hmac.compare_digest(self.certificate, shown):
            return "caller_certificate"
        if self.networks and not within(address, self.networks):
            return "caller_elsewhere"
        return ""


def let_in(database: Database, name: str, life_s: int, networks: Sequence[str], now: int, certificate: str = "") -> str:
    """A new token that reads verdicts; only here is it ever seen whole. Raises UsageError for wrong limits.

    Where a ``certificate`` is given (the digest of its key, in hex) the token is good for nobody who does not hold it.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a caller; write up to 40 of a-z, 0-9 and -, such as gateway-1")
    if not 1 <= life_s <= LONGEST_S:
        raise UsageError("a token that reads verdicts is good for at most 366 days")
    near = written(networks)
    secret = PREFIX + secrets.token_urlsafe(32)
    kept = Kept.of(secret)
    with in_step(database):
        database.run(
            "INSERT INTO caller (handle, digest, name, made, expires, networks, revoked, certificate)"
            " VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
            (kept.handle, kept.digest, name, now, now + life_s * 1000, near, certificate),
        )
        says = {"name": name, "life_s": life_s, "certificate": certificate}
        note(database, AUDIT, now, event="caller_let_in", caller=kept.handle, **says)
    return secret


def shut_out(database: Database, handle: str, now: int) -> None:
    """Let a token read nothing more; raises UsageError where there is none of that handle."""
    with in_step(database):
        if not shown_once.revoke(database, "caller", handle):
            raise UsageError(f"there is no token {handle!r}; see: ztgrade fleet signal token --list")
        note(database, AUDIT, now, event="caller_shut_out", caller=handle)


def find_caller(database: Database, secret: str) -> Caller | None:
    """The caller of a secret, whatever has become of it."""
    row = shown_once.find(database, "caller", _COLUMNS, secret)
    return _caller(row) if row else None


def callers(database: Database) -> list[Caller]:
    """Every caller, oldest first."""
    return [_caller(row) for row in database.rows(f"SELECT {_COLUMNS} FROM caller ORDER BY made, handle")]


def _caller(row: Row) -> Caller:
    handle, name, expires, networks, revoked, certificate = row
    return Caller(handle, name, expires, tuple(json.loads(networks)), bool(revoked), certificate)
