"""Registers by workbook: blanks of what is still to be answered, and entries from those that were filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scanner.errors import ConfigurationError, Problem, nearest
from scanner.institution.register_entry import Known, read_entry
from scanner.institution.register_nouns import Answer, EntryKind, PlanStatus
from scanner.institution.register_writer import document_of, entry_text
from scanner.institution.toml_source import TomlSource
from scanner.institution.workbook import Row, Sheet, blanks, read_sheet, sheet_names
from scanner.model import Level, Pillar, Scene, Text

ASKED = ("requirement", "system", "says_zh", "says_en", "asks_zh", "asks_en")
"""Columns that are filled in beforehand."""
FILLED = ("id", "scenes", "statement", "owner", "approver", "made_at", "effective_from", "expires_at", "document")
OWN: Mapping[EntryKind, tuple[str, ...]] = {
    EntryKind.ATTESTATION: ("answer", "reviewer", "period_from", "period_to"),
    EntryKind.DRILL: ("trigger", "decision", "action", "occurred_at"),
    EntryKind.REVIEW: ("answer", "period_from", "period_to", "count"),
}
"""Columns by kind, beside those of every entry. Exceptions name assets and are written one by one."""
PLANNED = ("system", "scenes", "target")
"""Columns of the adoption plan that are filled in beforehand."""
PLAN = (
    "id",
    "pillar",
    "current",
    "due",
    "status",
    "statement",
    "owner",
    "approver",
    "made_at",
    "expires_at",
    "document",
)
TOLD = ("says_zh", "says_en", "asks_zh", "asks_en")


@dataclass(frozen=True)
class Asked:
    """One document that the baseline asks of a system and that no entry gives yet."""

    kind: EntryKind
    requirement: str
    system: str
    says: Text
    asks: Text | None


@dataclass(frozen=True)
class Unplanned:
    """One scene of a system for which no plan is in force, and the level that the estate aims at."""

    system: str
    scene: Scene
    target: Level


def blank_workbook(asked: Iterable[Asked], unplanned: Iterable[Unplanned] = ()) -> bytes:
    """One sheet a kind, one row for each document that is missing, and one for each scene without a plan."""
    rows: dict[EntryKind, list[dict[str, str]]] = {kind: [] for kind in OWN}
    for each in asked:
        rows[each.kind].append(
            {
                "requirement": each.requirement,
                "system": each.system,
                "says_zh": each.says.zh_tw,
                "says_en": each.says.en,
                "asks_zh": each.asks.zh_tw if each.asks else "",
                "asks_en": each.asks.en if each.asks else "",
            }
        )
    answers = {"answer": [answer.value for answer in Answer]}
    sheets = [Sheet(kind.value, (*ASKED, *FILLED, *OWN[kind]), rows[kind], answers, frozenset(TOLD)) for kind in OWN]
    words = {
        "pillar": [pillar.value for pillar in Pillar],
        "current": [level.value for level in Level],
        "target": [level.value for level in Level],
        "status": [status.value for status in PlanStatus],
    }
    plans = [{"system": each.system, "scenes": each.scene.value, "target": each.target.value} for each in unplanned]
    return blanks([*sheets, Sheet(EntryKind.ADOPTION.value, (*PLANNED, *PLAN), plans, words, frozenset({"statement"}))])


def filled_entries(
    path: Path, content: bytes, requirements: frozenset[str], systems: Mapping[str, Collection[Scene]]
) -> tuple[list[tuple[EntryKind, dict[str, Any]]], list[Path]]:
    """Entries of the rows that have an id or a statement, in order, and the documents that they rest on.

    A document is a path relative to the workbook; its SHA-256 is noted. Raises ConfigurationError naming every wrong
    cell.
    """
    problems: list[Problem] = []
    found: list[tuple[EntryKind, dict[str, Any]]] = []
    documents: list[Path] = []
    file = str(path)
    words = [kind.value for kind in (*OWN, EntryKind.ADOPTION)]
    for name in sheet_names(file, content):
        if name not in words:
            problems.append(Problem(file, None, name, f"there is no kind of entry {name!r}{nearest(name, words)}"))
            continue
        kind = EntryKind(name)
        for row in read_sheet(file, content, *_columns(kind), problems, sheet=name):
            if row.cells.get("id") or row.cells.get("statement"):
                fields = _fields(kind, row, path.parent, problems.append, file)
                problems += _faults(kind, fields, row, file, Known(requirements, systems))
                found.append((kind, fields))
                documents += [path.parent / row.cells["document"]] if row.cells.get("document") else []
    if problems:
        raise ConfigurationError(problems)
    return found, documents


def _columns(kind: EntryKind) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns that a sheet must have, and those that it may have."""
    if kind is EntryKind.ADOPTION:
        return PLANNED[:2], (*PLANNED[2:], *PLAN)
    return ASKED[:2], (*ASKED[2:], *FILLED, *OWN[kind])


def _fields(kind: EntryKind, row: Row, folder: Path, problem: Callable[[Problem], None], file: str) -> dict[str, Any]:
    given = {name: text for name, text in row.cells.items() if text and name not in TOLD}
    fields: dict[str, Any] = {name: text for name, text in given.items() if name not in {"scenes", "document", "count"}}
    if scenes := given.get("scenes"):
        fields["scenes"] = [part.strip() for part in scenes.split(",") if part.strip()]
    if "count" in given:
        count = given["count"]
        fields["count"] = int(count) if count.isascii() and count.isdigit() else count
    if name := given.get("document"):
        place = folder / name
        if place.is_file() and place.resolve().is_relative_to(folder.resolve()):
            fields["document"] = document_of(place)
        else:
            problem(Problem(file, None, row.place("document"), f"document: {name!r}: no such file beside the workbook"))
            fields["document"] = {"name": name, "sha256": "0" * 64}
    required, optional = _columns(kind)
    order = ("id", *required, *(column for column in optional if column != "id"))
    return {name: fields[name] for name in order if name in fields}


def _faults(kind: EntryKind, fields: Mapping[str, Any], row: Row, file: str, known: Known) -> Sequence[Problem]:
    wrong: list[Problem] = []
    top = TomlSource(file, entry_text(kind, fields).encode()).table(wrong)
    (table,) = top.expect_tables(kind.value)
    read_entry(kind, table, known)
    top.close()
    told = []
    for each in wrong:
        parts = reversed(re.split(r"[.\[\]]+", each.key))
        name = next((part for part in parts if part in row.places), "")
        message = f"{name}: {each.message}" if name else each.message
        told.append(Problem(file, None, row.place(name or "id"), message, each.hint))
    return told
