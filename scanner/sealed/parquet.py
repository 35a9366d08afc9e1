"""Records become Parquet: each fact is validated by itself, spooled as NDJSON and written sorted by DuckDB."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import msgspec

from scanner.column import ColumnType, FieldInfo, fields_of
from scanner.errors import EngineError
from scanner.model import Fact, Sensitivity, utc
from scanner.sealed.disk import disk_full, is_full

SCHEMA_VERSION = 1
TEXT_LIMIT = 64 * 1024
"""Bytes of UTF-8 that one text may have."""
RECORD_LIMIT = 8 * 1024 * 1024
"""Bytes of JSON that one record may have."""
_ASSET = re.compile(r"([a-z_]+):([^:\x00-\x1f\x7f]+):([^\x00-\x1f\x7f]+)")
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_NAME = re.compile(r"`([A-Za-z_][A-Za-z0-9_]{0,63})`")
_TYPES = {
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.INTEGER: "BIGINT",
    ColumnType.TEXT: "VARCHAR",
    ColumnType.TIME: "TIMESTAMP",
    ColumnType.TEXT_LIST: "VARCHAR[]",
}


def _sql_type(info: FieldInfo) -> str:
    if info.struct is None:
        return _TYPES[info.type]
    inner = ", ".join(f'"{name}" {_sql_type(part)}' for name, part in fields_of(info.struct).items())
    return f"STRUCT({inner})[]"


def parquet_schema(fact: type[Fact]) -> dict[str, str]:
    """Columns and DuckDB types of ``facts/<Fact>.parquet``: asset, observed_at in UTC, the non-personal fields."""
    return {
        name: _sql_type(info) for name, info in fields_of(fact).items() if info.sensitivity is not Sensitivity.PERSONAL
    }


def identity_schema(fact: type[Fact]) -> dict[str, str]:
    """Columns of ``identity/<Fact>.parquet``: asset and the personal fields; only asset where there are none."""
    personal = {
        name: _sql_type(info) for name, info in fields_of(fact).items() if info.sensitivity is Sensitivity.PERSONAL
    }
    return {"asset": "VARCHAR"} | personal


@dataclass(frozen=True)
class Flaw:
    """What was wrong with a record: with one field, which was emptied, or with all of it, where ``field`` is None."""

    field: str | None
    what: str


@dataclass(frozen=True)
class Admitted:
    """A record after validation: its line and whether it names a person; no line where the record was refused."""

    line: bytes | None
    asset: str | None
    personal: bool
    flaws: tuple[Flaw, ...] = ()


def _reason(error: Exception) -> str:
    """What a decoder says, without the value it complains of."""
    text = str(error)
    if text.startswith("Invalid enum value"):
        where = text.rpartition(" - at ")[2]
        return "a word that the field does not know" + (f", at {where}" if where != text else "")
    if text.startswith("Object contains unknown field"):
        name = _NAME.search(text)
        return f"unknown field {name.group(1)}" if name else "an unknown field"
    if isinstance(error, msgspec.ValidationError):
        return text
    return "a value that cannot be stored" if not isinstance(error, OverflowError) else "a time out of range"


def _text_flaw(value: str) -> str | None:
    if len(value) <= TEXT_LIMIT // 4 and value.isascii():
        return None
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError:
        return "holds text that is not Unicode (a lone surrogate)"
    return f"holds text of {size} bytes, more than {TEXT_LIMIT}" if size > TEXT_LIMIT else None


def _value_flaw(value: object) -> str | None:
    match value:
        case str():
            return _text_flaw(value)
        case bool():
            return None
        case int():
            return None if -(2**63) <= value < 2**63 else "holds a number beyond 64 bits"
        case list() | tuple():
            if any(part is None for part in value):
                return "holds a list with a null element"
            return next((flaw for part in value if (flaw := _value_flaw(part))), None)
        case dict():
            return next((flaw for part in value.values() if (flaw := _value_flaw(part))), None)
    return None


def _bare(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return {name: _bare(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, (list, tuple)):
        return [_bare(part) for part in value]
    return value


class Gate:
    """Lets the records of one fact type through, one by one; compiled once per type, never raises for a bad record."""

    def __init__(self, fact: type[Fact]) -> None:
        fields = fields_of(fact)
        self.fact = fact
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(fact).decode
        self._kind = None if fact.kind == "*" else fact.kind
        self._times = tuple(name for name, info in fields.items() if info.type is ColumnType.TIME)
        self._texts = tuple(name for name, info in fields.items() if info.type is ColumnType.TEXT_LIST)
        self._struct_times = {
            name: inner
            for name, info in fields.items()
            if info.struct is not None
            and (inner := tuple(n for n, i in fields_of(info.struct).items() if i.type is ColumnType.TIME))
        }
        self._numbers = any(
            part.type is ColumnType.INTEGER
            for info in fields.values()
            for part in ((info,) if info.struct is None else fields_of(info.struct).values())
        )
        self._personal = tuple(identity_schema(fact))[1:]

    def admit(self, record: Fact) -> Admitted:
        """Validate a struct: building one does not check its types, so it goes through JSON and back."""
        try:
            line = self._encode(record)
            back = self._decode(line)
        except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
            return self.admit_row(_bare(record))
        if back != record or len(line) > TEXT_LIMIT or (self._numbers and _LONG_NUMBER.search(line)):
            return self.admit_row(_bare(record))
        return self._finish(back, line, ())

    def admit_row(self, row: object) -> Admitted:
        """Validate a mapping of field names to values; empties the fields that alone are flawed and says which."""
        if not isinstance(row, Mapping) or not all(isinstance(name, str) for name in row):
            return Admitted(None, None, False, (Flaw(None, "is not an object"),))
        kept = dict(row)
        asset = kept.get("asset")
        known = asset if isinstance(asset, str) and self._asset_flaw(asset) is None else None
        flaws = []
        for name, value in kept.items():
            what = _value_flaw(value)
            if what is None:
                continue
            if name not in self.fact.__struct_fields__ or name in {"asset", "observed_at"}:
                return Admitted(None, known, False, (Flaw(None, f"has a field that {what}"),))
            kept[name] = None
            flaws.append(Flaw(name, what))
        try:
            record = msgspec.convert(kept, self.fact)
            line = self._encode(record)
        except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
            return Admitted(None, known, False, (Flaw(None, _reason(error)),))
        return self._finish(record, line, tuple(flaws))

    def _asset_flaw(self, asset: str) -> str | None:
        parts = _ASSET.fullmatch(asset)
        if parts is None or (not asset.isascii() and _text_flaw(asset)) or len(asset) > TEXT_LIMIT:
            return "has an asset that is not kind:source:key"
        if self._kind is not None and parts.group(1) != self._kind:
            return f"has an asset that is not a {self._kind}"
        return None

    def _finish(self, record: Fact, line: bytes, flaws: tuple[Flaw, ...]) -> Admitted:
        what = self._asset_flaw(record.asset)
        if what is not None:
            return Admitted(None, None, False, (*flaws, Flaw(None, what)))
        try:
            changes = self._settled(record)
        except (OverflowError, ValueError):
            return Admitted(None, record.asset, False, (*flaws, Flaw(None, "has a time out of range")))
        if changes:
            line = self._encode(msgspec.structs.replace(record, **changes))
        if len(line) > RECORD_LIMIT:
            return Admitted(None, record.asset, False, (*flaws, Flaw(None, f"is larger than {RECORD_LIMIT} bytes")))
        personal = any(getattr(record, name) is not None for name in self._personal)
        return Admitted(line, record.asset, personal, flaws)

    def _settled(self, record: Fact) -> dict[str, Any]:
        """Fields to replace so that every time is in UTC (DuckDB drops offsets) and every list of text is a set."""
        changes: dict[str, Any] = {}
        for name in self._times:
            moment = getattr(record, name)
            if moment is not None and moment.tzinfo is not UTC:
                changes[name] = utc(moment)
        for name in self._texts:
            words = getattr(record, name)
            if words is not None and len(words) > 1 and words != (ordered := sorted(set(words))):
                changes[name] = ordered
        for name, inner in self._struct_times.items():
            items = getattr(record, name)
            if items and any(_offset(item, inner) for item in items):
                changes[name] = [_in_utc(item, inner) for item in items]
        return changes


def _offset(item: msgspec.Struct, names: tuple[str, ...]) -> bool:
    return any((moment := getattr(item, name)) is not None and moment.tzinfo is not UTC for name in names)


def _in_utc(item: msgspec.Struct, names: tuple[str, ...]) -> msgspec.Struct:
    moments = {name: getattr(item, name) for name in names}
    return msgspec.structs.replace(item, **{name: utc(at) for name, at in moments.items() if isinstance(at, datetime)})


class Spool:
    """Admitted records of one fact type, line by line in a file; ``rows`` counts them."""

    def __init__(self, fact: type[Fact], path: Path) -> None:
        self.fact = fact
        self.gate = Gate(fact)
        self.path = path
        self.rows = 0
        self.personal = False
        self._file: BinaryIO = path.open("wb", buffering=1 << 18)

    def keep(self, admitted: Admitted) -> None:
        """Append an admitted record; raises OSError where the disk takes no more."""
        if admitted.line is not None:
            self._file.write(admitted.line + b"\n")
            self.rows += 1
            self.personal = self.personal or admitted.personal

    def close(self) -> None:
        """Flush what is buffered; raises OSError where the disk takes no more."""
        self._file.close()


def sql_path(path: Path, *, pattern: bool = True) -> str:
    """A path as an SQL literal; where DuckDB would read a pattern, its special characters are taken literally."""
    text = str(path)
    if pattern:
        text = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def engine(spill: Path, *, memory: str = "512MB", threads: int = 2) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory that spills into a folder; raises StoreError for a full disk, EngineError for all else."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": str(spill),
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    try:
        with duckdb.connect(":memory:", config=settings) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
    except duckdb.Error as error:
        if is_full(str(error)):
            raise disk_full(spill.parent) from error
        raise EngineError(f"the Parquet writer failed: {error}; check memory and disk, then run it again") from error


def write_sorted(
    connection: duckdb.DuckDBPyConnection,
    lines: Path,
    out: Path,
    schema: Mapping[str, str],
    *,
    where: str = "true",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write the schema's columns of an NDJSON file as Parquet, sorted by all of them in order; keeps duplicates."""
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in schema.items())
    names = ", ".join(f'"{name}"' for name in schema)
    marks = ", ".join(f"{name}: '{value}'" for name, value in (metadata or {}).items())
    source = (
        f"read_json({sql_path(lines)}, format = 'newline_delimited', columns = {{{columns}}}, "
        f"maximum_object_size = {2 * RECORD_LIMIT})"
    )
    connection.execute(
        f"COPY (SELECT {names} FROM {source} WHERE {where} ORDER BY ALL) TO {sql_path(out, pattern=False)} "
        f"(FORMAT parquet, COMPRESSION zstd" + (f", KV_METADATA {{{marks}}})" if marks else ")")
    )


def write_facts(connection: duckdb.DuckDBPyConnection, spool: Spool, facts: Path, identity: Path) -> None:
    """Write a closed spool as ``facts/<Fact>.parquet`` and, where rows name persons, ``identity/<Fact>.parquet``."""
    name = spool.fact.__name__
    marks = {"fact": name, "schema_version": str(SCHEMA_VERSION)}
    facts.mkdir(mode=0o700, exist_ok=True)
    write_sorted(connection, spool.path, facts / f"{name}.parquet", parquet_schema(spool.fact), metadata=marks)
    if spool.personal:
        identity.mkdir(mode=0o700, exist_ok=True)
        schema = identity_schema(spool.fact)
        where = " OR ".join(f'"{column}" IS NOT NULL' for column in tuple(schema)[1:])
        write_sorted(connection, spool.path, identity / f"{name}.parquet", schema, where=where, metadata=marks)
