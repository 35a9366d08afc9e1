"""Reads the files of a baseline into the nouns of a guideline; adds everything that is wrong with them to one list."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

from scanner.column import Check
from scanner.errors import ConfigurationError, Problem, nearest
from scanner.guideline.nouns import Baseline, Item, LevelText, Requirement, SceneText
from scanner.guideline.requirement_reader import RequirementReader, text_or_none
from scanner.institution.toml_source import Table, TomlSource
from scanner.model import Level, Pillar, RequirementKind, Scene, ServiceModel, Text
from scanner.sealed.canonical import files_digest

MAIN = "baseline.toml"
PARENT = "extends/"
"""Prefix under which the files of the baseline that one extends stand among its own."""
ALWAYS_SAID = ("true", "false", "empty")
"""Values that any sentence may have to name."""
EnumT = TypeVar("EnumT", bound=StrEnum)

_ITEM = re.compile(r"[1-9]\d*-[1-9]\d*")
_LADDER = tuple(level for level in Level if level is not Level.NONE)
_CLOUD = (ServiceModel.IAAS, ServiceModel.PAAS, ServiceModel.SAAS)


class GuidelineReader:
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
        self.requirements = RequirementReader(checks, {}, {})
        self.legend: Mapping[str, Text] = {}
        self.replaced: Mapping[str, Sequence[Table]] = {}
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
        reader = GuidelineReader(self.files, self.checks, self.problems, self.prefix + PARENT)
        parent = reader.read(layers)
        self.requirements = reader.requirements
        if parent is None:
            return None
        for address, row in named.items():
            if address not in self.requirements.addresses:
                hint = nearest(address, self.requirements.addresses)
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
        words = self._texts(main.expect_table("words"))
        self.legend = self._texts(main.expect_table("provenance"))
        for value in ALWAYS_SAID:
            if value not in words:
                main.problem("words", f"lacks {value!r}", "every sentence may have to name it")
        self.requirements = RequirementReader(self.checks, words, self.replaced)
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
            words=MappingProxyType(words),
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
            if gate := self.requirements.read(child, level.value):
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
                text_or_none(child, "note"),
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
        requires = self.requirements.read(table, identity)
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
            note=text_or_none(table, "note"),
        )

    @staticmethod
    def _listed(table: Table) -> Mapping[ServiceModel, bool] | None:
        if "matrix" not in table:
            return None
        row = table.expect_table("matrix").expect_table("listed")
        return MappingProxyType({model: row.expect_bool(model.value) for model in _CLOUD})


def _numbers(identity: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", identity))
