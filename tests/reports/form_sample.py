"""A survey form as a supervisor might send it, made here: names, markers, formats, formulas, choices, merged cells."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import openpyxl
from openpyxl.styles import Font, PatternFill
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table

NAMES: Mapping[str, str] = {
    "ztgrade.institution": "Survey!$B$1",
    "ztgrade.as_of": "Survey!$B$2",
    "ZTGRADE.Headline.Floor": "Survey!$B$3",
    "ztgrade.level.core_banking.remote_work.identity": "'Annex (A)'!$B$2",
    "ztgrade.item.1_1.not_met": "Survey!$B$5",
    "ztgrade.count.gaps": "Survey!$B$6:$C$6",
}
"""Defined names of the sample; B6:C6 is one merged cell."""


def form(
    names: Mapping[str, str] = NAMES,
    cells: Mapping[str, Any] | None = None,
    sheet_names: Mapping[str, str] | None = None,
) -> bytes:
    """A form of two sheets; ``cells`` are written on the first, ``sheet_names`` belong to the second alone."""
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.title = "Survey"
    for row, label in enumerate(("Institution", "As of", "Level", "Total", "Not met", "Gaps"), start=1):
        page.cell(row, 1, label)
    page["B2"].number_format = "yyyy/mm/dd"
    page["B3"].font = Font(bold=True, color="FF0000")
    page["B3"].fill = PatternFill("solid", fgColor="FFFF00")
    page["B4"] = "=B5+B6"
    page.merge_cells("B6:C6")
    page.column_dimensions["B"].width = 42
    choices = DataValidation(type="list", formula1='"I,II,III,IV"')
    choices.add("B3")
    page.add_data_validation(choices)
    annex = book.create_sheet("Annex (A)")
    annex["A1"], annex["B1"] = "Pillar", "Level"
    annex.add_table(Table(displayName="Levels", ref="A1:B3"))
    hidden = book.create_sheet("Lists")
    hidden.sheet_state = "hidden"
    hidden["A1"] = "kept"
    for place, value in (cells or {}).items():
        page[place] = value
    for name, text in names.items():
        book.defined_names.add(DefinedName(name, attr_text=text))
    for name, text in (sheet_names or {}).items():
        annex.defined_names.add(DefinedName(name, attr_text=text))
    book.properties.modified = datetime(2026, 1, 1)
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    """A workbook as bytes."""
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()
