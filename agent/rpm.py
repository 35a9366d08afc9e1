"""Hosts with rpm: when its packages came, and which security updates the caches of dnf and zypper know.

Only what lies on the host is read; the caches are renewed by those programs themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from agent.host import Host
from agent.section import NotSupported

PROGRAM = "/usr/bin/rpm"
TIMES = (PROGRAM, "-qa", "--qf", r"%{NAME}\t%{INSTALLTIME}\n")
FRESH = timedelta(days=7)
"""As for the lists of apt."""
_NEVRA = re.compile(r"(\S+)-[^-\s]+-[^-\s]+\.([^.\s]+)")
_UPDATE = re.compile(r"<update((?:\s+[\w:-]+=\"[^\"]*\")*)\s*/?>")
_ATTRIBUTE = re.compile(r"([\w:-]+)=\"([^\"]*)\"")
_WAITS = ("needed", "unwanted")
"""States of a patch that repairs what is installed here; the second is that of a patch that somebody locked."""
_LOGS = "--setopt=logdir=/run/ztagent"
"""dnf does not start where it cannot write its logs, and to those of the system the service may not write."""


@dataclass(frozen=True)
class _Manager:
    """A program that knows security updates: its path, where its metadata lies, how it is asked, how it answers."""

    program: str
    cache: str
    question: tuple[str, ...]
    due: Callable[[str], Iterable[tuple[str, ...]]]
    """What waits, by its output; raises NotSupported where any of that is not understood."""

    @property
    def command(self) -> tuple[str, ...]:
        return (self.program, *self.question)


def _packages(form: str, output: str) -> Iterator[tuple[str, ...]]:
    """Name and architecture of a package in each line of the form, whose group ``package`` is absent in a heading."""
    for line in filter(None, map(str.strip, output.splitlines())):
        match = re.fullmatch(form, line)
        if match is None:
            raise NotSupported(f"its line is not understood: {line[:60]}")
        if package := match["package"]:
            parts = _NEVRA.fullmatch(package)
            yield parts.groups() if parts else (package,)


def _patches(output: str) -> Iterator[tuple[str, ...]]:
    """Patches among all elements ``update``, many of which stand in one line, and some in a list of blocked ones."""
    if not output.rstrip().endswith("</stream>"):
        raise NotSupported("it did not end what it had to say")
    tags = _UPDATE.findall(output)
    if len(tags) != output.count("<update "):
        raise NotSupported("one of its updates is not understood")
    for tag in tags:
        found = dict(_ATTRIBUTE.findall(tag))
        if found.get("category") == "security" and found.get("status") in _WAITS:
            yield (found.get("name", ""),)


_DNF5 = _Manager(
    "/usr/bin/dnf5",
    "/var/cache/libdnf5",
    (
        *("-q", "--cacheonly", _LOGS, "--setopt=skip_if_unavailable=0", "--setopt=disable_excludes=*"),
        *("advisory", "list", "--security", "--available"),
    ),
    partial(
        _packages,
        r"Name\s+Type\s+Severity\s+Package\s+Issued|\S+\s+security\s+\S+\s+(?P<package>\S+)\s+[\d-]+ [\d:]+",
    ),
)
_DNF4 = _Manager(
    "/usr/bin/dnf",
    "/var/cache/dnf",
    (
        *("-q", "--cacheonly", _LOGS, "--setopt=logfilelevel=0", "--setopt=*.skip_if_unavailable=0"),
        *("--disableexcludes=all", "updateinfo", "--list", "--security", "--available"),
    ),
    partial(_packages, r"\S+\s+\S+/Sec\.\s+(?P<package>\S+)"),
)
_ZYPPER = _Manager(
    "/usr/bin/zypper",
    "/var/cache/zypp/raw",
    ("--non-interactive", "--no-refresh", "--xmlout", "list-patches", "--category", "security"),
    _patches,
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
    """How many packages, or with zypper patches, have a security update that is not installed; NotSupported.

    A package that is locked or excluded from updates counts: it is as open as any other.
    """
    present = [one for one in MANAGERS if host.exists(one.program)]
    if not present:
        raise NotSupported("neither dnf nor zypper is there")
    # Of several, the one that is in use here.
    manager = next((one for one in present if any(True for _ in _telling(host, one))), present[0])
    _refuse_old(host, manager)
    ran = host.run(manager.command)
    if ran.status != 0:
        said = ran.errors.strip().splitlines()[-1:]
        raise NotSupported(f"{manager.program} ended with status {ran.status}: {''.join(said)[:120]}")
    try:
        return len(set(manager.due(ran.output)))
    except NotSupported as reason:
        raise NotSupported(f"{manager.program}: {reason}") from reason


def _telling(host: Host, manager: _Manager) -> Iterator[tuple[str, list[str]]]:
    """Folders of repositories that tell security updates, and the names in them."""
    try:
        repositories = host.listdir(manager.cache)
    except FileNotFoundError:
        return
    for name in repositories:
        folder = f"{manager.cache}/{name}/repodata"
        if host.exists(folder):
            files = host.listdir(folder)
            if "repomd.xml" in files and any("updateinfo" in file for file in files):
                yield folder, files


def _refuse_old(host: Host, manager: _Manager) -> None:
    """By the youngest of the files whose times these programs set whenever they have asked: zypper that of repomd.xml,
    dnf that of the list of packages, also where nothing is new there."""
    telling = 0
    for folder, files in _telling(host, manager):
        telling += 1
        asked = max(host.modified(f"{folder}/{file}") for file in files if file == "repomd.xml" or "primary" in file)
        if host.passed(asked + FRESH):
            name = folder.split("/")[-2]
            raise NotSupported(
                f"what {manager.program} knows of {name} is of {asked:%Y-%m-%d}; its makecache renews it"
            )
    if not telling:
        # Without such a repository these programs list no security update, whatever is due.
        raise NotSupported(f"no repository that {manager.program} knows tells its security updates")
