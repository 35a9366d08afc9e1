"""What commands of systems with rpm print.

``OLDER_ADVISORIES`` and ``PATCHES`` have the form that dnf 4.14 and zypper 1.14.42 gave in test_rpm_hosts.py; those of
dnf5 are written by its manual.
"""

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
"""dnf of version 4, ``updateinfo --list``: advisory, severity, package."""
_MORE = """\
<summary>x &lt;update status="needed" category="security"&gt;</summary><description>x</description><license/>\
<source url="https://lab.example/" alias="lab"/><issue-date time_t="1794199628" text="2026-11-09T04:47:08Z"/>\
<issue-list/></update>"""


def _patch(name: str, status: str, category: str, severity: str) -> str:
    flags = 'pkgmanager="false" restart="false" interactive="false"'
    return (
        f'<update kind="patch" name="{name}" edition="1" arch="noarch" status="{status}" category="{category}"'
        f' severity="{severity}" {flags}>{_MORE}'
    )


PATCHES = f"""\
<?xml version='1.0'?>
<stream>
<message type="info">Loading repository data...</message>
<message type="info">Reading installed packages...</message>
<update-status version="0.6">
<update-list>
{_patch("SUSE-2026-1126", "needed", "recommended", "moderate")}{_patch("SUSE-2026-500", "needed", "security", "")}\
{_patch("SUSE-2026-499", "applied", "security", "important")}</update-list>
<blocked-update-list>
{_patch("SUSE-2026-501", "unwanted", "security", "important")}{_patch("SUSE-2026-502", "needed", "security", "low")}\
</blocked-update-list>
</update-status>
</stream>
"""
"""``zypper --xmlout list-patches``: many in a line, also others than asked for; blocked ones in a list of their own."""
COMMANDS: dict[tuple[str, ...], Ran | Exception] = {rpm.TIMES: times(), DNF5: Ran(0, ADVISORIES, "")}
