"""Logs that only grow: each entry carries the digest of the one before it, so that nothing can be taken out unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scanner.errors import SealError
from scanner.fleet.database import Database

AUDIT = "audit"
ISSUANCE = "issuance"
BEGINNING = bytes(32)


@dataclass(frozen=True)
class Entry:
    """One entry: its place, when it was made (ms since 1970), and what it says."""

    number: int
    made: int
    says: dict[str, Any]


def note(database: Database, chain: str, now: int, **says: Any) -> None:
    """Append an entry; inside a transaction."""
    database.alone(f"journal {chain}")
    last = database.rows("SELECT number, hash FROM journal WHERE chain = ? ORDER BY number DESC LIMIT 1", (chain,)) or [
        (0, BEGINNING)
    ]
    number, before = last[0][0] + 1, bytes(last[0][1])
    text = json.dumps(says, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    database.run(
        "INSERT INTO journal (chain, number, made, entry, hash) VALUES (?, ?, ?, ?, ?)",
        (chain, number, now, text, _link(chain, number, now, text, before)),
    )


def entries(database: Database, chain: str, last: int | None = None) -> Iterator[Entry]:
    """The entries of a log, oldest first; of the newest ``last`` only where that is given."""
    sql = "SELECT number, made, entry FROM journal WHERE chain = ? ORDER BY number DESC"
    limit = () if last is None else (last,)
    rows = database.rows(sql + (" LIMIT ?" if limit else ""), (chain, *limit))
    for number, made, text in reversed(rows):
        yield Entry(number, made, json.loads(text))


def verify(database: Database, chain: str) -> str:
    """The digest that stands for the whole log, in hex; raises SealError naming the first entry that was changed."""
    before, expected = BEGINNING, 1
    sql = "SELECT number, made, entry, hash FROM journal WHERE chain = ? ORDER BY number"
    for number, made, text, found in database.rows(sql, (chain,)):
        if number != expected:
            raise SealError([f"log {chain}: entry {expected} is missing; restore the database from a copy"])
        before = _link(chain, number, made, text, before)
        if before != bytes(found):
            raise SealError([f"log {chain}: entry {number} is not as it was written; restore it from a copy"])
        expected += 1
    return before.hex()


def _link(chain: str, number: int, made: int, text: str, before: bytes) -> bytes:
    return hashlib.sha256(before + f"{chain}\n{number}\n{made}\n{text}".encode()).digest()
