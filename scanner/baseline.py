"""Reads baselines from TOML and proves them against the checks; says everything that is wrong with them at once."""

from __future__ import annotations

import dataclasses
import importlib.resources
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from scanner.canonical import canonical_json, sha256_hex
from scanner.column import Built, Check, ClaimError
from scanner.errors import ConfigurationError, Problem, UnknownName, nearest
from scanner.guideline import NAME_IN_SENTENCE, Baseline, Item, LevelText, Requirement, SceneText
from scanner.model import Level, Pillar, RequirementKind, Scene, ServiceModel
from scanner.result import Text
from scanner.table import Document, Table

__all__ = [
    "Baseline",
    "Item",
    "LevelText",
    "Requirement",
    "SceneText",
    "files_digest",
    "load_baseline",
    "parse_baseline",
    "shipped_baselines",
]

MAIN = "baseline.toml"
PARENT = "extends/"
"""Prefix under which the files of the baseline that one extends stand among its own."""
PROOF_AT = datetime(2024, 7, 15, tzinfo=UTC)
"""Any fixed moment does: a claim is built at it once, only to prove that it can be built."""
ALWAYS_SAID = ("true", "false", "empty")
"""Values that any sentence may have to name."""

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ITEM = re.compile(r"[1-9]\d*-[1-9]\d*")
_AGE = re.compile(r"([1-9]\d*)([dh])")
_LADDER = tuple(level for level in Level if level is not Level.NONE)
_KINDS = tuple(kind.value for kind in RequirementKind)


def shipped_baselines() -> tuple[str, ...]:
    """Ids of the baselines that come with ztgrade."""
    home = importlib.resources.files("baselines")
    return tuple(sorted(folder.name for folder in home.iterdir() if folder.is_dir() and (folder / MAIN).is_file()))


def load_baseline(id_or_path: str | Path, registry_checks: Mapping[str, Check[Any]]) -> Baseline:
    """The shipped baseline of this id, or the one in this folder.

    Raises UnknownName where there is neither, ConfigurationError with everything that is wrong with its files.
    """
    return parse_baseline(_gather(str(id_or_path), Path(), ()), registry_checks)


def parse_baseline(files: Mapping[str, bytes], registry_checks: Mapping[str, Check[Any]]) -> Baseline:
    """The baseline in these files, names as in ``Baseline.files``; no file system. Raises ConfigurationError."""
    problems: list[Problem] = []
    baseline = _Reader(files, registry_checks, problems).read({})
    if problems or baseline is None:
        raise ConfigurationError(sorted(set(problems), key=lambda each: (each.file, each.line or 0, each.key)))
    return baseline


def files_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 in hex over the canonical list of [name, SHA-256 of the content], sorted by name."""
    return sha256_hex(canonical_json([[name, sha256_hex(content)] for name, content in sorted(files.items())]))


def _gather(id_or_path: str, beside: Path, chain: tuple[str, ...]) -> dict[str, bytes]:
    """Files of a baseline and, under ``extends/``, of those it extends; a path is relative to the folder beside."""
    folder: Traversable
    if id_or_path in shipped_baselines():
        folder = importlib.resources.files("baselines") / id_or_path
    elif (beside / id_or_path).is_dir():
        folder = beside / id_or_path
    else:
        raise UnknownName("baseline or folder", id_or_path, shipped_baselines())
    place = str(folder.resolve() if isinstance(folder, Path) else folder)
    if place in chain:
        raise ConfigurationError([Problem(MAIN, None, "extends", f"the chain comes back to {id_or_path!r}")])
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml") and entry.is_file())
    files = {name: (folder / name).read_bytes() for name in names}
    parent = Document(MAIN, files.get(MAIN, b""), []).root.raw("extends")
    if isinstance(parent, str):
        here = folder if isinstance(folder, Path) else Path()
        for name, content in _gather(parent, here, (*chain, place)).items():
            files[PARENT + name] = content
    return files


class _Reader:
    """Reads the files of one baseline and, through another reader, of the one that it extends."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        checks: Mapping[str, Check[Any]],
        problems: list[Problem],
        prefix: str = "",
    ) -> None:
        self.files = files
        self.checks = checks
        self.problems = problems
        self.prefix = prefix
        self.words: Mapping[str, Text] = {}
        self.legend: Mapping[str, Text] = {}
        self.replaced: dict[str, list[Table]] = {}
        self.addresses: set[str] = set()
        self.items: dict[str, Item] = {}

    def _root(self, name: str) -> Table:
        return Document(self.prefix + name, self.files[self.prefix + name], self.problems).root

    def read(self, replaced: Mapping[str, Sequence[Table]]) -> Baseline | None:
        """The baseline; ``replaced`` holds, by address, tables whose keys win, the strongest first."""
        self.replaced = {address: list(tables) for address, tables in replaced.items()}
        if self.prefix + MAIN not in self.files:
            self.problems.append(Problem(self.prefix + MAIN, None, "", "is missing", "every baseline has one"))
            return None
        main = self._root(MAIN)
        if main.whole("schema_version") != 1:
            main.problem("schema_version", "is not 1", "this ztgrade reads version 1")
        return self._extending(main) if main.has("extends") else self._whole(main)

    def _extending(self, main: Table) -> Baseline | None:
        """A baseline that only replaces parts of another."""
        identity, version, extends = main.text("id"), main.text("version"), main.text("extends")
        title, source = main.both("title"), main.both("source")
        named: dict[str, Table] = {}
        for row in main.tables("replace"):
            address = row.text("requirement")
            if address in named:
                row.problem("requirement", f"{address!r} is replaced twice")
            named.setdefault(address, row)
            self.replaced.setdefault(address, []).append(row.without("requirement"))
        main.finish()
        reader = _Reader(self.files, self.checks, self.problems, self.prefix + PARENT)
        parent = reader.read(self.replaced)
        self.addresses = reader.addresses
        for address, row in named.items():
            if parent and address not in reader.addresses:
                hint = nearest(address, reader.addresses)
                row.problem("requirement", f"there is no requirement {address!r}{hint}")
        if parent is None:
            return None
        return dataclasses.replace(
            parent, id=identity, version=version, extends=extends, title=title, source=source, **self._sealed()
        )

    def _sealed(self) -> dict[str, Any]:
        """Own files by their names below the prefix, with their digest."""
        files = {
            name.removeprefix(self.prefix): content
            for name, content in sorted(self.files.items())
            if name.startswith(self.prefix)
        }
        return {"files": MappingProxyType(files), "digest": files_digest(files)}

    def _whole(self, main: Table) -> Baseline:
        """A baseline that stands by itself."""
        identity = main.text("id")
        self.words = {value: table.languages() for value, table in main.table("words").children()}
        self.legend = {tag: table.languages() for tag, table in main.table("provenance").children()}
        for value in ALWAYS_SAID:
            if value not in self.words:
                main.problem("words", f"lacks {value!r}", "every sentence may have to name it")
        pillars = self._pillars(main)
        levels, gates = self._levels(main)
        scenes = self._scenes(main)
        for name in sorted(self.files):
            rest = name.removeprefix(self.prefix)
            if name.startswith(self.prefix) and rest != MAIN and "/" not in rest:
                self._pillar_file(self._root(rest))
        self._count(main)
        baseline = Baseline(
            id=identity,
            version=main.text("version"),
            title=main.both("title"),
            source=main.both("source"),
            items=MappingProxyType(dict(sorted(self.items.items(), key=lambda pair: _numbers(pair[0])))),
            gates=MappingProxyType(gates),
            rule_version=main.text("rule_version"),
            rule=main.both("rule"),
            matrix=main.both("matrix"),
            words=MappingProxyType(dict(self.words)),
            extends=None,
            guideline=identity,
            pillars=MappingProxyType(pillars),
            levels=MappingProxyType(levels),
            scenes=MappingProxyType(scenes),
            provenance=MappingProxyType(dict(self.legend)),
            **self._sealed(),
        )
        main.finish()
        return baseline

    def _complete(self, main: Table, key: str, wanted: Sequence[str], found: Sequence[str]) -> None:
        for name in wanted:
            if name not in found:
                main.problem(key, f"lacks {name!r}")

    def _provenance(self, table: Table) -> str:
        tag = table.text("provenance")
        if tag and tag not in self.legend:
            table.problem("provenance", f"there is no provenance {tag!r}{nearest(tag, self.legend)}")
        return tag

    def _pillars(self, main: Table) -> dict[Pillar, Text]:
        pillars: dict[Pillar, Text] = {}
        table = main.table("pillars")
        for name, child in table.children():
            if pillar := table.word(name, name, Pillar):
                pillars[pillar] = child.both("title")
                child.finish()
        self._complete(main, "pillars", list(Pillar), list(pillars))
        return pillars

    def _levels(self, main: Table) -> tuple[dict[Level, LevelText], dict[Level, tuple[Requirement, ...]]]:
        levels: dict[Level, LevelText] = {}
        gates: dict[Level, tuple[Requirement, ...]] = {}
        table = main.table("levels")
        for name, child in table.children():
            level = table.word(name, name, Level)
            if level is None:
                continue
            levels[level] = LevelText(child.both("title"), child.both("says"), self._provenance(child))
            gate = self._requirements(child, level.value)
            if gate:
                gates[level] = gate
            child.finish()
        self._complete(main, "levels", list(_LADDER), list(levels))
        return levels, gates

    def _scenes(self, main: Table) -> dict[Scene, SceneText]:
        scenes: dict[Scene, SceneText] = {}
        table = main.table("scenes")
        for name, child in table.children():
            scene = table.word(name, name, Scene)
            if scene is None:
                continue
            worked = tuple(row.languages() for row in child.tables("worked"))
            scenes[scene] = SceneText(
                child.both("title"), child.both("rule"), self._provenance(child), worked, child.both_or_none("note")
            )
            child.finish()
        self._complete(main, "scenes", list(Scene), list(scenes))
        return scenes

    def _count(self, main: Table) -> None:
        """Whether as many items were read as the baseline says that it has, level by level."""
        table = main.table("counts")
        found = Counter(item.level for item in self.items.values())
        for level in _LADDER:
            expected = table.whole(level.value)
            if expected != found[level]:
                table.problem(level.value, f"says {expected} items, but {found[level]} were read")
        table.finish()

    def _pillar_file(self, root: Table) -> None:
        items = root.table("items")
        for name, table in items.children():
            if not _ITEM.fullmatch(name):
                items.problem(name, f"{name!r} is no item id", "expected a form like 1-1")
            elif name in self.items:
                items.problem(name, f"item {name} stands in two files")
            elif item := self._item(name, table):
                self.items[name] = item
        root.finish()

    def _item(self, name: str, table: Table) -> Item | None:
        pillar, level = table.one_of("pillar", Pillar), table.one_of("level", Level)
        listed = self._listed(table)
        exercised = table.flag("exercised")
        requires = self._requirements(table, name)
        kinds = {each.kind for requirement in requires for each in requirement.walk()}
        if not requires:
            table.problem("requires", "is missing", "an item without a requirement could never be met")
        if exercised and RequirementKind.DRILL not in kinds:
            table.problem("exercised", "needs a drill among the requirements", "configuration alone never meets it")
        words = {key: table.both(key) for key in ("function", "title", "says", "fix")}
        provenance, note = self._provenance(table), table.both_or_none("note")
        table.finish()
        if pillar is None or level is None:
            return None
        return Item(
            id=name,
            pillar=pillar,
            level=level,
            provenance=provenance,
            listed=listed,
            exercised=exercised,
            requires=requires,
            note=note,
            **words,
        )

    def _listed(self, table: Table) -> Mapping[ServiceModel, bool] | None:
        if not table.has("matrix"):
            return None
        matrix = table.table("matrix")
        row = matrix.table("listed")
        listed: dict[ServiceModel, bool] = {}
        for name in row.names():
            model = row.word(name, name, ServiceModel)
            value = row.flag(name)
            if model:
                listed[model] = value
        self._complete(
            matrix, "listed", [model for model in ServiceModel if model is not ServiceModel.ON_PREMISES], list(listed)
        )
        matrix.finish()
        return MappingProxyType(listed)

    def _requirements(self, table: Table, owner: str) -> tuple[Requirement, ...]:
        return tuple(requirement for row in table.tables("requires") if (requirement := self._requirement(row, owner)))

    def _requirement(self, row: Table, owner: str) -> Requirement | None:
        slug = row.text("slug")
        if slug and not _SLUG.fullmatch(slug):
            row.problem("slug", f"is {slug!r}", "expected lower-case words joined by hyphens")
        address = f"{owner}/{slug}"
        if slug and address in self.addresses:
            row.problem("slug", f"{address} stands there twice")
        self.addresses.add(address)
        table = row.under(self.replaced.get(address, ()))
        table.has("slug")
        chosen = [kind for kind in _KINDS if table.has(kind)]
        if len(chosen) != 1:
            found = " and ".join(chosen) or "no kind of requirement"
            table.problem("", f"has {found}", f"expected exactly one of {', '.join(_KINDS)}")
            return None
        kind = RequirementKind(chosen[0])
        says, fix = table.both("says"), table.both("fix")
        if kind is RequirementKind.CHECK:
            return self._check(table, Requirement(address, slug, kind, says, fix))
        branches: tuple[Requirement, ...] = ()
        asks: Text | None = None
        if kind is RequirementKind.ANY_OF:
            rows = table.tables("any_of")
            branches = tuple(branch for each in rows if (branch := self._requirement(each, owner)))
            if len(rows) < 2:
                table.problem("any_of", f"has {len(rows)} branches", "expected two or more")
        else:
            asks = table.both("asks")
            if not table.flag(kind.value):
                table.problem(kind.value, "is not true", "leave the key out or say true")
        table.finish()
        return Requirement(address, slug, kind, says, fix, asks=asks, branches=branches)

    def _check(self, table: Table, requirement: Requirement) -> Requirement | None:
        name = table.text("check")
        need = table.number("need", 1.0)
        if not 0 < need <= 1:
            table.problem("need", f"is {need}", "expected a share above 0 and up to 1")
        age = _AGE.fullmatch(table.text("max_age"))
        if age is None and table.raw("max_age"):
            table.problem("max_age", f"is {table.raw('max_age')!r}", "expected a form like 7d or 24h")
        because = table.both_or_none("because")
        known = self.checks.get(name)
        if known is None:
            if name:
                table.problem("check", f"there is no check {name!r}{nearest(name, self.checks)}")
            return None
        parameters = self._parameters(table, known)
        table.finish()
        if parameters is None:
            return None
        built = self._built(table, known, parameters)
        if built and because:
            self._sentence(table, because, built)
        count, unit = age.groups() if age else ("0", "d")
        return dataclasses.replace(
            requirement,
            check=name,
            need=need,
            max_age=timedelta(days=int(count)) if unit == "d" else timedelta(hours=int(count)),
            parameters=MappingProxyType(parameters),
            because=because,
        )

    def _parameters(self, table: Table, known: Check[Any]) -> dict[str, Any] | None:
        """The check's parameters as the table gives them; None where one is missing or of another type."""
        parameters: dict[str, Any] = {}
        for parameter, kind in known.parameters.items():
            if not table.has(parameter):
                table.problem("", f"lacks {parameter}", f"{known.id} needs it")
                continue
            try:
                parameters[parameter] = msgspec.convert(table.raw(parameter), kind)
            except msgspec.ValidationError as error:
                table.problem(parameter, f"is {table.raw(parameter)!r}", str(error))
        return parameters if len(parameters) == len(known.parameters) else None

    def _built(self, table: Table, known: Check[Any], parameters: Mapping[str, Any]) -> Built | None:
        try:
            return known.build(PROOF_AT, parameters)
        except ClaimError as error:
            table.problem("check", f"{known.id} cannot be used so: {error}")
            return None

    def _sentence(self, table: Table, because: Text, built: Built) -> None:
        """Whether a sentence names only what the check shows, and every value it may name has words."""
        for language, sentence in (("zh-TW", because.zh_tw), ("en", because.en)):
            names = NAME_IN_SENTENCE.findall(sentence)
            if "{" in NAME_IN_SENTENCE.sub("", sentence) or "}" in NAME_IN_SENTENCE.sub("", sentence):
                table.problem("because", f"{language}: a brace that encloses no name", "expected {name}")
            for name in names:
                if name not in built.shows:
                    hint = nearest(name, built.shows)
                    table.problem("because", f"{language}: the check shows no {name!r}{hint}")
                    continue
                for word in sorted((built.shows[name].words or frozenset()) - set(self.words)):
                    table.problem("because", f"{{{name}}} may be {word!r}, which has no words", f"add [words.{word}]")


def _numbers(item: str) -> tuple[int, ...]:
    return tuple(int(part) for part in item.split("-"))
