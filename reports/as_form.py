"""A form of others filled in: cells of any workbook that bear one of our names, or hold one as ``{{name}}``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.form_names import PREFIX, FormValue, Vocabulary
from reports.form_workbook import close_form, open_form
from reports.outline import moment
from reports.visible import visible
from scanner.result.dossier import Dossier

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell
    from openpyxl.workbook.workbook import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

_MARKER = re.compile(r"\s*\{\{\s*([^{}]{1,255}?)\s*\}\}\s*")
_WITHIN = re.compile(r"\{\{\s*([^{}]{1,255}?)\s*\}\}")
_PLACE = re.compile(
    r"(?:'(?P<quoted>(?:[^']|'')+)'|(?P<plain>[^'!,()]+))!"
    r"\$?(?P<left>[A-Z]{1,3})\$?(?P<top>[0-9]{1,7})(?::\$?(?P<right>[A-Z]{1,3})\$?(?P<bottom>[0-9]{1,7}))?"
)
_LIVE = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a text that a program which loses the type of a cell could take for a formula."""


@dataclass(frozen=True)
class Unfilled:
    """A name or marker of ours in a form that could not be filled, with the reason."""

    place: str
    name: str
    why: str
    hint: str = ""


@dataclass(frozen=True)
class FilledForm:
    """A form with its cells filled; ``content`` is empty where nothing in it asks for anything."""

    content: bytes
    filled: Mapping[str, str]
    """Name by cell, such as ``Survey!B4``."""
    unfilled: tuple[Unfilled, ...]
    lost: tuple[str, ...]
    """What of the form is not in the workbook any more, in the words of the library and by folder of the file."""


def fill(form: bytes, dossier: Dossier, known: Vocabulary) -> FilledForm:
    """Fill every cell of a form that asks for one of the known names; the same bytes for the same input.

    Everything else stays as the library keeps it. Raises ValueError, saying why, for a form that is not opened;
    ImportError where openpyxl or defusedxml is not installed.
    """
    opened = open_form(form)
    wanted: dict[str, tuple[str, Cell, Worksheet]] = {}
    unfilled: list[Unfilled] = []
    for place, name, found in _asked(opened.book, known):
        if isinstance(found, Unfilled):
            unfilled.append(found)
            continue
        cell, sheet = found
        at = f"{sheet.title}!{cell.coordinate}"
        other = wanted.get(at)
        if other is not None and other[0].lower() != name.lower():
            unfilled.append(Unfilled(place, name, f"names {at}, which {other[0]} names too"))
        elif (why := _refusal(cell, sheet)) is not None:
            unfilled.append(Unfilled(place, name, why))
        else:
            wanted[at] = (name, cell, sheet)
    if not wanted and not unfilled:
        return FilledForm(b"", {}, (), ())
    for name, cell, _ in wanted.values():
        write_value(cell, known.value(name))
    content, lost = close_form(opened, moment(dossier.assessment.as_of))
    return FilledForm(content, {at: name for at, (name, _, _) in wanted.items()}, tuple(unfilled), lost)


def write_value(cell: Cell, value: FormValue) -> None:
    """Give a cell a value of its own type; text stays text, whatever it begins with."""
    if not isinstance(value, str):
        cell.value = value
        return
    cell.value = str(visible(value))
    cell.data_type = "s"
    if value.startswith(_LIVE):
        cell.quotePrefix = True


def _asked(book: Workbook, known: Vocabulary) -> Iterator[tuple[str, str, tuple[Cell, Worksheet] | Unfilled]]:
    """Everything in a workbook that asks for a value: where it stands, the name, and the cell or why there is none."""
    for place, scoped in (("", book.defined_names), *((sheet.title, sheet.defined_names) for sheet in book.worksheets)):
        for name, defined in scoped.items():
            if name.lower().startswith(PREFIX.rstrip(".")):
                where = f"the name {name}" + (f" of the sheet {place}" if place else "")
                yield where, name, _unknown(where, name, known) or _cell(book, where, name, defined.attr_text or "")
    for sheet in book.worksheets:
        for cell in list(sheet._cells.values()):  # rows between would be made by iterating
            text = str(cell.value) if cell.data_type == "s" and cell.value is not None else ""
            if "{{" in text:
                yield from _marked(text, cell, sheet, known)


def _marked(
    text: str, cell: Any, sheet: Worksheet, known: Vocabulary
) -> Iterator[tuple[str, str, tuple[Cell, Worksheet] | Unfilled]]:
    """A marker that fills its cell; one that stands among other text is told, not filled."""
    where = f"{sheet.title}!{cell.coordinate}"
    match = _MARKER.fullmatch(text)
    if match is not None:
        name = _full(match[1])
        yield where, name, _unknown(where, name, known) or (cell, sheet)
        return
    for inner in _WITHIN.findall(text):
        if known.knows(_full(inner)):
            name = _full(inner)
            yield where, name, Unfilled(where, name, "stands among other text", "give it a cell of its own")


def _full(name: str) -> str:
    return name if name.lower().startswith(PREFIX) else PREFIX + name


def _unknown(where: str, name: str, known: Vocabulary) -> Unfilled | None:
    if known.knows(name):
        return None
    near = known.nearest(name)
    hint = f"did you mean {near}?" if near else "ztgrade report ASSESSMENT --template-names prints all names"
    return Unfilled(where, name, "there is no such name", hint)


def _cell(book: Workbook, where: str, name: str, text: str) -> tuple[Cell, Worksheet] | Unfilled:
    """The one cell that a defined name stands for."""
    if "#REF!" in text:
        return Unfilled(where, name, f"points to nothing: {text}", "point it to a cell, or take the name out")
    match = _PLACE.fullmatch(text.strip())
    if match is None:
        several = "," in text and "!" in text and "(" not in text
        why = "points to several cells" if several else "is no cell of this workbook"
        return Unfilled(where, name, f"{why}: {text}", "point it to one cell")
    title = match["plain"] or match["quoted"].replace("''", "'")
    if title.startswith("["):
        return Unfilled(where, name, f"points into another workbook: {text}", "point it to a cell of this one")
    sheet = next((each for each in book.worksheets if each.title.lower() == title.lower()), None)
    if sheet is None:
        return Unfilled(where, name, f"points to a sheet that is not there: {text}", "point it to a cell")
    return _within(sheet, where, name, match)


def _within(sheet: Worksheet, where: str, name: str, match: re.Match[str]) -> tuple[Cell, Worksheet] | Unfilled:
    from openpyxl.cell.cell import Cell
    from openpyxl.utils import column_index_from_string

    first = f"{match['left']}{match['top']}"
    row, column = int(match["top"]), column_index_from_string(match["left"])
    if not 1 <= row <= 1_048_576 or column > 16_384:
        return Unfilled(where, name, f"is no cell: {match[0]}", "point it to one cell")
    whole = first if match["right"] is None else f"{first}:{match['right']}{match['bottom']}"
    for merged in sheet.merged_cells.ranges:
        if (row, column) == (merged.min_row, merged.min_col) and whole in {first, f"{first}:{first}", merged.coord}:
            break
        if merged.min_row <= row <= merged.max_row and merged.min_col <= column <= merged.max_col:
            why = f"points to {whole}, a part of the merged cell {merged.coord}"
            return Unfilled(where, name, why, f"point it to {merged.coord.split(':')[0]}")
    else:
        if whole not in {first, f"{first}:{first}"}:
            return Unfilled(where, name, f"points to several cells: {match[0]}", "point it to one cell")
    found = sheet.cell(row, column)
    assert isinstance(found, Cell)  # the inner cells of merged ones went out above
    return found, sheet


def _refusal(cell: Any, sheet: Worksheet) -> str | None:
    """Why a cell may not be written, though it is named: the form would lose a formula, or its table its header."""
    at = f"{sheet.title}!{cell.coordinate}"
    if cell.data_type == "f":
        return f"names {at}, which holds a formula"
    for table in sheet.tables.values():
        left, top, right, _ = _bounds(table.ref)
        if cell.row == top and left <= cell.column <= right and table.headerRowCount != 0:
            return f"names {at}, which is a heading of the table {table.displayName}"
    return None


def _bounds(reference: str) -> tuple[int, int, int, int]:
    from openpyxl.utils import range_boundaries

    left, top, right, bottom = range_boundaries(reference)
    return int(left or 0), int(top or 0), int(right or 0), int(bottom or 0)
