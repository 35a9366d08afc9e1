"""The Debian package as dpkg installs, upgrades, rolls back, removes and purges it, in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.packaging.as_debian import as_debian
from agent.packaging.payload import EARLIEST, payload

pytestmark = pytest.mark.skipif(shutil.which("dpkg") is None, reason="no dpkg: it comes with Debian")
VERSIONS = ("1.0.0", "1.1.0")


def versioned(version: str) -> dict[str, bytes]:
    return payload() | {"agent/__init__.py": f'"""The agent."""\n\n__version__ = "{version}"\n'.encode()}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("deb")
    return {version: as_debian(versioned(version), EARLIEST, folder) for version in VERSIONS}


class Machine:
    """A folder in which dpkg installs as it would in ``/``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("updates", "info", "triggers"):
            (root / "var/lib/dpkg" / name).mkdir(parents=True)
        for name in ("status", "available"):
            (root / "var/lib/dpkg" / name).touch()

    def dpkg(self, *given: str) -> subprocess.CompletedProcess[str]:
        forced = "script-chrootless,not-root,depends,unsafe-io,bad-path"
        argv = ["dpkg", f"--root={self.root}", f"--force-{forced}", "--log=/dev/null", *given]
        environment = os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        return subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=120)

    def install(self, package: Path) -> subprocess.CompletedProcess[str]:
        return self.dpkg("--install", str(package))

    def ztagent(self, *given: str) -> subprocess.CompletedProcess[str]:
        code = (self.root / "usr/bin/ztagent").read_text().replace("/usr/lib/ztagent", f"{self.root}/usr/lib/ztagent")
        return subprocess.run([sys.executable, "-I", "-c", code, *given], capture_output=True, text=True, timeout=60)

    @property
    def version(self) -> str:
        found = self.dpkg("--status", "ztagent").stdout
        return found.split("\nVersion: ")[1].split("\n")[0] if "\nStatus: install ok installed" in found else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    if os.geteuid() != 0:
        pytest.skip("installing a package needs root")
    return Machine(tmp_path / "root")


def test_two_runs_give_the_same_bytes(packages: dict[str, Path], tmp_path: Path) -> None:
    again = as_debian(versioned("1.0.0"), EARLIEST, tmp_path)
    assert again.read_bytes() == packages["1.0.0"].read_bytes()


def test_it_asks_for_what_the_distribution_has_and_belongs_to_root(packages: dict[str, Path]) -> None:
    told = subprocess.run(["dpkg-deb", "-f", str(packages["1.0.0"])], capture_output=True, text=True, check=True).stdout
    assert "Depends: python3 (>= 3.11), python3-psutil, python3-cryptography (>= 38), tpm-udev\n" in told
    assert "Recommends: ca-certificates, tpm2-tools\n" in told, "without them a key is made in a file"
    assert "Version: 1.0.0\nArchitecture: all\n" in told
    listed = subprocess.run(["dpkg-deb", "-c", str(packages["1.0.0"])], capture_output=True, text=True, check=True)
    lines = listed.stdout.splitlines()
    assert lines and all(line.split()[1] == "root/root" for line in lines)
    assert not [line for line in lines if line[5] == "w" or line[8] == "w" or "s" in line.split()[0]]


def test_it_installs_runs_and_keeps_the_host_to_root(machine: Machine, packages: dict[str, Path]) -> None:
    done = machine.install(packages["1.0.0"])
    assert done.returncode == 0, done.stderr
    assert machine.version == "1.0.0"
    assert (machine.root / "var/lib/ztagent").stat().st_mode & 0o777 == 0o700
    shown = machine.ztagent("show", "--json", "--state", str(machine.root / "none"))
    assert (shown.returncode, shown.stderr) == (0, "")
    assert json.loads(shown.stdout)["sections"][-1]["values"]["version"] == "1.0.0"


def test_settings_and_token_that_lie_there_before_are_not_touched(machine: Machine, packages: dict[str, Path]) -> None:
    settings = machine.root / "etc/ztagent"
    settings.mkdir(parents=True)
    (settings / "agent.toml").write_text("shortest_interval = 120\n")
    (settings / "enrol.token").write_text("zt1.x\n")
    done = machine.install(packages["1.0.0"])
    assert done.returncode == 0, done.stderr
    assert (settings / "agent.toml").read_text() == "shortest_interval = 120\n"
    assert (settings / "enrol.token").read_text() == "zt1.x\n"


def test_upgrade_and_rollback_keep_the_identity_and_purge_alone_removes_it(
    machine: Machine, packages: dict[str, Path]
) -> None:
    machine.install(packages["1.0.0"])
    state = machine.root / "var/lib/ztagent"
    (state / "identity.json").write_text("{}")
    assert machine.install(packages["1.1.0"]).returncode == 0
    assert machine.version == "1.1.0"
    back = machine.install(packages["1.0.0"])
    assert back.returncode != 0
    assert "version 1.0.0 is older than 1.1.0" in back.stderr
    assert machine.version == "1.1.0"
    (machine.root / "etc/ztagent/allow-rollback").touch()
    assert machine.install(packages["1.0.0"]).returncode == 0
    assert machine.version == "1.0.0"
    assert not (machine.root / "etc/ztagent/allow-rollback").exists(), "it is allowed once"
    assert (state / "identity.json").read_text() == "{}"
    assert machine.dpkg("--remove", "ztagent").returncode == 0
    assert (state / "identity.json").exists() and not (machine.root / "usr/bin/ztagent").exists()
    timer = machine.root / "etc/systemd/system/timers.target.wants/ztagent-once.timer"
    timer.parent.mkdir(parents=True)
    timer.symlink_to("/lib/systemd/system/ztagent-once.timer")
    assert machine.dpkg("--purge", "ztagent").returncode == 0
    assert not state.exists() and not (machine.root / "etc/ztagent").exists()
    assert not timer.is_symlink(), "systemctl enable leaves deb-systemd-helper no note of it"


ENROL = """#!/bin/sh
[ "$1 $2 $3 $4" = "enroll --state $STATE --token-file" ] || exit 9
[ -z "$LEAVES" ] || : >"$STATE/$LEAVES"
exit "$STATUS"
"""


@pytest.mark.parametrize(
    ("leaves", "status", "ends", "token_is_left"),
    [
        ("identity.json", 0, 0, False),
        ("enrolment.json", 1, 0, False),  # no answer yet: the agent has its own note and goes on asking
        ("enrolment.json", 3, 0, False),  # a person has to approve
        ("", 2, 2, True),  # the token was none: it stays, to be looked at
    ],
)
def test_a_token_that_was_left_is_used_once(
    tmp_path: Path, packages: dict[str, Path], leaves: str, status: int, ends: int, token_is_left: bool
) -> None:
    subprocess.run(["dpkg-deb", "-x", str(packages["1.0.0"]), str(tmp_path / "root")], check=True)
    agent, token, state = tmp_path / "ztagent", tmp_path / "enrol.token", tmp_path / "state"
    agent.write_text(ENROL)
    agent.chmod(0o755)
    token.write_text("zt1.x")
    state.mkdir()
    environment = os.environ | {"ZTAGENT": str(agent), "STATE": str(state), "LEAVES": leaves, "STATUS": str(status)}
    argv = [str(tmp_path / "root/usr/lib/ztagent/enrol"), str(token), str(state)]
    assert subprocess.run(argv, env=environment, timeout=60).returncode == ends
    assert token.exists() is token_is_left
