"""What a target lists over all domains that it reads, what is hidden from it, and whether that makes a whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from collectors.ad.directory import TrustList
from collectors.ad.silos import ForestTable
from scanner import facts as vocabulary
from scanner.model import Fact, Gap, GapWhy, Listing, Record

OF_DIRECTORY = ("Directory", "Trusts", "DirectoryDefence")
"""Facts that speak of the domains themselves, and are whole whatever else is hidden."""
HOLES_NAMED = 10


class Listings:
    """The assets of each promised fact, and the places where more may stand."""

    def __init__(self, promised: frozenset[str], read_elsewhere: frozenset[str]) -> None:
        self._promised = promised
        self._elsewhere = read_elsewhere
        self._seen: dict[str, set[str]] = {name: set() for name in promised}
        self._bases: list[str] = []
        self._covered: set[str] = set()
        self._others: dict[str, None] = {}
        self._holes: dict[str, None] = {}
        self._as_of: datetime | None = None

    def add(self, fact: Fact) -> bool:
        """Note the asset of a fact; whether the fact is promised at all."""
        seen = self._seen.get(type(fact).__name__)
        if seen is None:
            return False
        seen.add(fact.asset)
        return True

    def whole(self, base: str, dns: str, as_of: datetime) -> None:
        """Note a domain that was read to its end."""
        self._bases.append(base)
        self._covered.add(dns.lower())
        self._as_of = as_of if self._as_of is None else min(self._as_of, as_of)

    def hidden(self, place: str) -> None:
        """Note a place where somebody may stand unseen."""
        self._holes[place] = None

    def forest(self, table: ForestTable, trusts: TrustList) -> None:
        """Note the other domains of the forest, or that there are, or may be, some that are not named."""
        named = dict.fromkeys(table.domains.values())
        if table.domains_shown and (len(named) > 1 or not trusts.within_forest):
            self._others |= named
        elif trusts.forest_has_others:
            self.hidden("the forest has other domains, or may, and the list of them is not shown")

    def closing(self) -> Iterator[Record]:
        """A census of each fact, complete unless something may be hidden; and every such place by name."""
        assert self._as_of is not None
        known = self._covered | self._elsewhere
        for name in sorted(set(self._others) - known):
            self.hidden(f"domain {name} of the forest is read neither here nor, by option read_elsewhere, by another")
        named = list(self._holes)[:HOLES_NAMED]
        for name in sorted(self._promised):
            hidden = [] if name in OF_DIRECTORY else named
            for hole in hidden:
                yield Gap(fact=name, why=GapWhy.DENIED, detail=hole)
            if hidden and len(self._holes) > len(named):
                more = len(self._holes) - len(named)
                yield Gap(fact=name, why=GapWhy.DENIED, detail=f"{more} more places are hidden", count=more)
            bases = " and ".join(self._bases)
            query = f"{bases} alone" if name in OF_DIRECTORY else f"(objectClass=*) below {bases}"
            listing = Listing(getattr(vocabulary, name), query=query)
            for key in self._seen[name]:
                listing.add(key)
            yield listing.census(as_of=self._as_of, complete=not hidden)
