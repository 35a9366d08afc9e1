"""The server and the agents as processes of their own, as they are typed."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from scanner.fleet import operations
from tests.scanner.fleet.lab import Clock, Running

ROOT = Path(__file__).resolve().parents[2]
ZTGRADE = [sys.executable, "-m", "scanner.cli"]
ZTAGENT = [sys.executable, "-m", "agent.cli"]
NOTHING: Mapping[str, str] = {}


class TrueClock(Clock):
    """The true time, moved by as much as a test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return time.time() + self.now


def made_fleet(folder: Path, **chosen: Any) -> Path:
    """The folder of a fleet on a free port of loopback, made at the true time; its root lies in ``root`` beside it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"
    settings = {"url": f"https://{place}", "listen": place, "domain": "lab.example", "per_minute": 100_000} | chosen
    operations.make_fleet(folder, folder.parent / "root", settings, int(time.time() * 1000))
    return folder


class Served(Running):
    """``ztgrade fleet serve`` in a process; what is put before the command says where or under which clock it runs."""

    def __init__(
        self,
        folder: Path,
        before: tuple[str, ...] = (),
        environment: Mapping[str, str] = NOTHING,
    ) -> None:
        self.folder, self.clock, self.before = folder, TrueClock(), before
        command = [*before, *ZTGRADE, "fleet", "serve", "--folder", str(folder)]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | environment
        )
        assert self.process.stderr is not None
        line = self._first_line(self.process.stderr)
        if "listens at" not in line:
            self.process.kill()
            pytest.fail(f"the server did not start: {line}{self.process.stderr.read()}")
        self.port = int(line.rsplit(":", 1)[1])

    def _first_line(self, stream: Any) -> str:
        ready, _, _ = select.select([stream], [], [], 30)
        return str(stream.readline()) if ready else ""

    def kill(self) -> None:
        """Without a moment to write anything."""
        self.process.kill()
        self._reap()

    def end(self) -> None:
        """As systemd ends it; a second time does nothing."""
        if self.process.returncode is None:
            self.process.terminate()
            self._reap()

    def _reap(self) -> None:
        self.process.wait(30)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def memory(self) -> int:
        """Resident bytes of the server."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))

    def full_token(self, folder: Path, **limits: Any) -> Path:
        """A file with a token that names this server, as the command prints it."""
        command = [*ZTGRADE, "fleet", "token", "--folder", str(self.folder)]
        for name, value in limits.items():
            command += [f"--{name}", str(value)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True, timeout=60)
        path = folder / "token"
        path.write_text(done.stdout)
        return path

    def listed(self) -> dict[str, dict[str, Any]]:
        """What ``fleet list --json`` tells, by agent."""
        command = [*ZTGRADE, "fleet", "list", "--folder", str(self.folder), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True, timeout=60)
        return {agent["id"]: agent for agent in json.loads(done.stdout)}


class Ztagent:
    """``ztagent`` over one state folder; what is put before the command says where or under which clock it runs."""

    def __init__(self, state: Path, before: tuple[str, ...] = (), environment: Mapping[str, str] = NOTHING) -> None:
        self.state, self.before, self._environment = state, before, dict(environment)
        self._resident: subprocess.Popen[bytes] | None = None

    def settings(self, text: str) -> None:
        """Write ``agent.toml``."""
        self.state.mkdir(mode=0o700, exist_ok=True)
        (self.state / "agent.toml").write_text(text)

    def begin(self, *given: str) -> subprocess.Popen[str]:
        """Start a command; `Ztagent.done` waits for it."""
        return subprocess.Popen(
            [*self.before, *ZTAGENT, *given, "--state", str(self.state)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | self._environment,
        )

    def __call__(self, *given: str) -> tuple[int, str, str]:
        """Exit code, output and errors of a command."""
        return done(self.begin(*given))

    def run(self) -> None:
        """Start the resident agent."""
        command = [*self.before, *ZTAGENT, "run", "--state", str(self.state)]
        self._resident = subprocess.Popen(command, cwd=ROOT, env=os.environ | self._environment)

    def kill(self) -> None:
        """End the resident agent as its user would who wants it silent; once ended, does nothing."""
        if self._resident is not None:
            self._resident.send_signal(signal.SIGKILL)
            self._resident.wait(20)
            self._resident = None

    def told(self) -> dict[str, Any]:
        """What ``ztagent status`` knows, read without starting it."""
        return {name: json.loads((self.state / f"{name}.json").read_text()) for name in ("standing", "identity")}


def done(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of a command that was begun."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def until(what: Callable[[], bool], seconds: float, why: str) -> float:
    """Wait for something that is to be so within a time; gives how long it took."""
    begun = time.monotonic()
    while not what():
        if time.monotonic() - begun > seconds:
            pytest.fail(f"not within {seconds} s: {why}")
        time.sleep(0.1)
    return time.monotonic() - begun
