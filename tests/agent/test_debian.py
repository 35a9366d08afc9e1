from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agent.debian import installed, older, repaired

ORDERED = [
    ("1.0~rc1-1", "1.0-1"),
    ("1.0-1~deb12u1", "1.0-1"),
    ("1.0-1", "1.0-1+deb12u1"),
    ("1.0-1+deb12u9", "1.0-1+deb12u10"),
    ("1.9", "1.10"),
    ("9", "1:1"),
    ("1.0", "1.0a"),
    ("1.0a", "1.0+b"),
    ("2.0-1", "2.0.1-1"),
    ("1.0", "1.0-1"),
    ("1.0-1", "1.0-1.1"),
    ("1.2.0", "1.2.0.0"),
]


@pytest.mark.parametrize(("one", "other"), ORDERED)
def test_versions_are_ordered_as_the_policy_says(one: str, other: str) -> None:
    assert older(one, other)
    assert not older(other, one)
    assert not older(one, one)


@pytest.mark.skipif(not Path("/usr/bin/dpkg").exists(), reason="needs dpkg to compare with")
def test_versions_are_ordered_as_dpkg_orders_them() -> None:
    versions = [
        "1.0",
        "1.0-0",
        "1.0-1",
        "0:1.0-1",
        "1.0~",
        "1.0~~",
        "1.0a",
        "1.0+",
        "1.00",
        "1.0-1~b",
        "2:0.1",
        "1.0.0",
    ]
    for one in versions:
        for other in versions:
            said = (
                subprocess.run(["/usr/bin/dpkg", "--compare-versions", one, "lt", other], check=False).returncode == 0
            )
            assert older(one, other) == said, (one, other)


def test_only_installed_packages_are_compared() -> None:
    status = [
        "Package: a\n",
        "Status: deinstall ok config-files\n",
        "Version: 1\n",
        "Architecture: all\n",
        "\n",
        "Package: b\n",
        "Status: install ok installed\n",
        "Version: 1\n",
        "Architecture: all\n",
    ]
    archive = ["Package: a\n", "Version: 2\n", "Architecture: all\n", "\n"]
    archive += ["Package: b\n", "Version: 2\n", "Architecture: all\n"]
    assert repaired(archive, installed(status)) == {"b:all"}
