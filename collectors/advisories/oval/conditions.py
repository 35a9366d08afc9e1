"""Which tests a host's packages, system, version and running kernel can answer; no other test is ever answered."""

from __future__ import annotations

import re
from typing import NamedTuple

from collectors.advisories.oval import system
from collectors.advisories.oval.document import Captured, Document, Entity, Item, Test
from collectors.advisories.oval.host import Condition, Host, Seen
from collectors.advisories.oval.packages import PackageTest, asks_more

_WORD = re.compile(r"[^a-z0-9_]|(?<=.{39}).+")


class Answer(NamedTuple):
    """How a test is answered."""

    condition: Condition
    packages: tuple[str, ...] = ()
    """Those that it names."""
    lacking: str = ""
    """What of it nothing that a host tells can answer."""


def answer(test: Test | None, document: Document) -> Answer:
    """How a test is answered; one that is missing, or points at what is missing, by nobody."""
    if test is None:
        return Answer(_never, lacking="missing test")
    kind = _WORD.sub("?", test.kind)
    states = [document.states[name] for name in test.states if name in document.states]
    target = document.objects.get(test.object)
    if target is None or len(states) < len(test.states):
        return Answer(_never, lacking=f"{kind} of a missing object or state")
    if test.kind in {"dpkginfo_test", "rpminfo_test"}:
        names = _names(target, document)
        if not names:
            return Answer(_never, lacking=f"{kind} of packages that are not named one by one")
        more = {_WORD.sub("?", entity.name) for state in states for entity in state.entities if asks_more(entity)}
        condition = PackageTest(test, names, tuple(states), rpm=test.kind == "rpminfo_test")
        return Answer(condition, names, f"{kind} {' '.join(sorted(more))}" if more else "")
    found = system.condition(test, target, states, document)
    return Answer(_never, lacking=kind) if found is None else Answer(found)


def _never(_: Host) -> Seen:
    return Seen(None)


def _names(target: Item, document: Document) -> tuple[str, ...]:
    """The packages of an object that names them one by one; empty for any other object."""
    match target.entities:
        case [Entity(name="name", operation="equals", variable="", text=text)] if text:
            return (text,)
        case [Entity(name="name", operation="equals", variable=variable, check=check)]:
            values = document.variables.get(variable)
            if values is not None and not isinstance(values, Captured):
                return tuple(dict.fromkeys(values)) if check == "at least one" or len(values) == 1 else ()
    return ()
