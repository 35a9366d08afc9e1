from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.supplied import LONGEST_LINE, MOST_GAPS, SuppliedFile
from scanner.facts import Trusts, User
from scanner.model import Fact, Gap, GapWhy
from tests.collectors.stage import ndjson, user


def read(content: bytes, name: str = "people.ndjson", promised: tuple[str, ...] = ()) -> list[Fact | Gap]:
    return list(SuppliedFile(name, promised).records(io.BytesIO(content)))


def only_gap(content: bytes, name: str = "people.ndjson", promised: tuple[str, ...] = ()) -> Gap:
    (record,) = read(content, name, promised)
    assert isinstance(record, Gap)
    assert record.why is GapWhy.MALFORMED
    return record


def test_facts_and_gaps_come_in_the_order_of_the_file() -> None:
    gap = {"gap": {"fact": "User", "why": "denied", "detail": "no right", "asset": None, "field": "enabled"}}
    first, second = read(ndjson([user(1), gap]))
    assert isinstance(first, User)
    assert first.enabled is True
    assert second == Gap(fact="User", why=GapWhy.DENIED, detail="no right", field="enabled")


def raw(**changes: Any) -> bytes:
    return ndjson([user(1, **changes)])


@pytest.mark.parametrize(
    ("line", "field", "says"),
    [
        (raw(enabled="true"), "enabled", "Expected `bool"),
        (raw(enabled=1), "enabled", "Expected `bool"),
        (raw(category="persn"), "category", "expected one of"),
        (raw(enabeld=True), None, "did you mean 'enabled'?"),
        (raw(observed_at="2026-11-20T01:00:00"), "observed_at", "timezone"),
        (raw(observed_at=1_790_000_000), "observed_at", "Expected `datetime"),
        (raw(asset="device:corp:1"), "asset", "expected the key of a user"),
        (raw(asset="usr:corp:1"), "asset", "did you mean 'user'?"),
        (raw(asset="user:corp"), "asset", "kind:source:key"),
        (raw(asset=7), "asset", "kind:source:key"),
        (raw(asset="user:corp:" + "x" * 2000), "asset", "1024"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place_and_what_was_expected(
    line: bytes, field: str | None, says: str
) -> None:
    gap = only_gap(line)
    assert gap.fact == "User"
    assert gap.field == field
    assert gap.detail.startswith("people.ndjson, line 1, column ")
    assert says in gap.detail


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"fact": "Usr", "asset": "user:corp:1"}\n', "did you mean 'User'?"),
        (b'{"fact": 7}\n', "the name of a fact"),
        (b'{"asset": "user:corp:1"}\n', '"fact"'),
        (b"[]\n", "object"),
        (b"null\n", "object"),
        (b'{"fact": "User"', "cut off"),
        (b'{"fact": "User",}\n', "not JSON"),
        (b'{"a": NaN}\n', "not JSON"),
        (b'{"a": "\xff"}\n', "UTF-8"),
        (b'{"a": "\\ud800"}\n', "lone surrogate"),
        (b"[" * 200_000 + b"\n", "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}\n", ""),
        (b'{"fact": "Credentials", "access_keys": 99999999999999999999}\n', "64 bits"),
        (b'{"gap": {"fact": "User", "why": "denid", "detail": ""}}\n', "not a gap"),
        (b'{"gap": {"fact": "Usr", "why": "denied", "detail": ""}}\n', "did you mean"),
        (b'{"gap": {"fact": "User", "why": "denied", "detail": "", "field": "enabeld"}}\n', "did you mean 'enabled'?"),
        (b'{"gap": {"fact": "User", "why": "denied", "detail": "", "count": 0}}\n', "count"),
        (b'{"gap": {"fact": "User", "why": "denied", "detail": "", "asset": "x"}}\n', "kind:source:key"),
        (b'{"gap": null}\n', "not a gap"),
        (b'{"gap": {}, "fact": "User"}\n', "nothing beside"),
    ],
)
def test_a_line_that_is_no_record_is_a_gap(line: bytes, says: str) -> None:
    gap = only_gap(line)
    assert "line 1" in gap.detail
    assert says in gap.detail


def test_a_key_that_stands_twice_is_refused_instead_of_overwritten() -> None:
    good = json.dumps(user(1))
    assert "'enabled' stands there twice" in only_gap(good[:-1].encode() + b', "enabled": false}').detail
    assert "twice" in only_gap(good[:-1].encode() + b', "enabled" : false}').detail
    inner = b'{"fact": "Trusts", "asset": "directory:corp:1", "observed_at": "2026-11-20T01:00:00Z", "trusts": [%s]}'
    assert "twice" in only_gap(inner % b'{"sid_filtering": false, "sid_filtering": true}').detail
    (fact,) = read(inner % b'{"partner": "a \\"quoted\\" one", "sid_filtering": true}')
    assert isinstance(fact, Trusts)


def test_lists_with_null_elements_are_refused() -> None:
    line = {"fact": "Trusts", "asset": "directory:corp:1", "observed_at": "2026-11-20T01:00:00Z", "trusts": [None]}
    assert only_gap(ndjson([line])).field == "trusts"


def test_good_lines_around_bad_ones_are_kept() -> None:
    records = read(ndjson([user(1)]) + b"nonsense\n\n" + ndjson([user(2)]))
    assert [type(record).__name__ for record in records] == ["User", "Gap", "User"]


def test_the_fact_of_a_bad_line_is_taken_from_the_file_name_or_the_only_promise() -> None:
    assert only_gap(b"nonsense\n", "User.ndjson").fact == "User"
    assert only_gap(b"nonsense\n", "people.ndjson", ("Employment",)).fact == "Employment"
    assert only_gap(b"nonsense\n", "people.ndjson", ("Employment", "User")).fact == "*"


@pytest.mark.parametrize("name", ["people.ndjson", "User.csv"])
def test_a_line_without_end_is_refused_in_bounded_memory(name: str) -> None:
    class Endless(io.RawIOBase):
        """64 MiB of one letter."""

        left = 64

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            if self.left == 0:
                return 0
            size = min(len(buffer), 1024 * 1024)
            buffer[:size] = b"x" * size
            self.left -= 1
            return size

    tracemalloc.start()
    try:
        stream = io.BufferedReader(Endless(), 1024 * 1024)
        records = list(SuppliedFile(name, ()).records(stream))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert records
    assert all(isinstance(record, Gap) for record in records)
    assert peak < 24 * LONGEST_LINE


def test_gaps_of_a_file_of_nonsense_are_counted_instead_of_kept() -> None:
    records = read(b"nonsense\n" * (MOST_GAPS + 500))
    assert len(records) == MOST_GAPS + 1
    assert isinstance(records[-1], Gap)
    assert records[-1].count == 500


CSV = b"asset,observed_at,enabled,category\n"


def test_csv_takes_its_fact_from_the_file_name_or_a_column() -> None:
    row = b"user:corp:1,2026-11-20T01:00:00Z,true,\n"
    (by_name,) = read(CSV + row, "User.csv")
    (by_column,) = read(b"fact," + CSV + b"User," + row, "rows.csv")
    assert by_name == by_column
    assert isinstance(by_name, User)
    assert (by_name.enabled, by_name.category) == (True, None)
    assert "column 'fact' is needed" in only_gap(CSV, "rows.csv").detail


def test_csv_lists_are_json() -> None:
    content = 'asset,observed_at,trusts\ndirectory:corp:1,2026-11-20T01:00:00Z,"[{""sid_filtering"": true}]"\n'
    (fact,) = read(content.encode(), "Trusts.csv")
    assert isinstance(fact, Trusts)
    assert fact.trusts is not None
    assert fact.trusts[0].sid_filtering is True


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        (b"user:corp:1,2026-11-20T01:00:00Z,TRUE,\n", "enabled", "true or false"),
        (b"user:corp:1,2026-11-20T01:00:00Z,1,\n", "enabled", "true or false"),
        (b"user:corp:1,2026-11-20T01:00:00,true,\n", "observed_at", "timezone"),
        (b"user:corp:1,2026-11-20,true,\n", "observed_at", "Invalid"),
        (b"user:corp:1,,true,\n", "observed_at", "missing"),
        (b",2026-11-20T01:00:00Z,true,\n", "asset", "kind:source:key"),
        (b"user:corp:1\xff,2026-11-20T01:00:00Z,true,\n", "asset", "kind:source:key"),
        (b"user:c\xe9rp:1,2026-11-20T01:00:00Z,true,\n", "asset", "kind:source:key"),
        (b"user:corp:1,2026-11-20T01:00:00Z,true,\xff\n", "category", "UTF-8"),
        (b"user:corp:1,2026-11-20T01:00:00Z,true\n", "", "expected 4 cells, got 3"),
        (b'"user:corp:1,2026-11-20T01:00:00Z,true,\n', "", "not a CSV record"),
    ],
)
def test_a_bad_csv_row_is_a_gap_with_its_place(row: bytes, column: str, says: str) -> None:
    gap = only_gap(CSV + row, "User.csv")
    assert gap.fact == "User"
    assert gap.detail.startswith("User.csv, line 2" + (f", column {column}: " if column else ": "))
    assert says in gap.detail


@pytest.mark.parametrize("cell", ["1.0", "1e3", "0x1", " 1", "1 ", "９", "99999999999999999999"])
def test_csv_integers_are_digits_only(cell: str) -> None:
    content = f"asset,observed_at,access_keys\nuser:corp:1,2026-11-20T01:00:00Z,{cell}\n".encode()
    assert "integer" in only_gap(content, "Credentials.csv").detail


def test_a_wrong_header_refuses_the_whole_file_and_counts_its_rows() -> None:
    content = b"asset,observed_at,enabeld\n" + b"user:corp:1,2026-11-20T01:00:00Z,true\n" * 3
    first, second = read(content, "User.csv")
    assert isinstance(first, Gap)
    assert isinstance(second, Gap)
    assert "did you mean 'enabled'?" in first.detail
    assert second.count == 3


def test_a_column_of_another_fact_is_refused_where_it_is_filled() -> None:
    content = b"fact,asset,observed_at,enabled,tpm\nUser,user:corp:1,2026-11-20T01:00:00Z,true,ready\n"
    assert "User has no field 'tpm'" in only_gap(content, "rows.csv").detail


def test_rows_and_digest_are_those_of_the_file() -> None:
    content = ndjson([user(1)]) + b"\n  \nnonsense\n"
    file = SuppliedFile("people.ndjson", ())
    list(file.records(io.BytesIO(content)))
    assert file.rows == 2
    quoted = SuppliedFile("User.csv", ())
    list(quoted.records(io.BytesIO(CSV + b'"a\nb",x,true,\n\nc,d,e,f\n"open\n')))
    assert quoted.rows == 3


PIECES = st.sampled_from(
    [
        b'{"fact": "User"',
        b'"asset": "user:a:b"',
        b",",
        b":",
        b"}",
        b"\n",
        b'"',
        b"\xff",
        b"\\ud800",
        b"[",
        b"null",
        b"\r",
    ]
)
NAMES = st.sampled_from(["x.ndjson", "User.csv", "x.csv"])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=40), NAMES)
def test_no_bytes_end_in_an_exception(pieces: list[bytes], name: str) -> None:
    for record in read(b"".join(pieces), name):
        assert isinstance(record, (Fact, Gap))
        msgspec.json.encode(record)
