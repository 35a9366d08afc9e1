"""A feed of OVAL definitions: read once, then held against one host after another."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property

from collectors.advisories.feed import Inventory, Package
from collectors.advisories.oval.criteria import Truth, joined, turned
from collectors.advisories.oval.document import Document, read
from collectors.advisories.oval.host import Host, Seen
from collectors.advisories.oval.tree import Branch, Extended, Leaf, Node, grown
from collectors.advisories.versions import Compare, compare_dpkg, compare_rpm, remembered
from scanner.errors import Malformed
from scanner.facts.device import OpenAdvisory
from scanner.facts.kleene import some

WHOLE_FROM = 50
"""Definitions of a release; a document with fewer is taken for a part of what its maker knows, such as one advisory."""
KINDS = ("vulnerability", "patch")
"""Classes of definitions that are true where a flaw is there, or its repair missing."""
MOST_KINDS = 256
"""Kinds of hosts, by all but their packages, of which is kept what holds of them without any package."""


def read_feed(pieces: Iterable[bytes], name: str) -> OvalFeed:
    """The feed out of an unpacked document; raises Malformed."""
    document = read(pieces, name)
    if not any(each.kind in KINDS for each in document.definitions):
        raise Malformed(
            f"{name}: it holds no definition of class {' or '.join(KINDS)}; expected the OVAL definitions that the"
            " maker of a system publishes"
        )
    return OvalFeed(document, name)


class OvalFeed:
    """Definitions with what they rest on."""

    def __init__(self, document: Document, name: str) -> None:
        growth = grown(document, name)
        self.name = f"oval:{name}"
        self.as_of = document.as_of
        self.undecided = growth.undecided
        """Tests that nothing which a host tells can answer, by what they ask; the most frequent."""
        self.definitions = document.definitions
        self.trees = growth.trees
        self.conditions = growth.conditions
        self._by_package = growth.by_package
        self._of_the_system = growth.of_the_system
        self._counts = Counter(
            release for each in document.definitions if each.kind in KINDS for release in each.releases
        )
        self._compares: Mapping[bool, Compare] = {
            False: remembered(compare_dpkg),
            True: remembered(compare_rpm),
        }
        self._without: OrderedDict[tuple[Truth, ...], frozenset[int]] = OrderedDict()

    @property
    def releases(self) -> Collection[str]:
        """Of which it speaks."""
        return self._counts.keys()

    def whole_for(self, release: str) -> bool:
        """Whether what it does not name has no flaw that it knows."""
        return self._counts[release] >= WHOLE_FROM

    def open_on(self, installed: Inventory) -> Iterator[OpenAdvisory]:
        """What definitions say that are true of a host, and those that may be, with nothing said of their repair."""
        look = _Look(self, Host(installed, self._compares))
        touched = {number for name in look.host.named for number in self._by_package.get(name, ())}
        for number in sorted(touched | self._without_packages(look)):
            if self.definitions[number].kind in KINDS and look.definition(number) is not False:
                yield from look.told(number)

    @cached_property
    def _apart(self) -> tuple[int, ...]:
        """Definitions that could hold of a host without packages, whatever else is true of it: few beside kernels."""
        nobody = _Look(self, Host(Inventory("", ()), self._compares), frozenset(self._of_the_system))
        return tuple(number for number in range(len(self.definitions)) if nobody.definition(number) is not False)

    def _without_packages(self, look: _Look) -> frozenset[int]:
        """Definitions that are not false of a host of this kind even if it has none of the packages that they name."""
        kind = tuple(look.test(number).value for number in self._of_the_system)
        if kind not in self._without:
            bare = _Look(self, _Bare(look.host, self._compares))
            self._without[kind] = frozenset(number for number in self._apart if bare.definition(number) is not False)
            if len(self._without) > MOST_KINDS:
                self._without.popitem(last=False)
        self._without.move_to_end(kind)
        return self._without[kind]


class _Bare(Host):
    """A host as another one, but for its packages; what names its system is still known."""

    def __init__(self, host: Host, compares: Mapping[bool, Compare]) -> None:
        told = host.inventory
        super().__init__(Inventory(told.release, (), told.version, told.kernel), compares)
        self._release_package = host.release_package

    @property
    def release_package(self) -> Package | None:
        """That of the host in whose place it stands."""
        return self._release_package


class _Look:
    """One host, looked at: each test and each definition once."""

    def __init__(self, feed: OvalFeed, host: Host, open_: frozenset[int] = frozenset()) -> None:
        self.host = host
        self._feed = feed
        self._open = open_
        """Tests that are left open."""
        self._seen: dict[int, Seen] = {}
        self._values: dict[int, Truth] = {}

    def definition(self, number: int) -> Truth:
        """Whether a definition is true of the host."""
        if number not in self._values:
            self._values[number] = self._value(self._feed.trees[number])
        return self._values[number]

    def test(self, number: int) -> Seen:
        """What a test comes to."""
        seen = self._seen.get(number)
        if seen is None:
            seen = Seen(None) if number in self._open else self._feed.conditions[number](self.host)
            self._seen[number] = seen
        return seen

    def _value(self, node: Node) -> Truth:
        if isinstance(node, Leaf):
            value = self.test(node.number).value
            return value if node.negate is False else turned(value, node.negate)
        if isinstance(node, Extended):
            return turned(self.definition(node.number), node.negate)
        if node is None:
            return None
        values: list[Truth] = []
        for part in node.parts:
            value = self._value(part)
            if value is False and node.operator == "AND":
                return turned(False, node.negate)
            values.append(value)
        value = joined(node.operator, values)
        return value if node.negate is False else turned(value, node.negate)

    def told(self, number: int) -> Iterator[OpenAdvisory]:
        """Once for each package that makes a definition true, or may do so."""
        definition, value = self._feed.definitions[number], self.definition(number)
        packages: dict[Package, Truth] = {}
        kernel: dict[Package, Truth] = {}
        for seen in self._blamed(self._feed.trees[number], set()):
            for found, into in ((seen.packages, packages), (seen.kernel, kernel)):
                for package, told in found:
                    into[package] = some(told, into.get(package, told))
        named: list[tuple[Package | None, Truth]] = [*(packages or kernel).items()]
        for blamed, repair in named or [(None, None)]:
            yield OpenAdvisory(
                id=definition.flaw,
                package=None if blamed is None else blamed.name,
                installed=None if blamed is None else blamed.version,
                severity=definition.severity,
                published=definition.published,
                repairable=None if value is None else True if definition.kind == "patch" else repair,
            )

    def _blamed(self, node: Node, extended: set[int]) -> Iterator[Seen]:
        """Tests that speak for the flaw: neither negated nor in a part that is false."""
        match node:
            case Leaf(negate=False) if self.test(node.number).value is not False:
                yield self.test(node.number)
            case Extended(negate=False) if node.number not in extended and self.definition(node.number) is not False:
                extended.add(node.number)
                yield from self._blamed(self._feed.trees[node.number], extended)
            case Branch(negate=False) if self._value(node) is not False:
                for part in node.parts:
                    yield from self._blamed(part, extended)
