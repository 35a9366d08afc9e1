"""Reads CSV so that everything wrong with a file is said at once, with file, line and column."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from scanner.errors import ConfigurationError, Problem, nearest
from scanner.institution.toml_source import decode_text, has_control_character


def read_rows(
    file: str, content: bytes, required: tuple[str, ...], optional: tuple[str, ...], problems: list[Problem]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and cells by column of every row under the header; cells are stripped, blank lines passed over.

    Only the ``required`` and ``optional`` columns may stand in the header. What cannot be read is added to
    ``problems`` by line and column, and left out.
    """
    try:
        text = decode_text(file, content)
    except ConfigurationError as error:
        problems.extend(error.problems)
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    start = 1
    try:
        for cells in reader:
            line, start = start, reader.line_num + 1
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if header is None:
                header = cells
                if not _header_is_sound(file, line, header, required, optional, problems):
                    return
            elif len(cells) != len(header):
                problems.append(Problem(file, line, "", f"expected {len(header)} columns, found {len(cells)}"))
            elif bad := [name for name, cell in zip(header, cells, strict=True) if has_control_character(cell)]:
                problems.append(Problem(file, line, bad[0], "holds a control character"))
            else:
                yield line, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        problems.append(Problem(file, reader.line_num, "", f"not CSV: {error}"))
    if header is None:
        problems.append(Problem(file, None, "", f"is empty; expected the columns {', '.join(required)}"))


def _header_is_sound(
    file: str,
    line: int,
    header: list[str],
    required: tuple[str, ...],
    optional: tuple[str, ...],
    problems: list[Problem],
) -> bool:
    known = required + optional
    faults = [(name, f"unknown column{nearest(name, known)}") for name in header if name not in known]
    faults += [(name, "the column is missing") for name in required if name not in header]
    faults += [(name, "the column is given twice") for name in sorted(set(header)) if header.count(name) > 1]
    problems.extend(Problem(file, line, name, fault) for name, fault in faults)
    return not faults
