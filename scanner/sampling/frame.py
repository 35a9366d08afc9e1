"""The list that a sample is drawn from: members of a system in one population, or a list that the institution gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from scanner.errors import Problem
from scanner.institution.csv_source import read_rows
from scanner.institution.toml_source import raise_problems
from scanner.institution.workbook import is_workbook, read_sheet
from scanner.judging.population import Population
from scanner.judging.scope import Membership
from scanner.model import Scene
from scanner.sampling.draw import key_line_fault
from scanner.sampling.sample import Frame

COLUMN = "asset"
"""The one column of a list of keys."""


@dataclass(frozen=True)
class Listing:
    """Keys in order, where they come from, and why they may not be all; ``doubts`` empty where they are."""

    keys: tuple[str, ...]
    origin: str
    frame: Frame
    doubts: tuple[str, ...] = ()


def members_of(
    population: Population, membership: Membership, system: str, scenes: Sequence[Scene], max_age: timedelta
) -> Listing:
    """Assets of a population in any of the scenes of a system; open where the listing or a membership is."""
    doubts = [
        f"{source} has not said, within {max_age.days} days, that its listing of {population.name} is complete"
        for source in population.defined_by
        if not population.evidence.closed(source, population.name, max_age)
    ]
    if not population.defined_by:
        doubts.append(f"no source is there to list {population.name}")
    elif not doubts and not population.closed(max_age):
        doubts.append(f"which keys name one {population.fact.kind} is not settled")
    chosen = [scope for scope in membership.scopes if scope.system == system and scope.scene in scenes]
    keys, unplaced = [], 0
    for asset, told in membership.of(population).items():
        said = [inside for scope, inside in told if scope in chosen]
        if any(said):
            keys.append(asset)
        elif any(inside is None for inside in said):
            unplaced += 1
    if unplaced:
        doubts.append(f"whether they belong to {system} is not known of {unplaced} of {population.name}")
    faults = [f"{key!r} {fault}" for key in keys if (fault := key_line_fault(key))]
    doubts += [f"a key cannot be drawn: {fault}" for fault in faults[:1]]
    kept = tuple(sorted(key for key in keys if not key_line_fault(key)))
    return Listing(kept, population.name, Frame.OPEN if doubts else Frame.CLOSED, tuple(doubts))


def listed_in(path: Path, content: bytes) -> Listing:
    """The keys in the column ``asset`` of a CSV or XLSX; raises ConfigurationError naming every wrong cell."""
    problems: list[Problem] = []
    file, places = str(path), dict[str, str]()
    for line, cell, key in _cells(file, content, problems):
        if fault := key_line_fault(key):
            problems.append(Problem(file, line, cell, fault))
        elif key in places:
            problems.append(Problem(file, line, cell, f"{key!r} stands at {places[key]} already", "leave one of them"))
        else:
            places[key] = f"line {line}" if line is not None else cell
    if not problems and not places:
        problems.append(Problem(file, None, COLUMN, "lists nothing", "write one key a row"))
    raise_problems(problems)
    return Listing(tuple(sorted(places)), path.name, Frame.LISTED)


def _cells(file: str, content: bytes, problems: list[Problem]) -> Iterator[tuple[int | None, str, str]]:
    if is_workbook(content):
        for row in read_sheet(file, content, (COLUMN,), (), problems):
            yield None, row.place(COLUMN), row.cells.get(COLUMN, "")
    else:
        for line, cells in read_rows(file, content, (COLUMN,), (), problems):
            yield line, COLUMN, cells[COLUMN]
