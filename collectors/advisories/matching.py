"""Reads the feeds that a target names, and says of each host which flaws it has, or why that is not known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.section import SEEN, Section
from collectors.advisories import debian_tracker, osv
from collectors.advisories.feed import Inventory, Known, Package, open_flaws, release_of
from collectors.advisories.oval.feed import read_feed as read_oval
from collectors.advisories.unpacking import unpacked
from collectors.capture_file import content_of, pieces_of
from collectors.sections import installed, not_understood
from scanner.errors import Malformed, ReadError
from scanner.facts import Advisories
from scanner.model import Fact, Gap, GapWhy, iso, utc
from scanner.sealed.canonical import canonical_json

LARGEST = 512 * 1024 * 1024
"""Bytes of one file."""
LARGEST_UNPACKED = 2 * 1024 * 1024 * 1024
KINDS = ("osv", "debian-tracker", "oval")


@dataclass(frozen=True)
class Named:
    """One feed as options name it."""

    kind: str
    file: Path
    fetched: datetime | None


def named(given: Any) -> tuple[Named, ...]:
    """From ``options.advisories``; raises Malformed."""
    if not isinstance(given, list):
        raise Malformed(f"options.advisories is no list; expected {_FORM}")
    return tuple(_one(each, f"entry {place} of options.advisories") for place, each in enumerate(given, start=1))


_FORM = 'a list of { kind = "...", file = "..." }, and for debian-tracker fetched'


def _one(given: Any, place: str) -> Named:
    if not isinstance(given, Mapping):
        raise Malformed(f"{place} is no table; expected {_FORM}")
    if unknown := sorted(set(given) - {"kind", "file", "fetched"}):
        raise Malformed(f"{place}: there is no key {str(unknown[0])[:40]!r}; expected kind, file and fetched")
    kind, file = given.get("kind"), given.get("file")
    if kind not in KINDS:
        what = "lacks kind" if kind is None else f"kind {str(kind)[:40]!r} is not known"
        raise Malformed(f"{place}: {what}; expected one of {', '.join(KINDS)}")
    if not isinstance(file, str) or not file:
        raise Malformed(f"{place}: file must be the path of a file that you fetched; see docs/endpoints.md for which")
    return Named(str(kind), Path(file), _moment(given.get("fetched"), place, str(kind)))


def _moment(given: Any, place: str, kind: str) -> datetime | None:
    if given is None:
        if kind == "debian-tracker":
            raise Malformed(f"{place} lacks fetched: the tracker's file bears no date; say when you fetched it")
        return None
    try:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
        return utc(moment)
    except ValueError as error:
        form = "expected a time with its zone, such as 2026-11-20T01:00:00Z"
        raise Malformed(f"{place}: fetched is {str(given)[:40]!r}; {form}") from error


def read_feed(each: Named) -> tuple[Known, bytes]:
    """One feed, and what is kept of it as evidence: its name, digest and date. Raises ReadError."""
    digest = hashlib.sha256()
    more: dict[str, Any] = {}
    feed: Known
    name = each.file.name
    if each.kind == "oval":
        pieces = _digested(pieces_of(each.file, LARGEST), digest.update)
        feed = oval = read_oval(unpacked(pieces, name, LARGEST_UNPACKED), name)
        more["undecided_tests"] = dict(oval.undecided)
    else:
        content = content_of(each.file, LARGEST)
        digest.update(content)
        if each.kind == "debian-tracker":
            feed = debian_tracker.read(content, name, each.fetched or datetime.fromtimestamp(0, UTC))
        else:
            feed = osv.read(content, name)
    told = {
        "feed": feed.name,
        "sha256": digest.hexdigest(),
        "as_of": iso(feed.as_of),
        "releases": sorted(feed.releases),
    }
    return feed, canonical_json(told | more)


def _digested(pieces: Iterable[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    for piece in pieces:
        update(piece)
        yield piece


@dataclass
class Matching:
    """Feeds that were read, and why others could not be."""

    feeds: list[Known] = field(default_factory=list)
    lost: list[tuple[GapWhy, str]] = field(default_factory=list)

    def of(self, sections: Mapping[str, Section], asset: str, confirmed_at: datetime) -> Iterator[Fact | Gap]:
        """The flaws of one host, as old as the oldest of host and feeds; or one gap."""
        try:
            inventory = _inventory(sections)
            feeds = [feed for feed in self.feeds if inventory.release in feed.releases]
            if self.lost:
                raise _NotKnown(self.lost[0][0], f"a feed could not be read: {self.lost[0][1]}")
            if not any(feed.whole_for(inventory.release) for feed in feeds):
                raise _NotKnown(GapWhy.UNSUPPORTED, f"no whole feed speaks of {inventory.release}")
            flaws = open_flaws(feeds, inventory)
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


_SYSTEMS = "flaws are looked up for Debian, Ubuntu, AlmaLinux, Rocky Linux and Red Hat Enterprise Linux only"


def _inventory(sections: Mapping[str, Section]) -> Inventory:
    system = _values(sections, "operating_system")
    release = release_of(system.get("name"), system.get("version"))
    if release is None:
        raise _NotKnown(GapWhy.UNSUPPORTED, _SYSTEMS)
    software = _values(sections, "software")
    if software.get("cut") is not False:
        raise _NotKnown(GapWhy.TRUNCATED, "the list of installed software is not whole")
    try:
        packages = tuple(Package(*one) for one in installed(software))
    except ValueError as error:
        raise _NotKnown(GapWhy.MALFORMED, str(error)) from error
    if not packages:
        raise _NotKnown(GapWhy.UNSEEN, "the list of installed software is empty")
    kernel = system.get("kernel")
    return Inventory(release, packages, str(system["version"]), kernel if isinstance(kernel, str) else "")


def _values(sections: Mapping[str, Section], name: str) -> Mapping[str, Any]:
    section = sections.get(name)
    if section is None:
        raise _NotKnown(GapWhy.UNSEEN, f"the section {name} is not there")
    if section.status != SEEN:
        why = {"denied": GapWhy.DENIED, "unsupported": GapWhy.UNSUPPORTED}.get(section.status, GapWhy.ERROR)
        raise _NotKnown(why, section.detail or section.status)
    if why_not := not_understood(section):
        raise _NotKnown(GapWhy.UNSUPPORTED, why_not)
    return section.values


def lost(error: ReadError) -> tuple[GapWhy, str]:
    """What is kept of an error."""
    return error.why, str(error)
