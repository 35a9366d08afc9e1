"""A domain that hides what its DACLs deny, as a server does: without a word, and with the DACL still shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from collectors.ad import decode
from collectors.ports.directory import Entry, Scope
from scanner.errors import ReadError
from tests.collectors.ad.forest import BASE, OURS, SCHEMA, ace, guid
from tests.honesty.domain import CONFIGURATION, everything, root

READ_PROPERTY, LIST_CONTENTS, READ_CONTROL = 0x10, 0x4, 0x20000
SD = "ntsecuritydescriptor"
_LEAF = re.compile(r"\((\w[\w-]*)=([^()]*)\)")


@dataclass(frozen=True)
class Denial:
    """What our session is not given: an attribute, listing below, or everything, on the objects with these names."""

    objects: frozenset[str]
    attribute: str = ""
    lists: bool = False
    whole: bool = False
    deep: bool = True
    """Hides whole trees; otherwise what stands deeper below a unit that may not be listed is still shown."""

    @property
    def ace(self) -> bytes:
        """The entry of the DACL that says so."""
        if self.whole:
            return ace("D", READ_PROPERTY | LIST_CONTENTS | READ_CONTROL, OURS)
        if self.lists:
            return ace("D", LIST_CONTENTS, OURS)
        if self.attribute.lower() == SD:
            return ace("D", READ_CONTROL, OURS)
        return ace("OD", READ_PROPERTY, OURS, guid(self.attribute))


def weakened(raw: bytes, first: bytes) -> bytes:
    """A descriptor with one more entry in front of its DACL; those of this model have owner, then DACL."""
    at = int.from_bytes(raw[16:20], "little")
    size, count = int.from_bytes(raw[at + 2 : at + 4], "little"), int.from_bytes(raw[at + 4 : at + 6], "little")
    head = raw[at : at + 2] + (size + len(first)).to_bytes(2, "little") + (count + 1).to_bytes(2, "little")
    return raw[:at] + head + raw[at + 6 : at + 8] + first + raw[at + 8 :]


@dataclass
class Domain:
    """A directory in memory behind the port of the collector; one for each reading.

    ``breaks`` ends the search of a number (from 0) after so many entries with an error.
    """

    entries: list[Entry] = field(default_factory=everything)
    denials: tuple[Denial, ...] = ()
    itself: Entry = field(default_factory=root)
    breaks: tuple[int, int, ReadError] | None = None
    searches: int = 0
    given: list[int] = field(default_factory=list)
    """How many entries each search gave."""

    def root(self, wanted: tuple[str, ...]) -> Entry:
        return self._of(self.itself, wanted)

    def search(
        self, base: str, scope: Scope, query: str, attributes: tuple[str, ...], *, descriptors: bool = False
    ) -> Iterator[Entry]:
        number, self.searches = self.searches, self.searches + 1
        self.given.append(0)
        for one in self.entries:
            inside = decode.folded(one.dn) == decode.folded(base) if scope == "base" else decode.under(one.dn, base)
            inside = inside and partition(one.dn) == partition(base)
            shown = self._shown(one) if inside else None
            if shown is None or not matches(query, shown):
                continue  # of what may not be read, a filter finds nothing
            if self.breaks is not None and (number, self.given[number]) == self.breaks[:2]:
                raise self.breaks[2]
            self.given[number] += 1
            wanted = attributes if descriptors else tuple(name for name in attributes if name.lower() != SD)
            yield self._of(shown, wanted)
        if self.breaks is not None and number == self.breaks[0] and self.given[number] == self.breaks[1]:
            raise self.breaks[2]

    def certificate(self) -> str | None:
        return "ab" * 32

    def close(self) -> None:
        return None

    def _of(self, entry: Entry, wanted: tuple[str, ...]) -> Entry:
        names = frozenset(name.lower() for name in wanted)
        return Entry(entry.dn, {name: values for name, values in entry.values.items() if name in names}, names)

    def _shown(self, entry: Entry) -> Entry | None:
        """The entry as our session is given it; None where it is not even named."""
        values = dict(entry.values)
        for denial in self.denials:
            if (denial.lists or denial.whole) and any(below(entry.dn, unit, denial.deep) for unit in denial.objects):
                return None
            if decode.folded(entry.dn) not in denial.objects:
                continue
            if SD in values:
                values[SD] = (weakened(values[SD][0], denial.ace),)
            if denial.whole:
                values = {}
            elif denial.attribute:
                values.pop(denial.attribute.lower(), None)
        return replace(entry, values=values)


def partition(dn: str) -> str:
    """The naming context that an object stands in; a search does not go from one into another."""
    return next(context for context in (SCHEMA, CONFIGURATION, BASE) if decode.under(dn, context))


def below(dn: str, unit: str, deep: bool) -> bool:
    """Whether an object stands below a unit; directly, unless ``deep``."""
    if decode.folded(dn) == unit:
        return False
    return decode.under(dn, unit) if deep else decode.folded(decode.parent(dn)) == unit


def matches(query: str, entry: Entry) -> bool:
    """Whether an entry answers a filter that joins equalities and presences by one ``|`` or ``&``, or has but one."""
    leaves = _LEAF.findall(query)
    if _LEAF.sub("", query) not in {"", "(|)", "(&)"}:
        raise AssertionError(f"a filter that this model does not understand: {query}")
    held = [_has(entry, name.lower(), value) for name, value in leaves]
    return all(held) if query.startswith("(&") else any(held)


def _has(entry: Entry, name: str, value: str) -> bool:
    if (name, value) == ("objectclass", "*"):
        return True
    found = entry.values.get(name, ())
    return bool(found) if value == "*" else value.lower() in {one.decode("utf-8", "replace").lower() for one in found}
