"""What the server knows of its agents, for those who judge it: read only, and while the server runs."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from scanner.errors import StoreError
from scanner.fleet.database import Database, Row, Sqlite, Unavailable
from scanner.fleet.migration import demand_readable
from scanner.fleet.settings import connect, load_settings

MISSED = 2
"""Intervals after which an agent that says nothing is silent."""

_AGENTS = """
SELECT agent.number, agent.id, agent.status, agent.key_id, agent.enrolled, agent.host, agent.address,
    agent.not_after, agent.clone_suspected, agent.identity_collision, agent.reason, agent_state.seq,
    agent_state.root, agent_state.boot_id, agent_state.last_seen, agent_state.confirmed, agent_state.skew,
    agent_state.version, agent.highest_version, agent.downgraded
FROM agent LEFT JOIN agent_state ON agent_state.agent = agent.number
"""
_SECTIONS = """
SELECT agent_section.name, agent_section.hash, agent_section.observed_at, agent_section.since, agent_section.until,
    section.zbody
FROM agent_section JOIN section ON section.hash = agent_section.hash
WHERE agent_section.agent = ?"""
_NOW = " AND agent_section.until IS NULL AND agent_section.name > ''"  # by the index of what is so now
_IN_ORDER = " ORDER BY agent_section.name, agent_section.since"


@dataclass(frozen=True)
class SectionSeen:
    """One section of one agent as it was for a time; times in ms since 1970."""

    name: str
    digest: str
    observed_at: str
    """When the agent looked, by its own clock, RFC 3339."""
    since: int
    until: int | None
    """None while it is so."""
    confirmed: int
    """When the agent last said that it is so; for a past one, when it said otherwise."""
    content: Mapping[str, Any]
    """Name, schema_version, status, detail, values, missing; as ``agent.section.Section`` without observed_at."""


@dataclass(frozen=True)
class AgentSeen:
    """One agent; times in ms since 1970. Everything in ``host`` and in sections is what the agent says of itself."""

    number: int
    id: str
    status: str
    """pending, active, evicted or banned."""
    key_id: str
    enrolled: int
    host: Mapping[str, str]
    """hostname, and where given os, machine_id, smbios_uuid, serial, tpm_ek_sha256."""
    address: str
    """From which it enrolled."""
    certificate_ends: int
    clone_suspected: int | None
    """Since when; while it is so nothing of what the agent says is known."""
    identity_collision: int | None
    """Since when another agent gives the same hardware."""
    reason: str
    seq: int
    root: str
    boot_id: str
    last_seen: int
    confirmed: int
    """When it last said that its posture is the one that is stored; 0 for never."""
    clock_skew_ms: int
    """By how much the agent's clock was behind the server's in its last message."""
    version: str
    highest_version: str = ""
    """That it ever reported, or that an operator let it go back to."""
    downgraded: int | None = None
    """Since when it reports an older version than it may; while it is so nothing of what it says is known."""

    def silent_since(self, now: int, interval_s: int) -> int | None:
        """When it was last heard, if that is longer ago than it may be."""
        return self.last_seen if now - self.last_seen > MISSED * interval_s * 1000 else None

    @property
    def trusted(self) -> bool:
        """Whether what is stored of it may count at all; how old it may be is for others to say."""
        odd = self.clone_suspected is not None or self.downgraded is not None
        return self.status == "active" and not odd and self.confirmed > 0


class FleetReader:
    """Reads a fleet's database; raises StoreError where its tables are of a version that it does not know."""

    def __init__(self, database: Database, interval_s: int) -> None:
        try:
            demand_readable(database)
        except StoreError:
            database.close()
            raise
        self._database, self.interval_s = database, interval_s

    @classmethod
    def open(cls, folder: Path) -> FleetReader:
        """Of a server's folder; raises ConfigurationError or StoreError."""
        settings = load_settings(folder)
        return cls(connect(folder, settings, read_only=True), settings.interval)

    @classmethod
    def of_file(cls, path: Path, interval_s: int = 300) -> FleetReader:
        """Of an SQLite file, such as a copy; raises StoreError."""
        return cls(Sqlite(path, read_only=True), interval_s)

    def agents(self) -> Iterator[AgentSeen]:
        """Every agent there ever was, in the order of enrolment."""
        last = 0
        while found := self.page(last, 1000):
            yield from found
            last = found[-1].number

    def page(self, after: int, most: int) -> list[AgentSeen]:
        """So many agents at most, in the order of enrolment, from the one after this number."""
        sql = f"{_AGENTS} WHERE agent.number > ? ORDER BY agent.number LIMIT ?"
        return [_agent(row) for row in self._rows(sql, (after, most))]

    def agent(self, agent: str) -> AgentSeen | None:
        """One agent by its id."""
        found = self._rows(f"{_AGENTS} WHERE agent.id = ?", (agent,))
        return _agent(found[0]) if found else None

    def sections(self, agent: AgentSeen, *, past: bool = False) -> list[SectionSeen]:
        """The sections of an agent as they are, or also as they were."""
        rows = self._rows(_SECTIONS + ("" if past else _NOW) + _IN_ORDER, (agent.number,))
        return [
            SectionSeen(
                name,
                bytes(digest).hex(),
                observed,
                since,
                until,
                agent.confirmed if until is None else until,
                msgspec.json.decode(zlib.decompress(zbody)),
            )
            for name, digest, observed, since, until, zbody in rows
        ]

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def _rows(self, sql: str, parameters: tuple[str | int, ...]) -> list[Row]:
        """What a query finds in tables of a version that is known; StoreError where a newer one has come meanwhile."""
        found = self._database.rows(sql, parameters)
        demand_readable(self._database)  # afterwards, for a version only ever rises
        return found


def _agent(row: Row) -> AgentSeen:
    values = list(row)
    if values[11] is None:  # to leave it out would be to say that there is no such agent
        raise Unavailable(f"the database knows agent {values[1]}, but not where it stands; restore it from a copy")
    values[5] = json.loads(values[5])
    return AgentSeen(*values)
