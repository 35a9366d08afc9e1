"""Removes what is older than it is to be kept, a little at a time, and sets down in the audit log what that was."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from scanner.fleet.answers import Answer, rfc3339
from scanner.fleet.database import Database, Row
from scanner.fleet.journal import AUDIT, note
from scanner.fleet.writer import Busy, Errand

BATCH = 100
"""Envelopes, and ended sections, that one transaction looks at."""
PAUSE_S = 0.1
"""Between two such transactions, in which heartbeats and reports go on."""
EVERY_S = 3600
"""Between two walks; the first is as long after the start, by when a clock that woke up wrong has been set."""
MORE, DONE = Answer(202, b""), Answer(204, b"")
_DAY_MS = 86_400_000

# What proves the posture that stands is kept however old it is: where one of its sections began, and where its root was
# signed last.
_OLD = """
SELECT envelope.received, envelope.agent, envelope.epoch, envelope.seq, agent.id, envelope.root, envelope.signature,
    envelope.payload,
    EXISTS (
        SELECT 1 FROM agent_section WHERE agent_section.agent = envelope.agent AND agent_section.until IS NULL
        AND agent_section.name > '' AND agent_section.since = envelope.received
    ) OR (
        envelope.root = (SELECT root FROM agent_state WHERE agent_state.agent = envelope.agent)
        AND NOT EXISTS (
            SELECT 1 FROM envelope AS later WHERE later.agent = envelope.agent AND later.root = envelope.root
            AND (later.epoch, later.seq) > (envelope.epoch, envelope.seq)
        )
    )
FROM envelope JOIN agent ON agent.number = envelope.agent
WHERE envelope.received < ?
    AND (envelope.received, envelope.agent, envelope.epoch, envelope.seq) > (?, ?, ?, ?)
ORDER BY envelope.received, envelope.agent, envelope.epoch, envelope.seq LIMIT ?
"""
_ENDED = """
SELECT agent_section.agent, agent_section.name, agent_section.hash, agent_section.since, agent_section.until, agent.id
FROM agent_section JOIN agent ON agent.number = agent_section.agent
WHERE agent_section.until < ? ORDER BY agent_section.until LIMIT ?
"""
_FORGET_ENVELOPE = "DELETE FROM envelope WHERE agent = ? AND epoch = ? AND seq = ?"
_FORGET_SECTION = "DELETE FROM agent_section WHERE agent = ? AND name = ? AND hash = ? AND since = ? AND until = ?"
_FORGET_BODY = """
DELETE FROM section WHERE hash = ? AND NOT EXISTS (SELECT 1 FROM agent_section WHERE agent_section.hash = section.hash)
    AND NOT EXISTS (SELECT 1 FROM offered WHERE offered.hash = section.hash)
"""


class _Named(msgspec.Struct):
    name: str


class _Told(msgspec.Struct):
    """Of a report, what it says of bodies."""

    index: dict[str, str]
    sections: list[_Named]


_TOLD = msgspec.json.Decoder(_Told)


class Sweep:
    """One walk from the oldest on; each call is an errand that removes a little and answers MORE until all is DONE."""

    def __init__(self, keep_days: int) -> None:
        self._keep_ms = keep_days * _DAY_MS
        self._after = (0, 0, 0, 0)

    def __call__(self, database: Database, now: int) -> Answer:
        """Inside a transaction."""
        database.alone("removal")
        before = now - self._keep_ms
        old = database.rows(_OLD, (before, *self._after, BATCH))
        ended = database.rows(_ENDED, (before, BATCH))
        if not old and not ended:
            return DONE
        if old:
            self._after = old[-1][:4]
        gone = [row for row in old if not row[8]]
        if gone or ended:
            says = {"envelopes": len(gone), "sections": len(ended), "digest": _digest(gone, ended)}
            note(database, AUDIT, now, event="removed", before=rfc3339(before), **says)
            database.run_many(_FORGET_ENVELOPE, [row[1:4] for row in gone])
            database.run_many(_FORGET_SECTION, [row[:5] for row in ended])
            bodies = {bytes(row[2]) for row in ended}.union(*(_bodies(row[7]) for row in gone))
            database.hold("section")  # none may begin to count again while it is found to count no more
            database.run_many(_FORGET_BODY, [(digest,) for digest in sorted(bodies)])
        return MORE


class Retention:
    """Lets the thread that writes walk through what is old, every hour; its size is known from then on."""

    def __init__(self, send: Callable[[Errand], Awaitable[Answer]], keep_days: int) -> None:
        self._send, self._keep_days = send, keep_days
        self._database_bytes = 0

    def gauges(self) -> dict[str, float]:
        """How large the database was at the last look."""
        return {"ztgrade_fleet_database_bytes": float(self._database_bytes)}

    async def run(self) -> None:
        """For ever."""
        await self._done(self._measure)
        while True:
            await asyncio.sleep(EVERY_S)
            sweep = Sweep(self._keep_days)
            while await self._done(sweep) == MORE:
                await asyncio.sleep(PAUSE_S)
            await self._done(self._measure)

    async def _done(self, errand: Errand) -> Answer | None:
        """The answer to an errand; None where the server is too busy for it, and it waits for the next hour."""
        try:
            return await self._send(errand)
        except Busy:
            return None

    def _measure(self, database: Database, now: int) -> Answer:
        self._database_bytes = database.size()
        return DONE


def _digest(envelopes: Sequence[Row], sections: Sequence[Row]) -> str:
    """SHA-256 over a line for each thing removed, in their order; who has a copy can prove that it was these."""
    hashing = hashlib.sha256()
    for _, _, epoch, seq, agent, root, signature, _, _ in envelopes:
        hashing.update(f"envelope {agent} {epoch} {seq} {root} {bytes(signature).hex()}\n".encode())
    for _, name, digest, since, until, agent in sections:
        hashing.update(f"section {agent} {name} {bytes(digest).hex()} {since} {until}\n".encode())
    return hashing.hexdigest()


def _bodies(payload: bytes) -> Iterable[bytes]:
    """The digests of the bodies that a stored report brought; of one that cannot be read none."""
    try:
        told = _TOLD.decode(zlib.decompress(payload))
        return [bytes.fromhex(told.index[section.name]) for section in told.sections]
    except (zlib.error, msgspec.MsgspecError, ValueError, KeyError):
        return []
