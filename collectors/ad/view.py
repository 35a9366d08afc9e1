"""One object as our session sees it: a value, a proved absence, or a gap that names the attribute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from collectors.ad.rights import Grant
from collectors.ports.directory import Entry
from scanner.model import Gap, GapWhy

ValueT = TypeVar("ValueT")
NAMED = 200
"""Gaps of one kind that are given asset by asset; the rest are counted in one."""


@dataclass(frozen=True)
class Seen(Generic[ValueT]):
    """A value; or, with ``shown``, the knowledge that there is none; or neither."""

    value: ValueT | None
    shown: bool


@dataclass
class View:
    """An entry, the rights to it, and what of it could not be seen."""

    entry: Entry
    asset: str
    grant: Grant
    lost: list[tuple[str, GapWhy, str]] = field(default_factory=list)
    """``Fact.field``, why, and what to say."""

    def values(self, attribute: str, *serves: str) -> tuple[bytes, ...] | None:
        """Every value; empty where absence is proved; None, and a gap for each ``Fact.field`` served, otherwise."""
        name = attribute.lower()
        found = self.entry.values.get(name)
        if found:
            return found
        if name not in self.entry.asked:
            self.lose(
                GapWhy.UNSUPPORTED, f"{attribute} is absent, and the record does not say that it was asked for", serves
            )
            return None
        if name not in self.grant.readable:
            self.lose(GapWhy.DENIED, f"{attribute} is absent, and no right to read it is shown", serves)
            return None
        return ()

    def one(self, attribute: str, read: Callable[[bytes], ValueT], *serves: str) -> Seen[ValueT]:
        """The first value as ``read`` understands it; ValueError of it is a gap of its own."""
        found = self.values(attribute, *serves)
        if not found:
            return Seen(None, found is not None)
        try:
            return Seen(read(found[0]), True)
        except ValueError as error:
            self.lose(GapWhy.MALFORMED, f"{attribute}: {error}", serves)
            return Seen(None, False)

    def count(self, attribute: str, *serves: str) -> int | None:
        """How many values there are; None, and gaps, where absence is not proved."""
        found = self.values(attribute, *serves)
        return None if found is None else len(found)

    def lose(self, why: GapWhy, detail: str, serves: tuple[str, ...]) -> None:
        """Note that something could not be seen."""
        self.lost.extend((place, why, detail) for place in serves)


class Losses:
    """Turns what views lost of what is promised into gaps: one an asset at first, then one with the count."""

    def __init__(self, promises: frozenset[str]) -> None:
        self._promises = promises
        self._counts: dict[tuple[str, GapWhy, str], int] = {}

    def speaks_of(self, fact: str, name: str) -> bool:
        """Whether a field is promised, by itself or with its whole fact."""
        return fact in self._promises or f"{fact}.{name}" in self._promises

    def gaps(self, view: View) -> Iterator[Gap]:
        """Gaps of one asset."""
        for place, why, detail in dict.fromkeys(view.lost):
            fact, _, name = place.partition(".")
            if not self.speaks_of(fact, name):
                continue
            count = self._counts[place, why, detail] = self._counts.get((place, why, detail), 0) + 1
            if count <= NAMED:
                yield Gap(fact=fact, why=why, detail=detail, asset=view.asset, field=name)

    def rest(self) -> Iterator[Gap]:
        """One gap for each kind of which not every asset was named."""
        for (place, why, detail), count in self._counts.items():
            fact, _, name = place.partition(".")
            if count > NAMED:
                more = f"{detail}; on {count - NAMED} more assets"
                yield Gap(fact=fact, why=why, detail=more, field=name, count=count - NAMED)


@dataclass(frozen=True)
class Domain:
    """The domain being read, and what the estate says of its units."""

    base: str
    dns: str
    sid: str
    observed_at: datetime
    external_units: tuple[str, ...] | None = None
    service_units: tuple[str, ...] = ()
    person_units: tuple[str, ...] = ()
    shared_units: tuple[str, ...] = ()
    break_glass_units: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Asset key of the domain."""
        return f"directory:ad:{self.sid}"
