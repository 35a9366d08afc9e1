"""A fleet server in a process of its own, as operators run it, with this machine's clock."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.scanner.fleet.lab import Pretended, Running

SERVE = "from scanner.cli import main; main()"


class Served(Running):
    """A running server; ``end`` says with which code it ended."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, time.time  # type: ignore[assignment]
        self._errors = (folder / "errors.txt").open("w+")
        command = [sys.executable, "-c", SERVE, "fleet", "serve", "--folder", str(folder)]
        self._process = subprocess.Popen(command, stderr=self._errors, stdout=subprocess.DEVNULL)
        while not (found := re.search(r"https://.*:(\d+)", self.told())):
            assert self._process.poll() is None, self.told()
            time.sleep(0.05)
        self.port = int(found[1])

    def told(self) -> str:
        """What it wrote to its log."""
        return (self.folder / "errors.txt").read_text(errors="replace")

    def memory(self) -> int:
        """Bytes of resident memory."""
        return int(psutil.Process(self._process.pid).memory_info().rss)

    def end(self) -> int:
        """End it as a service manager does."""
        self._process.terminate()
        code = self._process.wait(20)
        self._errors.close()
        return code


def enrols(server: Running) -> Callable[[], Pretended]:
    """What gives an agent after another, all of one token."""
    secret = server.token(uses=1_000_000)

    def enrol() -> Pretended:
        agent = Pretended(server)
        assert agent.enrol(secret).status == 200
        return agent

    return enrol
