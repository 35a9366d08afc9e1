"""Agents in this process: the agent's own cycle over a recorded host, with an eye on what the server acknowledged."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from agent import wire
from agent.connection import Connection, Way
from agent.cycle import Cycle, Outside
from agent.enrolment import Enroller, Token
from agent.settings import Settings
from agent.state import StateFolder
from tests.agent.fleet_double import KeysHere
from tests.agent.recorded import DEBIAN_LAPTOP

Acknowledged = set[tuple[str, int, str]]
"""Agent, number and root of reports that the server said it has."""


class Changing:
    """A recorded host that has another name with each look."""

    def __init__(self, name: str) -> None:
        self._name, self.looks = name, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(DEBIAN_LAPTOP, name)

    def host_name(self) -> str:
        """Its name of the moment."""
        self.looks += 1
        return f"{self._name}-{self.looks}"


@dataclass
class Member:
    """One agent of a population."""

    folder: Path
    name: str
    now: Callable[[], float] = time.time
    host: Any = None
    acknowledged: Acknowledged = field(default_factory=set)

    def __post_init__(self) -> None:
        self.host = self.host or Changing(self.name)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.state = StateFolder(self.folder)

    def enrol(self, token: str) -> Member:
        """Get an identity; tells the first report, too."""
        enroller = Enroller(self.state, KeysHere(), self._connect)
        enroller.prepare(Token.read(token.strip()), Settings(), proxy="", ca_file="")
        cycle = self.cycle()
        assert cycle.tell(), cycle.attempts.last_error
        return self

    def cycle(self, chance: Callable[[], float] = lambda: 0.0) -> Cycle:
        """The agent as it is after a restart."""
        outside = Outside(cast(Any, self.host), KeysHere(), self._connect, self.now, chance)
        return Cycle(self.state, Settings(), outside)

    def _connect(self, way: Way, now: Callable[[], float] = time.time) -> Connection:
        return Witness(way, now, self.acknowledged)


class Witness(Connection):
    """Notes each report whose receipt came."""

    def __init__(self, way: Way, now: Callable[[], float], acknowledged: Acknowledged) -> None:
        super().__init__(way, now)
        self._acknowledged = acknowledged

    def post(self, path: str, body: bytes, signature: str = "") -> dict[str, Any]:
        """As a `Connection` does."""
        answer = super().post(path, body, signature)
        if path == wire.REPORT:
            told = json.loads(body)
            self._acknowledged.add((told["agent"], told["seq"], told["root"]))
        return answer


def talk(member: Member, stop: threading.Event) -> None:
    """Look and tell without pause, whatever the server does."""
    cycle = member.cycle()
    while not stop.is_set():
        cycle.collect()
        if not cycle.tell():
            time.sleep(0.02)
