"""Reads one supplied NDJSON or CSV file line by line into facts and gaps; a bad line is a gap, never a crash."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

from collectors.supplied_row import (
    KNOWN,
    BadLine,
    checked_asset,
    nearest_word,
    parse_line,
    shortened,
    to_fact,
    to_value,
)
from scanner.column import fields_of
from scanner.model import Fact, Gap, GapWhy

LONGEST_LINE = 1024 * 1024
"""Bytes of one line beyond which it is refused."""
MOST_GAPS = 1000
"""Bad lines of one file that get a gap each; the rest are counted in one."""


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
                    f"there is no field {shortened(name)}{nearest_word(name, known)}", column="header", fact=self.named
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
                message = f"{name} has no field {field!r}{nearest_word(field, infos)}"
                raise BadLine(message, column=field, fact=name, asset=asset, field=field)
            try:
                values[field] = to_value(infos[field], cell)
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
