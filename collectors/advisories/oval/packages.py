"""Tests of installed packages: which are there, and in which versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collectors.advisories.feed import Package
from collectors.advisories.oval.criteria import Truth, checked, exists, joined
from collectors.advisories.oval.document import Entity, Item, Test
from collectors.advisories.oval.host import ORDERS, Host, Seen, compared

_NOT_REPAIRED = frozenset({"0", "0:0", "0:0-0"})
"""Debian writes what has no repair yet as earlier than version 0."""


def asks_more(entity: Entity) -> bool:
    """Whether a demand is about more than the list of packages tells."""
    return entity.name not in {"name", "evr", "version"} or bool(entity.variable)


@dataclass(frozen=True, slots=True)
class PackageTest:
    """Whether packages of these names are installed, in versions of these states."""

    test: Test
    names: tuple[str, ...]
    states: tuple[Item, ...]
    rpm: bool

    def __call__(self, host: Host) -> Seen:
        """Try it on a host."""
        groups = list(self._groups(host))
        if not groups:
            return Seen(exists(self.test.existence, 0))
        found = [self._of(group, host) for group in groups]
        return Seen(joined("OR", [each.value for each in found]), tuple(one for each in found for one in each.packages))

    def _groups(self, host: Host) -> Iterator[list[Package]]:
        if host.inventory.system != "debian" or self.test.check not in {"all", "at least one"}:
            if every := [package for name in self.names for package in host.by_name.get(name, ())]:
                yield every
            return
        # Debian names sources; each package that was built from one is looked at by itself.
        for package in {
            package.name: package
            for name in self.names
            for package in (*host.by_source.get(name, ()), *host.by_name.get(name, ()))
        }.values():
            yield [package]

    def _of(self, group: Sequence[Package], host: Host) -> Seen:
        there = exists(self.test.existence, len(group))
        if not self.states:
            return Seen(there, tuple((package, False) for package in group))
        if there is not True:
            return Seen(there, tuple((package, None) for package in group))
        values, blamed = [], []
        for package in group:
            found = [self._state(state, package, host) for state in self.states]
            value = joined(self.test.operator, [value for value, _ in found])
            values.append(value)
            if value is not False:
                repairs = [repair for _, repair in found if repair is not None]
                blamed.append((package, repairs[0] if len(set(repairs)) == 1 else None))
        return Seen(checked(self.test.check, values), tuple(blamed))

    def _state(self, state: Item, package: Package, host: Host) -> tuple[Truth, Truth]:
        """Whether the package is in a state, and whether that tells of a repair."""
        values, repair = [], None
        for entity in state.entities:
            value: Truth = None
            if not asks_more(entity):
                match entity.name:
                    case "evr":
                        value, repair = self._version(entity, package, host)
                    case "version":
                        value = compared(entity, upstream(package.version))
                    case "name":
                        value = compared(entity, package.name)
            values.append(value)
        return joined(state.operator, values), repair

    def _version(self, entity: Entity, package: Package, host: Host) -> tuple[Truth, Truth]:
        debian = host.inventory.system == "debian"
        if debian and entity.operation == "less than" and entity.text in _NOT_REPAIRED:
            return True, False
        order = ORDERS.get(entity.operation)
        if order is None:
            return None, None
        source, source_version = package.origin
        version = source_version if debian and source in self.names else package.version
        try:
            value = order(host.compares[self.rpm](version, entity.text))
        except ValueError:
            return None, None
        return value, True if entity.operation == "less than" else None


def upstream(version: str) -> str:
    """A version without epoch, release and revision."""
    return version.rpartition(":")[2].partition("-")[0]
