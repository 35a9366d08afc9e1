"""What a feed of flaws says, whatever form it came in, and what of it befalls a host."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from collectors.advisories.severity import Severity, worse
from collectors.advisories.versions import Compare, compare_dpkg, compare_rpm
from scanner.facts.device import OpenAdvisory

COMPARES: Mapping[str, Compare] = MappingProxyType(
    {"debian": compare_dpkg, "ubuntu": compare_dpkg, "almalinux": compare_rpm, "rocky": compare_rpm}
)
"""How the versions of a system are compared; systems that are not here are not judged."""
_NAMES = (("debian", "debian"), ("ubuntu", "ubuntu"), ("almalinux", "almalinux"), ("rocky", "rocky"))
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,10}")


@dataclass(frozen=True)
class Stretch:
    """Versions from ``introduced`` (empty: from the first) up to, and without, ``fixed``; or up to ``last`` with it.

    With neither, every later version has the flaw.
    """

    introduced: str = ""
    fixed: str = ""
    last: str = ""

    def holds(self, version: str, compare: Compare) -> bool:
        """Whether a version has the flaw; raises ValueError."""
        if self.introduced and compare(version, self.introduced) < 0:
            return False
        if self.fixed:
            return compare(version, self.fixed) < 0
        return not self.last or compare(version, self.last) <= 0


@dataclass(frozen=True)
class Flaw:
    """One flaw of one package of one release."""

    id: str
    stretches: tuple[Stretch, ...]
    severity: Severity | None = None
    published: datetime | None = None
    decided: bool = True
    """False where the feed has not yet settled whether the package has the flaw."""


@dataclass
class Feed:
    """Flaws by release and package, and until when the feed knows of any."""

    name: str
    as_of: datetime
    flaws: dict[str, dict[str, list[Flaw]]] = field(default_factory=dict)
    """By release, such as ``debian:12``, then by package."""
    whole: bool = True
    """What it does not name has no flaw that it knows; False for single records, which prove flaws alone."""

    def add(self, release: str, package: str, flaw: Flaw) -> None:
        """Note a flaw."""
        self.flaws.setdefault(release, {}).setdefault(package, []).append(flaw)


@dataclass(frozen=True)
class Package:
    """One installed package, and the one it was built from."""

    name: str
    version: str
    source: str = ""


def release_of(name: str | None, version: str | None) -> str | None:
    """``debian:12`` and the like from NAME and VERSION_ID of os-release(5); None for systems that are not judged."""
    word = (name or "").lower()
    system = next((system for start, system in _NAMES if word.startswith(start)), None)
    if system is None or not version or not re.fullmatch(r"[0-9]+(\.[0-9]+)*", version):
        return None
    return f"{system}:{version if system == 'ubuntu' else version.split('.', 1)[0]}"


def common_id(id: str, aliases: Iterable[str]) -> str:
    """The one CVE that a record speaks of, so that feeds can be laid together; else its own name."""
    found = _CVE.search(id)
    if found:
        return found[0]
    named = {alias for alias in aliases if _CVE.fullmatch(alias)}
    return named.pop() if len(named) == 1 else id


def open_flaws(feeds: Iterable[Feed], release: str, packages: Iterable[Package]) -> list[OpenAdvisory]:
    """The flaws of what is installed, each once for a package; raises ValueError for a version that is none."""
    compare = COMPARES[release.split(":", 1)[0]]
    every = list(packages)
    found: dict[tuple[str, str], OpenAdvisory] = {}
    for feed in feeds:
        known = feed.flaws.get(release, {})
        for package in every:
            for flaw in _of(known, package, release):
                told = _told(flaw, package, compare)
                if told is not None:
                    key = str(told.id), package.name
                    found[key] = _together(found[key], told) if key in found else told
    return [found[key] for key in sorted(found)]


def _of(known: Mapping[str, list[Flaw]], package: Package, release: str) -> Iterator[Flaw]:
    """Feeds of dpkg name sources; those of rpm one or the other."""
    names = {package.source or package.name}
    if not release.startswith(("debian:", "ubuntu:")):
        names.add(package.name)
    for name in sorted(names):
        yield from known.get(name, ())


def _told(flaw: Flaw, package: Package, compare: Compare) -> OpenAdvisory | None:
    struck = [stretch for stretch in flaw.stretches if stretch.holds(package.version, compare)]
    if not struck:
        return None
    return OpenAdvisory(
        id=flaw.id,
        package=package.name,
        installed=package.version,
        severity=flaw.severity,
        published=flaw.published,
        repairable=any(stretch.fixed for stretch in struck) if flaw.decided else None,
    )


def _together(one: OpenAdvisory, other: OpenAdvisory) -> OpenAdvisory:
    """One flaw as two feeds tell it: the graver word, the earlier day, and a repair where one of them has it."""
    days = [day for day in (one.published, other.published) if day is not None]
    repairs = (one.repairable, other.repairable)
    return OpenAdvisory(
        id=one.id,
        package=one.package,
        installed=one.installed,
        severity=worse(one.severity, other.severity),
        published=min(days, default=None),
        repairable=True if True in repairs else None if None in repairs else False,
    )
