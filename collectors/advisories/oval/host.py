"""A host, laid out for the tests of OVAL, and what a test comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from collectors.advisories.feed import Inventory, Package
from collectors.advisories.oval.criteria import Truth
from collectors.advisories.oval.document import Entity
from collectors.advisories.oval.pattern import matches
from collectors.advisories.versions import Compare

_RELEASE_PACKAGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "almalinux": ("almalinux-release",),
        "rocky": ("rocky-release",),
        "rhel": ("redhat-release", "redhat-release-server"),
    }
)
"""The package that owns /etc/redhat-release."""
ORDERS: Mapping[str, Callable[[int], bool]] = MappingProxyType(
    {
        "less than": lambda order: order < 0,
        "less than or equal": lambda order: order <= 0,
        "greater than": lambda order: order > 0,
        "greater than or equal": lambda order: order >= 0,
        "equals": lambda order: order == 0,
        "not equal": lambda order: order != 0,
    }
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a test came to, and the packages of which it speaks with whether a repair of each is published."""

    value: Truth
    packages: tuple[tuple[Package, Truth], ...] = ()
    kernel: tuple[tuple[Package, Truth], ...] = ()
    """The kernel that runs, where the test is about it."""


class Host:
    """What is known of a host, laid out for tests."""

    def __init__(self, inventory: Inventory, compares: Mapping[bool, Compare]) -> None:
        self.inventory = inventory
        self.compares = compares
        """By whether rpm or dpkg orders versions."""
        self.by_source = inventory.system == "debian"
        """Whether feeds may name sources in the place of packages."""
        self.named: dict[str, list[Package]] = {}
        """Packages by the names under which feeds know them."""
        for package in inventory.packages:
            self.named.setdefault(package.name, []).append(package)
            source = package.origin[0]
            if self.by_source and source != package.name:
                self.named.setdefault(source, []).append(package)

    @property
    def release_package(self) -> Package | None:
        """That which names the system; the version is the system's own where the package is not told."""
        names = _RELEASE_PACKAGES.get(self.inventory.system, ())
        there = [package for name in names for package in self.named.get(name, ())]
        if there:
            return there[0]
        # Without the part after the dot it is not what the package bears.
        return Package(names[0], self.inventory.version) if names and "." in self.inventory.version else None


Condition = Callable[[Host], Seen]
"""One test, ready to be tried on one host after another."""


def compared(entity: Entity, subject: str) -> Truth:
    """Whether a text is as an entity demands; None for demands of another kind."""
    match entity.operation:
        case "equals":
            return subject == entity.text
        case "not equal":
            return subject != entity.text
        case "pattern match":
            return matches(entity.text, subject)
    return None
