"""Feeds in the form of osv.dev: one record, a list of them, or a ZIP of records (ossf.github.io/osv-schema)."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime
from types import MappingProxyType

import msgspec

from collectors.advisories.feed import Feed, Flaw, Stretch, common_id
from collectors.advisories.severity import Severity, of_vector, of_word, worse
from scanner.errors import Malformed
from scanner.model import Instant

LARGEST_RECORD = 16 * 1024 * 1024
LARGEST_WHOLE = 2 * 1024 * 1024 * 1024
MOST_RECORDS = 500_000
NAMED = 5
_ECOSYSTEM = re.compile(r"(Debian|Ubuntu|AlmaLinux|Rocky Linux):([0-9]+(?:\.[0-9]+)?)(?::LTS)?")
_SYSTEMS = MappingProxyType({"Debian": "debian", "Ubuntu": "ubuntu", "AlmaLinux": "almalinux", "Rocky Linux": "rocky"})


class _Severity(msgspec.Struct):
    type: str
    score: str


class _Package(msgspec.Struct):
    ecosystem: str = ""
    name: str = ""


class _Range(msgspec.Struct):
    type: str
    events: list[dict[str, str]]


class _Affected(msgspec.Struct):
    package: _Package = msgspec.field(default_factory=_Package)
    ranges: list[_Range] = []
    versions: list[str] = []
    severity: list[_Severity] = []


class Record(msgspec.Struct):
    """What is read of one record; everything else is passed over."""

    id: str
    modified: Instant
    published: Instant | None = None
    withdrawn: Instant | None = None
    aliases: list[str] = []
    upstream: list[str] = []
    severity: list[_Severity] = []
    affected: list[_Affected] = []


def read(content: bytes, name: str) -> Feed:
    """The feed; its date is the newest at which a record changed, and only a ZIP of a whole system counts as whole.

    Raises Malformed, naming file and records.
    """
    feed: Feed | None = None
    wrong: list[str] = []
    newest: datetime | None = None
    named: dict[str, str] = {}
    for place, record in _records(content, name):
        if isinstance(record, str):
            wrong.append(f"{place}: {record}")
            continue
        newest = record.modified if newest is None else max(newest, record.modified)
        feed = feed or Feed(f"osv:{name}", record.modified, whole=content[:2] == b"PK")
        if record.withdrawn is None:
            _add(feed, record, named)
    if wrong:
        more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        raise Malformed(f"{name}: {'; '.join(wrong[:NAMED])}{more}; get the file anew, for such a feed proves nothing")
    if feed is None or newest is None:
        raise Malformed(f"{name}: it holds no record; expected JSON of osv.dev or a ZIP of such files")
    feed.as_of = newest
    return feed


def _records(content: bytes, name: str) -> Iterator[tuple[str, Record | str]]:
    """Each record with its place, or what is wrong with it."""
    if content[:2] == b"PK":
        yield from _packed(content, name)
        return
    form: type[list[Record]] | type[Record] = list[Record] if content.lstrip()[:1] == b"[" else Record
    try:
        found = msgspec.json.decode(content, type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        yield name, str(error)
        return
    for number, record in enumerate(found if isinstance(found, list) else [found], start=1):
        yield f"record {number}", record


def _packed(content: bytes, name: str) -> Iterator[tuple[str, Record | str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            entries = [entry for entry in packed.infolist() if entry.filename.endswith(".json")]
            if len(entries) > MOST_RECORDS or sum(entry.file_size for entry in entries) > LARGEST_WHOLE:
                raise Malformed(f"{name}: more than {MOST_RECORDS} records or {LARGEST_WHOLE} bytes in one ZIP")
            for entry in entries:
                place = entry.filename[:80]
                if entry.file_size > LARGEST_RECORD:
                    yield place, f"larger than {LARGEST_RECORD} bytes"
                    continue
                with packed.open(entry) as stream:
                    text = stream.read(LARGEST_RECORD + 1)
                try:
                    yield place, _DECODER.decode(text)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                    yield place, str(error)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise Malformed(f"{name}: the ZIP cannot be read: {error}") from error


def _add(feed: Feed, record: Record, named: dict[str, str]) -> None:
    flaw_id = common_id(record.id, [*record.aliases, *record.upstream])
    for affected in record.affected:
        found = _ECOSYSTEM.fullmatch(affected.package.ecosystem)
        if found is None or not affected.package.name:
            continue
        release = f"{_SYSTEMS[found[1]]}:{found[2] if found[1] == 'Ubuntu' else found[2].split('.', 1)[0]}"
        severity = _severity(affected.severity or record.severity)
        published = record.published
        versions = tuple(named.setdefault(version, version) for version in affected.versions)
        flaw = Flaw(flaw_id, tuple(_stretches(affected)), severity, published, versions)
        feed.add(release, affected.package.name, flaw)


def _severity(given: list[_Severity]) -> Severity | None:
    found: Severity | None = None
    for each in given:
        found = worse(found, of_vector(each.score) or of_word(each.score))
    return found


def _stretches(affected: _Affected) -> Iterator[Stretch]:
    """Of ranges by ecosystem; every version where neither a range nor a version is told."""
    ordered = [each for each in affected.ranges if each.type == "ECOSYSTEM"]
    for each in ordered:
        introduced: str | None = None
        for event in each.events:
            if "introduced" in event:
                if introduced is not None:
                    yield Stretch(introduced)
                introduced = "" if event["introduced"] == "0" else event["introduced"]
            elif introduced is not None and ("fixed" in event or "last_affected" in event):
                yield Stretch(introduced, fixed=event.get("fixed", ""), last=event.get("last_affected", ""))
                introduced = None
        if introduced is not None:
            yield Stretch(introduced)
    if not ordered and not affected.versions:
        yield Stretch()


_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
