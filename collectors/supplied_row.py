"""One row that somebody supplied, as JSON or as CSV cells, into a fact or a gap, without any coercion."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

import msgspec

from scanner.column import ColumnType, FieldInfo, fields_of
from scanner.errors import Malformed, nearest
from scanner.facts import FACTS
from scanner.model import Fact, Gap

LONGEST_KEY = 1024
"""Characters of an asset key beyond which it is refused."""

KNOWN = MappingProxyType({fact.__name__: fact for fact in FACTS})
KINDS = frozenset(fact.kind for fact in FACTS) - {"*"}
_ASSET = re.compile(r"([a-z_]+):[^:\s\x00-\x1f\x7f\ud800-\udfff]+:[^\x00-\x1f\x7f\ud800-\udfff]+")
_LOCATION = re.compile(r" - at `\$\.?([A-Za-z_]*)")
_UNKNOWN = re.compile(r"unknown field `(.*?)`")
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_BIGINT = range(-(2**63), 2**63)


class BadLine(Malformed):
    """One line cannot be understood; says where in the line and, where known, of which fact, asset and field."""

    def __init__(
        self,
        message: str,
        *,
        column: str = "",
        fact: str | None = None,
        asset: str | None = None,
        field: str | None = None,
    ) -> None:
        self.column, self.fact, self.asset, self.field = column, fact, asset, field
        super().__init__(message)


def checked_asset(key: object, fact: type[Fact]) -> str:
    """The asset key; raises BadLine unless it is kind:source:key and of the kind that the fact speaks of."""
    match = _ASSET.fullmatch(key) if isinstance(key, str) and len(key) <= LONGEST_KEY else None
    if match is None:
        flaw = f"expected an asset key kind:source:key of at most {LONGEST_KEY} characters"
    elif match.group(1) not in KINDS:
        flaw = f"there is no asset kind {shortened(match.group(1))}{nearest_word(match.group(1), KINDS)}"
    elif fact.kind not in {"*", match.group(1)}:
        flaw = f"expected the key of a {fact.kind}, got one of a {match.group(1)}"
    else:
        return match.group(0)
    raise BadLine(flaw, column="asset", fact=fact.__name__, field="asset")


def to_fact(name: object, values: dict[str, Any]) -> Fact:
    """The fact of this name from plain values, without any coercion; raises BadLine."""
    if not isinstance(name, str) or name not in KNOWN:
        hint = nearest_word(name, KNOWN) if isinstance(name, str) else "; expected the name of a fact"
        raise BadLine(f"there is no fact {shortened(name)}{hint}", column="fact")
    fact = KNOWN[name]
    asset = checked_asset(values.get("asset"), fact)
    try:
        return msgspec.convert(values, fact, strict=True)
    except msgspec.ValidationError as error:
        message, field = _explained(str(error), fact)
        raise BadLine(message, column=field or "", fact=name, asset=asset, field=field) from error


def parse_line(raw: bytes) -> Fact | Gap:
    """One line of NDJSON: a fact with its ``fact`` name, or ``{"gap": {...}}``; raises BadLine."""
    values = _decoded(raw)
    if not isinstance(values, dict):
        raise BadLine("expected a JSON object")
    strings = _strings(values)
    if raw.count(b'"') != 2 * strings:
        json.loads(raw, object_pairs_hook=_without_repeats)
    if "gap" in values:
        return _to_gap(values)
    if "fact" not in values:
        raise BadLine('expected the key "fact" or the key "gap"')
    name = values.pop("fact")
    try:
        return to_fact(name, values)
    except BadLine as bad:
        place = raw.find(b'"' + bad.column.encode() + b'"') if bad.column else -1
        bad.column = str(len(raw[:place].decode()) + 1) + f", key {bad.column!r}" if place >= 0 else bad.column
        raise


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except UnicodeDecodeError as error:
        raise BadLine("the line is not UTF-8", column=_first_undecodable(raw)) from error
    except RecursionError as error:
        raise BadLine("the JSON is nested too deeply") from error
    except msgspec.DecodeError as error:
        try:
            json.loads(raw.decode("utf-8", "replace"))
        except json.JSONDecodeError as finer:
            raise BadLine(f"not JSON: {finer.msg}", column=str(finer.colno)) from error
        except (ValueError, RecursionError) as finer:
            raise BadLine(f"not JSON: {finer}") from error
        place = re.search(rb"\\u[dD][89a-fA-F]", raw)
        if place:
            raise BadLine("the text holds a lone surrogate", column=str(place.start() + 1)) from error
        raise BadLine(f"not JSON: {error}") from error


def _first_undecodable(raw: bytes) -> str:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return str(len(raw[: error.start].decode("utf-8", "replace")) + 1)
    return ""


def _strings(value: Any) -> int:
    """Number of JSON strings in a decoded value, keys included; refuses integers that no store can hold."""
    if isinstance(value, str):
        return 1
    if isinstance(value, dict):
        return len(value) + sum(map(_strings, value.values()))
    if isinstance(value, list):
        return sum(map(_strings, value))
    if isinstance(value, int) and value not in _BIGINT:
        raise BadLine("an integer does not fit 64 bits")
    return 0


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadLine(f"the key {shortened(twice)} stands there twice")
    return values


def _to_gap(values: dict[str, Any]) -> Gap:
    if values.keys() != {"gap"}:
        raise BadLine('expected nothing beside the key "gap"')
    try:
        gap = msgspec.convert(values["gap"], Gap, strict=True)
    except msgspec.ValidationError as error:
        raise BadLine(f"not a gap: {error}", column="gap") from error
    if gap.fact not in KNOWN:
        raise BadLine(f"there is no fact {shortened(gap.fact)}{nearest_word(gap.fact, KNOWN)}", column="gap")
    fact = KNOWN[gap.fact]
    if gap.field is not None and gap.field not in fields_of(fact):
        raise BadLine(
            f"{gap.fact} has no field {shortened(gap.field)}{nearest_word(gap.field, fields_of(fact))}", fact=gap.fact
        )
    if gap.asset is not None:
        checked_asset(gap.asset, fact)
    if gap.count < 1:
        raise BadLine("expected a count of at least 1", fact=gap.fact)
    return gap


def _explained(message: str, fact: type[Fact]) -> tuple[str, str | None]:
    infos = fields_of(fact)
    unknown = _UNKNOWN.search(message)
    where = _LOCATION.search(message)
    top: str | None = where.group(1) if where and where.group(1) else None
    if unknown:
        struct = infos[top].struct if isinstance(top, str) and top in infos else None
        owner = struct or fact
        name = unknown.group(1)
        return f"{owner.__name__} has no field {shortened(name)}{nearest_word(name, fields_of(owner))}", top or name[
            :60
        ]
    info: FieldInfo | None = infos.get(top) if isinstance(top, str) else None
    if info is not None and info.words and "Invalid enum value" in message:
        return f"{message}; expected one of {', '.join(sorted(info.words))}", top
    missing = re.search(r"missing required field `(\w+)`", message)
    return message[:400], top or (missing.group(1) if missing else None)


def to_value(info: FieldInfo, cell: str) -> Any:
    """The plain value of one CSV cell that is not empty; raises ValueError saying what was expected."""
    if any("\ud800" <= character <= "\udfff" for character in cell):
        raise ValueError("the text is not UTF-8")
    match info.type:
        case ColumnType.BOOLEAN:
            if cell not in {"true", "false"}:
                raise ValueError(f"expected true or false, got {shortened(cell)}")
            return cell == "true"
        case ColumnType.INTEGER:
            if not _INTEGER.fullmatch(cell) or int(cell) not in _BIGINT:
                raise ValueError(f"expected an integer, got {shortened(cell)}")
            return int(cell)
        case ColumnType.TEXT_LIST | ColumnType.STRUCT_LIST:
            try:
                values = _decoded(cell.encode())
                json.loads(cell, object_pairs_hook=_without_repeats)
                _strings(values)
            except BadLine as error:
                raise ValueError(f"expected a list as JSON; {error}") from error
            return values
    return cell


def nearest_word(word: str, known: Iterable[str]) -> str:
    """A hint as of `scanner.errors.nearest`, for words of any length."""
    return nearest(word[:60], known)


def shortened(value: object) -> str:
    """The value as it may stand in a message: printable, at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
