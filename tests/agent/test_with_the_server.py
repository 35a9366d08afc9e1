"""The agent as it runs, and the fleet server of this house, over TLS on loopback."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.connection import Connection
from agent.cycle import Cycle, Outside
from agent.enrolment import Enroller, Token
from agent.settings import Settings
from agent.state import StateFolder
from scanner.fleet import tokens
from tests.agent.fleet_double import KeysHere
from tests.agent.machine import Now
from tests.agent.recorded import DEBIAN_LAPTOP
from tests.scanner.fleet.lab import Running, make_fleet

ROOT = Path(__file__).resolve().parents[2]
ZTAGENT = [sys.executable, "-m", "agent.cli"]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    server = Running(make_fleet(tmp_path / "fleet"), Now())
    yield server
    server.end()


def token(running: Running) -> str:
    with running.database() as database:
        return tokens.mint(
            database, url=f"https://127.0.0.1:{running.port}", pin=running.pin(), now=running.ms, life_s=86_400
        )


def agent(running: Running, folder: Path) -> Cycle:
    outside = Outside(DEBIAN_LAPTOP, KeysHere(), Connection, running.clock, lambda: 0.0)
    return Cycle(StateFolder(folder), Settings(), outside)


def enrolled(running: Running, folder: Path) -> Cycle:
    enroller = Enroller(StateFolder(folder), KeysHere(), Connection)
    enroller.prepare(Token.read(token(running)), Settings(), proxy="", ca_file="")
    return cycle(running, folder)


def cycle(running: Running, folder: Path) -> Cycle:
    one = agent(running, folder)
    one.collect()
    one.tell()
    return one


def test_an_agent_enrols_tells_and_the_server_has_every_section(running: Running, tmp_path: Path) -> None:
    assert enrolled(running, tmp_path / "state").attempts.last_error == ""
    one = cycle(running, tmp_path / "state")
    assert one.attempts.last_error == ""
    assert one.standing().seq == 2
    assert running.counted("SELECT count(*) FROM agent_section") == len(one.standing().index)


def test_a_copied_folder_is_suspected_and_both_are_told(running: Running, tmp_path: Path) -> None:
    enrolled(running, tmp_path / "state")
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    assert cycle(running, tmp_path / "state").attempts.last_error == ""
    assert cycle(running, tmp_path / "copy").attempts.copy_suspected
    assert cycle(running, tmp_path / "state").attempts.copy_suspected


def test_after_45_days_asleep_it_recovers_alone(running: Running, tmp_path: Path) -> None:
    before = enrolled(running, tmp_path / "state").identity()
    running.clock.pass_days(45)
    one = cycle(running, tmp_path / "state")
    after = one.identity()
    assert one.attempts.last_error == ""
    assert before is not None and after is not None and before.key_id != after.key_id
    assert one.standing().seq == 2


class Odd:
    """A recorded host whose name is what a server does not take."""

    def __getattr__(self, name: str) -> Any:
        return getattr(DEBIAN_LAPTOP, name)

    def host_name(self) -> str:
        return "<script>\u202e\udcff" + "x" * 20_000


def test_what_the_server_would_not_take_of_one_section_costs_that_section_alone(
    running: Running, tmp_path: Path
) -> None:
    enrolled(running, tmp_path / "state")
    odd = Outside(Odd(), KeysHere(), Connection, running.clock, lambda: 0.0)
    one = Cycle(StateFolder(tmp_path / "state"), Settings(), odd)
    one.collect()
    assert one.tell(), one.attempts.last_error
    assert running.counted("SELECT count(*) FROM agent_section WHERE until IS NULL") == len(one.standing().index)


def test_the_commands_as_they_are_typed(running: Running, tmp_path: Path) -> None:
    state = tmp_path / "state"
    file = tmp_path / "token"
    file.write_text(token(running))

    def ztagent(*given: str) -> subprocess.CompletedProcess[str]:
        argv = [*ZTAGENT, *given, "--state", str(state)]
        return subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=60)

    done = ztagent("enroll", "--token-file", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("enrolled as ")
    assert "is enrolled as" in ztagent("enroll", "--token-file", str(file)).stderr
    told = json.loads(ztagent("status", "--json").stdout)
    assert told["heard"] and told["last_seq"] == 1 and told["last_error"] is None
    done = ztagent("once")
    assert (done.returncode, done.stderr) == (0, "")
    with subprocess.Popen([*ZTAGENT, "run", "--state", str(state)], cwd=ROOT) as resident:
        until = time.monotonic() + 30
        while "another agent" not in ztagent("once").stderr:
            assert time.monotonic() < until
        asked = time.monotonic()
        resident.send_signal(signal.SIGTERM)
        assert resident.wait(20) == 0
        assert time.monotonic() - asked < 10
    assert "the server hears this agent" in ztagent("status").stdout
