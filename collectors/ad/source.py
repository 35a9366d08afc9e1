"""Where the entries come from: a directory that answers now, or the LDIF that an earlier reading left."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
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
_GROUPS = ("group", "foreignSecurityPrincipal", "msDS-PasswordSettings", "domainDNS")
_FOREST = ("CN=Partitions", "CN=AuthN Policy Configuration,CN=Services")
"""Where the configuration holds the domains of the forest, and its authentication policies and silos."""
_COUNTED = frozenset(name.lower() for name in attributes.COUNTED)
_RANGE = re.compile(r"^(?P<name>[^;]+);range=(?P<low>\d+)-(?P<high>\d+|\*)$")


class Source(Protocol):
    """The five things that are asked of a domain."""

    def root(self) -> Entry:
        """The server itself."""

    def schema(self, base: str) -> Iterator[Entry]:
        """Definitions of what is asked for."""

    def configuration(self, base: str) -> Iterator[Entry]:
        """Domains of the forest, authentication policies and silos, and what holds them."""

    def groups(self, base: str) -> Iterator[Entry]:
        """Groups and foreign principals, members included; the domain itself and its password settings."""

    def objects(self, base: str) -> Iterator[Entry]:
        """Every object of the domain that our session is shown."""

    def captures(self) -> Iterator[Capture]:
        """What was kept of the answers since this was last asked."""


class LiveSource:
    """Asks a directory for what the promised facts take, and keeps what it says."""

    def __init__(self, port: DirectoryPort, facts: Iterable[str] = attributes.OF_FACTS, name: str = "domain") -> None:
        self._port = port
        self._name = name
        self._facts = frozenset(facts)
        self._kept: list[Entry] = []
        self._parts = 0

    def root(self) -> Entry:
        """The server itself, asked once."""
        root = self._port.root(attributes.ROOT)
        self._kept.append(replace(root, dn=""))
        return root

    def schema(self, base: str) -> Iterator[Entry]:
        """Definitions of what is asked for."""
        yield from self._read(base, attributes.schema_query(), attributes.SCHEMA)

    def configuration(self, base: str) -> Iterator[Entry]:
        """Domains of the forest, authentication policies and silos; where one may not read there are none."""
        for place in _FOREST:
            # No filter on classes: it would drop, without a word, what does not show its own.
            with suppress(AccessDenied):
                yield from self._read(f"{place},{base}", "(objectClass=*)", attributes.CONFIGURATION)

    def groups(self, base: str) -> Iterator[Entry]:
        """Groups and foreign principals, every member of them, the domain itself and its password settings."""
        yield from self._read(base, _any_of(_GROUPS), attributes.of_groups(self._facts))

    def objects(self, base: str) -> Iterator[Entry]:
        """Every object of the domain that our session is shown."""
        # A filter on anything else would drop, without a word, whoever's attribute may not be read.
        yield from self._read(base, "(objectClass=*)", attributes.of_objects(self._facts))

    def captures(self) -> Iterator[Capture]:
        """What was kept since this was last asked, as one LDIF file."""
        if self._kept:
            self._parts += 1
            name = f"{self._name}-{self._parts:05}.ldif"
            yield Capture(name=name, media_type="text/x-ldif", content=ldif.written(self._kept))
            self._kept = []

    def full(self) -> bool:
        """Whether what is kept should be taken by ``captures`` before more is read."""
        return len(self._kept) >= PART

    def _read(self, base: str, query: str, wanted: tuple[str, ...]) -> Iterator[Entry]:
        for entry in self._port.search(base, "subtree", query, wanted, descriptors=True):
            whole = _counted(self._whole(entry))
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


def _any_of(classes: Iterable[str]) -> str:
    return "(|" + "".join(f"(objectClass={name})" for name in classes) + ")"


def _counted(entry: Entry) -> Entry:
    """The entry with numbers in place of values of which only the number counts."""
    found = _COUNTED.intersection(entry.values)
    if not found:
        return entry
    numbers = {name: tuple(str(n).encode("ascii") for n, _ in enumerate(entry.values[name], 1)) for name in found}
    return Entry(entry.dn, {**entry.values, **numbers}, entry.asked)


def captured_domains(access: Access, folder: Path) -> list[CapturedSource]:
    """The domains whose records stand in a folder, one for each server that describes itself there.

    One pass keeps everything but the objects, of which there may be many; another gives those, domain by domain.
    """
    roots: dict[bytes, Entry] = {}
    kept: list[Entry] = []
    kinds = {name.encode("ascii") for name in _GROUPS}
    for entry in _recorded(access, folder):
        if not entry.dn:
            roots.setdefault(entry.first("defaultnamingcontext") or b"", entry)
        elif ",cn=configuration," in f",{decode.folded(entry.dn)}" or kinds.intersection(
            entry.values.get("objectclass", ())
        ):
            kept.append(entry)
    if not roots:
        raise Malformed(f"{folder}: no record with an empty dn, which says whose domain and what time it is")
    return [CapturedSource(access, folder, root, kept) for root in roots.values()]


def _recorded(access: Access, folder: Path) -> Iterator[Entry]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".ldif")
        for path in paths:
            with access.call(lambda path=path: path.open("rb")) as stream:  # type: ignore[misc]
                yield from ldif.entries(stream, path.name)
    except PermissionError as error:
        raise AccessDenied(f"{error.filename}: {error.strerror}") from error
    except OSError as error:
        raise Unreachable(f"{error.filename or folder}: {error.strerror}") from error


class CapturedSource:
    """One domain in ``*.ldif`` of a directory; each question is asked once, and what was given is given up."""

    def __init__(self, access: Access, folder: Path, root: Entry, kept: Iterable[Entry]) -> None:
        self._access = access
        self._folder = folder
        self._root = root
        base = (root.first("defaultnamingcontext") or b"").decode("utf-8", "replace")
        self._configuration: deque[Entry] = deque()
        self._groups: deque[Entry] = deque()
        for entry in kept:
            (self._groups if decode.within(entry.dn, base) else self._configuration).append(entry)

    def root(self) -> Entry:
        """The record with an empty name that speaks of this domain."""
        return self._root

    def schema(self, base: str) -> Iterator[Entry]:
        """Records below the schema."""
        return (entry for entry in self._configuration if base and decode.under(entry.dn, base))

    def configuration(self, base: str) -> Iterator[Entry]:
        """Records below the configuration, those of the schema left out."""
        schema = f"CN=Schema,{base}"
        while self._configuration:
            entry = self._configuration.popleft()
            if base and decode.under(entry.dn, base) and not decode.under(entry.dn, schema):
                yield entry

    def groups(self, base: str) -> Iterator[Entry]:
        """Records of groups and foreign principals of the domain, of the domain itself and its password settings."""
        while self._groups:
            entry = self._groups.popleft()
            if decode.within(entry.dn, base):
                yield entry

    def objects(self, base: str) -> Iterator[Entry]:
        """Every record of the domain; one object may have several."""
        return (entry for entry in _recorded(self._access, self._folder) if decode.within(entry.dn, base))

    def captures(self) -> Iterator[Capture]:
        """Nothing: what is read here was kept before."""
        yield from ()
