"""Reads baselines from TOML and proves them against the checks; says everything that is wrong with them at once."""

from __future__ import annotations

import dataclasses
import importlib.resources
import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from scanner.canonical import canonical_json, sha256_hex
from scanner.column import Built, Check, ClaimError
from scanner.errors import ConfigurationError, EngineError, Problem, UnknownName, nearest
from scanner.guideline import NAME_IN_SENTENCE, Baseline, Item, LevelText, Requirement, SceneText
from scanner.model import Level, Pillar, RequirementKind, Scene, ServiceModel
from scanner.result import Text
from scanner.toml_lines import KeyPath
from scanner.toml_source import Table, TomlSource, raise_problems

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
_CLOUD = (ServiceModel.IAAS, ServiceModel.PAAS, ServiceModel.SAAS)
EnumT = TypeVar("EnumT", bound=StrEnum)


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
    raise_problems(problems)
    if baseline is None:
        raise EngineError("a baseline could not be read, but nothing says why")
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
    parent = _parent(files.get(MAIN, b""))
    if parent is not None:
        here = folder if isinstance(folder, Path) else Path()
        for name, content in _gather(parent, here, (*chain, place)).items():
            files[PARENT + name] = content
    return files


def _parent(content: bytes) -> str | None:
    """What a main file says that it extends; None where it extends nothing or cannot be read."""
    try:
        parent = TomlSource(MAIN, content).data.get("extends")
    except ConfigurationError:
        return None
    return parent if isinstance(parent, str) and parent else None


class _Replaced(Table):
    """A table some of whose keys are given by another one, of another file; problems are told where the key stands."""

    def __init__(self, below: Table, above: Table) -> None:
        super().__init__(below.source, below.path, {**below.data, **above.data}, below.problems)
        self._above = above
        self._below = below
        below.words()
        above.words()

    def problem(self, keys: str | int | KeyPath, message: str, hint: str = "") -> None:
        path = keys if isinstance(keys, tuple) else (keys,)
        owner = self._above if path and path[0] in self._above.data else self._below
        owner.problem(keys, message, hint)

    def _child(self, path: KeyPath, data: Mapping[str, Any]) -> Table:
        child = (self._above if path[0] in self._above.data else self._below)._child(path, data)
        self._children.append(child)
        return child


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
        self.replaced: Mapping[str, Sequence[Table]] = {}
        self.addresses: set[str] = set()
        self.items: dict[str, Item] = {}

    def _open(self, name: str) -> Table | None:
        try:
            source = TomlSource(self.prefix + name, self.files[self.prefix + name])
        except ConfigurationError as error:
            self.problems.extend(error.problems)
            return None
        return source.table(self.problems)

    def read(self, replaced: Mapping[str, Sequence[Table]]) -> Baseline | None:
        """The baseline; ``replaced`` holds, by address, tables whose keys win, the strongest last."""
        self.replaced = replaced
        if self.prefix + MAIN not in self.files:
            self.problems.append(Problem(self.prefix + MAIN, None, "", "is missing", "every baseline has one"))
            return None
        main = self._open(MAIN)
        if main is None:
            return None
        main.expect_int("schema_version", minimum=1, maximum=1)
        baseline = self._extending(main) if "extends" in main else self._whole(main)
        main.close()
        return baseline

    def _extending(self, main: Table) -> Baseline | None:
        """A baseline that only replaces parts of another."""
        own: dict[str, Any] = {"id": main.expect_name("id"), "version": main.expect_str("version")}
        extends = main.expect_str("extends")
        texts: dict[str, Any] = {"title": main.expect_text("title"), "source": main.expect_text("source")}
        layers: dict[str, list[Table]] = {}
        named: dict[str, Table] = {}
        for row in main.expect_tables("replace"):
            address = row.expect_str("requirement")
            if address in named:
                row.problem("requirement", f"{address!r} is replaced twice")
            rest = {key: value for key, value in row.data.items() if key != "requirement"}
            if not rest:
                row.problem((), "replaces nothing", "name the keys that differ")
            row.words()
            named[address] = row
            layers[address] = [Table(row.source, row.path, rest, row.problems)]
        for address, stronger in self.replaced.items():
            layers.setdefault(address, []).extend(stronger)
        reader = _Reader(self.files, self.checks, self.problems, self.prefix + PARENT)
        parent = reader.read(layers)
        self.addresses = reader.addresses
        if parent is None:
            return None
        for address, row in named.items():
            if address not in reader.addresses:
                hint = nearest(address, reader.addresses)
                row.problem("requirement", f"there is no requirement {address!r}{hint}")
        return dataclasses.replace(parent, **own, **texts, extends=extends, **self._sealed())

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
        identity = main.expect_name("id")
        self.words = self._texts(main.expect_table("words"))
        self.legend = self._texts(main.expect_table("provenance"))
        for value in ALWAYS_SAID:
            if value not in self.words:
                main.problem("words", f"lacks {value!r}", "every sentence may have to name it")
        pillars = self._pillars(main)
        levels, gates = self._levels(main)
        scenes = self._scenes(main)
        for name in sorted(self.files):
            rest = name.removeprefix(self.prefix)
            if name.startswith(self.prefix) and rest != MAIN and "/" not in rest:
                self._read_items(rest)
        self._count(main)
        return Baseline(
            id=identity,
            version=main.expect_str("version"),
            title=main.expect_text("title"),
            source=main.expect_text("source"),
            items=MappingProxyType(dict(sorted(self.items.items(), key=lambda pair: _numbers(pair[0])))),
            gates=MappingProxyType(gates),
            rule_version=main.expect_str("rule_version"),
            rule=main.expect_text("rule"),
            matrix=main.expect_text("matrix"),
            words=MappingProxyType(dict(self.words)),
            extends=None,
            guideline=identity,
            pillars=MappingProxyType(pillars),
            levels=MappingProxyType(levels),
            scenes=MappingProxyType(scenes),
            provenance=MappingProxyType(dict(self.legend)),
            **self._sealed(),
        )

    @staticmethod
    def _texts(table: Table) -> dict[str, Text]:
        return {name: table.expect_text(name) for name in table.words()}

    @staticmethod
    def _complete(table: Table, key: str, wanted: Sequence[str], found: Container[str]) -> None:
        for name in wanted:
            if name not in found:
                table.problem(key, f"lacks {name!r}")

    @staticmethod
    def _members(table: Table, key: str, kind: type[EnumT]) -> dict[EnumT, Table]:
        """Tables named for the words of an enum."""
        found: dict[EnumT, Table] = {}
        words = [member.value for member in kind]
        for name, child in table.named_tables(key).items():
            if name in words:
                found[kind(name)] = child
            else:
                table.problem((key, name), f"there is no {kind.__name__.lower()} {name!r}{nearest(name, words)}")
                child.words()
        return found

    def _provenance(self, table: Table) -> str:
        return table.expect_word("provenance", self.legend, what="provenance")

    def _pillars(self, main: Table) -> dict[Pillar, Text]:
        pillars = {
            pillar: child.expect_text("title") for pillar, child in self._members(main, "pillars", Pillar).items()
        }
        self._complete(main, "pillars", list(Pillar), pillars)
        return pillars

    def _levels(self, main: Table) -> tuple[dict[Level, LevelText], dict[Level, tuple[Requirement, ...]]]:
        levels: dict[Level, LevelText] = {}
        gates: dict[Level, tuple[Requirement, ...]] = {}
        for level, child in self._members(main, "levels", Level).items():
            levels[level] = LevelText(child.expect_text("title"), child.expect_text("says"), self._provenance(child))
            if gate := self._requirements(child, level.value):
                gates[level] = gate
        self._complete(main, "levels", _LADDER, levels)
        return levels, gates

    def _scenes(self, main: Table) -> dict[Scene, SceneText]:
        scenes: dict[Scene, SceneText] = {}
        for scene, child in self._members(main, "scenes", Scene).items():
            worked = tuple(
                Text(zh_tw=row.expect_str("zh-TW"), en=row.expect_str("en"))
                for row in child.expect_tables("worked", required=False)
            )
            scenes[scene] = SceneText(
                child.expect_text("title"),
                child.expect_text("rule"),
                self._provenance(child),
                worked,
                _text_or_none(child, "note"),
            )
        self._complete(main, "scenes", list(Scene), scenes)
        return scenes

    def _count(self, main: Table) -> None:
        """Whether as many items were read as the baseline says that it has, level by level."""
        table = main.expect_table("counts")
        found = Counter(item.level for item in self.items.values())
        for level in _LADDER:
            expected = table.expect_int(level.value, minimum=0)
            if expected != found[level]:
                table.problem(level.value, f"says {expected} items, but {found[level]} were read")

    def _read_items(self, name: str) -> None:
        root = self._open(name)
        if root is None:
            return
        for identity, table in root.named_tables("items").items():
            if not _ITEM.fullmatch(identity):
                table.problem((), f"{identity!r} is no item id", "expected a form like 1-1")
            if identity in self.items:
                table.problem((), f"item {identity} stands in two files")
            self.items.setdefault(identity, self._item(identity, table))
        root.close()

    def _item(self, identity: str, table: Table) -> Item:
        requires = self._requirements(table, identity)
        exercised = table.expect_bool("exercised", False)
        kinds = {each.kind for requirement in requires for each in requirement.walk()}
        if not requires:
            table.problem((), "has no requirements", "an item without one could never be met")
        if exercised and RequirementKind.DRILL not in kinds:
            table.problem("exercised", "needs a drill among the requirements", "configuration alone never meets it")
        level = table.expect_enum("level", Level)
        if "level" in table and level is Level.NONE:
            table.problem("level", "an item has a level", "expected I, II, III or IV")
        return Item(
            id=identity,
            pillar=table.expect_enum("pillar", Pillar),
            level=level,
            function=table.expect_text("function"),
            title=table.expect_text("title"),
            says=table.expect_text("says"),
            fix=table.expect_text("fix"),
            provenance=self._provenance(table),
            listed=self._listed(table),
            exercised=exercised,
            requires=requires,
            note=_text_or_none(table, "note"),
        )

    @staticmethod
    def _listed(table: Table) -> Mapping[ServiceModel, bool] | None:
        if "matrix" not in table:
            return None
        row = table.expect_table("matrix").expect_table("listed")
        return MappingProxyType({model: row.expect_bool(model.value) for model in _CLOUD})

    def _requirements(self, table: Table, owner: str) -> tuple[Requirement, ...]:
        rows = table.expect_tables("requires", required=False)
        return tuple(found for row in rows if (found := self._requirement(row, owner)))

    def _requirement(self, row: Table, owner: str) -> Requirement | None:
        slug = row.expect_str("slug")
        address = f"{owner}/{slug}"
        if slug and not _SLUG.fullmatch(slug):
            row.problem("slug", f"is {slug!r}", "expected lower-case words joined by hyphens")
        if slug and address in self.addresses:
            row.problem("slug", f"{address} stands there twice")
        self.addresses.add(address)
        table = row
        for layer in self.replaced.get(address, ()):
            table = _Replaced(table, layer)
        found = self._of_kind(table, owner, address, slug)
        if table is not row:
            table.expect_str("slug")
            table.close()
        return found

    def _of_kind(self, table: Table, owner: str, address: str, slug: str) -> Requirement | None:
        chosen = [kind for kind in RequirementKind if kind.value in table]
        if len(chosen) != 1:
            found = " and ".join(chosen) or "no kind of requirement"
            table.problem((), f"has {found}", f"expected exactly one of {', '.join(RequirementKind)}")
            table.words()
            return None
        (kind,) = chosen
        plain = Requirement(address, slug, kind, table.expect_text("says"), table.expect_text("fix"))
        if kind is RequirementKind.CHECK:
            return self._check(table, plain)
        if kind is RequirementKind.ANY_OF:
            rows = table.expect_tables("any_of")
            if len(rows) < 2:
                table.problem("any_of", f"has {len(rows)} branches", "expected two or more")
            branches = tuple(branch for row in rows if (branch := self._requirement(row, owner)))
            return dataclasses.replace(plain, branches=branches)
        if not table.expect_bool(kind.value):
            table.problem(kind.value, "is not true", "leave the key out or say true")
        return dataclasses.replace(plain, asks=table.expect_text("asks"))

    def _check(self, table: Table, plain: Requirement) -> Requirement | None:
        need = table.expect_float("need", 1.0, maximum=1.0)
        if need <= 0:
            table.problem("need", f"is {need}", "expected a share above 0 and up to 1")
        max_age = self._max_age(table)
        because = _text_or_none(table, "because")
        name = table.expect_word("check", self.checks, what="check")
        if name not in self.checks:
            table.words()
            return None
        known = self.checks[name]
        parameters = self._parameters(table, known)
        built = self._built(table, known, parameters) if len(parameters) == len(known.parameters) else None
        if built and because:
            self._sentence(table, because, built)
        return dataclasses.replace(
            plain,
            check=name,
            need=need,
            max_age=max_age,
            parameters=MappingProxyType(parameters),
            because=because,
        )

    @staticmethod
    def _max_age(table: Table) -> timedelta:
        value = table.expect_str("max_age")
        age = _AGE.fullmatch(value)
        if age is None:
            if value:
                table.problem("max_age", f"is {value!r}", "expected a form like 7d or 24h")
            return timedelta(0)
        return timedelta(days=int(age[1])) if age[2] == "d" else timedelta(hours=int(age[1]))

    @staticmethod
    def _parameters(table: Table, known: Check[Any]) -> dict[str, Any]:
        """The check's parameters as far as the table gives them rightly."""
        parameters: dict[str, Any] = {}
        for name, kind in known.parameters.items():
            value = table.expect_raw(name)
            if name not in table:
                table.problem((), f"{name!r} is missing", f"{known.id} needs it")
                continue
            try:
                parameters[name] = msgspec.convert(value, kind)
            except msgspec.ValidationError as error:
                table.problem(name, f"{value!r} does not suit {known.id}", str(error))
        return parameters

    @staticmethod
    def _built(table: Table, known: Check[Any], parameters: Mapping[str, Any]) -> Built | None:
        try:
            return known.build(PROOF_AT, parameters)
        except ClaimError as error:
            table.problem("check", f"{known.id} cannot be used so: {error}")
            return None

    def _sentence(self, table: Table, because: Text, built: Built) -> None:
        """Whether a sentence names only what the check shows, and every value that it may name has words."""
        for language, sentence in (("zh-TW", because.zh_tw), ("en", because.en)):
            place = ("because", language)
            rest = NAME_IN_SENTENCE.sub("", sentence)
            if "{" in rest or "}" in rest:
                table.problem(place, "a brace that encloses no name", "expected {name}")
            for name in NAME_IN_SENTENCE.findall(sentence):
                if name not in built.shows:
                    table.problem(place, f"the check shows no {name!r}{nearest(name, built.shows)}")
                    continue
                for word in sorted((built.shows[name].words or frozenset()) - set(self.words)):
                    table.problem(place, f"{{{name}}} may be {word!r}, which has no words", f"add words.{word}")


def _text_or_none(table: Table, key: str) -> Text | None:
    return table.expect_text(key) if key in table else None


def _numbers(identity: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", identity))
