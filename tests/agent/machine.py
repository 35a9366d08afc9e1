"""A machine with an agent and a fleet server that it tells, whose key may lie in what its system has for keys."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent import keys, keystores
from agent.connection import Connection
from agent.cycle import Cycle, Outside
from agent.enrolment import Enroller, Token
from agent.settings import IN_FILE, Settings
from agent.state import StateFolder
from agent.status import status
from scanner.fleet import tokens
from tests.agent.fleet_double import KeysHere
from tests.agent.recorded import Renamed
from tests.scanner.fleet.lab import Clock, Running


class Now(Clock):
    """The true time, and days that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return time.time() + self.now


class KeysThere(KeysHere):
    """`agent.keys` in this process, with keys in the keystore that the system has."""

    def __init__(self, tcti: str) -> None:
        self._tcti = tcti

    def make(self, folder: Path, place: str = IN_FILE) -> str:
        return super().make(folder) if place == IN_FILE else keystores.at(place, self._tcti).make(folder)

    def request(self, path: Path) -> str:
        return keys.request(str(path), self._tcti).decode()

    def sign(self, path: Path, content: bytes) -> bytes:
        if keystores.place(path) == IN_FILE:
            return super().sign(path, content)
        return keystores.of(path.suffix, self._tcti).sign(path, content)


@dataclass
class Host:
    """A state folder, settings, what the agent sees, and how a TPM is reached."""

    running: Running
    folder: Path
    tcti: str = ""
    settings: Settings = field(default_factory=Settings)
    name: str = "laptop"
    seen: Any = None
    """What the agent looks at, if not a laptop of that name."""

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.folder)

    @property
    def key_files(self) -> list[str]:
        """Endings of the files of its keys."""
        return sorted(path.suffix for path in (self.folder / "keys").iterdir() if path.suffix != ".crt")

    def agent(self) -> Cycle:
        """The agent as after a restart."""
        outside = Outside(
            self.seen or Renamed(self.name), KeysThere(self.tcti), Connection, self.running.clock, lambda: 0.0
        )
        return Cycle(self.state, self.settings, outside)

    def cycle(self) -> Cycle:
        agent = self.agent()
        agent.collect()
        agent.tell()
        return agent

    def enrol(self) -> Cycle:
        with self.running.database() as database:
            url, now = f"https://127.0.0.1:{self.running.port}", self.running.ms
            token = tokens.mint(database, url=url, pin=self.running.pin(), now=now, life_s=86_400)
        enroller = Enroller(self.state, KeysThere(self.tcti), Connection)
        enroller.prepare(Token.read(token), self.settings, proxy="", ca_file="")
        return self.cycle()

    def told(self) -> dict[str, Any]:
        """What ``ztagent status`` says."""
        return status(self.state, self.agent(), self.settings, self.running.clock())

    def known(self) -> tuple[dict[str, Any], int]:
        """What the agent told of itself, and the number of its last message, as the server has them."""
        identity = self.state.identity()
        assert identity is not None
        with self.running.reader() as reader:
            seen = reader.agent(identity.agent)
            assert seen is not None and seen.clone_suspected is None
            (own,) = (section for section in reader.sections(seen) if section.name == "agent")
        return dict(own.content["values"]), seen.seq
