"""Looks at one host again and again, and anew only where something may have changed since the last time.

A section for which every question has the answer that it had is seen again: the host was asked now, and only what
follows from the answers was not worked out once more. So its ``observed_at`` is now, and a heartbeat confirms what was
confirmed. Nothing else is carried over from one look to the next, and after an hour nothing at all.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from agent import wire
from agent.host import Host
from agent.posture import of_the_agent, section_of
from agent.probes import PROBES
from agent.recall import Answers, Inquiry, Moment
from agent.section import ERROR, Probe, Section, moment
from agent.spool import Posture

ANEW_AFTER = 3600.0
"""Seconds after which everything is looked at anew, whatever the answers: marks of files are no proof for ever."""


@dataclass(frozen=True)
class Found:
    """What one section says, as it is digested."""

    content: bytes
    digest: str


@dataclass(frozen=True)
class Look:
    """What every section said at one moment."""

    found: Mapping[str, Found]
    observed_at: str

    def root(self) -> str:
        """One digest for all."""
        return wire.root_digest({name: one.digest for name, one in self.found.items()})

    def posture(self) -> Posture:
        """The sections, as they are spooled and sent."""
        return Posture(
            {name: {**json.loads(one.content), "observed_at": self.observed_at} for name, one in self.found.items()}
        )


class Watch:
    """What is remembered of one host between two looks: of each section what it said, and why."""

    def __init__(
        self,
        host: Host,
        switched_off: frozenset[str],
        *,
        clock: Callable[[], float] = time.monotonic,
        probes: Sequence[Probe] = PROBES,
    ) -> None:
        self._host = host
        self._switched_off = switched_off
        self._clock = clock
        self._probes = probes
        self._known: dict[str, tuple[Found, Answers]] = {}
        self._since = clock()

    def look(self, *, degraded: bool, downgraded: bool, key: tuple[str, str]) -> Look:
        """What every section says now, that of the agent itself last; see `agent.posture.look`. Never raises."""
        if self._clock() - self._since >= ANEW_AFTER:
            self._known.clear()
        if not self._known:
            self._since = self._clock()
        observed_at, now = moment(self._host.now()), Moment(self._host)
        found = {probe.name: self._of(probe, now) for probe in self._probes}
        own = of_the_agent(self._host, self._switched_off, degraded=degraded, downgraded=downgraded, key=key)
        return Look(found | {own.name: _found(own)}, observed_at)

    def _of(self, probe: Probe, now: Moment) -> Found:
        known = self._known.get(probe.name)
        if known is not None and now.confirms(known[1]):
            return known[0]
        inquiry = Inquiry(now)
        noted = replace(probe, look=lambda _: probe.look(inquiry))
        section = section_of(noted, self._host, self._switched_off)
        found = _found(section)
        if inquiry.answers is None or section.status == ERROR:
            self._known.pop(probe.name, None)
        else:
            self._known[probe.name] = found, inquiry.answers
        return found


def _found(section: Section) -> Found:
    content = wire.section_bytes(section.to_dict())
    return Found(content, hashlib.sha256(content).hexdigest())
