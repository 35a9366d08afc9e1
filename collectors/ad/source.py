"""Where the entries come from: a directory that answers now, or the LDIF that an earlier reading left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from collectors.ad import attributes, decode, ldif
from collectors.ports.directory import DirectoryPort, Entry
from scanner.errors import AccessDenied, Malformed, Truncated, Unreachable
from scanner.model import Access, Capture

PART = 2000
"""Entries in one file of the record; a reading of any size is kept in memory no larger than this."""
ROUNDS = 100_000
GROUPS = "(|(objectClass=group)(objectClass=foreignSecurityPrincipal))"
_RANGE = re.compile(r"^(?P<name>[^;]+);range=(?P<low>\d+)-(?P<high>\d+|\*)$")


class Source(Protocol):
    """The four things that are asked of a domain."""

    def root(self) -> Entry:
        """The server itself."""

    def schema(self, base: str) -> Iterator[Entry]:
        """Definitions of what is asked for."""

    def groups(self, base: str) -> Iterator[Entry]:
        """Groups and foreign principals, members included."""

    def objects(self, base: str) -> Iterator[Entry]:
        """Every object of the domain that our session is shown."""

    def captures(self) -> Iterator[Capture]:
        """What was kept of the answers since this was last asked."""


class LiveSource:
    """Asks a directory and keeps what it says."""

    def __init__(self, port: DirectoryPort) -> None:
        self._port = port
        self._kept: list[Entry] = []
        self._parts = 0

    def root(self) -> Entry:
        """The server itself, asked once."""
        root = self._port.root(attributes.ROOT)
        self._kept.append(replace(root, dn=""))
        return root

    def schema(self, base: str) -> Iterator[Entry]:
        """Definitions of what is asked for."""
        yield from self._read(base, attributes.schema_query(), attributes.SCHEMA, descriptors=False)

    def groups(self, base: str) -> Iterator[Entry]:
        """Groups and foreign principals, every member of them."""
        yield from self._read(base, GROUPS, attributes.GROUP, descriptors=True)

    def objects(self, base: str) -> Iterator[Entry]:
        """Every object of the domain that our session is shown."""
        # A filter on anything else would drop, without a word, whoever's attribute may not be read.
        yield from self._read(base, "(objectClass=*)", attributes.OBJECT, descriptors=True)

    def captures(self) -> Iterator[Capture]:
        """What was kept since this was last asked, as one LDIF file."""
        if self._kept:
            self._parts += 1
            name = f"domain-{self._parts:05}.ldif"
            yield Capture(name=name, media_type="text/x-ldif", content=ldif.written(self._kept))
            self._kept = []

    def full(self) -> bool:
        """Whether what is kept should be taken by ``captures`` before more is read."""
        return len(self._kept) >= PART

    def _read(self, base: str, query: str, wanted: tuple[str, ...], *, descriptors: bool) -> Iterator[Entry]:
        for entry in self._port.search(base, "subtree", query, wanted, descriptors=descriptors):
            whole = self._whole(entry)
            self._kept.append(whole)
            yield whole

    def _whole(self, entry: Entry) -> Entry:
        """The entry with every value of attributes that the server hands out in ranges (MS-ADTS 3.1.1.3.1.3.3)."""
        if not any(";" in name for name in entry.values):
            return entry
        values = {}
        for name, found in entry.values.items():
            part = _RANGE.match(name)
            values[part["name"] if part else name] = self._ranges(entry.dn, part, found) if part else found
        return Entry(entry.dn, values, entry.asked)

    def _ranges(self, dn: str, part: re.Match[str], found: tuple[bytes, ...]) -> tuple[bytes, ...]:
        values = list(found)
        for _ in range(ROUNDS):
            if part["high"] == "*":
                return tuple(values)
            asked = f"{part['name']};range={int(part['high']) + 1}-*"
            entry = next(self._port.search(dn, "base", "(objectClass=*)", (asked,)), None)
            more = (
                [(match, got) for name, got in entry.values.items() if (match := _RANGE.match(name))] if entry else []
            )
            if not more or not more[0][1]:
                break
            part = more[0][0]
            values.extend(more[0][1])
        raise Truncated(f"{dn}: the values of {part['name']} from {len(values)} on were not given")


class CapturedSource:
    """Reads ``*.ldif`` of a directory; every question goes through the files once more."""

    def __init__(self, access: Access, folder: Path) -> None:
        self._access = access
        self._folder = folder

    def root(self) -> Entry:
        """The record with an empty name."""
        for entry in self._entries(lambda entry: not entry.dn):
            return entry
        raise Malformed(f"{self._folder}: no record with an empty dn, which says whose domain and what time it is")

    def schema(self, base: str) -> Iterator[Entry]:
        """Records below the schema."""
        return self._entries(lambda entry: bool(base) and decode.under(entry.dn, base))

    def groups(self, base: str) -> Iterator[Entry]:
        """Records of groups and foreign principals of the domain."""
        kinds = {b"group", b"foreignSecurityPrincipal"}
        return self._entries(
            lambda entry: decode.within(entry.dn, base) and bool(kinds & set(entry.values.get("objectclass", ())))
        )

    def objects(self, base: str) -> Iterator[Entry]:
        """Every record of the domain; one object may have several."""
        return self._entries(lambda entry: decode.within(entry.dn, base))

    def captures(self) -> Iterator[Capture]:
        """Nothing: what is read here was kept before."""
        yield from ()

    def _entries(self, wanted: Callable[[Entry], bool]) -> Iterator[Entry]:
        try:
            paths = sorted(path for path in self._folder.iterdir() if path.suffix.lower() == ".ldif")
            for path in paths:
                with self._access.call(lambda path=path: path.open("rb")) as stream:  # type: ignore[misc]
                    for entry in ldif.entries(stream, path.name):
                        if wanted(entry):
                            yield entry
        except PermissionError as error:
            raise AccessDenied(f"{error.filename}: {error.strerror}") from error
        except OSError as error:
            raise Unreachable(f"{error.filename or self._folder}: {error.strerror}") from error
