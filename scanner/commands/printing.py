"""What commands print on stdout: lines for people, JSON for programs; neither steers a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import click
import msgspec

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
LINE_LIMIT = 4000
ROWS_AT_ONCE = 500
"""Rows of JSON that are printed together."""

_UNUSUAL = re.compile(r"[^\x20-\x7e\n]")


def say(line: str = "") -> None:
    """A line for people on stdout, with everything hostile in it made harmless; its spaces are kept."""
    shown = "".join(letter if letter.isprintable() else " " for letter in line[: LINE_LIMIT + 1])
    click.echo(shown if len(shown) <= LINE_LIMIT else shown[: LINE_LIMIT - 3] + "...")


def say_json(value: Any, indent: int | None = 1) -> None:
    """A value as JSON on stdout; what could steer a terminal stands in it escaped."""
    text = json.dumps(msgspec.to_builtins(value), ensure_ascii=False, allow_nan=False, indent=indent)
    click.echo(_UNUSUAL.sub(_escaped, text))


def say_json_rows(head: Mapping[str, Any], name: str, rows: Iterable[Any]) -> None:
    """What ``say_json`` prints of ``{**head, name: list(rows)}``, row by row, for there may be very many."""
    first = json.dumps(msgspec.to_builtins(dict(head)), ensure_ascii=False, allow_nan=False, indent=1)
    told = [f"{first[:-2]},\n {json.dumps(name)}: [" if head else f"{{\n {json.dumps(name)}: ["]
    between, after = "\n  ", "]\n}"
    for row in rows:
        text = json.dumps(msgspec.to_builtins(row), ensure_ascii=False, allow_nan=False, indent=1)
        told.append(between + text.replace("\n", "\n  "))
        between, after = ",\n  ", "\n ]\n}"
        if len(told) > ROWS_AT_ONCE:
            click.echo(_UNUSUAL.sub(_escaped, "".join(told)), nl=False)
            told.clear()
    click.echo(_UNUSUAL.sub(_escaped, "".join(told) + after))


def _escaped(match: re.Match[str]) -> str:
    letter = match.group()
    if letter.isprintable() and letter <= "\uffff":
        return letter
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{int.from_bytes(units[place : place + 2], 'big'):04x}" for place in range(0, len(units), 2))
