"""Crosswalks: which functions of other frameworks an item of the guideline speaks to; appendices, never a grade."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from scanner.errors import Problem, nearest
from scanner.institution.toml_source import Table, TomlSource, raise_problems
from scanner.model import Text

FOLDER = "crosswalks"
PROVENANCE = ("official", "proposed")
"""Printed by the framework's own publisher, or proposed by us."""


@dataclass(frozen=True)
class Line:
    """One item that speaks to one element of a framework; ``stages`` are those that meeting it supports."""

    item: str
    element: str
    provenance: str
    stages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Crosswalk:
    """One framework, its elements in its own order, and the lines from the guideline to it."""

    id: str
    title: Text
    source: str
    elements: Mapping[str, Text]
    lines: tuple[Line, ...]

    @property
    def uncovered(self) -> tuple[str, ...]:
        """Elements to which no item of the guideline speaks: not covered by it, which is not failed."""
        covered = {line.element for line in self.lines}
        return tuple(element for element in self.elements if element not in covered)


def load_crosswalks(items: Iterable[str]) -> tuple[Crosswalk, ...]:
    """The crosswalks that ship, in order of id; raises ConfigurationError for lines that lead nowhere."""
    folder = files("baselines") / FOLDER
    contents = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.name.endswith(".toml")}
    return parse_crosswalks(contents, items)


def parse_crosswalks(contents: Mapping[str, bytes], items: Iterable[str]) -> tuple[Crosswalk, ...]:
    """Crosswalks from the bytes of their files; every item of the guideline must be known."""
    problems: list[Problem] = []
    known = frozenset(items)
    found = [_read(TomlSource(name, contents[name]).table(problems), known) for name in sorted(contents)]
    raise_problems(problems)
    return tuple(sorted(found, key=lambda crosswalk: crosswalk.id))


def _read(table: Table, items: frozenset[str]) -> Crosswalk:
    table.expect_int("schema_version", minimum=1, maximum=1)
    stages = table.expect_list("stages", ())
    elements = {name: each.expect_text("title") for name, each in table.named_tables("elements").items()}
    lines: list[Line] = []
    for each in table.expect_tables("maps"):
        line = Line(
            item=each.expect_str("item"),
            element=each.expect_word("element", elements, what="element"),
            provenance=each.expect_word("provenance", PROVENANCE, what="provenance"),
            stages=each.expect_list("stages", known=stages, what="stage") if "stages" in each else (),
        )
        if line.item and line.item not in items:
            each.problem("item", f"there is no item {line.item!r}{nearest(line.item, items)}")
        if any((line.item, line.element) == (other.item, other.element) for other in lines):
            each.problem((), f"{line.item} leads to {line.element} twice")
        lines.append(line)
    crosswalk = Crosswalk(
        id=table.expect_str("id"),
        title=table.expect_text("title"),
        source=table.expect_str("source"),
        elements=elements,
        lines=tuple(lines),
    )
    table.close()
    return crosswalk
