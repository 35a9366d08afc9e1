"""Reads the feeds that a target names, and says of each host which flaws it has, or why that is not known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.section import SEEN, Section
from collectors.advisories import debian_tracker, osv
from collectors.advisories.feed import Feed, Package, open_flaws, release_of
from collectors.capture_file import content_of
from scanner.errors import Malformed, ReadError
from scanner.facts import Advisories
from scanner.model import Fact, Gap, GapWhy, iso, utc
from scanner.sealed.canonical import canonical_json

LARGEST = 512 * 1024 * 1024
"""Bytes of one file."""
KINDS = ("osv", "debian-tracker")


@dataclass(frozen=True)
class Named:
    """One feed as options name it."""

    kind: str
    file: Path
    fetched: datetime | None


def named(given: Any) -> tuple[Named, ...]:
    """From ``options.advisories``; raises Malformed."""
    form = "options.advisories must be a list of { kind, file } and, for debian-tracker, fetched"
    if not isinstance(given, list):
        raise Malformed(form)
    found = []
    for place, each in enumerate(given, start=1):
        if not isinstance(each, Mapping) or not {"kind", "file"} <= set(each) <= {"kind", "file", "fetched"}:
            raise Malformed(f"{form}; look at entry {place}")
        if each["kind"] not in KINDS or not isinstance(each["file"], str):
            raise Malformed(f"{form}; kind of entry {place} must be one of {', '.join(KINDS)}")
        found.append(Named(each["kind"], Path(each["file"]), _moment(each.get("fetched"), place, each["kind"])))
    return tuple(found)


def _moment(given: Any, place: int, kind: str) -> datetime | None:
    if given is None:
        if kind == "debian-tracker":
            raise Malformed(f"options.advisories: entry {place} lacks fetched: the tracker's file bears no date")
        return None
    try:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
        return utc(moment)
    except ValueError as error:
        raise Malformed(f"options.advisories: fetched of entry {place} must be a time with its zone") from error


def read_feed(each: Named) -> tuple[Feed, bytes]:
    """One feed, and what is kept of it as evidence: its name, digest and date. Raises ReadError."""
    content = content_of(each.file, LARGEST)
    if each.kind == "debian-tracker":
        feed = debian_tracker.read(content, each.file.name, each.fetched or datetime.fromtimestamp(0, UTC))
    else:
        feed = osv.read(content, each.file.name)
    told = {
        "feed": feed.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "as_of": iso(feed.as_of),
        "releases": sorted(feed.flaws),
    }
    return feed, canonical_json(told)


@dataclass
class Matching:
    """Feeds that were read, and why others could not be."""

    feeds: list[Feed] = field(default_factory=list)
    lost: list[tuple[GapWhy, str]] = field(default_factory=list)

    def of(self, sections: Mapping[str, Section], asset: str, confirmed_at: datetime) -> Iterator[Fact | Gap]:
        """The flaws of one host, as old as the oldest of host and feeds; or one gap."""
        try:
            release, packages = _installed(sections)
            feeds = [feed for feed in self.feeds if release in feed.flaws]
            if self.lost:
                raise _NotKnown(self.lost[0][0], f"a feed could not be read: {self.lost[0][1]}")
            if not any(feed.whole for feed in feeds):
                raise _NotKnown(GapWhy.UNSUPPORTED, f"no whole feed speaks of {release}")
            flaws = open_flaws(feeds, release, packages)
        except (_NotKnown, ValueError) as error:
            why = error.why if isinstance(error, _NotKnown) else GapWhy.MALFORMED
            yield Gap(fact="Advisories", why=why, detail=str(error), asset=asset)
            return
        oldest = min(feed.as_of for feed in feeds)
        yield Advisories(
            asset=asset,
            observed_at=min(confirmed_at, oldest),  # an old feed proves nothing of today
            unrepaired=flaws,
            feeds=sorted(feed.name for feed in feeds),
            feed_at=oldest,
        )


class _NotKnown(Exception):
    """Why nothing can be said of a host."""

    def __init__(self, why: GapWhy, detail: str) -> None:
        self.why = why
        super().__init__(detail)


_LISTS = ("names", "versions", "sources")


def _installed(sections: Mapping[str, Section]) -> tuple[str, Sequence[Package]]:
    system = _values(sections, "operating_system")
    release = release_of(system.get("name"), system.get("version"))
    if release is None:
        raise _NotKnown(GapWhy.UNSUPPORTED, "flaws are looked up for Debian, Ubuntu, AlmaLinux and Rocky Linux only")
    software = _values(sections, "software")
    if software.get("cut") is not False:
        raise _NotKnown(GapWhy.TRUNCATED, "the list of installed software is not whole")
    try:
        packages = [
            Package(name, version, source)
            for publisher in software["publishers"]
            for name, version, source in zip(*(publisher[key] for key in _LISTS), strict=True)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise _NotKnown(GapWhy.MALFORMED, f"section software: {type(error).__name__}: {error}") from error
    if not packages:
        raise _NotKnown(GapWhy.UNSEEN, "the list of installed software is empty")
    return release, packages


def _values(sections: Mapping[str, Section], name: str) -> Mapping[str, Any]:
    section = sections.get(name)
    if section is None:
        raise _NotKnown(GapWhy.UNSEEN, f"the section {name} is not there")
    if section.status != SEEN:
        why = {"denied": GapWhy.DENIED, "unsupported": GapWhy.UNSUPPORTED}.get(section.status, GapWhy.ERROR)
        raise _NotKnown(why, section.detail or section.status)
    return section.values


def lost(error: ReadError) -> tuple[GapWhy, str]:
    """What is kept of an error."""
    return error.why, str(error)
