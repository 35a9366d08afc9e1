"""The chain of the registers: what was entered and signed in which order, each line bound to the one before it; pure.

``chain.jsonl`` is a line of canonical JSON for every event. A line holds the SHA-256 of the line before, so that no
line can be edited, cut out, moved or put in without all that follow being written anew. That somebody wrote them all
anew shows against the chain that the previous assessment sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property

import msgspec

from scanner.errors import UsageError
from scanner.institution.register_entry import Entry, EntryKind, entry_payload
from scanner.model import iso
from scanner.sealed.canonical import canonical_json, sha256_hex

CHAIN = "chain.jsonl"
"""Name of the chain in the directory of the registers."""

NOT_IN = "is not in the chain; take it in with: ztgrade registers record"


class Event(StrEnum):
    """What happened to an entry."""

    ADDED = "added"
    CHANGED = "changed"
    SIGNED = "signed"


class Link(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the chain."""

    seq: int
    """From 1."""
    prev: str
    """SHA-256 in hex of the line before, without its line feed; empty in the first."""
    at: datetime
    event: Event
    id: str
    kind: EntryKind
    requirement: str
    """What the entry speaks of: its requirement, or its item; empty for kinds that speak of none."""
    system: str
    denies: bool
    revokes: str
    made_at: datetime
    fields_sha256: str
    """Over the fields of the entry as they are signed."""
    signature_sha256: str = ""
    """Over its signature; empty where it was not signed."""


@dataclass(frozen=True)
class Chain:
    """The links of a chain, and how far they may be relied on."""

    links: tuple[Link, ...] = ()
    lines: tuple[bytes, ...] = ()
    fault: str = ""
    """What is broken, with its line; empty for a whole chain."""
    kept: int | None = None
    """Lines that stand as the previous assessment sealed them, where it was rewritten since; None where it was not."""
    earlier: tuple[Link, ...] = ()
    """Links that the previous assessment sealed and that are gone."""

    @property
    def remembered(self) -> tuple[Link, ...]:
        """Every link that was ever seen, in order."""
        return (*self.links, *self.earlier)

    def of(self, id_: str) -> Sequence[Link]:
        """Links of one entry that may be relied on, in order."""
        return self._by_id.get(id_, ())

    @cached_property
    def _by_id(self) -> Mapping[str, Sequence[Link]]:
        found: dict[str, list[Link]] = {}
        for link in self.links[: self.kept]:
            found.setdefault(link.id, []).append(link)
        return found

    @cached_property
    def _rewritten(self) -> frozenset[str]:
        """Ids of entries of which a link stands otherwise than the previous assessment sealed it."""
        if self.kept is None:
            return frozenset()
        return frozenset(link.id for link in (*self.links[self.kept :], *self.earlier))

    @cached_property
    def _before(self) -> Sequence[datetime | None]:
        """For each link the time of the last act before its own."""
        found: list[datetime | None] = []
        for place, link in enumerate(self.links):
            before = self.links[place - 1] if place else None
            same = before is None or before.at == link.at
            found.append((found[-1] if found else None) if same else before.at if before else None)
        return found

    def against(self, previous: bytes) -> Chain:
        """The same, held against the chain that the previous assessment sealed."""
        sealed = read_chain(previous)
        ours = self.lines
        if ours[: len(sealed.lines)] == sealed.lines:
            return self
        kept = next(
            (place for place, pair in enumerate(zip(ours, sealed.lines, strict=False)) if pair[0] != pair[1]),
            min(len(ours), len(sealed.lines)),
        )
        return replace(self, kept=kept, earlier=sealed.links[kept:])

    def fault_of(self, entry: Entry, signature: bytes) -> str:
        """Why the signed entry does not count, as far as the chain goes; empty where it does."""
        if self.fault:
            return f"{CHAIN} {self.fault}; nothing positive counts until it is restored from a copy"
        if entry.id in self._rewritten:
            return (
                f"the chain was rewritten from line {(self.kept or 0) + 1} on since the previous assessment; "
                f"restore {CHAIN} from the copy that is sealed there"
            )
        links = self.of(entry.id)
        if not links:
            return NOT_IN
        ours, last = spoken_of(entry), links[-1]
        if not _same(last, ours):
            return f"differs from line {last.seq} of the chain: it was edited since; {_AGAIN}"
        signed = [link for link in links if link.event is Event.SIGNED and link.fields_sha256 == ours.fields_sha256]
        if sha256_hex(signature) not in {link.signature_sha256 for link in signed}:
            told = f"differs from that of line {signed[-1].seq} of the chain" if signed else "is not in the chain"
            return f"its signature {told}; {_AGAIN}"
        return self._backdated(entry, links)

    def _backdated(self, entry: Entry, links: Sequence[Link]) -> str:
        first = next(link for link in links if link.made_at == entry.made_at)
        limit = self.last_before(first)
        if limit is None or not made_before(entry, limit):
            return ""
        return (
            f"made_at {iso(entry.made_at)} lies before {iso(limit)}, when the chain, which first names it in line "
            f"{first.seq}, held nothing of it; {OLDER}"
        )

    def last_before(self, link: Link) -> datetime | None:
        """When the last act before the one of this link took place: lines of one act share one time."""
        return self._before[link.seq - 1]

    def must_hold(self, file: str) -> None:
        """Raise UsageError where nothing may be written behind the chain."""
        if self.fault:
            raise UsageError(f"{file}: {self.fault}; restore it from a copy: every sealed assessment holds one")


OLDER = "an older paper is entered with effective_from, occurred_at or period, not with made_at"
_AGAIN = "take it in with: ztgrade registers record, and have it approved again"


def read_chain(content: bytes) -> Chain:
    """The links of a chain file, those before the first broken line where one is broken."""
    links: list[Link] = []
    lines: list[bytes] = []
    rest = content.split(b"\n")
    if rest.pop():
        return replace(read_chain(b"".join(line + b"\n" for line in rest)), fault=f"line {len(rest) + 1}: is cut off")
    for number, line in enumerate(rest, 1):
        fault = ""
        try:
            link = msgspec.json.decode(line, type=Link)
            if canonical_json(link) != line or link.at.tzinfo is None or link.made_at.tzinfo is None:
                fault = "is not written as a link is"
        except (msgspec.DecodeError, ValueError, RecursionError):
            fault = "is no link"
        if not fault and link.seq != number:
            fault = f"bears number {link.seq}: a line was cut out, moved, repeated or put in"
        if not fault and link.prev != (sha256_hex(lines[-1]) if lines else ""):
            fault = f"does not follow from line {number - 1}: one of the two was edited"
        if not fault and links and link.at < links[-1].at:
            fault = f"is of a time before that of line {number - 1}"
        if fault:
            return Chain(tuple(links), tuple(lines), f"line {number}: {fault}")
        links.append(link)
        lines.append(line)
    return Chain(tuple(links), tuple(lines))


def witness(previous: bytes, present: bytes) -> bytes:
    """The chain that the next assessment is held against: the present one only if it goes on where the previous ended.

    A rewritten chain is therefore told in every assessment until it is restored, not only in the first.
    """
    chain = read_chain(present)
    return present if not chain.fault and chain.against(previous).kept is None else previous


def spoken_of(entry: Entry) -> Link:
    """What a link of the entry says as it stands now, without place and time."""
    return Link(
        seq=0,
        prev="",
        at=entry.made_at,
        event=Event.ADDED,
        id=entry.id,
        kind=entry.kind,
        requirement=entry.requirement or entry.item,
        system=entry.system,
        denies=entry.denies,
        revokes=entry.revokes,
        made_at=entry.made_at,
        # A signature says for which institution and baseline; the chain only says that the words are the same.
        fields_sha256=sha256_hex(entry_payload(entry, "", "")),
    )


def made_before(entry: Entry, moment: datetime) -> bool:
    """Whether the entry says that it was made before this moment; one that gives only the day, on a day before."""
    given = entry.fields.get("made_at")
    day_only = (
        len(given) == 10 if isinstance(given, str) else isinstance(given, date) and not isinstance(given, datetime)
    )
    return entry.made_at.date() < moment.date() if day_only else entry.made_at < moment


def _same(link: Link, other: Link) -> bool:
    place = {"seq": 0, "prev": "", "at": link.at, "event": Event.ADDED, "signature_sha256": ""}
    return msgspec.structs.replace(link, **place) == msgspec.structs.replace(other, **place)


def signature_of(entry: Entry, files: Mapping[str, bytes]) -> bytes | None:
    """The signature of an entry: that of SSH where there is one, else the envelope; None where there is neither."""
    return files.get(ssh_place(entry), files.get(entry.signature))


def ssh_place(entry: Entry) -> str:
    """File of a signature of SSH, beside where an envelope would be."""
    return entry.signature.removesuffix(".json").removesuffix(".dsse") + ".sshsig"


def missing_links(chain: Chain, entries: Iterable[Entry], files: Mapping[str, bytes], at: datetime) -> list[Link]:
    """Links that bring the chain up to the entries as they stand, in their order, all of one time."""
    links: list[Link] = []
    for event, link in _happened(chain, entries, files):
        number = len(chain.links) + len(links) + 1
        before = line_of(links[-1]) if links else chain.lines[-1] if chain.lines else None
        prev = "" if before is None else sha256_hex(before)
        links.append(msgspec.structs.replace(link, seq=number, prev=prev, at=at, event=event))
    return links


def _happened(chain: Chain, entries: Iterable[Entry], files: Mapping[str, bytes]) -> Iterator[tuple[Event, Link]]:
    for entry in entries:
        links, ours = chain.of(entry.id), spoken_of(entry)
        if not links:
            yield Event.ADDED, ours
        elif not _same(links[-1], ours):
            yield Event.CHANGED, ours
        signature = signature_of(entry, files)
        known = [link.signature_sha256 for link in links if link.event is Event.SIGNED]
        if signature is not None and (not known or known[-1] != sha256_hex(signature)):
            yield Event.SIGNED, msgspec.structs.replace(ours, signature_sha256=sha256_hex(signature))


def line_of(link: Link) -> bytes:
    """The line of a link, without its line feed."""
    return canonical_json(link)
