"""The units of systemd: they hold, and leave the agent no more than it needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.packaging.as_debian import RECIPE

UNITS = sorted((RECIPE / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
MOST_EXPOSED = 4.0
"""What ``systemd-analyze security`` may give, 0 to 10, less is better: 252 gives 3.6, others weigh otherwise."""


def systemd_analyze(*given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *given], capture_output=True, text=True, timeout=60)


def told(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def hardening(unit: Path) -> str:
    return unit.read_text().split("# It runs as root", 1)[1].split("\n[Install]")[0].strip()


def test_every_service_is_held_to_the_same() -> None:
    assert len(SERVICES) == 3
    assert len({hardening(unit) for unit in SERVICES}) == 1


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: str(unit.name))
def test_a_service_can_write_to_its_state_alone(unit: Path) -> None:
    assert told(unit, "ProtectSystem") == ["strict"]
    assert told(unit, "StateDirectory") == ["ztagent"] and told(unit, "StateDirectoryMode") == ["0700"]
    caches = "-/var/cache/dnf -/var/cache/libdnf5"
    assert told(unit, "ReadWritePaths") == ["-/etc/ztagent"] * (unit.name == "ztagent-enrol.service") + [caches]
    assert told(unit, "RuntimeDirectory") == ["ztagent"]
    assert told(unit, "NoNewPrivileges") == ["yes"]
    assert told(unit, "CapabilityBoundingSet") == ["CAP_DAC_READ_SEARCH CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_PTRACE"]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: str(unit.name))
def test_no_service_hides_what_the_agent_has_to_see(unit: Path) -> None:
    for key in (
        "ProtectKernelModules",
        "ProtectClock",
        "PrivateDevices",
        "ProtectProc",
        "PrivateNetwork",
        "PrivateUsers",
    ):
        assert told(unit, key) == []
    assert told(unit, "DeviceAllow") == ["/dev/tpmrm0 rw"]
    assert told(unit, "SupplementaryGroups") == ["tss"], "it is the device's, and tpm-udev makes it"
    assert told(unit, "SystemCallFilter")[-1] == "adjtimex clock_adjtime"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_them(tmp_path: Path) -> None:
    for unit in UNITS:
        text = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)
    done = systemd_analyze("verify", *(str(tmp_path / unit.name) for unit in UNITS))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_calls_the_resident_one_little_exposed(tmp_path: Path) -> None:
    done = systemd_analyze("security", "--offline=true", "--no-pager", str(RECIPE / "systemd" / "ztagent.service"))
    found = re.search(r"exposure level for ztagent\.service: ([0-9.]+)", done.stdout)
    if found is None:
        pytest.skip("systemd-analyze is not installed")  # one before 250 knows no --offline
    assert float(found[1]) <= MOST_EXPOSED
