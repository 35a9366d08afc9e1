"""Workbooks (XLSX) that people fill in: rows with the place of every cell, and blanks in which text stays text."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from scanner.errors import ConfigurationError, Problem, UsageError, nearest
from scanner.institution.toml_source import has_control_character

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

LARGEST = 32 * 1024 * 1024
"""Bytes of a workbook that is read."""
LARGEST_UNPACKED = 256 * 1024 * 1024
"""Bytes that its parts may unpack to."""
MOST_ROWS = 200_000


@dataclass(frozen=True)
class Row:
    """One filled row: its text by column, and the place of each cell, such as ``attestation!F3``."""

    cells: Mapping[str, str]
    places: Mapping[str, str]
    line: int

    def place(self, column: str) -> str:
        """Where a column stands; the row itself where the column is not in the sheet."""
        return self.places.get(column) or next(iter(self.places.values()))


@dataclass(frozen=True)
class Sheet:
    """What one sheet of blanks asks: its columns, rows filled in beforehand, and words to choose from by column."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, str]]
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    wide: frozenset[str] = frozenset()
    """Columns of long text."""


def is_workbook(content: bytes) -> bool:
    """Whether the bytes are those of a workbook rather than of text."""
    return content.startswith(b"PK\x03\x04")


def read_sheet(
    file: str,
    content: bytes,
    required: Sequence[str],
    optional: Sequence[str],
    problems: list[Problem],
    sheet: str | None = None,
) -> Iterator[Row]:
    """Rows under the header of a sheet, the first where none is named; empty rows are passed over.

    Formulas give what they last came to. What is wrong is added to ``problems`` by cell and left out; raises UsageError
    where openpyxl is not installed.
    """
    try:
        found = _sheet(file, content, sheet)
    except ConfigurationError as error:
        problems.extend(error.problems)
        return
    found.reset_dimensions()  # type: ignore[attr-defined] # of a sheet that is only read; what a file says may be less
    header: list[str] | None = None
    letters: list[str] = []
    known = (*required, *optional)
    for number, row in enumerate(found.iter_rows(max_row=MOST_ROWS + 1), start=1):
        texts = [_text(cell.value) for cell in row]
        if not any(texts):
            continue
        if number > MOST_ROWS:
            problems.append(Problem(file, None, f"{found.title}!A{number}", f"more than {MOST_ROWS} rows"))
            return
        letters += [_letters(index) for index in range(len(letters), len(row))]
        places = [f"{found.title}!{column}{number}" for column in letters[: len(row)]]
        if header is None:
            header = texts
            faults = [
                (place, f"unknown column {name!r}{nearest(name, known)}")
                for name, place in zip(texts, places, strict=True)
                if name and name not in known
            ]
            faults += [
                (place, f"the column {name!r} is given twice")
                for index, (name, place) in enumerate(zip(texts, places, strict=True))
                if name and name in texts[:index]
            ]
            faults += [(places[0], f"the column {name!r} is missing") for name in required if name not in texts]
            problems.extend(Problem(file, None, place, fault) for place, fault in faults)
            if faults:
                return
            continue
        astray = [
            place
            for index, (text, place) in enumerate(zip(texts, places, strict=True))
            if text and not (index < len(header) and header[index])
        ]
        if astray:
            problems.append(Problem(file, None, astray[0], "stands under no column"))
            continue
        cells = {name: text for name, text in zip(header, texts, strict=False) if name}
        where = {name: place for name, place in zip(header, places, strict=False) if name}
        bad = [name for name, text in cells.items() if has_control_character(text)]
        if bad:
            problems.append(Problem(file, None, where[bad[0]], "holds a control character"))
            continue
        yield Row(cells, where, number)
    if header is None:
        problems.append(Problem(file, None, found.title, f"is empty; expected the columns {', '.join(required)}"))


def sheet_names(file: str, content: bytes) -> list[str]:
    """Names of the sheets of a workbook, in order; raises ConfigurationError."""
    return list(_open(file, content).sheetnames)


def blanks(sheets: Sequence[Sheet]) -> bytes:
    """A workbook to fill in; no text in it becomes a formula or a link. Raises UsageError without XlsxWriter."""
    try:
        import xlsxwriter  # type: ignore[import-untyped]
    except ImportError as error:
        raise UsageError("workbooks need the extra ztgrade[xlsx]: pip install 'ztgrade[xlsx]'") from error
    stream = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(stream, options) as book:
        book.set_properties({"created": datetime(2024, 7, 15)})  # noqa: DTZ001 - the library takes a naive time
        bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        plain = book.add_format({"text_wrap": True, "valign": "top", "num_format": "@"})
        for sheet in sheets:
            page = book.add_worksheet(sheet.name)
            page.freeze_panes(1, 0)
            for index, name in enumerate(sheet.columns):
                page.set_column(index, index, 60 if name in sheet.wide else 18, plain)
                page.write_string(0, index, name, bold)
                if words := sheet.choices.get(name):
                    last = max(len(sheet.rows), 1)
                    page.data_validation(1, index, last, index, {"validate": "list", "source": words})
            for number, row in enumerate(sheet.rows, start=1):
                for index, name in enumerate(sheet.columns):
                    page.write_string(number, index, row.get(name, ""), plain)
    return stream.getvalue()


def _open(file: str, content: bytes) -> Any:
    try:
        import openpyxl
    except ImportError as error:
        raise UsageError("workbooks need the extra ztgrade[xlsx]: pip install 'ztgrade[xlsx]'") from error
    try:
        if len(content) > LARGEST:
            raise ValueError(f"holds more than {LARGEST} bytes")
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > LARGEST_UNPACKED:
                raise ValueError(f"unpacks to more than {LARGEST_UNPACKED} bytes")
        return openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    except (ValueError, KeyError, TypeError, SyntaxError, OSError, EOFError, zipfile.BadZipFile) as error:
        said = str(error).strip() or type(error).__name__
        raise ConfigurationError(
            [Problem(file, None, "", f"is no workbook (XLSX) that can be read: {said}")]
        ) from error


def _sheet(file: str, content: bytes, name: str | None) -> Worksheet:
    book = _open(file, content)
    if name is None:
        first: Worksheet = book[book.sheetnames[0]]
        return first
    if name not in book.sheetnames:
        raise ConfigurationError(
            [Problem(file, None, "", f"there is no sheet {name!r}{nearest(name, book.sheetnames)}")]
        )
    found: Worksheet = book[name]
    return found


def _text(value: object) -> str:
    """What a person reads in the cell: dates as ISO, whole numbers without a point."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return str(int(value)) if value.is_integer() else str(value)
        case datetime():
            midnight = value.time() == time(0)
            return value.date().isoformat() if midnight else value.isoformat()
        case date() | time():
            return value.isoformat()
    return str(value).strip()


def _letters(index: int) -> str:
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
