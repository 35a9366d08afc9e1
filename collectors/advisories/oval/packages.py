"""Tests of installed packages: which are there, and in which versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from collectors.advisories.feed import Package
from collectors.advisories.oval.criteria import Truth, checked, exists, joined
from collectors.advisories.oval.document import Entity, Item, Test
from collectors.advisories.oval.host import ORDERS, Host, Seen, compared

_NOT_REPAIRED = frozenset({"0", "0:0", "0:0-0"})
"""Debian writes what has no repair yet as earlier than version 0."""


def asks_more(entity: Entity) -> bool:
    """Whether a demand is about more than the list of packages tells."""
    return entity.name not in {"name", "evr", "version"} or bool(entity.variable)


@dataclass(frozen=True)
class PackageTest:
    """Whether packages of these names are installed, in versions of these states."""

    test: Test
    names: tuple[str, ...]
    states: tuple[Item, ...]
    rpm: bool

    @cached_property
    def _only(self) -> Entity | None:
        """The one demand of nearly every test, where there is no other."""
        match self.states:
            case (Item(operator="AND", entities=(Entity(name="evr", variable="") as only,)),):
                return only if self.test.operator == "AND" else None
        return None

    def __call__(self, host: Host) -> Seen:
        """Try it on a host."""
        groups = self._groups(host)
        if not groups:
            return Seen(exists(self.test.existence, 0))
        found = [self._of(group, host) for group in groups]
        if len(found) == 1:
            return found[0]
        return Seen(joined("OR", [each.value for each in found]), tuple(one for each in found for one in each.packages))

    def _groups(self, host: Host) -> list[list[Package]]:
        if len(self.names) == 1:
            every = host.named.get(self.names[0], [])
        else:
            every = [package for name in self.names for package in host.named.get(name, ())]
        if not host.by_source or self.test.check not in {"all", "at least one"}:
            return [every] if every else []
        # Debian names sources; each package that was built from one is looked at by itself.
        return [[package] for package in every]

    def _of(self, group: Sequence[Package], host: Host) -> Seen:
        there = exists(self.test.existence, len(group))
        if not self.states:
            return Seen(there, tuple((package, False) for package in group))
        if there is not True:
            return Seen(there, tuple((package, None) for package in group))
        values, blamed = [], []
        for package in group:
            value, repair = self._item(package, host)
            values.append(value)
            if value is not False:
                blamed.append((package, repair))
        return Seen(checked(self.test.check, values), tuple(blamed))

    def _item(self, package: Package, host: Host) -> tuple[Truth, Truth]:
        """Whether one package is as the states want it, and whether they tell of a repair."""
        if self._only is not None:
            return self._version(self._only, package, host)
        found = [self._state(state, package, host) for state in self.states]
        repairs = {repair for _, repair in found} - {None}
        return joined(self.test.operator, [value for value, _ in found]), repairs.pop() if len(repairs) == 1 else None

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
        if host.by_source and entity.operation == "less than" and entity.text in _NOT_REPAIRED:
            return True, False
        order = ORDERS.get(entity.operation)
        if order is None:
            return None, None
        source, source_version = package.origin
        version = source_version if host.by_source and source in self.names else package.version
        try:
            value = order(host.compares[self.rpm](version, entity.text))
        except ValueError:
            return None, None
        return value, True if entity.operation == "less than" else None


def upstream(version: str) -> str:
    """A version without epoch, release and revision."""
    return version.rpartition(":")[2].partition("-")[0]
