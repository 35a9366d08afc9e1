"""Many rows are printed as one document, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from scanner.commands.printing import ROWS_AT_ONCE, say_json, say_json_rows

ROWS: list[list[Any]] = [
    [],
    [{"x": "\u202e\n", "y": []}],
    [[]],
    [{}],
    [{"x": number, "y": {"z": [1, None]}} for number in range(2 * ROWS_AT_ONCE + 3)],
]


@pytest.mark.parametrize("head", [{}, {"a": 1, "b": [{"c": None}]}])
@pytest.mark.parametrize("rows", ROWS)
def test_rows_are_printed_as_the_whole_document_would_be(
    head: dict[str, Any], rows: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    say_json({**head, "rows": rows})
    whole = capsys.readouterr().out
    say_json_rows(head, "rows", iter(rows))
    assert capsys.readouterr().out == whole
