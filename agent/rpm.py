"""Hosts with rpm: when its packages came, and which security updates the caches of dnf and zypper know.

Only what lies on the host is read; the caches are renewed by those programs themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from agent.host import Host
from agent.section import NotSupported

PROGRAM = "/usr/bin/rpm"
TIMES = (PROGRAM, "-qa", "--qf", r"%{NAME}\t%{INSTALLTIME}\n")
FRESH = timedelta(days=7)
"""As for the lists of apt."""
_NEVRA = re.compile(r"(\S+)-[^-\s]+-[^-\s]+\.([^.\s]+)")


@dataclass(frozen=True)
class _Manager:
    """A program that knows security updates: its path, where its metadata lies, how it is asked, what it prints."""

    program: str
    cache: str
    question: tuple[str, ...]
    form: re.Pattern[str]
    """Of one line; the group ``package`` is a package to which an update is due, and absent in lines without one."""
    last: str = ""
    """How its answer ends, where it has an end by which a cut one is known."""

    @property
    def command(self) -> tuple[str, ...]:
        return (self.program, *self.question)


_DNF5 = _Manager(
    "/usr/bin/dnf5",
    "/var/cache/libdnf5",
    ("-q", "--cacheonly", "advisory", "list", "--security", "--available"),
    re.compile(r"Name\s+Type\s+Severity\s+Package\s+Issued|\S+\s+security\s+\S+\s+(?P<package>\S+)\s+[\d-]+ [\d:]+"),
)
_DNF4 = _Manager(
    "/usr/bin/dnf",
    "/var/cache/dnf",
    ("-q", "--cacheonly", "updateinfo", "--list", "--security", "--available"),
    re.compile(r"\S+\s+\S+/Sec\.\s+(?P<package>\S+)"),
)
_ZYPPER = _Manager(
    "/usr/bin/zypper",
    "/var/cache/zypp/raw",
    ("--non-interactive", "--no-refresh", "--xmlout", "list-patches", "--category", "security"),
    re.compile(
        r'<update (?=[^>]*\bstatus="needed")(?=[^>]*\bcategory="security")[^>]*\bname="(?P<package>[^"]+)".*|.*',
        re.DOTALL,
    ),
    last="</stream>",
)
MANAGERS = (_DNF5, _DNF4, _ZYPPER)


def times(host: Host) -> Mapping[str, list[int]]:
    """When each package was installed, in seconds since 1970, by name; NotSupported where rpm does not tell."""
    found: dict[str, list[int]] = {}
    for line in host.run_lines(TIMES):
        name, _, when = line.strip().partition("\t")
        if when.isdecimal():
            found.setdefault(name, []).append(int(when))
    if not found:
        raise NotSupported("rpm lists no package")
    return found


def pending(host: Host) -> int:
    """How many packages, or with zypper patches, have a security update that is not installed; NotSupported."""
    manager = next((one for one in MANAGERS if host.exists(one.program)), None)
    if manager is None:
        raise NotSupported("neither dnf nor zypper is there")
    _refuse_old(host, manager)
    ran = host.run(manager.command)
    if ran.status != 0:
        said = (ran.errors.strip() or ran.output.strip()).splitlines()[:1]
        raise NotSupported(f"{manager.program} ended with status {ran.status}: {''.join(said)[:120]}")
    if not ran.output.rstrip().endswith(manager.last):
        raise NotSupported(f"{manager.program} did not end what it had to say")
    found = set()
    for line in filter(None, map(str.strip, ran.output.splitlines())):
        match = manager.form.fullmatch(line)
        if match is None:
            raise NotSupported(f"{manager.program} said what is not understood: {line[:60]}")
        if package := match["package"]:
            parts = _NEVRA.fullmatch(package)
            found.add(parts.groups() if parts and not manager.last else (package, ""))
    return len(found)


def _refuse_old(host: Host, manager: _Manager) -> None:
    """The times of repomd.xml, which these programs set whenever they have asked the repository."""
    try:
        repositories = host.listdir(manager.cache)
    except FileNotFoundError:
        repositories = []
    telling = 0
    for name in repositories:
        folder = f"{manager.cache}/{name}/repodata"
        if not host.exists(folder) or not any("updateinfo" in file for file in host.listdir(folder)):
            continue
        telling += 1
        asked = host.modified(f"{folder}/repomd.xml")
        if host.passed(asked + FRESH):
            raise NotSupported(
                f"what {manager.program} knows of {name} is of {asked:%Y-%m-%d}; its makecache renews it"
            )
    if not telling:
        # Without such a repository these programs list no security update, whatever is due.
        raise NotSupported(f"no repository that {manager.program} knows tells its security updates")
