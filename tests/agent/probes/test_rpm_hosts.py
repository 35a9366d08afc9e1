"""What the probes say of a host with real packages, repositories and advisories: rpm, dnf 4 and zypper, as Debian has
them. dnf5, which Debian has not, and rpm-ostree are tried on recordings alone."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

from agent.confinement import container
from agent.host import ThisHost
from collectors.sections import Installed, installed
from tests.agent.own_mounts import told_by

PROGRAMS = ("rpm", "rpmbuild", "dnf", "zypper", "createrepo_c", "faketime")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if os.geteuid() != 0:
        pytest.skip("a host of rpm needs root")
    if not all(map(shutil.which, PROGRAMS)):
        pytest.skip("no rpm, dnf and zypper: make lab-deps installs them, as root")
    folder = tmp_path_factory.mktemp("rpm")
    return told_by("tests.agent.rpm_host", folder, patience=240, refused="mounting is not allowed here")


def test_system_and_packages_are_those_of_rpm(told: dict[str, Any]) -> None:
    assert (told["system"]["values"]["name"], told["system"]["values"]["version"]) == ("Lab Linux", "9")
    assert told["system"]["values"]["supported_until"] == "2032-05-31T23:59:59Z"
    assert told["software"]["values"]["publishers"] == ["Lab, Inc."]
    assert {one.name: one for one in installed(told["software"]["values"])} == {
        "glibc": Installed("glibc", "2.34-1.lab", "glibc", "2.34-1.lab"),
        "htop": Installed("htop", "3.2-1.lab", "htop", "3.2-1.lab"),
        "openssl-libs": Installed("openssl-libs", "1:3.0.7-1.lab", "openssl", "1:3.0.7-1.lab"),
    }


def test_nothing_is_said_of_updates_before_a_repository_was_asked(told: dict[str, Any]) -> None:
    assert set(told["first"]["values"].values()) == {None}
    assert "no repository" in told["first"]["missing"]["pending_security"]["detail"]


@pytest.mark.parametrize(
    ("step", "waiting"),
    [
        ("dnf", 2),
        ("dnf, excluded", 2),  # what is not to be updated is as open as the rest
        ("dnf, asked again", 2),
        ("dnf, as the service may write", 2),
        ("dnf, updated", 0),
        ("zypper", 2),  # although one of them is blocked until the package manager is updated
        ("zypper, locked", 2),
        ("zypper, updated", 0),
    ],
)
def test_security_updates_that_wait_are_counted_until_they_are_installed(
    told: dict[str, Any], step: str, waiting: int
) -> None:
    assert told[step] == waiting


@pytest.mark.parametrize("program", ["dnf", "zypper"])
def test_what_is_old_or_lacks_a_repository_is_no_answer(told: dict[str, Any], program: str) -> None:
    assert "renews it" in told[f"{program}, old"]
    assert f"/usr/bin/{program} ended with status" in told[f"{program}, a repository is not known"]


def test_an_update_is_what_replaces_a_part_of_the_system(told: dict[str, Any]) -> None:
    """The system was installed thirty days before."""
    values = told["last"]["values"]
    assert values["ever_patched"] is True and values["last_patched"] > told["first"]["observed_at"]
    assert values["restart_pending"] is (None if container(ThisHost()) else True)


def test_dnf_is_asked_again_only_once_something_changed(told: dict[str, Any]) -> None:
    assert (told["proved again"], told["proved after an update"]) == (True, False)
