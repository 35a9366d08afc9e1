from __future__ import annotations

import shutil
import subprocess

import pytest

from collectors.advisories.versions import LONGEST, Compare, compare_dpkg, compare_rpm

DPKG = [
    ("1.0", "1.0", 0), ("1.0", "1.0-0", 0), ("0:1.0", "1.0", 0), ("1.0", "1.1", -1), ("1.9", "1.10", -1),
    ("1.0~rc1", "1.0", -1), ("1.0~~", "1.0~", -1), ("1.0~", "1.0~a", -1), ("1.0", "1.0a", -1), ("1.0a", "1.0+", -1),
    ("1:0.9", "2.0", 1), ("1.0-1", "1.0-1+deb12u1", -1), ("1.0-1+b1", "1.0-1+deb12u1", -1),
    ("2.36-9+deb12u7", "2.36-9+deb12u10", -1), ("1.0-1", "1.0-1~bpo12+1", 1), ("1.2.3-4-5", "1.2.3-4-6", -1),
    ("7.4.052-1ubuntu3.1", "7.4.052-1ubuntu3", 1), ("1.0.0", "1.0", 1), ("09", "9", 0), ("1:1.0-1", "1:1.0-2", -1),
]  # fmt: skip
"""Versions with a sign as deb-version(7) orders them."""
RPM = [
    # From the tests of rpm itself, rpmvercmp.at.
    ("1.0", "1.0", 0), ("1.0", "2.0", -1), ("2.0.1", "2.0", 1), ("2.0.1a", "2.0.1", 1), ("5.5p1", "5.5p2", -1),
    ("5.5p10", "5.5p1", 1), ("10xyz", "10.1xyz", -1), ("xyz10", "xyz10.1", -1), ("xyz.4", "8", -1),
    ("6.0.rc1", "6.0", 1), ("10b2", "10a1", 1), ("1.0aa", "1.0a", 1), ("10.0001", "10.1", 0), ("4.999.9", "5.0", -1),
    ("20101122", "20101121", 1), ("2_0", "2.0", 0), ("a", "a+", 0), ("1.0~rc1", "1.0", -1), ("1.0~rc1", "1.0~rc2", -1),
    ("1.0~rc1~git123", "1.0~rc1", -1), ("1.0^", "1.0", 1), ("1.0^git1", "1.0^git2", -1), ("1.0^git1", "1.01", -1),
    ("1.0^20160101", "1.0.1", -1), ("1.0^20160101^git1", "1.0^20160102", -1), ("1.0~rc1^git1", "1.0~rc1", 1),
    ("1.0^git1~pre", "1.0^git1", -1),
    # Epoch and release.
    ("1:1.0-1", "2.0-1", 1), ("1.0-1.el9", "1.0-2.el9", -1), ("0:1.0-1.el9", "1.0-1.el9", 0), ("1.0", "1.0-3", 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("compare", "one", "other", "sign"),
    [(compare_dpkg, *row) for row in DPKG] + [(compare_rpm, *row) for row in RPM],
)
def test_versions_stand_in_the_order_of_their_package_manager(
    compare: Compare, one: str, other: str, sign: int
) -> None:
    assert (compare(one, other), compare(other, one)) == (sign, -sign)


@pytest.mark.parametrize("compare", [compare_dpkg, compare_rpm])
@pytest.mark.parametrize("text", ["", "1 0", "x:1", "1.0\n", "9" * (LONGEST + 1), "٣:1"])
def test_what_is_no_version_is_refused(compare: Compare, text: str) -> None:
    with pytest.raises(ValueError, match="is no version of"):
        compare(text, "1.0")


def test_dpkg_itself_agrees() -> None:
    dpkg = shutil.which("dpkg")
    words = {-1: "lt", 0: "eq", 1: "gt"}
    for one, other, sign in DPKG:
        if dpkg is None:
            break
        assert subprocess.run([dpkg, "--compare-versions", one, words[sign], other], check=False).returncode == 0
    assert {sign for *_, sign in DPKG} == set(words)
