"""Tokens to enrol with: shown once, kept only as a digest, good for a time, a number of uses, networks and names."""

from __future__ import annotations

import base64
import fnmatch
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from scanner.errors import UsageError
from scanner.fleet import shown_once
from scanner.fleet.database import Database, Row
from scanner.fleet.journal import AUDIT, note
from scanner.fleet.migration import in_step
from scanner.fleet.shown_once import Kept, within, written

PREFIX = "zt1."
_COLUMNS = "number, handle, expires, uses, used, networks, names, approval, revoked"


@dataclass(frozen=True)
class Token:
    """One token as the server knows it; ``handle`` names it without giving it away."""

    number: int
    handle: str
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
    near = written(networks)
    secret = secrets.token_urlsafe(32)
    kept = Kept.of(secret)
    with in_step(database):
        database.run(
            "INSERT INTO token (handle, digest, made, expires, uses, used, networks, names, approval, revoked, note)"
            " VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, 0, ?)",
            (
                kept.handle,
                kept.digest,
                now,
                now + life_s * 1000,
                uses,
                near,
                json.dumps(list(names)),
                int(approval),
                note_,
            ),
        )
        note(database, AUDIT, now, event="token_made", token=kept.handle, uses=uses, life_s=life_s, approval=approval)
    told = json.dumps({"u": url, "p": pin, "t": secret}, separators=(",", ":")).encode()
    return PREFIX + base64.urlsafe_b64encode(told).rstrip(b"=").decode()


def revoke(database: Database, handle: str, now: int) -> None:
    """Let a token be good for nothing more; raises UsageError where there is none of that handle."""
    with in_step(database):
        if not shown_once.revoke(database, "token", handle):
            raise UsageError(f"there is no token {handle!r}; see: ztgrade fleet token --list")
        note(database, AUDIT, now, event="token_revoked", token=handle)


def find(database: Database, secret: str) -> Token | None:
    """The token of a secret, whatever has become of it."""
    row = shown_once.find(database, "token", _COLUMNS, secret)
    return _token(row) if row else None


def listing(database: Database) -> list[Token]:
    """Every token, oldest first."""
    return [_token(row) for row in database.rows(f"SELECT {_COLUMNS} FROM token ORDER BY number")]


def _token(row: Row) -> Token:
    number, handle, expires, uses, used, networks, names, approval, revoked = row
    return Token(
        number,
        str(handle),
        expires,
        uses,
        used,
        tuple(json.loads(str(networks))),
        tuple(json.loads(str(names))),
        bool(approval),
        bool(revoked),
    )
