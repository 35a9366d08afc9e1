"""Equal content has equal bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from scanner.model import Level
from scanner.sealed.canonical import canonical_json, canonical_parts, canonical_row, sha256_hex


class Point(msgspec.Struct):
    y: int
    x: datetime


def test_order_of_keys_and_spaces_do_not_matter() -> None:
    left = canonical_json({"b": [1, None, True], "a": {"d": 1, "c": 2}})
    right = canonical_json(json.loads(' { "a" : {"c":2, "d": 1}, "b": [1, null, true] }'))
    assert left == right == b'{"a":{"c":2,"d":1},"b":[1,null,true]}'


def test_text_is_utf8_and_not_escaped() -> None:
    assert canonical_json({"名": "零信任 \u2028"}) == '{"名":"零信任 \u2028"}'.encode()


def test_floats_keep_their_shortest_spelling() -> None:
    assert canonical_json([0.1, 1.0, 1e300]) == b"[0.1,1.0,1e+300]"


def test_structs_times_and_words_have_one_spelling() -> None:
    taipei = datetime(2026, 11, 20, 9, tzinfo=timezone(timedelta(hours=8)))
    point = Point(y=1, x=taipei)
    assert canonical_json({"p": point, "l": Level.II}) == b'{"l":"II","p":{"x":"2026-11-20T01:00:00Z","y":1}}'
    assert canonical_json(taipei.astimezone(UTC)) == canonical_json(taipei)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": "\ud800"}, datetime(2026, 1, 1)])
def test_what_has_no_single_meaning_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        canonical_json(value)


@pytest.mark.parametrize("value", [{1: "a"}, {"a": {None: 1}}, {1, 2}, Decimal("1.0"), b"bytes", object()])
def test_what_json_would_coerce_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_digest_is_plain_sha256() -> None:
    assert sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


class Row(msgspec.Struct, omit_defaults=True):
    name: str
    share: float | None = None
    level: Level = Level.I
    inner: list[dict[str, str]] = []


@pytest.mark.parametrize("share", [None, 0.0, 1.0, 0.95, 1 / 3, 1e-4, 1e-5, -1e-5, 1e-9, 1e15, 1e16, -1e22, 5e-324])
def test_a_row_is_written_as_any_other_value(share: float | None) -> None:
    row = Row('名"\\\x00\x1f\x7f\u2028":1e5', share, Level.III, [{"b": "é", "a": "\n"}])
    assert canonical_row(row) == canonical_json(row)


def test_parts_are_together_what_is_written_at_once() -> None:
    rows = [Row("b", 0.5), Row("a", 1e-7)]
    for short in ({}, {"a": {"y": 1, "x": None}, "z": "text"}):
        for long in ({}, {"m": rows}, {"m": [], "b": rows}):
            assert b"".join(canonical_parts(short, long)) == canonical_json({**short, **long})
