"""Finds the collectors, checks and fact types that are installed; holds no state of its own."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

from scanner.column import Check
from scanner.errors import EngineError, UnknownName
from scanner.facts import FACTS
from scanner.model import Collector, Fact

NamedT = TypeVar("NamedT")


@cache
def facts() -> Mapping[str, type[Fact]]:
    """Fact types by name, in the order of the vocabulary."""
    return MappingProxyType({fact.__name__: fact for fact in FACTS})


@cache
def collectors() -> Mapping[str, Collector]:
    """Collectors by name, sorted: every module of package ``collectors`` that has an attribute ``COLLECTOR``.

    Raises EngineError, naming everything wrong at once, where one is not well formed.
    """
    return collectors_in(importlib.import_module("collectors"))


@cache
def checks() -> Mapping[str, Check[Any]]:
    """Checks by id, sorted: every Check that stands in a module of package ``checks``.

    Raises EngineError, naming everything wrong at once, where two different checks share an id.
    """
    return checks_in(importlib.import_module("checks"))


def find(what: str, name: str, known: Mapping[str, NamedT]) -> NamedT:
    """The entry of a registry; raises UnknownName with the nearest valid name."""
    try:
        return known[name]
    except KeyError:
        raise UnknownName(what, name, known) from None


def collectors_in(package: ModuleType) -> Mapping[str, Collector]:
    """Collectors of the modules and folders directly in a package; a folder shows its own in ``__init__``."""
    found: dict[str, Collector] = {}
    problems: list[str] = []
    for module in _modules(package, deep=False):
        collector = getattr(module, "COLLECTOR", None)
        if collector is None:
            continue
        flaws = list(_flaws(collector))
        if not flaws and collector.name in found:
            flaws.append(f"name {collector.name!r} is taken by another module")
        problems.extend(f"{module.__name__}: {flaw}" for flaw in flaws)
        if not flaws:
            found[collector.name] = collector
    return _whole(found, problems)


def checks_in(package: ModuleType) -> Mapping[str, Check[Any]]:
    """Checks of every module below a package, however deep; one that a module imports from another counts once."""
    found: dict[str, Check[Any]] = {}
    problems: list[str] = []
    for module in _modules(package, deep=True):
        for entry in vars(module).values():
            if not isinstance(entry, Check) or found.get(entry.id) is entry:
                continue
            if entry.id in found:
                problems.append(f"{module.__name__}: two checks have the id {entry.id!r}")
            elif not entry.doc:
                problems.append(f"{module.__name__}: {entry.id} has no docstring saying what is true when it passes")
            else:
                found[entry.id] = entry
    return _whole(found, problems)


def _modules(package: ModuleType, *, deep: bool) -> Iterator[ModuleType]:
    prefix = package.__name__ + "."
    for info in sorted(pkgutil.iter_modules(package.__path__, prefix), key=lambda item: item.name):
        module = importlib.import_module(info.name)
        yield module
        if deep and info.ispkg:
            yield from _modules(module, deep=True)


def _flaws(collector: Any) -> Iterator[str]:
    for name in ("name", "version"):
        if not (isinstance(getattr(collector, name, None), str) and getattr(collector, name)):
            yield f"COLLECTOR.{name} must be a non-empty text"
    for name in ("promises", "plan", "read"):
        if not callable(getattr(collector, name, None)):
            yield f"COLLECTOR.{name} must be a method"
    for permission in getattr(collector, "permissions", None) or ():
        for fact in permission.facts:
            if fact not in facts():
                yield f"permission {permission.name!r} speaks of {fact!r}, which is no fact type"
    if not isinstance(getattr(collector, "permissions", None), tuple):
        yield "COLLECTOR.permissions must be a tuple"


def _whole(found: dict[str, NamedT], problems: list[str]) -> Mapping[str, NamedT]:
    if problems:
        raise EngineError("\n".join(problems))
    return MappingProxyType({name: found[name] for name in sorted(found)})
