"""What the agent says next, and what an accepted answer changes; nothing here asks host, disk or network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agent import __version__, wire
from agent.enrolment import interval_of, utc
from agent.errors import Unreached
from agent.schedule import clamped
from agent.section import moment
from agent.settings import Settings
from agent.spool import Posture, Request
from agent.state import Standing

ROOM = 8 * 1024
"""Bytes of a report that are not its sections."""
MOST_NEEDED = 64
"""Sections that an answer may ask for."""
LONGEST_NONCE = 256


@dataclass(frozen=True)
class Speaker:
    """Who speaks, since which start of the system, and when."""

    agent: str
    boot_id: str
    now: datetime


def beat(speaker: Speaker, standing: Standing, root: str) -> dict[str, Any]:
    """The heartbeat that follows what the server accepted last."""
    return wire.beat(
        speaker.agent,
        standing.seq + 1,
        boot_id=speaker.boot_id,
        nonce=standing.nonce,
        root=root,
        prev_root=standing.root,
        # With its microseconds, by which two copies of one machine differ that speak within one second.
        ts=speaker.now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        version=__version__,
    )


def report(speaker: Speaker, standing: Standing, posture: Posture) -> dict[str, Any]:
    """The report of a posture, with those sections that the server lacks of it, as many as one message holds."""
    index, root = posture.index(), posture.root()
    lacking = {name for name, digest in index.items() if standing.index.get(name) != digest}
    if standing.need:
        asked = set(index) if wire.WHOLE in standing.need else set(standing.need) & set(index)
        lacking = asked if standing.need_root == root else lacking | asked
    sections: list[Mapping[str, Any]] = []
    size = ROOM
    for name in sorted(lacking):
        size += len(wire.encode(posture.sections[name])) + 1
        if size > wire.MAX_BODY and sections:
            break  # the server asks for the rest
        sections.append(posture.sections[name])
    return wire.report(beat(speaker, standing, root), index, sections)


def accepted(request: Request, answer: Mapping[str, Any], before: Standing, settings: Settings, now: float) -> Standing:
    """What the server has after its answer to a request; Unreached for an answer of another form."""
    if answer.get("seq") != request.seq:
        raise Unreached(f"the server answered for message {answer.get('seq')!r}, not {request.seq}")
    nonce, need = answer.get("nonce"), answer.get("need") or []
    if not isinstance(nonce, str) or not isinstance(need, list):
        raise Unreached("the server's answer lacks nonce or need")
    told = request.told()
    need = [name for name in need if isinstance(name, str)][:MOST_NEEDED]
    interval = interval_of(answer, before.interval)
    standing = replace(
        before,
        seq=request.seq,
        nonce=nonce[:LONGEST_NONCE],
        need=tuple(need),
        need_root=told["root"] if need else "",
        interval=clamped(interval, settings.shortest_interval, settings.longest_interval),
        renew=answer.get("renew") is True,
        accepted_at=moment(utc(now)),
    )
    return standing if need else replace(standing, root=told["root"], index=told.get("index", before.index))


def cannot_be_met(request: Request, before: Standing, after: Standing) -> bool:
    """Whether the server asks for nothing but sections that this agent does not have."""
    index = request.told().get("index", before.index)
    return bool(after.need) and wire.WHOLE not in after.need and not set(after.need) & set(index)
