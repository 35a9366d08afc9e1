"""The agents as the server knows them when one speaks, and when one may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from scanner.fleet.answers import Answer, refusal
from scanner.fleet.chain import Link
from scanner.fleet.database import Database, Row
from scanner.fleet.journal import AUDIT, note

GRACE_MS = 90 * 86_400_000
"""After the end of a certificate its key still proves who asks for the next one."""

_SPEAKING = """
SELECT agent_key.key_id, agent_key.state, agent.number, agent.id, agent.status, agent.not_before, agent.not_after,
    agent.rekey, agent.clone_suspected, agent_state.seq, agent_state.epoch, agent_state.root, agent_state.boot_id,
    agent_state.boots, agent_state.marks, agent_state.ts, agent_state.resume, agent.highest_version,
    agent.version_exempt, agent.downgraded
FROM agent_key JOIN agent ON agent.number = agent_key.agent JOIN agent_state ON agent_state.agent = agent.number
WHERE """


class Status(StrEnum):
    """Of an agent."""

    PENDING = "pending"
    ACTIVE = "active"
    EVICTED = "evicted"
    """May enrol again."""
    BANNED = "banned"
    """Never again."""


class KeyState(StrEnum):
    """Of a key."""

    CURRENT = "current"
    REPLACED = "replaced"


@dataclass(slots=True)
class Speaking:
    """An agent that sends a message."""

    key_id: str
    key_state: str
    number: int
    id: str
    status: str
    not_before: int
    not_after: int
    rekey: bool
    clone_suspected: int | None
    link: Link
    highest_version: str
    """That it ever reported, or that the operator let it go back to."""
    version_exempt: bool
    """Whether the operator allowed it to be older than the fleet's least version."""
    downgraded: int | None
    """Since when it reports an older version than it may."""

    def barred(self, now: int, grace_ms: int = 0) -> Answer | None:
        """Why it may not speak, if so."""
        if self.status != Status.ACTIVE:
            return refusal(self.status)
        if self.key_state != KeyState.CURRENT:
            return refusal("key_replaced")
        if self.clone_suspected is not None:
            return refusal("clone_suspected")
        if now > self.not_after + grace_ms:
            return refusal("expired_too_long" if grace_ms else "certificate_expired")
        return None

    def should_renew(self, now: int) -> bool:
        """Half of the certificate's life is over, or the operator asks for it."""
        return self.rekey or now > (self.not_before + self.not_after) // 2


def speaking(database: Database, key_ids: Sequence[str]) -> dict[str, Speaking]:
    """The agents of these keys, as nobody else changes them until the end of the transaction."""
    condition, parameter = database.among("agent_key.key_id", key_ids)
    found = database.rows(database.locked(f"{_SPEAKING}{condition} ORDER BY agent.number"), (parameter,))
    return {row[0]: _speaking(row) for row in found}


def suspect(database: Database, agent: Speaking, now: int, *, differs: str, **seen: object) -> Answer:
    """Set down that two hold an agent's key; gives the answer to the one that showed it."""
    agent.clone_suspected = now
    database.run("UPDATE agent SET clone_suspected = ? WHERE number = ?", (now, agent.number))
    note(database, AUDIT, now, event="clone_suspected", agent=agent.id, differs=differs, **seen)
    return refusal("clone_suspected")


def _speaking(row: Row) -> Speaking:
    key_id, state, number, name, status, begin, end, rekey, suspected = row[:9]
    seq, epoch, root, boot, boots, marks, ts, go = row[9:17]
    highest, exempt, downgraded = row[17:]
    link = Link(seq, epoch, root, boot, boots, bytes(marks), ts, bool(go))
    return Speaking(
        key_id, state, number, name, status, begin, end, bool(rekey), suspected, link, highest, bool(exempt), downgraded
    )
