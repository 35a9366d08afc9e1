"""What documented commands of systems with rpm print, written by hand; none of it was recorded on such a system."""

from __future__ import annotations

from agent import rpm
from agent.host import Ran

DNF5, DNF4, ZYPPER = (one.command for one in rpm.MANAGERS)
INSTALLED = 1_780_000_000
"""When the system was installed: 2026-05-28T20:26:40Z."""
UPDATED = 1_794_300_000
"""When glibc was last updated: 2026-11-10T08:40:00Z."""


def times(**packages: int) -> Ran:
    """What ``rpm -qa`` prints of names and INSTALLTIME, by rpm(8) and ``rpm --querytags``."""
    rows = {"filesystem": INSTALLED, "glibc": UPDATED, "htop": UPDATED + 600_000} | packages
    return Ran(0, "".join(f"{name.replace('_', '-')}\t{when}\n" for name, when in rows.items()), "")


ADVISORIES = """\
Name                   Type     Severity                             Package              Issued
FEDORA-2026-044e56d9ff security Moderate            tar-2:1.35-9.fc42.x86_64 2026-11-09 04:47:08
FEDORA-2026-12f3f3d569 security Important openssl-libs-1:3.5.9-1.fc42.x86_64 2026-11-03 01:09:41
FEDORA-2026-55f3f3d570 security None      openssl-libs-1:3.5.8-1.fc42.x86_64 2026-10-03 01:09:41
"""
"""dnf5-advisory(8), ``list``: name, type, severity, package, issued."""
OLDER_ADVISORIES = """\
RLSA-2026:23343 Moderate/Sec.  binutils-2.35.2-67.el9_7.1.x86_64
RLSA-2026:23343 Moderate/Sec.  binutils-gold-2.35.2-67.el9_7.1.x86_64
RLSA-2026:0925  Unknown/Sec.   bzip2-libs-1.0.8-10.el9_5.x86_64
"""
"""dnf(8) of version 4, ``updateinfo --list``: advisory, severity, package."""
PATCHES = """\
<?xml version='1.0'?>
<stream>
<update-status version="0.6">
<update-list>
<update kind="patch" name="SUSE-2026-1126" edition="1" status="needed" category="recommended" severity="moderate">
<summary>Recommended update &lt;update status="needed" category="security"&gt;</summary></update>
<update kind="patch" name="SUSE-2026-500" edition="1" status="needed" category="security" severity="important">
<update kind="patch" name="SUSE-2026-499" edition="1" status="applied" category="security" severity="important">
</update-list>
</update-status>
</stream>
"""
"""zypper(8), ``--xmlout list-patches``."""
COMMANDS: dict[tuple[str, ...], Ran | Exception] = {rpm.TIMES: times(), DNF5: Ran(0, ADVISORIES, "")}
