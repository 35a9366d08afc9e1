"""The Debian package under a running systemd: what its service may do, and what becomes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

import pytest

from agent.probes import PROBES
from tests.agent.own_mounts import told_by

PROGRAMS = ("systemd-nspawn", "nsenter", "setpriv", "ip", "dpkg")
NEEDED = ["/usr/bin/python3", "-I", "-c", "import psutil, cryptography"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if os.geteuid() != 0:
        pytest.skip("a machine of a test's own needs root")
    if not all(map(shutil.which, PROGRAMS)) or subprocess.run(NEEDED, capture_output=True).returncode:
        pytest.skip("no systemd-nspawn and Debian's own psutil: make lab-deps installs them, as root")
    refused = "no container with systemd can be booted here"
    return told_by("tests.agent.packaging.booted", tmp_path_factory.mktemp("booted"), patience=280, refused=refused)


def test_a_host_with_a_token_is_enrolled_and_tells(told: dict[str, Any]) -> None:
    assert told["without a token"] == [0, "inactive", "enabled", "1.0.0 installed"]
    assert told["with a token"] == ["active", "enabled", "1.0.0 installed"]
    assert told["told the server"] is True and told["token is left"] is False


def test_its_restrictions_hide_nothing_from_any_section(told: dict[str, Any]) -> None:
    assert told["free"].keys() == told["restricted"].keys() > {probe.name for probe in PROBES}
    assert told["restricted"] == told["free"]
    for name in ("administrators", "disk_encryption", "listeners", "password_policy", "software"):
        assert told["restricted"][name][0] == "seen", told["restricted"][name]


def test_its_restrictions_let_it_write_to_its_state_alone(told: dict[str, Any]) -> None:
    assert told["may write"] == ["/var/lib/ztagent"]


def test_an_upgrade_restarts_it_and_an_older_version_leaves_it_as_it_was(told: dict[str, Any]) -> None:
    assert told["upgraded"] == [0, "active", "enabled", "1.1.0 installed"]
    assert told["back"] == [1, "active", "enabled", "1.1.0 installed"]
    assert told["same identity"] is True


def test_by_timer_it_tells_too_and_a_purge_leaves_nothing(told: dict[str, Any]) -> None:
    assert told["once"] == 0
    assert told["removed"][:2] == [0, "inactive"]
    assert (told["left"], told["failed"]) == ([], "")
