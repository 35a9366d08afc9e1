"""What an agent said of its host: sections by content, each with the time from when to when it was so."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from agent import wire
from scanner.fleet.agents import Speaking
from scanner.fleet.database import Database
from scanner.fleet.messages import Beat, Offered, Report

if TYPE_CHECKING:
    from scanner.fleet.ingest import Sent

LEVEL = 1
"""Of compression: a section is written once and read seldom, and reports are many."""


class Posture:
    """One agent's sections in the database, inside a transaction."""

    def __init__(self, database: Database, agent: Speaking, now: int) -> None:
        self._database, self._agent, self._now = database, agent, now

    def lacking(self, beat: Beat) -> list[str]:
        """What the agent has to send before its root can be believed."""
        if beat.root == self._agent.link.root:
            return []
        if not isinstance(beat, Report):
            return [wire.WHOLE]
        current, waiting = self._current(), self._waiting()
        return [
            name
            for name, digest in beat.index.items()
            if bytes.fromhex(digest) not in (current.get(name), waiting.get(name))
        ]

    def take(self, report: Report, sent: Sent) -> list[str]:
        """Keep the sections of a report; its root counts only when all are there. Gives the names that lack."""
        agent = self._agent
        if report.root == agent.link.root:
            self._seen_again(sent.sections)
            return []
        current = self._current()
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

    def _current(self) -> dict[str, bytes]:
        sql = "SELECT name, hash FROM agent_section WHERE agent = ? AND until IS NULL"
        return {name: bytes(digest) for name, digest in self._database.rows(sql, (self._agent.number,))}

    def _waiting(self) -> dict[str, bytes]:
        sql = "SELECT name, hash FROM offered WHERE agent = ?"
        return {name: bytes(digest) for name, digest in self._database.rows(sql, (self._agent.number,))}

    def _keep_bodies(self, sections: list[Offered]) -> None:
        for section in sections:
            if not self._database.rows("SELECT 1 FROM section WHERE hash = ?", (section.digest,)):
                self._database.run(
                    "INSERT INTO section (hash, zbody) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING",
                    (section.digest, zlib.compress(section.body, LEVEL)),
                )

    def _let_wait(self, sections: list[Offered]) -> None:
        self._database.run_many(
            "INSERT INTO offered (agent, name, hash, observed_at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (agent, name) DO UPDATE SET hash = excluded.hash, observed_at = excluded.observed_at",
            [(self._agent.number, section.name, section.digest, section.observed_at) for section in sections],
        )

    def _replace(self, current: dict[str, bytes], wanted: dict[str, bytes], given: dict[str, Offered]) -> None:
        number, database = self._agent.number, self._database
        ended = [(self._now, number, name) for name, digest in current.items() if wanted.get(name) != digest]
        if ended:
            database.run_many(
                "UPDATE agent_section SET until = ? WHERE agent = ? AND name = ? AND until IS NULL", ended
            )
        begun = [name for name, digest in wanted.items() if current.get(name) != digest]
        looked = {name: section.observed_at for name, section in given.items()}
        if any(name not in looked for name in begun):
            sql = "SELECT name, observed_at FROM offered WHERE agent = ?"
            looked = dict(database.rows(sql, (number,))) | looked
        database.run_many(
            "INSERT INTO agent_section (agent, name, hash, observed_at, since, until) VALUES (?, ?, ?, ?, ?, NULL)",
            [(number, name, wanted[name], looked[name], self._now) for name in begun],
        )
        self._seen_again([section for section in given.values() if section.name not in begun])

    def _seen_again(self, sections: list[Offered]) -> None:
        if sections:
            self._database.run_many(
                "UPDATE agent_section SET observed_at = ? WHERE agent = ? AND name = ? AND hash = ? AND until IS NULL",
                [(section.observed_at, self._agent.number, section.name, section.digest) for section in sections],
            )

    def _keep_envelope(self, report: Report, sent: Sent) -> None:
        link = self._agent.link
        self._database.run(
            "INSERT INTO envelope (agent, epoch, seq, root, payload, signature, key_id, received)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._agent.number,
                link.epoch,
                report.seq,
                report.root,
                zlib.compress(sent.body, LEVEL),
                sent.signature,
                sent.key_id,
                self._now,
            ),
        )
