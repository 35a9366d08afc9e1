"""What a feed of flaws says, whatever form it came in, and what of it befalls a host."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from collectors.advisories.severity import Severity, worse
from collectors.advisories.versions import Compare, compare_dpkg, compare_rpm, remembered
from scanner.facts.device import OpenAdvisory
from scanner.facts.kleene import some

COMPARES: Mapping[str, Compare] = MappingProxyType(
    {
        "debian": compare_dpkg,
        "ubuntu": compare_dpkg,
        "almalinux": compare_rpm,
        "rocky": compare_rpm,
        "rhel": compare_rpm,
    }
)
"""How the versions of a system are compared; systems that are not here are not judged."""
_NAMES = (
    ("debian", "debian"),
    ("ubuntu", "ubuntu"),
    ("almalinux", "almalinux"),
    ("rocky", "rocky"),
    ("red hat enterprise linux", "rhel"),
)
_SIGNED_KERNEL = re.compile(r"linux-signed(?:-[a-z0-9]+)?")
"""Sources of kernels that were built from the source ``linux`` and signed afterwards; feeds know that one only."""
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,10}")


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Flaw:
    """One flaw of one package of one release."""

    id: str
    stretches: tuple[Stretch, ...]
    severity: Severity | None = None
    published: datetime | None = None
    versions: tuple[str, ...] = ()
    """Versions that have the flaw too, one by one."""
    decided: bool = True
    """False where the feed has not yet settled whether the package has the flaw."""


@dataclass(frozen=True)
class Package:
    """One installed package, and the one it was built from, with its version where that is another."""

    name: str
    version: str
    source: str = ""
    source_version: str = ""
    """Of rpm's sources it bears no epoch."""

    @property
    def origin(self) -> tuple[str, str]:
        """The source under which feeds know it, and the version that they tell of it."""
        source = self.source or self.name
        if _SIGNED_KERNEL.fullmatch(source):
            # The signing has versions of its own; the packages bear those of the kernel.
            return "linux", self.version
        return source, self.source_version or self.version


@dataclass(frozen=True)
class Inventory:
    """What a host says of itself, against which feeds are held."""

    release: str
    """Such as ``debian:12``."""
    packages: tuple[Package, ...]
    version: str = ""
    """In full, such as ``9.4``; empty where it is not told."""
    kernel: str = ""
    """The release of the kernel that runs; empty where it is not told."""

    @property
    def system(self) -> str:
        """Such as ``debian``."""
        return self.release.partition(":")[0]


class Known(Protocol):
    """A feed that was read, whatever form it came in."""

    name: str
    as_of: datetime
    """Until when it knows of flaws."""

    @property
    def releases(self) -> Collection[str]:
        """Of which it speaks."""

    def whole_for(self, release: str) -> bool:
        """Whether what it does not name has no flaw that it knows; otherwise it proves flaws alone."""

    def open_on(self, installed: Inventory) -> Iterator[OpenAdvisory]:
        """The flaws of what is installed; raises ValueError for a version that is none."""


@dataclass
class Feed:
    """Flaws by release and package, and until when the feed knows of any."""

    name: str
    as_of: datetime
    flaws: dict[str, dict[str, list[Flaw]]] = field(default_factory=dict)
    """By release, such as ``debian:12``, then by package."""
    whole: bool = True
    """False for single records, which prove flaws alone."""
    _compares: Mapping[Compare, Compare] = field(
        default_factory=lambda: {compare: remembered(compare) for compare in (compare_dpkg, compare_rpm)},
        init=False,
        repr=False,
        compare=False,
    )

    def add(self, release: str, package: str, flaw: Flaw) -> None:
        """Note a flaw."""
        self.flaws.setdefault(release, {}).setdefault(package, []).append(flaw)

    @property
    def releases(self) -> Collection[str]:
        """Of which it speaks."""
        return self.flaws.keys()

    def whole_for(self, release: str) -> bool:
        """Whether what it does not name has no flaw that it knows."""
        return self.whole and release in self.flaws

    def open_on(self, installed: Inventory) -> Iterator[OpenAdvisory]:
        """The flaws of what is installed; raises ValueError for a version that is none."""
        compare = self._compares[COMPARES[installed.system]]
        known = self.flaws.get(installed.release, {})
        for package in installed.packages:
            for flaw, version in _of(known, package, installed.system):
                bare = version != package.version and COMPARES[installed.system] is compare_rpm
                told = _told(flaw, package, version, _without_epochs(compare) if bare else compare)
                if told is not None:
                    yield told


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


def open_flaws(feeds: Iterable[Known], installed: Inventory) -> list[OpenAdvisory]:
    """The flaws of what is installed, each once for a package; raises ValueError for a version that is none."""
    found: dict[tuple[str, str], OpenAdvisory] = {}
    for feed in feeds:
        for told in feed.open_on(installed):
            key = str(told.id), told.package or ""
            found[key] = together(found[key], told) if key in found else told
    return [found[key] for key in sorted(found)]


def _of(known: Mapping[str, list[Flaw]], package: Package, system: str) -> Iterator[tuple[Flaw, str]]:
    """Each flaw with the version that is compared. Feeds of dpkg name sources; those of rpm one or the other."""
    source, source_version = package.origin
    if system not in {"debian", "ubuntu"}:
        for flaw in known.get(package.name, ()):
            yield flaw, package.version
        if source == package.name:
            return
    for flaw in known.get(source, ()):
        yield flaw, source_version


def _without_epochs(compare: Compare) -> Compare:
    """What rpm says of a source bears no epoch, so none is compared."""
    return lambda one, other: compare(one, other.rpartition(":")[2])


def _told(flaw: Flaw, package: Package, version: str, compare: Compare) -> OpenAdvisory | None:
    struck = [stretch for stretch in flaw.stretches if stretch.holds(version, compare)]
    if not struck and not any(compare(version, each) == 0 for each in flaw.versions):
        return None
    return OpenAdvisory(
        id=flaw.id,
        package=package.name,
        installed=package.version,
        severity=flaw.severity,
        published=flaw.published,
        repairable=any(stretch.fixed for stretch in struck) if flaw.decided else None,
    )


def together(one: OpenAdvisory, other: OpenAdvisory) -> OpenAdvisory:
    """One flaw as two feeds tell it: the graver word, the earlier day, and a repair where one of them has it."""
    days = [day for day in (one.published, other.published) if day is not None]
    return OpenAdvisory(
        id=one.id,
        package=one.package,
        installed=one.installed,
        severity=worse(one.severity, other.severity),
        published=min(days, default=None),
        repairable=some(one.repairable, other.repairable),
    )
