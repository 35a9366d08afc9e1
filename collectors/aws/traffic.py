"""Sets of inbound traffic, exact to the address and the port: what rules let through, alone and together."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Spans = tuple[tuple[int, int], ...]
"""Addresses as sorted, separate, inclusive ranges of numbers."""
Cell = tuple[int, int, Spans]
"""First port, last port, and the sources admitted to all of them."""
ANY_PORT = (0, 65535)
REST = "-1"
"""Every protocol that is not named."""
_FULL: Mapping[int, Spans] = {4: ((0, 2**32 - 1),), 6: ((0, 2**128 - 1),)}
_NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}


@dataclass(frozen=True)
class Traffic:
    """Ports and sources by family of addresses and protocol; a protocol that is not named is as the rest."""

    cells: Mapping[tuple[int, str], tuple[Cell, ...]] = field(default_factory=dict)

    def of(self, family: int, protocol: str) -> tuple[Cell, ...]:
        """Cells of a protocol."""
        return self.cells.get((family, protocol), self.cells.get((family, REST), ()))

    @property
    def any_source(self) -> bool:
        """Some service is open to every address of a family."""
        return any(spans == _FULL[family] for (family, _), cells in self.cells.items() for _, _, spans in cells)

    @property
    def any_service(self) -> bool:
        """Some source may use every port of TCP or of UDP; port 0 is none."""
        return any(self._of_every_port(family, protocol) for family in _FULL for protocol in ("tcp", "udp"))

    @property
    def everything(self) -> bool:
        """Every source of a family may use every port of TCP or of UDP."""
        return any(
            self._of_every_port(family, protocol) == _FULL[family] for family in _FULL for protocol in ("tcp", "udp")
        )

    def _of_every_port(self, family: int, protocol: str) -> Spans:
        common, next_port = _FULL[family], 1
        for first, last, spans in sorted(self.of(family, protocol)):
            if first > next_port:
                return ()
            common, next_port = _common(common, spans), max(next_port, last + 1)
        return common if next_port > ANY_PORT[1] else ()

    def __bool__(self) -> bool:
        return any(spans for cells in self.cells.values() for _, _, spans in cells)

    def __and__(self, other: Traffic) -> Traffic:
        return _folded([self, other], lambda held: _common(*held))


@dataclass(frozen=True)
class Entry:
    """One numbered entry of a network ACL for what comes in."""

    number: int
    allows: bool
    protocol: str
    ports: tuple[int, int]
    network: Network


def protocol_of(given: str) -> str:
    """Name of a protocol that AWS gives by name or by number."""
    return _NUMBERS.get(given, given.lower())


def admitted(protocol: str, ports: tuple[int, int], networks: Iterable[Network]) -> Traffic:
    """What one rule lets through."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for network in networks:
        first, last = int(network.network_address), int(network.broadcast_address)
        spans.setdefault(network.version, []).append((first, last))
    return Traffic({(family, protocol): ((*ports, _joined(given)),) for family, given in spans.items()})


def through(entries: Iterable[Entry], only: Entry | None = None) -> Traffic:
    """What numbered entries let through: the lowest number that matches decides, and what none matches is refused.

    ``only`` keeps to what that entry decides.
    """
    ordered = sorted(entries, key=lambda entry: entry.number)
    found: dict[tuple[int, str], tuple[Cell, ...]] = {}
    for family, full in _FULL.items():
        own = [entry for entry in ordered if entry.network.version == family]
        for protocol in {REST, *(entry.protocol for entry in own)}:
            matching = [entry for entry in own if entry.protocol in {REST, protocol}]
            cells: list[Cell] = []
            for first, last in _pieces([(*entry.ports, full) for entry in matching]):
                left: Spans = full
                let: Spans = ()
                for entry in matching:
                    if entry.ports[0] <= first and last <= entry.ports[1]:
                        here = ((int(entry.network.network_address), int(entry.network.broadcast_address)),)
                        if entry.allows and only in {None, entry}:
                            let = _joined((*let, *_common(left, here)))
                        left = _without(left, here)
                if let:
                    cells.append((first, last, let))
            found[family, protocol] = tuple(cells)
    return Traffic(found)


def together(parts: Iterable[Traffic]) -> Traffic:
    """What is in any of them."""
    return _folded(parts, lambda held: _joined(span for spans in held for span in spans))


def _folded(parts: Iterable[Traffic], fold: Callable[[list[Spans]], Spans]) -> Traffic:
    given = list(parts)
    keys = {key for part in given for key in part.cells} | {(family, REST) for family in _FULL}
    found: dict[tuple[int, str], tuple[Cell, ...]] = {}
    for family, protocol in keys:
        cells = [part.of(family, protocol) for part in given]
        found[family, protocol] = tuple(
            (first, last, spans)
            for first, last in _pieces(cell for held in cells for cell in held)
            if (spans := fold([_at(held, first) for held in cells]))
        )
    return Traffic(found)


def _pieces(cells: Iterable[Cell]) -> Iterator[tuple[int, int]]:
    """Ranges of ports in which nothing changes."""
    given = tuple(cells)
    starts = sorted({first for first, _, _ in given} | {last + 1 for _, last, _ in given})
    for start, after in itertools.pairwise(starts):
        yield start, after - 1


def _at(cells: Iterable[Cell], port: int) -> Spans:
    return _joined(span for first, last, spans in cells if first <= port <= last for span in spans)


def _joined(spans: Iterable[tuple[int, int]]) -> Spans:
    found: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def _common(one: Spans, other: Spans) -> Spans:
    return _joined((max(a, c), min(b, d)) for a, b in one for c, d in other if max(a, c) <= min(b, d))


def _without(spans: Spans, taken: Spans) -> Spans:
    for first, last in taken:
        spans = tuple(
            piece for a, b in spans for piece in ((a, min(b, first - 1)), (max(a, last + 1), b)) if piece[0] <= piece[1]
        )
    return spans
