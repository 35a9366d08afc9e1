"""Reads one supplied NDJSON or CSV file line by line into facts and gaps; a bad line is a gap, never a crash."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, BinaryIO

import msgspec

from scanner.column import ColumnType, FieldInfo, fields_of
from scanner.errors import Malformed, nearest
from scanner.facts import FACTS
from scanner.model import Fact, Gap, GapWhy

LONGEST_LINE = 1024 * 1024
"""Bytes of one line beyond which it is refused."""
MOST_GAPS = 1000
"""Bad lines of one file that get a gap each; the rest are counted in one."""
LONGEST_KEY = 1024
"""Characters of an asset key beyond which it is refused."""

KNOWN = {fact.__name__: fact for fact in FACTS}
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
        flaw = f"there is no asset kind {_short(match.group(1))}{_nearest(match.group(1), KINDS)}"
    elif fact.kind not in {"*", match.group(1)}:
        flaw = f"expected the key of a {fact.kind}, got one of a {match.group(1)}"
    else:
        return match.group(0)
    raise BadLine(flaw, column="asset", fact=fact.__name__, field="asset")


def to_fact(name: object, values: dict[str, Any]) -> Fact:
    """The fact of this name from plain values, without any coercion; raises BadLine."""
    if not isinstance(name, str) or name not in KNOWN:
        hint = _nearest(name, KNOWN) if isinstance(name, str) else "; expected the name of a fact"
        raise BadLine(f"there is no fact {_short(name)}{hint}", column="fact")
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


class SuppliedFile:
    """One supplied file while it streams; ``rows`` and ``sha256`` hold once ``records`` ran to its end."""

    def __init__(self, name: str, promised: Collection[str]) -> None:
        self.name = name
        self.rows = 0
        self._digest = hashlib.sha256()
        self._bad = 0
        self._beyond = 0
        stem = name.split(".", 1)[0]
        self.named: str | None = stem if stem in KNOWN else None
        self._guess = self.named or (next(iter(promised)) if len(promised) == 1 else "*")

    @property
    def sha256(self) -> str:
        """SHA-256 in hex of the bytes read so far."""
        return self._digest.hexdigest()

    def records(self, stream: BinaryIO) -> Iterator[Fact | Gap]:
        """Facts and gaps in the order of the file; holds one line in memory at a time."""
        yield from self._csv(stream) if self.name.lower().endswith(".csv") else self._ndjson(stream)
        if self._beyond:
            detail = f"{self.name}: {self._beyond} more lines could not be understood"
            yield Gap(fact=self._guess, why=GapWhy.MALFORMED, detail=detail, count=self._beyond)

    def _lines(self, stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
        """Physical lines as (bytes with their ending, whether the line was too long and cut)."""
        while raw := stream.readline(LONGEST_LINE):
            self._digest.update(raw)
            cut = False
            if not raw.endswith(b"\n"):
                while (rest := stream.readline(LONGEST_LINE)) and (cut := True):
                    self._digest.update(rest)
                    if rest.endswith(b"\n"):
                        break
            yield raw, cut

    def _ndjson(self, stream: BinaryIO) -> Iterator[Fact | Gap]:
        for number, (line, cut) in enumerate(self._lines(stream), start=1):
            raw = line.rstrip(b"\r\n")
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if not raw.strip():
                continue
            self.rows += 1
            try:
                if cut:
                    raise BadLine(f"the line is longer than {LONGEST_LINE} bytes")
                yield parse_line(raw)
            except BadLine as bad:
                torn = not line.endswith(b"\n") and not cut and str(bad).startswith("not JSON")
                tail = " (the last line is cut off)" if torn else ""
                yield from self._gap(bad, number, tail)

    def _csv(self, stream: BinaryIO) -> Iterator[Fact | Gap]:
        spoiled: set[int] = set()

        def texts() -> Iterator[str]:
            for number, (line, cut) in enumerate(self._lines(stream), start=1):
                if cut:
                    spoiled.add(number)
                raw = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                yield raw.decode("utf-8", "surrogateescape")

        reader = csv.reader(texts(), strict=True)
        header: list[str] | None = None
        refused: BadLine | None = None
        before = 0
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                self.rows += header is not None
                yield from self._gap(BadLine(f"not a CSV record: {error}"), before + 1)
                before = reader.line_num
                continue
            if cells is None:
                return
            first, before = before + 1, reader.line_num
            if not cells:
                continue
            if header is None:
                header = cells
                refused = self._header_flaw(header)
                if refused is not None:
                    yield from self._gap(refused, first)
                continue
            self.rows += 1
            if refused is not None:
                self._beyond += 1
                continue
            try:
                if spoiled and not spoiled.isdisjoint(range(first, before + 1)):
                    raise BadLine(f"the line is longer than {LONGEST_LINE} bytes")
                yield self._record(header, cells)
            except BadLine as bad:
                yield from self._gap(bad, first)

    def _header_flaw(self, header: list[str]) -> BadLine | None:
        if "fact" not in header and self.named is None:
            return BadLine("the file name is no fact, so a column 'fact' is needed", column="header")
        if len(set(header)) != len(header):
            return BadLine("a column stands there twice", column="header")
        facts = KNOWN.values() if "fact" in header else (KNOWN[self.named or ""],)
        known = {"fact"}.union(*(fields_of(fact) for fact in facts))
        for name in header:
            if name not in known:
                return BadLine(
                    f"there is no field {_short(name)}{_nearest(name, known)}", column="header", fact=self.named
                )
        return None

    def _record(self, header: list[str], cells: list[str]) -> Fact:
        if len(cells) != len(header):
            raise BadLine(f"expected {len(header)} cells, got {len(cells)}", fact=self.named)
        row = {name: cell for name, cell in zip(header, cells, strict=True) if cell != ""}
        name = row.pop("fact", self.named)
        if name is None or name not in KNOWN:
            return to_fact(name, {})
        infos = fields_of(KNOWN[name])
        asset = checked_asset(row.get("asset"), KNOWN[name])
        values: dict[str, Any] = {}
        for field, cell in row.items():
            if field not in infos:
                message = f"{name} has no field {field!r}{_nearest(field, infos)}"
                raise BadLine(message, column=field, fact=name, asset=asset, field=field)
            try:
                values[field] = _cell(infos[field], cell)
            except ValueError as error:
                raise BadLine(str(error), column=field, fact=name, asset=asset, field=field) from error
        return to_fact(name, values)

    def _gap(self, bad: BadLine, line: int, tail: str = "") -> Iterator[Gap]:
        self._bad += 1
        if self._bad > MOST_GAPS:
            self._beyond += 1
            return
        place = f"{self.name}, line {line}" + (f", column {bad.column}" if bad.column else "")
        field = bad.field if bad.fact and bad.field in fields_of(KNOWN[bad.fact]) else None
        detail = f"{place}: {bad}{tail}"
        yield Gap(fact=bad.fact or self._guess, why=GapWhy.MALFORMED, detail=detail, asset=bad.asset, field=field)


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
        raise BadLine(f"the key {_short(twice)} stands there twice")
    return values


def _to_gap(values: dict[str, Any]) -> Gap:
    if values.keys() != {"gap"}:
        raise BadLine('expected nothing beside the key "gap"')
    try:
        gap = msgspec.convert(values["gap"], Gap, strict=True)
    except msgspec.ValidationError as error:
        raise BadLine(f"not a gap: {error}", column="gap") from error
    if gap.fact not in KNOWN:
        raise BadLine(f"there is no fact {_short(gap.fact)}{_nearest(gap.fact, KNOWN)}", column="gap")
    fact = KNOWN[gap.fact]
    if gap.field is not None and gap.field not in fields_of(fact):
        raise BadLine(
            f"{gap.fact} has no field {_short(gap.field)}{_nearest(gap.field, fields_of(fact))}", fact=gap.fact
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
        return f"{owner.__name__} has no field {_short(name)}{_nearest(name, fields_of(owner))}", top or name[:60]
    info: FieldInfo | None = infos.get(top) if isinstance(top, str) else None
    if info is not None and info.words and "Invalid enum value" in message:
        return f"{message}; expected one of {', '.join(sorted(info.words))}", top
    missing = re.search(r"missing required field `(\w+)`", message)
    return message[:400], top or (missing.group(1) if missing else None)


def _cell(info: FieldInfo, cell: str) -> Any:
    if any("\ud800" <= character <= "\udfff" for character in cell):
        raise ValueError("the text is not UTF-8")
    match info.type:
        case ColumnType.BOOLEAN:
            if cell not in {"true", "false"}:
                raise ValueError(f"expected true or false, got {_short(cell)}")
            return cell == "true"
        case ColumnType.INTEGER:
            if not _INTEGER.fullmatch(cell) or int(cell) not in _BIGINT:
                raise ValueError(f"expected an integer, got {_short(cell)}")
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


def _nearest(word: str, known: Iterable[str]) -> str:
    return nearest(word[:60], known)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
