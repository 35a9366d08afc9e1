"""Takes heartbeats and reports, many in one transaction: each is judged against its agent's chain, then kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from agent import wire
from scanner.fleet.agents import Speaking, speaking, suspect
from scanner.fleet.answers import Answer, refusal, rfc3339
from scanner.fleet.chain import Nonces, Step, follow, judge, ms
from scanner.fleet.database import Database
from scanner.fleet.journal import AUDIT, note
from scanner.fleet.messages import Beat, Offered, Report
from scanner.fleet.posture import Pages, Posture
from scanner.fleet.versions import weigh

_KEEP = """
UPDATE agent_state SET seq = ?, root = ?, boot_id = ?, boots = ?, marks = ?, ts = ?, resume = ?, last_seen = ?,
    confirmed = CASE WHEN ? THEN ? ELSE confirmed END, skew = ?, version = ?
WHERE agent = ?
"""


@dataclass(slots=True)
class Sent:
    """A message whose signature was found right."""

    key_id: str
    beat: Beat
    body: bytes
    mark: bytes
    signature: bytes
    sections: list[Offered]


class Receipt(msgspec.Struct):
    """What the agent gets for an accepted message."""

    v: int
    seq: int
    nonce: str
    interval: int
    time: str
    need: list[str]
    renew: bool


class Ingest:
    """Judges and keeps messages; knows no thread and no network."""

    def __init__(self, nonces: Nonces, interval: int, least_version: str = "") -> None:
        self._nonces = nonces
        self._interval = interval
        self._least_version = least_version

    def take(self, database: Database, batch: Sequence[Sent], now: int) -> list[Answer]:
        """The answer to each message; inside a transaction, whose end alone makes the answers true."""
        agents = speaking(database, [sent.key_id for sent in batch])
        reporting = [agents[sent.key_id].number for sent in batch if sent.sections and sent.key_id in agents]
        pages = Pages(database, reporting)
        kept: dict[int, tuple[object, ...]] = {}
        answers = []
        time = rfc3339(now)
        for sent in batch:
            agent = agents.get(sent.key_id)
            if agent is None or agent.id != sent.beat.agent:
                answers.append(refusal("unknown_key"))
                continue
            barred = agent.barred(now)
            answers.append(barred or self._one(pages, agent, sent, now, time, kept))
        pages.write()
        if kept:
            database.run_many(_KEEP, list(kept.values()))
        return answers

    def _one(
        self,
        pages: Pages,
        agent: Speaking,
        sent: Sent,
        now: int,
        time: str,
        kept: dict[int, tuple[object, ...]],
    ) -> Answer:
        database, beat, link = pages.database, sent.beat, agent.link
        step, differs = judge(link, beat, sent.mark, self._nonces)
        if step is Step.STALE:
            return refusal("stale")
        if step is Step.FORK:
            return suspect(database, agent, now, differs=differs, seq=beat.seq, boot_id=beat.boot_id)
        posture = Posture(pages, agent, now)
        if step is Step.REPEATED:
            need = posture.lacking(beat) if beat.seq == link.seq else []
            return self._receipt(agent, sent, now, time, need)
        if step is not Step.NEXT:
            note(database, AUDIT, now, event=step.value, agent=agent.id, seq=beat.seq, known=link.seq)
        follow(link, beat, sent.mark, step)
        if beat.agent_version != agent.highest_version or agent.downgraded is not None or self._least_version:
            weigh(database, agent, beat.agent_version, self._least_version, now)
        need = posture.take(beat, sent) if isinstance(beat, Report) else posture.lacking(beat)
        confirmed = beat.root == link.root
        before = kept.get(agent.number)
        kept[agent.number] = (
            link.seq,
            link.root,
            link.boot_id,
            link.boots,
            link.marks,
            link.ts,
            0,
            now,
            confirmed or bool(before and before[8]),
            now,
            now - ms(beat),
            beat.agent_version,
            agent.number,
        )
        return self._receipt(agent, sent, now, time, need)

    def _receipt(self, agent: Speaking, sent: Sent, now: int, time: str, need: list[str]) -> Answer:
        seq = sent.beat.seq
        nonce = self._nonces.give(agent.id, seq, sent.mark)
        renew = agent.should_renew(now)
        receipt = Receipt(wire.VERSION, seq, nonce, self._interval, time, need, renew)
        return Answer(200, msgspec.json.encode(receipt))
