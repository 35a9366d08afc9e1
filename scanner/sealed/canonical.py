"""One spelling of JSON, so that equal content has equal bytes and equal digests."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from scanner.model import iso


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value, order="sorted", builtin_types=(datetime,))
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (frozenset, set)):
        raise TypeError("a set has no order; sort it first")
    raise TypeError(f"{type(value).__name__} has no canonical JSON")


_SIMPLE = frozenset({str, int, float, bool, type(None)})


def _refuse_odd_keys(value: object) -> None:
    if type(value) in _SIMPLE:
        return
    if isinstance(value, (list, tuple)):
        for inner in value:
            if type(inner) not in _SIMPLE:
                _refuse_odd_keys(inner)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"a key must be text, not {type(key).__name__}")
            if type(inner) not in _SIMPLE:
                _refuse_odd_keys(inner)


def canonical_json(value: Any) -> bytes:
    """Canonical JSON in UTF-8: keys sorted by code point, no spaces, text unescaped, floats by ``repr``.

    Takes text, int, float, bool, None, mappings with text keys, lists, tuples, msgspec structs, and datetimes with a
    zone (written in UTC with ``Z``). Raises ValueError for NaN, infinities, naive times and lone surrogates, and
    TypeError for everything else: sets, Decimal, bytes, keys that are not text.
    """
    _refuse_odd_keys(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain)
    return text.encode("utf-8")


_ODD_FLOAT = re.compile(rb'":-?(?:0\.0000|[0-9.]+e)')
"""Where a float may stand that the faster encoder writes otherwise than ``repr`` does."""


def canonical_row(row: msgspec.Struct) -> bytes:
    """``canonical_json`` of a struct, many times faster: its floats are fields, finite ones, and its times are text."""
    text = msgspec.json.encode(row, order="sorted")
    return text if _ODD_FLOAT.search(text) is None else canonical_json(row)


def canonical_parts(value: Mapping[str, Any], rows: Mapping[str, Sequence[msgspec.Struct]]) -> Iterator[bytes]:
    """The bytes of ``canonical_json({**value, **rows})``, in parts, so that long lists of rows are never held twice."""
    opening = b"{"
    for name in sorted({*value, *rows}):
        yield opening + canonical_json(name) + b":"
        opening = b","
        if name not in rows:
            yield canonical_json(value[name])
            continue
        yield b"["
        for place, row in enumerate(rows[name]):
            yield (b"," if place else b"") + canonical_row(row)
        yield b"]"
    yield b"{}" if opening == b"{" else b"}"


def sha256_hex(content: bytes) -> str:
    """SHA-256 of the bytes as 64 lower-case hex digits."""
    return hashlib.sha256(content).hexdigest()


def files_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 in hex over the canonical JSON of [name, SHA-256 of the content] of every file, in order of name."""
    return sha256_hex(canonical_json([[name, sha256_hex(content)] for name, content in sorted(files.items())]))
