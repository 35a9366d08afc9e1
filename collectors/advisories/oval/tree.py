"""Definitions with numbers in the place of names, so that a host is looked at fast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from collectors.advisories.oval.conditions import answer
from collectors.advisories.oval.criteria import OPERATORS, Truth
from collectors.advisories.oval.document import Criteria, Document, Reference
from collectors.advisories.oval.host import Condition
from scanner.errors import Malformed

LONGEST_CHAIN = 16
"""Definitions that extend one another in a row."""
MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Leaf:
    """One test, by its number."""

    number: int
    negate: Truth


@dataclass(frozen=True, slots=True)
class Extended:
    """Another definition, by its number; it is looked at once for a host, however many extend it."""

    number: int
    negate: Truth


@dataclass(frozen=True, slots=True)
class Branch:
    """Parts under one operator; None for a part that nobody can answer."""

    operator: str
    negate: Truth
    parts: tuple[Node, ...]


Node = Leaf | Extended | Branch | None


@dataclass
class Trees:
    """What the definitions of a document rest on, definition by definition and test by test."""

    trees: list[Node]
    conditions: list[Condition] = field(default_factory=list)
    by_package: dict[str, set[int]] = field(default_factory=dict)
    """Numbers of definitions by the packages that their tests name."""
    of_the_system: tuple[int, ...] = ()
    """Numbers of tests that look at the host, but not at its packages."""
    undecided: Mapping[str, int] = field(default_factory=dict)
    """Tests that nothing which a host tells can answer, by what they ask; the most frequent."""


def grown(document: Document, name: str) -> Trees:
    """The trees of a document; raises Malformed where definitions extend one another in circles or too long a row."""
    growing = _Growing(document, name)
    found = Trees([growing.node(each.criteria) for each in document.definitions])
    growing.heed_chains(found.trees)
    reached: dict[int, frozenset[int]] = {}
    for number in range(len(found.trees)):
        for test in _reached(number, found.trees, reached):
            for package in growing.names[test]:
                found.by_package.setdefault(package, set()).add(number)
    found.conditions = growing.conditions
    found.of_the_system = tuple(growing.of_the_system)
    found.undecided = dict(growing.undecided.most_common(MOST_TOLD))
    return found


class _Growing:
    """Takes the names out of a document."""

    def __init__(self, document: Document, name: str) -> None:
        self._document, self._name = document, name
        self._numbers = {each.id: number for number, each in enumerate(document.definitions)}
        self._tests: dict[str, int] = {}
        self.names: list[tuple[str, ...]] = []
        self.conditions: list[Condition] = []
        self.of_the_system: list[int] = []
        self.undecided: Counter[str] = Counter()

    def node(self, part: Criteria | Reference | None) -> Node:
        """A part of the criteria, and all that is in it."""
        match part:
            case Criteria():
                return _branch(part.operator, part.negate, [self.node(each) for each in part.parts])
            case Reference(definition=True):
                number = self._numbers.get(part.to)
                return None if number is None else Extended(number, part.negate)
            case Reference():
                return Leaf(self._test(part.to), part.negate)
        return None

    def _test(self, name: str) -> int:
        if name not in self._tests:
            found = answer(self._document.tests.get(name), self._document)
            self._tests[name] = len(self.conditions)
            if not found.packages:
                self.of_the_system.append(len(self.conditions))
            self.conditions.append(found.condition)
            self.names.append(found.packages)
            if found.lacking:
                self.undecided[found.lacking] += 1
        return self._tests[name]

    def heed_chains(self, trees: list[Node]) -> None:
        """Raise Malformed where a definition extends others in a circle, or in too long a row."""
        heights: dict[int, int] = {}

        def height(number: int, above: int) -> int:
            if number not in heights and above <= LONGEST_CHAIN:
                extended = {each.number for each in _nodes(trees[number]) if isinstance(each, Extended)}
                heights[number] = max((1 + height(each, above + 1) for each in extended), default=0)
            if above + heights.get(number, 0) > LONGEST_CHAIN:
                id = self._document.definitions[number].id
                raise Malformed(
                    f"{self._name}: {id} extends, or is extended by, more than {LONGEST_CHAIN} definitions in a row,"
                    " or in a circle; get the file anew"
                )
            return heights[number]

        for number in range(len(trees)):
            height(number, 0)


def _branch(operator: str, negate: Truth, parts: list[Node]) -> Node:
    """A branch without those that only hold one part, or parts under their own operator."""
    if len(parts) == 1 and negate is False and operator in OPERATORS:
        return parts[0]
    if operator in {"AND", "OR"}:
        flat: list[Node] = []
        for part in parts:
            within = isinstance(part, Branch) and part.operator == operator and part.negate is False and part.parts
            flat += part.parts if isinstance(part, Branch) and within else [part]
        parts = flat
    return Branch(operator, negate, tuple(parts))


def _nodes(node: Node) -> Iterator[Leaf | Extended]:
    match node:
        case Branch():
            for part in node.parts:
                yield from _nodes(part)
        case Leaf() | Extended():
            yield node


def _reached(number: int, trees: list[Node], reached: dict[int, frozenset[int]]) -> frozenset[int]:
    """Numbers of all tests on which a definition depends."""
    if number not in reached:
        found: set[int] = set()
        for each in _nodes(trees[number]):
            if isinstance(each, Leaf):
                found.add(each.number)
            else:
                found |= _reached(each.number, trees, reached)
        reached[number] = frozenset(found)
    return reached[number]
