"""Finds the collectors, checks and fact types that are installed; holds no state of its own."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Generic, TypeVar

from scanner.column import Check
from scanner.errors import EngineError, UnknownName
from scanner.facts import FACTS
from scanner.model import Collector, Fact, Permission
from scanner.plugins import CHECKS, COLLECTORS, OWN, Plugin, plugins

NamedT = TypeVar("NamedT")


@dataclass(frozen=True)
class Stock(Generic[NamedT]):
    """The entries of one registry by name, sorted, and the plug-in behind each that does not come with ztgrade."""

    entries: Mapping[str, NamedT]
    plugins: Mapping[str, Plugin]

    def origin(self, name: str) -> str:
        """Distribution that an entry is from: ``ztgrade``, or name and version of another."""
        return self.plugins[name].distribution if name in self.plugins else OWN


@cache
def facts() -> Mapping[str, type[Fact]]:
    """Fact types by name, in the order of the vocabulary."""
    return MappingProxyType({fact.__name__: fact for fact in FACTS})


@cache
def collector_stock() -> Stock[Collector]:
    """Collectors of package ``collectors`` and of plug-ins, which name them in group ``ztgrade.collectors``.

    Raises EngineError, naming everything wrong at once, where one is not well formed, cannot be loaded, or bears the
    name of another; then there are no collectors at all.
    """
    return with_plugins(collectors_in(importlib.import_module("collectors")), plugins(COLLECTORS), collector_of)


@cache
def check_stock() -> Stock[Check[Any]]:
    """Checks of package ``checks`` and of plug-ins, which name a package of theirs in group ``ztgrade.checks``.

    Raises EngineError, naming everything wrong at once, where two different checks share an id, one has no words, or a
    plug-in cannot be loaded; then there are no checks at all.
    """
    return with_plugins(checks_in(importlib.import_module("checks")), plugins(CHECKS), checks_of)


def collectors() -> Mapping[str, Collector]:
    """Collectors by name, sorted; raises EngineError as ``collector_stock``."""
    return collector_stock().entries


def checks() -> Mapping[str, Check[Any]]:
    """Checks by id, sorted; raises EngineError as ``check_stock``."""
    return check_stock().entries


def check_sources(ids: Iterable[str]) -> Mapping[str, Path]:
    """Folder or file with the source behind those of the checks that come with plug-ins, by distribution and module."""
    behind = {plugin for name, plugin in check_stock().plugins.items() if name in set(ids)}
    return {f"{plugin.distribution} {plugin.module}": plugin.source for plugin in sorted(behind)}


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
    return _checks_among(_modules(package, deep=True))


def collector_of(plugin: Plugin) -> Mapping[str, Collector]:
    """The collector that an entry point names, itself or as ``COLLECTOR`` of a module; the names must be the same."""
    loaded = plugin.load()
    collector = getattr(loaded, "COLLECTOR", None) if isinstance(loaded, ModuleType) else loaded
    if collector is None or isinstance(collector, type):
        raise EngineError("it must name a collector, or a module with COLLECTOR; neither a class nor nothing")
    flaws = list(_flaws(collector))
    if not flaws and collector.name != plugin.name:
        flaws = [f"the entry point must be named {collector.name!r}, as the collector is"]
    if flaws:
        raise EngineError("; ".join(flaws))
    return {collector.name: collector}


def checks_of(plugin: Plugin) -> Mapping[str, Check[Any]]:
    """Checks of the module that an entry point names and of every module below it; there must be one."""
    loaded = plugin.load()
    if not isinstance(loaded, ModuleType):
        raise EngineError("it must name a package or module")
    found = _checks_among([loaded, *(_modules(loaded, deep=True) if hasattr(loaded, "__path__") else ())])
    if not found:
        raise EngineError("no check stands there")
    return found


def with_plugins(
    own: Mapping[str, NamedT], found: Iterable[Plugin], entries_of: Callable[[Plugin], Mapping[str, NamedT]]
) -> Stock[NamedT]:
    """Our own entries and those of every plug-in; raises EngineError with all that is wrong where anything is."""
    entries: dict[str, NamedT] = dict(own)
    origins: dict[str, Plugin] = {}
    problems: list[str] = []
    for plugin in found:
        try:
            more = plugin.attempt(partial(entries_of, plugin))
        except EngineError as error:
            problems.append(str(error))
            continue
        for name, entry in more.items():
            if name not in entries:
                entries[name] = entry
                origins[name] = plugin
            elif entries[name] is not entry:  # one that a plug-in borrows from another counts once
                owner = origins[name].distribution if name in origins else OWN
                problems.append(f"{plugin.place}: the name {name!r} is taken by {owner}; uninstall one of them")
    return Stock(_whole(entries, problems), MappingProxyType(origins))


def _checks_among(modules: Iterable[ModuleType]) -> Mapping[str, Check[Any]]:
    found: dict[str, Check[Any]] = {}
    problems: list[str] = []
    for module in modules:
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
    permissions = getattr(collector, "permissions", None)
    if not isinstance(permissions, tuple) or not all(isinstance(each, Permission) for each in permissions):
        yield "COLLECTOR.permissions must be a tuple of Permission"
        return
    for permission in permissions:
        for fact in permission.facts:
            if fact not in facts():
                yield f"permission {permission.name!r} speaks of {fact!r}, which is no fact type"


def _whole(found: Mapping[str, NamedT], problems: list[str]) -> Mapping[str, NamedT]:
    if problems:
        raise EngineError("\n".join(problems))
    return MappingProxyType({name: found[name] for name in sorted(found)})
