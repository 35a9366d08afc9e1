"""Upgrade and rollback of a real agent at a real server: the identity stays, and going back needs an operator."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.packaging.as_zipapp import as_zipapp
from agent.packaging.payload import EARLIEST, payload
from agent.state import StateFolder
from scanner.fleet import tokens
from scanner.fleet.reading import AgentSeen
from scanner.fleet.versions import allow_rollback
from tests.agent.machine import Now
from tests.scanner.fleet.lab import Running, make_fleet


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    server = Running(make_fleet(tmp_path / "fleet"), Now())
    yield server
    server.end()


class Installed:
    """One state folder, and agents of two versions that work in it in turn."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"
        for version in ("1.0.0", "1.1.0"):
            content = f'"""The agent."""\n\n__version__ = "{version}"\n'.encode()
            (folder / f"{version}.pyz").write_bytes(as_zipapp(payload() | {"agent/__init__.py": content}, EARLIEST))

    def run(self, version: str, *given: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-I", str(self.folder / f"{version}.pyz"), *given, "--state", str(self.state)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60)

    def status(self, version: str) -> Any:
        return json.loads(self.run(version, "status", "--json").stdout)


def seen(running: Running, installed: Installed) -> AgentSeen:
    identity = StateFolder(installed.state).identity()
    assert identity is not None
    with running.reader() as reader:
        found = reader.agent(identity.agent)
    assert found is not None
    return found


def test_an_agent_that_is_upgraded_and_taken_back_stays_who_it_is(running: Running, tmp_path: Path) -> None:
    installed = Installed(tmp_path)
    with running.database() as database:
        url = f"https://127.0.0.1:{running.port}"
        told = tokens.mint(database, url=url, pin=running.pin(), now=running.ms, life_s=86_400)
    (tmp_path / "token").write_text(told)
    done = installed.run("1.0.0", "enroll", "--token-file", str(tmp_path / "token"))
    assert done.returncode == 0, done.stderr
    first = seen(running, installed)
    assert first.trusted and first.version == "1.0.0"

    assert installed.run("1.1.0", "once").returncode == 0
    upgraded = seen(running, installed)
    assert upgraded.id == first.id and upgraded.trusted and upgraded.version == "1.1.0"

    assert installed.run("1.0.0", "once").returncode == 0
    back = seen(running, installed)
    assert back.id == first.id and back.downgraded and not back.trusted
    assert installed.status("1.0.0")["downgraded"] is True
    with running.reader() as reader:
        own = next(section for section in reader.sections(back) if section.name == "agent").content["values"]
    assert own["downgraded"] is True and own["version"] == "1.0.0"

    with running.database() as database:
        allow_rollback(database, back.id, "", "1.1.0 is slow here", running.ms)
    assert installed.run("1.0.0", "once").returncode == 0
    assert seen(running, installed).trusted
