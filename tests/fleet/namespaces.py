"""Hosts of a test: network namespaces around one bridge, which itself lies in the server's namespace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

NETWORK = "10.213.77"
"""Never seen outside the namespaces."""
_PREFIX = "ztlab-"
_PLACE = Path("/run/netns")


def ip(*given: str) -> None:
    """Run ``ip``; raises where it fails."""
    subprocess.run(["ip", *given], check=True, capture_output=True, timeout=20)


class Network:
    """A server's namespace and those of hosts, each with an address of its own."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self.server, self.address = "", f"{NETWORK}.1"

    def build(self) -> None:
        """Make the server's namespace and the bridge in it; raises CalledProcessError where that is not allowed."""
        self.server = self._make("server")
        ip("-n", self.server, "link", "add", "bridge", "type", "bridge")
        ip("-n", self.server, "address", "add", f"{self.address}/24", "dev", "bridge")
        ip("-n", self.server, "link", "set", "bridge", "up")

    def add_host(self, name: str) -> str:
        """A further namespace, connected to the bridge."""
        made = self._make(name)
        port = f"to-{len(self._names)}"
        ip("-n", self.server, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", made)
        ip("-n", self.server, "link", "set", port, "master", "bridge", "up")
        ip("-n", made, "address", "add", f"{NETWORK}.{len(self._names)}/24", "dev", "eth0")
        ip("-n", made, "link", "set", "eth0", "up")
        return made

    def inside(self, name: str) -> tuple[str, ...]:
        """What is put before a command to run it in a namespace."""
        return ("ip", "netns", "exec", name)

    def remove(self) -> None:
        """End whatever still runs in the namespaces, then take them away."""
        for name in self._names:
            _remove(name)

    def _make(self, name: str) -> str:
        made = f"{_PREFIX}{os.getpid()}-{name}"
        ip("netns", "add", made)
        self._names.append(made)
        ip("-n", made, "link", "set", "lo", "up")
        return made


def _remove(name: str) -> None:
    told = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, timeout=20, check=False)
    for pid in told.stdout.split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=20, check=False)


def _sweep() -> None:
    """Remove what a test left that was killed itself."""
    for path in _PLACE.glob(f"{_PREFIX}*"):
        pid = path.name.removeprefix(_PREFIX).split("-")[0]
        if not Path("/proc", pid).exists():
            _remove(path.name)


@contextmanager
def network() -> Iterator[Network]:
    """A network that is gone afterwards, whatever happens; skips where this user or machine has none to give."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if shutil.which("ip") is None:
        pytest.skip("no iproute2: make lab-deps installs it, as root")
    _sweep()
    made = Network()
    try:
        try:
            made.build()
        except subprocess.CalledProcessError:
            pytest.skip("network namespaces are not allowed here")
        yield made
    finally:
        made.remove()
