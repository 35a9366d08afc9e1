"""Tests of the system itself: its family, its release, and the kernel that runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from collectors.advisories.feed import Package
from collectors.advisories.oval.criteria import Truth, checked, exists, joined
from collectors.advisories.oval.document import Captured, Document, Entity, Item, Test
from collectors.advisories.oval.host import ORDERS, Condition, Host, Seen, compared
from collectors.advisories.oval.packages import upstream

_CODENAMES: Mapping[str, str] = MappingProxyType(
    {
        "14.04": "trusty", "16.04": "xenial", "18.04": "bionic", "20.04": "focal", "22.04": "jammy",
        "23.10": "mantic", "24.04": "noble", "24.10": "oracular", "25.04": "plucky", "25.10": "questing",
        "26.04": "resolute",
    }
)  # fmt: skip
"""Of Ubuntu's releases."""
_KERNEL = "linux"
_KERNEL_PATTERN = r"^([\d|\.]+-\d+)[-|\w]+$"
"""By which Ubuntu takes the version out of the release of the running kernel."""
_KERNEL_VERSION = re.compile(r"([0-9.]+-[0-9]+)[-\w]+")

Answer = Callable[[Host, Entity], Truth]
"""Whether what a host has exactly once is as an entity demands."""


def condition(test: Test, target: Item, states: Sequence[Item], document: Document) -> Condition | None:
    """How a test of the system is answered; None for a test that nothing which a host tells can answer."""
    found: Answer | None = None
    match test.kind:
        case "family_test":
            found = _family
        case "uname_test":
            found = _uname
        case "textfilecontent54_test":
            found = _release_file(target)
        case "rpmverifyfile_test":
            found = _owner(target)
        case "variable_test" if _is_kernel_version(target, document):
            found = _kernel_version
    return None if found is None else _single(test, states, found)


def _single(test: Test, states: Sequence[Item], answer: Answer) -> Condition:
    """A test of what every host has exactly once."""

    def look(host: Host) -> Seen:
        there = exists(test.existence, 1)
        if not states or there is not True:
            return Seen(there)
        found = [joined(state.operator, [answer(host, entity) for entity in state.entities]) for state in states]
        value = checked(test.check, [joined(test.operator, found)])
        return Seen(value, kernel=_kernel(test, host))

    return look


def _kernel(test: Test, host: Host) -> tuple[tuple[Package, Truth], ...]:
    if test.kind not in {"uname_test", "variable_test"} or not host.inventory.kernel:
        return ()
    return ((Package(_KERNEL, host.inventory.kernel), test.kind == "variable_test"),)


def _family(_: Host, entity: Entity) -> Truth:
    return compared(entity, "unix") if entity.name == "family" and not entity.variable else None


def _uname(host: Host, entity: Entity) -> Truth:
    if entity.name != "os_release" or entity.variable or not host.inventory.kernel:
        return None
    return compared(entity, host.inventory.kernel)


def _release_file(target: Item) -> Answer | None:
    """Of the files in which Debian and Ubuntu name their release."""
    said = {entity.name: entity.text for entity in target.entities if not entity.variable}
    place = said.get("filepath") or f"{said.get('path', '')}/{said.get('filename', '')}"
    pattern = said.get("pattern", "")
    if place == "/etc/debian_version" and pattern == r"(\d+)\.\d":
        return lambda host, entity: _captured(host, entity, "debian", host.inventory.release.partition(":")[2])
    if place == "/etc/lsb-release" and pattern.endswith("DISTRIB_CODENAME=([a-z]+)$"):
        return lambda host, entity: _captured(
            host, entity, "ubuntu", _CODENAMES.get(host.inventory.release.partition(":")[2], "")
        )
    return None


def _captured(host: Host, entity: Entity, system: str, subject: str) -> Truth:
    if entity.name != "subexpression" or entity.variable or host.inventory.system != system or not subject:
        return None
    return compared(entity, subject)


def _owner(target: Item) -> Answer | None:
    """Of the package that owns the file in which Red Hat and those after it name their release."""
    demands = [entity for entity in target.entities if entity.text or entity.variable]
    if [(entity.name, entity.operation, entity.text) for entity in demands] != [
        ("filepath", "equals", "/etc/redhat-release")
    ]:
        return None

    def answer(host: Host, entity: Entity) -> Truth:
        package = host.release_package
        if package is None or entity.variable or entity.name not in {"name", "version"}:
            return None
        return compared(entity, package.name if entity.name == "name" else upstream(package.version))

    return answer


def _is_kernel_version(target: Item, document: Document) -> bool:
    """Whether a variable holds the version of the running kernel, as Ubuntu takes it out of its release."""
    match target.entities:
        case [Entity(name="var_ref", operation="equals", variable="", text=variable)]:
            captured = document.variables.get(variable)
            if not isinstance(captured, Captured):
                return False
            asked = document.objects.get(captured.object)
            return (
                captured[:2] == ("0:", _KERNEL_PATTERN)
                and captured.property == "os_release"
                and asked is not None
                and asked.kind == "uname_object"
                and not asked.entities
            )
    return False


def _kernel_version(host: Host, entity: Entity) -> Truth:
    found = _KERNEL_VERSION.fullmatch(host.inventory.kernel)
    order = ORDERS.get(entity.operation)
    if found is None or order is None or entity.name != "value" or entity.variable:
        return None
    try:
        return order(host.compares[False](f"0:{found[1]}", entity.text))
    except ValueError:
        return None
