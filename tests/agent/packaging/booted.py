"""A machine with a running systemd, in a container over this machine's own root, and the agent's package on it.

Run as root, as ``python -m tests.agent.packaging.booted FOLDER``. Nothing that the container writes reaches this
machine: its root is an overlay, its network empty but for a fleet server on loopback. Prints what was seen, as JSON;
ends with `NOT_ALLOWED` where no such container can be made.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from agent.packaging.as_debian import as_debian
from agent.packaging.payload import EARLIEST, payload
from scanner.fleet import tokens
from tests.agent.machine import Now
from tests.agent.own_mounts import NOT_ALLOWED, enter, run
from tests.scanner.fleet.lab import Running, make_fleet

VERSIONS = ("1.0.0", "1.1.0")
_UNIT = "/lib/systemd/system/ztagent.service"
_TRANSIENT = "/run/systemd/system/looking.service"
_OUTPUT = "/run/seen"
_TRY = (
    "/bin/sh -c 'for place in /boot /etc /etc/systemd/system /home /opt /root /srv /usr/bin /var/lib /var/log"
    " /var/lib/ztagent; do if touch $place/.tried 2>/dev/null; then echo $place; fi; done'"
)
_HERE = "/mnt"
"""Where the folder lies in the container."""
_BOOT = 30.0


def packages(folder: Path) -> None:
    """The package in two versions, which speaks for a container as if it were a host, so that every probe looks."""
    files = payload()
    name, refusal = "agent/confinement.py", b'    if host.system != "linux":\n        return ""\n'
    if files[name].count(refusal) != 1:
        raise ValueError(f"{name} does not ask for the system as it did")
    files[name] = files[name].replace(refusal, b'    return ""\n')
    for version in VERSIONS:
        mark = f'"""The agent."""\n\n__version__ = "{version}"\n'.encode()
        as_debian(files | {"agent/__init__.py": mark}, EARLIEST, folder)


class Machine:
    """The container; ``do`` runs a command in it."""

    def __init__(self, folder: Path) -> None:
        layers = folder / "layers"
        layers.mkdir()
        run("mount", "-t", "tmpfs", "tmpfs", str(layers))
        for name in ("upper", "work", "root"):
            (layers / name).mkdir()
        root = layers / "root"
        options = f"lowerdir=/,upperdir={layers}/upper,workdir={layers}/work"
        run("mount", "-t", "overlay", "-o", options, "overlay", str(root))
        # Says in many containers and build machines that no service may start.
        (root / "usr/sbin/policy-rc.d").unlink(missing_ok=True)
        # systemd-nspawn notes there what it runs.
        run("mount", "-t", "tmpfs", "tmpfs", "/run")
        if os.path.ismount("/sys/fs/cgroup"):
            run("umount", "-R", "/sys/fs/cgroup")
        run("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
        run("ip", "link", "set", "lo", "up")
        argv = ["setpriv", "--pdeathsig", "TERM"]
        argv += ["systemd-nspawn", "--keep-unit", "--register=no", "--quiet", "--link-journal=no", "--console=pipe"]
        argv += [f"--directory={root}", f"--machine=ztlab-{os.getpid()}", f"--bind={folder}:{_HERE}"]
        argv += ["--capability=CAP_NET_ADMIN,CAP_NET_RAW", "--system-call-filter=@clock", "--boot"]
        self._said = (folder / "boot.log").open("wb")
        self._process = subprocess.Popen(
            [*argv, "systemd.unit=basic.target"], stdin=subprocess.DEVNULL, stdout=self._said, stderr=self._said
        )
        self._leader = 0

    def boot(self) -> None:
        """Wait for it; raises OSError where it does not come."""
        until = time.monotonic() + _BOOT
        while not self._leader or self.do("systemctl", "is-active", "basic.target").stdout.strip() != "active":
            if time.monotonic() > until or self._process.poll() is not None:
                raise OSError("the container does not boot")
            time.sleep(0.2)
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(self._process.pid).children(recursive=True):
                    if child.name() == "systemd":
                        self._leader = child.pid

    def do(self, *argv: str) -> subprocess.CompletedProcess[str]:
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/root", *argv]
        inside = ["nsenter", "--all", "--root", "--target", str(self._leader), *clean]
        return subprocess.run(inside, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)

    def end(self) -> None:
        """Take it away, however far it came."""
        if self._leader:
            with suppress(ProcessLookupError):
                os.kill(self._leader, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        for _ in range(2):  # the second time without waiting for its services
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
        self._process.kill()
        self._process.wait(10)
        self._said.close()

    def write(self, path: str, text: str) -> None:
        done = self.do("python3", "-c", "import sys; open(sys.argv[1], 'w').write(sys.argv[2])", path, text)
        if done.returncode:
            raise OSError(done.stderr)

    def install(self, version: str) -> int:
        return self.do("dpkg", "--install", f"{_HERE}/ztagent_{version}_all.deb").returncode

    def state(self) -> list[str]:
        """Whether the service is active and enabled, and which version is installed."""
        asked = (
            ("systemctl", "is-active", "ztagent.service"),
            ("systemctl", "is-enabled", "ztagent.service"),
            ("dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", "ztagent"),
        )
        return [self.do(*argv).stdout.strip() for argv in asked]

    def restricted(self, command: str) -> str:
        """What a command prints under the restrictions of the service."""
        text = self.do("cat", _UNIT).stdout
        hardening = "UMask=" + text.split("\nUMask=", 1)[1].split("[Install]")[0]
        self.do("rm", "-f", _OUTPUT)
        start = f"Type=oneshot\nExecStart={command}\nStandardOutput=file:{_OUTPUT}\n"
        self.write(_TRANSIENT, f"[Service]\n{start}{hardening}")
        self.do("systemctl", "daemon-reload")
        self.do("systemctl", "start", "looking.service")
        return self.do("cat", _OUTPUT).stdout


def _sections(told: str) -> dict[str, Any]:
    found = json.loads(told)["sections"]
    return {one["name"]: [one["status"], one["detail"], one["values"], one["missing"]] for one in found}


def _await(happens: Callable[[], bool]) -> bool:
    until = time.monotonic() + 30
    while not happens():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def story(machine: Machine, server: Running) -> dict[str, Any]:
    """What became of the package, step by step."""
    told: dict[str, Any] = {"without a token": [machine.install(VERSIONS[0]), *machine.state()]}
    url = f"https://127.0.0.1:{server.port}"
    with server.database() as database:
        token = tokens.mint(database, url=url, pin=server.pin(), now=server.ms, life_s=86_400)
    machine.write("/etc/ztagent/enrol.token", token)
    machine.do("systemctl", "start", "ztagent.service")

    told["told the server"] = _await(lambda: server.counted("SELECT count(*) FROM agent_section") > 0)
    told["with a token"] = machine.state()
    told["token is left"] = machine.do("test", "-e", "/etc/ztagent/enrol.token").returncode == 0
    told["restricted"] = _sections(machine.restricted("/usr/bin/ztagent show --json"))
    told["free"] = _sections(machine.do("ztagent", "show", "--json").stdout)
    told["may write"] = machine.restricted(_TRY).split()
    identity = machine.do("cat", "/var/lib/ztagent/identity.json").stdout
    told["upgraded"] = [machine.install(VERSIONS[1]), *machine.state()]
    told["back"] = [machine.install(VERSIONS[0]), *machine.state()]
    told["same identity"] = bool(identity) and machine.do("cat", "/var/lib/ztagent/identity.json").stdout == identity
    machine.do("systemctl", "disable", "--now", "ztagent.service")
    machine.do("systemctl", "enable", "--now", "ztagent-once.timer")
    told["once"] = machine.do("systemctl", "start", "ztagent-once.service").returncode
    told["removed"] = [machine.do("dpkg", "--remove", "ztagent").returncode, *machine.state()]
    machine.do("dpkg", "--purge", "ztagent")
    left = machine.do("find", "/etc", "/lib", "/var", "/run/ztagent", "-xdev", "-name", "*ztagent*")
    told["left"] = left.stdout.split()
    told["failed"] = machine.do("systemctl", "--failed", "--no-legend", "--plain", "ztagent*").stdout
    return told


def main(folder: Path) -> int:
    """Make the machine, try the package on it, print; gives the exit code."""
    packages(folder)
    machine = server = None
    try:
        try:
            enter(network=True)
            machine = Machine(folder)
            machine.boot()
        except OSError as error:
            sys.stderr.write(f"{error}\n")
            return NOT_ALLOWED
        server = Running(make_fleet(folder / "fleet"), Now())
        json.dump(story(machine, server), sys.stdout)
    finally:
        if server:
            server.end()
        if machine:
            machine.end()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
