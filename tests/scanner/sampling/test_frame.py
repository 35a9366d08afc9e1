"""A list that may lack something is no frame, and a wrong list is told by its cells."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from scanner.errors import ConfigurationError
from scanner.sampling.frame import Listing, listed_in
from scanner.sampling.sample import Frame


def told(content: bytes, name: str = "keys.csv") -> str:
    with pytest.raises(ConfigurationError) as found:
        listed_in(Path(name), content)
    return str(found.value)


def workbook(rows: Sequence[Any]) -> bytes:
    book = openpyxl.Workbook()
    for number, value in enumerate(rows, start=1):
        book.worksheets[0][f"A{number}"] = value
        book.worksheets[0][f"A{number}"].data_type = "s"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_keys_of_a_list_come_sorted_whatever_the_file() -> None:
    wanted = Listing(("-b", "=a", "用戶"), "keys.csv", Frame.LISTED)
    assert listed_in(Path("/some/where/keys.csv"), "asset\n用戶\n\n=a\n-b \n".encode()) == wanted
    found = listed_in(Path("keys.xlsx"), workbook(["asset", "用戶", None, "=a", "-b"]))
    assert (found.keys, found.frame) == (wanted.keys, Frame.LISTED)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("asset\na\nb\na\n", "keys.csv:4: asset: 'a' stands at line 2 already"),
        ('asset\n"a\nb"\n', "keys.csv:2: asset: expected one line"),
        ("asset\na\x07\n", "keys.csv:2: asset: holds a control character"),
        ("asset\n" + "x" * 1025 + "\n", "keys.csv:2: asset: is longer than 1024"),
        ("key\na\n", "keys.csv:1: key: unknown column"),
        ("name\na\n", "the column is missing"),
        ("asset,owner\na,b\n", "keys.csv:1: owner: unknown column"),
        ("asset\n", "asset: lists nothing"),
        ("", "is empty"),
    ],
)
def test_a_wrong_list_is_told_by_line_and_column(text: str, said: str) -> None:
    assert said in told(text.encode())


def test_a_wrong_workbook_is_told_by_cell() -> None:
    assert "Sheet!A4: 'a' stands at Sheet!A2 already" in told(workbook(["asset", "a", "b", "a"]), "keys.xlsx")
    assert "Sheet!A3: is longer than" in told(workbook(["asset", "a", "x" * 1025]), "keys.xlsx")
    assert "Sheet!A3: expected one line" in told(workbook(["asset", "a", "b\nc"]), "keys.xlsx")


def test_every_flaw_is_told_at_once() -> None:
    assert told(b"asset\na\na\n" + b"x" * 1025 + b"\n").count("\n") == 1
