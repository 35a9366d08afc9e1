"""Which requirements, met wherever they are open, lift the most cells of an institution together; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scanner.grading.lift import Cell, Cost
from scanner.model import Level, Scene

LARGEST_BUNDLE = 5
"""Requirements in the largest bundle that is searched for exactly."""
SEARCH_LIMIT = 60_000
"""Unions tried per bundle size before the search gives way to the greedy one, which is said then."""
ALIKE = 100
"""Of so many bundles that lift equally many cells, smallest and cheapest first, the one that completes most scopes."""
CANDIDATES = 100
"""Bundles that a greedy step chooses among, the smallest ones."""
STEPS = 10
"""Greedy steps at most."""


@dataclass(frozen=True)
class Single:
    """One requirement over the whole institution."""

    address: str
    item: str
    """Item id, or ``gate II``."""
    cost: Cost
    """The dearest of what it takes anywhere."""
    open_cells: int
    open_scopes: int
    lifts: int
    """Cells that reach their aim when it alone is met wherever it is open."""


@dataclass(frozen=True)
class Bundle:
    """Requirements that, met wherever they are open, bring so many cells to their aim."""

    addresses: tuple[str, ...]
    """Cheapest first."""
    cells: int
    scopes: int
    """Scopes all of whose pillars then stand at their aim, and did not before."""
    levels: tuple[Level, ...]
    """Aims that are reached by it, lowest first."""
    exact: bool
    """No other bundle of this size lifts more cells; otherwise not all were tried."""


@dataclass(frozen=True)
class Together:
    """What lifts the institution as a whole."""

    cells: int
    """Cells below their aim."""
    scopes: int
    """Scopes with such a cell."""
    singles: tuple[Single, ...]
    bundles: tuple[Bundle, ...]
    """The best of each size, as far as a larger one lifts more."""
    steps: tuple[Bundle, ...]
    """A greedy order: each step adds requirements to all before it and counts what it lifts beyond them."""


def together(found: Sequence[Cell]) -> Together:
    """Weigh every requirement over all cells that are below their aim."""
    low = [cell for cell in found if cell.needs]
    costs: dict[str, Cost] = {}
    for cell in low:
        for need in cell.needs:
            known = costs.get(need.address)
            if known is None or need.step.cost.order > known.order:
                costs[need.address] = need.step.cost
    order = sorted(costs, key=lambda address: (costs[address].order, address))
    bits = {address: 1 << place for place, address in enumerate(order)}
    masks = Counter[tuple[int, Level]]()
    scopes: dict[tuple[str, Scene], int] = {}
    for cell in low:
        mask = sum(bits[need.address] for need in cell.needs)
        masks[mask, cell.aim] += 1
        scopes[cell.scope] = scopes.get(cell.scope, 0) | mask
    search = _Search(order, masks, Counter(scopes.values()))
    return Together(
        cells=len(low),
        scopes=len(scopes),
        singles=tuple(_singles(low, costs)),
        bundles=tuple(search.bundles()),
        steps=tuple(search.steps()),
    )


def _singles(low: Sequence[Cell], costs: Mapping[str, Cost]) -> list[Single]:
    cells, alone = Counter[str](), Counter[str]()
    items: dict[str, str] = {}
    scopes: dict[str, set[tuple[str, Scene]]] = {}
    for cell in low:
        for need in cell.needs:
            cells[need.address] += 1
            items[need.address] = need.item
            scopes.setdefault(need.address, set()).add(cell.scope)
            alone[need.address] += len(cell.needs) == 1
    rows = [
        Single(address, items[address], cost, cells[address], len(scopes[address]), alone[address])
        for address, cost in costs.items()
    ]
    return sorted(rows, key=lambda row: (-row.lifts, -row.open_cells, row.cost.order, row.address))


class _Search:
    """Sets of requirements as bit masks: a cell is lifted by every set that holds its whole mask."""

    def __init__(self, order: Sequence[str], masks: Mapping[tuple[int, Level], int], scopes: Mapping[int, int]) -> None:
        self.order = order
        self.levels: dict[int, set[Level]] = {}
        self.cells = Counter[int]()
        for (mask, level), count in masks.items():
            self.cells[mask] += count
            self.levels.setdefault(mask, set()).add(level)
        self.scopes = scopes

    def bundles(self) -> Iterator[Bundle]:
        """The best bundle of each size from 1 on, where it lifts more than the best smaller one."""
        best = 0
        for size in range(1, min(LARGEST_BUNDLE, len(self.order)) + 1):
            unions, exact = self._unions(size)
            if not unions:
                continue
            lifted = {union: self._lifted(union) for union in unions}
            most = max(lifted.values())
            if most <= best:
                continue
            best = most
            alike = sorted((union.bit_count(), union) for union, count in lifted.items() if count == most)
            chosen = max((union for _, union in alike[:ALIKE]), key=self._completed)
            yield self._bundle(chosen, 0, exact)

    def _unions(self, size: int) -> tuple[set[int], bool]:
        """Every union of masks with at most so many requirements, which the best set is among; or a part of them."""
        small = [mask for mask in self.cells if mask.bit_count() <= size]
        found, fresh, tried = set(small), set(small), 0
        while fresh:
            grown: set[int] = set()
            for union in fresh:
                tried += len(small)
                if tried > SEARCH_LIMIT * 10 or len(found) + len(grown) > SEARCH_LIMIT:
                    return found | grown, False
                grown.update(joined for mask in small if (joined := union | mask).bit_count() <= size)
            fresh = grown - found
            found |= fresh
        return found, True

    def _lifted(self, union: int) -> int:
        """Cells that a small set lifts: those of each of its subsets."""
        total, part = 0, union
        while part:
            total += self.cells.get(part, 0)
            part = (part - 1) & union
        return total

    def _completed(self, union: int, before: int = 0) -> int:
        """Scopes that a set brings to their aim whole, beyond those that ``before`` brings there."""
        return sum(count for mask, count in self.scopes.items() if not mask & ~union and mask & ~before)

    def _bundle(self, added: int, before: int, exact: bool) -> Bundle:
        union = added | before
        levels = {level for mask, aims in self.levels.items() if not mask & ~union and mask & ~before for level in aims}
        return Bundle(
            addresses=tuple(self._addresses(added)),
            cells=sum(count for mask, count in self.cells.items() if not mask & ~union and mask & ~before),
            scopes=self._completed(union, before),
            levels=tuple(sorted(levels, key=lambda level: level.rank)),
            exact=exact,
        )

    def _addresses(self, mask: int) -> Iterator[str]:
        while mask:
            lowest = mask & -mask
            yield self.order[lowest.bit_length() - 1]
            mask ^= lowest

    def steps(self) -> Iterator[Bundle]:
        """Again and again the requirements that lift the most cells for each one added."""
        chosen = 0
        rest = Counter(self.cells)
        for _ in range(STEPS):
            if not rest:
                return
            candidates = sorted(rest, key=lambda mask: (mask.bit_count(), -rest[mask], mask))[:CANDIDATES]
            gains = {mask: sum(count for other, count in rest.items() if not other & ~mask) for mask in candidates}
            added = max(candidates, key=lambda mask: (gains[mask] / mask.bit_count(), -mask.bit_count(), -mask))
            yield self._bundle(added, chosen, exact=False)
            chosen |= added
            left = Counter[int]()
            for mask, count in rest.items():
                if mask & ~added:
                    left[mask & ~added] += count
            rest = left
