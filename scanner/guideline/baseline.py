"""Baselines by id or folder, from the disk or from sealed bytes."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from scanner.column import Check
from scanner.errors import ConfigurationError, EngineError, Problem, UnknownName
from scanner.guideline.guideline_reader import MAIN, PARENT, GuidelineReader
from scanner.guideline.nouns import Baseline, Item, LevelText, Requirement, SceneText
from scanner.institution.toml_source import TomlSource, raise_problems
from scanner.plugins import BASELINES, OWN, Plugin, plugins

__all__ = [
    "Baseline",
    "Item",
    "LevelText",
    "Requirement",
    "SceneText",
    "load_baseline",
    "parse_baseline",
    "plugin_baselines",
    "shipped_baselines",
]


def shipped_baselines() -> tuple[str, ...]:
    """Ids of the baselines that come with ztgrade."""
    home = importlib.resources.files("baselines")
    return tuple(sorted(folder.name for folder in home.iterdir() if folder.is_dir() and (folder / MAIN).is_file()))


def plugin_baselines() -> Mapping[str, Plugin]:
    """Baselines of plug-ins by id: each is the package folder that an entry point in ``ztgrade.baselines`` names.

    Imports nothing. Raises EngineError, naming every plug-in at fault, where an id is taken already.
    """
    owners = dict.fromkeys(shipped_baselines(), OWN)
    found: dict[str, Plugin] = {}
    problems = []
    for plugin in plugins(BASELINES):
        if plugin.name in owners:
            problems.append(f"{plugin.place}: the id is taken by {owners[plugin.name]}; uninstall one of them")
        owners.setdefault(plugin.name, plugin.distribution)
        found.setdefault(plugin.name, plugin)
    if problems:
        raise EngineError("\n".join(problems))
    return found


def load_baseline(id_or_path: str | Path, registry_checks: Mapping[str, Check[Any]]) -> Baseline:
    """The shipped baseline of this id, that of a plug-in, or the one in this folder, in this order.

    Raises UnknownName where there is none, ConfigurationError with everything that is wrong with its files, EngineError
    where a plug-in takes an id that it must not or gives a baseline of another id.
    """
    name = str(id_or_path)
    baseline = parse_baseline(_gather(name, Path(), ()), registry_checks)
    plugin = plugin_baselines().get(name)
    if plugin is not None and baseline.id != name:
        raise EngineError(f"{plugin.place}: its {MAIN} has the id {baseline.id!r}; mend or uninstall it")
    return baseline


def parse_baseline(files: Mapping[str, bytes], registry_checks: Mapping[str, Check[Any]]) -> Baseline:
    """The baseline in these files, names as in ``Baseline.files``; no file system. Raises ConfigurationError."""
    problems: list[Problem] = []
    baseline = GuidelineReader(files, registry_checks, problems).read({})
    raise_problems(problems)
    if baseline is None:
        raise EngineError("a baseline could not be read, but nothing says why")
    return baseline


def _gather(id_or_path: str, beside: Path, chain: tuple[str, ...]) -> dict[str, bytes]:
    """Files of a baseline and, under ``extends/``, of those it extends; a path is relative to the folder beside."""
    folder: Traversable
    added = plugin_baselines()
    if id_or_path in shipped_baselines():
        folder = importlib.resources.files("baselines") / id_or_path
    elif id_or_path in added:
        folder = _folder_of(added[id_or_path])
    elif (beside / id_or_path).is_dir():
        folder = beside / id_or_path
    else:
        raise UnknownName("baseline or folder", id_or_path, [*shipped_baselines(), *added])
    place = str(folder.resolve() if isinstance(folder, Path) else folder)
    if place in chain:
        raise ConfigurationError([Problem(MAIN, None, "extends", f"the chain comes back to {id_or_path!r}")])
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml") and entry.is_file())
    files: dict[str, bytes] = {}
    for name in names:
        try:
            files[name] = (folder / name).read_bytes()
        except OSError as error:
            raise ConfigurationError([Problem(name, None, "", f"cannot be read: {error.strerror}")]) from None
    parent = _parent(files.get(MAIN, b""))
    if parent is not None:
        here = folder if isinstance(folder, Path) else Path()
        try:
            parents = _gather(parent, here, (*chain, place))
        except UnknownName as error:
            raise ConfigurationError([Problem(MAIN, None, "extends", str(error))]) from None
        files.update({PARENT + name: content for name, content in parents.items()})
    return files


def _folder_of(plugin: Plugin) -> Traversable:
    """The package folder that a plug-in names; raises EngineError where it holds no baseline."""
    folder = plugin.attempt(lambda: importlib.resources.files(plugin.module))
    if not (folder / MAIN).is_file():
        raise EngineError(f"{plugin.place}: {plugin.module} holds no {MAIN}; mend or uninstall it")
    return folder


def _parent(content: bytes) -> str | None:
    """What a main file says that it extends; None where it extends nothing or cannot be read."""
    try:
        parent = TomlSource(MAIN, content).data.get("extends")
    except ConfigurationError:
        return None
    return parent if isinstance(parent, str) and parent else None
