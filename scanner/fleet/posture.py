"""What an agent said of its host: sections by content, each with the time from when to when it was so."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent import wire
from scanner.fleet.agents import Speaking
from scanner.fleet.database import Database
from scanner.fleet.messages import Beat, Offered, Report

if TYPE_CHECKING:
    from scanner.fleet.ingest import Sent

LEVEL = 1
"""Of compression: a section is written once and read seldom, and reports are many."""
SMALL = 8192
"""Bytes up to which a compressor with a small window is as good, and costs a fifth: most sections are far smaller."""
FEW = 2
"""New sections up to which nobody looks whether another host has the same: it is rarely so, and does no harm."""

# ``name > ''`` holds for all; with it SQLite takes the index of what is so now, not that of all that ever was.
_CURRENT = "SELECT agent, name, hash FROM agent_section WHERE until IS NULL AND name > '' AND "
_BODIES = "INSERT INTO section (hash, zbody) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING"
_ENDED = "UPDATE agent_section SET until = ? WHERE agent = ? AND name = ? AND until IS NULL"
_BEGUN = "INSERT INTO agent_section (agent, name, hash, observed_at, since, until) VALUES (?, ?, ?, ?, ?, NULL)"
_SEEN_AGAIN = "UPDATE agent_section SET observed_at = ? WHERE agent = ? AND name = ? AND hash = ? AND until IS NULL"
_ENVELOPES = (
    "INSERT INTO envelope (agent, epoch, seq, root, payload, signature, key_id, received)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


class Pages:
    """What the reports of one transaction change, gathered so that each table is written once."""

    def __init__(self, database: Database, reporting: Sequence[int]) -> None:
        self.database = database
        self._current: dict[int, dict[str, bytes]] = {agent: {} for agent in reporting}
        if reporting:
            condition, parameter = database.among("agent", list(self._current))
            for agent, name, digest in database.rows(_CURRENT + condition, (parameter,)):
                self._current[agent][name] = bytes(digest)
        self._changed: set[int] = set()
        self.bodies: list[tuple[bytes, bytes]] = []
        self.ended: list[tuple[int, int, str]] = []
        self.begun: list[tuple[int, str, bytes, str, int]] = []
        self.seen_again: list[tuple[str, int, str, bytes]] = []
        self.envelopes: list[tuple[object, ...]] = []

    def current(self, agent: int) -> dict[str, bytes]:
        """The sections of an agent and their digests."""
        found = self._current.get(agent)
        if found is None:
            rows = self.database.rows(f"{_CURRENT}agent = ?", (agent,))
            found = {name: bytes(digest) for _, name, digest in rows}
            self._current[agent] = found
        return found

    def turn_to(self, agent: int) -> None:
        """Let an agent's report change something; what its report before changed is written first."""
        if agent in self._changed:
            self.write()
        self._changed.add(agent)

    def become(self, agent: int, sections: dict[str, bytes]) -> None:
        """From now on these are the sections of an agent."""
        self._current[agent] = sections

    def write(self) -> None:
        """Write what was gathered, ends before beginnings."""
        for sql, rows in (
            (_BODIES, self.bodies),
            (_ENDED, self.ended),
            (_BEGUN, self.begun),
            (_SEEN_AGAIN, self.seen_again),
            (_ENVELOPES, self.envelopes),
        ):
            if rows:
                self.database.run_many(sql, rows)
                rows.clear()
        self._changed.clear()


class Posture:
    """One agent's sections in the database, inside a transaction."""

    def __init__(self, pages: Pages, agent: Speaking, now: int) -> None:
        self._pages, self._database, self._agent, self._now = pages, pages.database, agent, now

    def lacking(self, beat: Beat) -> list[str]:
        """What the agent has to send before its root can be believed."""
        if beat.root == self._agent.link.root:
            return []
        if not isinstance(beat, Report):
            return [wire.WHOLE]
        current, waiting = self._pages.current(self._agent.number), self._waiting()
        return [
            name
            for name, digest in beat.index.items()
            if bytes.fromhex(digest) not in (current.get(name), waiting.get(name))
        ]

    def take(self, report: Report, sent: Sent) -> list[str]:
        """Keep the sections of a report; its root counts only when all are there. Gives the names that lack."""
        agent, pages = self._agent, self._pages
        pages.turn_to(agent.number)
        if report.root == agent.link.root:
            self._see_again(sent.sections)
            return []
        current = pages.current(agent.number)
        wanted = {name: bytes.fromhex(digest) for name, digest in report.index.items()}
        given = {section.name: section for section in sent.sections}
        new = [section for section in sent.sections if current.get(section.name) != section.digest]
        self._keep_bodies(new)
        lack = [name for name, digest in wanted.items() if current.get(name) != digest and name not in given]
        waiting = self._waiting() if lack else {}
        lack = [name for name in lack if waiting.get(name) != wanted[name]]
        if lack:
            self._let_wait(new)
        else:
            self._replace(current, wanted, given)
            if waiting:
                self._database.run("DELETE FROM offered WHERE agent = ?", (agent.number,))
            agent.link.root = report.root
        if new or not lack:
            self._keep_envelope(report, sent)
        return lack

    def _waiting(self) -> dict[str, bytes]:
        sql = "SELECT name, hash FROM offered WHERE agent = ?"
        return {name: bytes(digest) for name, digest in self._database.rows(sql, (self._agent.number,))}

    def _keep_bodies(self, sections: list[Offered]) -> None:
        for section in sections:
            known = len(sections) > FEW and self._database.rows(
                "SELECT 1 FROM section WHERE hash = ?", (section.digest,)
            )
            if not known:
                self._pages.bodies.append((section.digest, compressed(section.body)))

    def _let_wait(self, sections: list[Offered]) -> None:
        self._database.run_many(
            "INSERT INTO offered (agent, name, hash, observed_at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (agent, name) DO UPDATE SET hash = excluded.hash, observed_at = excluded.observed_at",
            [(self._agent.number, section.name, section.digest, section.observed_at) for section in sections],
        )

    def _replace(self, current: dict[str, bytes], wanted: dict[str, bytes], given: dict[str, Offered]) -> None:
        number, pages = self._agent.number, self._pages
        ended = [name for name, digest in current.items() if wanted.get(name) != digest]
        pages.ended += [(self._now, number, name) for name in ended]
        begun = [name for name, digest in wanted.items() if current.get(name) != digest]
        looked = {name: section.observed_at for name, section in given.items()}
        if any(name not in looked for name in begun):
            sql = "SELECT name, observed_at FROM offered WHERE agent = ?"
            looked = dict(self._database.rows(sql, (number,))) | looked
        pages.begun += [(number, name, wanted[name], looked[name], self._now) for name in begun]
        self._see_again([section for section in given.values() if section.name not in begun])
        pages.become(number, wanted)

    def _see_again(self, sections: list[Offered]) -> None:
        number = self._agent.number
        self._pages.seen_again += [(section.observed_at, number, section.name, section.digest) for section in sections]

    def _keep_envelope(self, report: Report, sent: Sent) -> None:
        agent = self._agent
        payload = compressed(sent.body)
        row = (agent.number, agent.link.epoch, report.seq, report.root, payload, sent.signature, sent.key_id, self._now)
        self._pages.envelopes.append(row)


def compressed(body: bytes) -> bytes:
    """In the form of zlib."""
    if len(body) > SMALL:
        return zlib.compress(body, LEVEL)
    work = zlib.compressobj(LEVEL, zlib.DEFLATED, 12, 5)
    return work.compress(body) + work.flush()
