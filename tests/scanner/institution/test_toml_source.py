"""TOML is read so that every problem is told at once, at its file, line and key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.errors import ConfigurationError, Problem
from scanner.institution.toml_lines import KeyPath, key_lines
from scanner.institution.toml_source import MAX_BYTES, Table, TomlSource, dotted, is_name, raise_problems, read_file


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


def table(text: str) -> Table:
    return TomlSource("x.toml", text.encode()).table([])


def problem_of(content: bytes) -> Problem:
    with pytest.raises(ConfigurationError) as caught:
        TomlSource("x.toml", content)
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"a = 1\na = 2\n", 2, "key is given twice"),
        (b"[a]\nx = 1\n[a]\n", 3, "table is given twice"),
        (b"a = 1\nb = \n", 2, "not TOML"),
        (b'a = 1\nb = "', 2, "not TOML"),
        (b"a = 1\nb = '\xff'\n", 2, "not UTF-8"),
        (b"\xff\xfea\x00", 1, "not UTF-8"),
        (b"a = " + b"[" * 100_000, None, "nested too deeply"),
        (b"a = " + b"9" * 9_999, None, "not TOML"),
        (b"a = 2026-13-01\n", 1, "not TOML"),
        (b"#" * (MAX_BYTES + 1), None, "larger than"),
        (b"a = 'x\x00'\n", 1, "not TOML"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(content: bytes, line: int | None, words: str) -> None:
    problem = problem_of(content)
    assert (problem.file, problem.line) == ("x.toml", line)
    assert words in problem.message


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfa = 1\nb = 2\n", b"a = 1\r\nb = 2\r\n", b"a = 1\nb = 2"])
def test_byte_order_mark_and_line_ends_do_not_matter(content: bytes) -> None:
    source = TomlSource("x.toml", content)
    assert source.data == {"a": 1, "b": 2}
    assert source.line(("b",)) == 2


def test_every_form_of_key_has_its_line() -> None:
    text = (
        "a.b = \"x\" # = [\n\"q\\u0041.z\" = '''\nmulti '' = ''''\n[x.\"y z\"]\nk = [1, # ]\n"
        "  {m = 1, n = [2,\n  3]}, ]\n"
        '[[s.members.User]]\nall = true\n[[s.members.User]]\nlate = """\n\\"""\n"""\n'
        "[s.members.User.sub]\nz = 1979-01-01\n"
    )
    lines = TomlSource("x.toml", text.encode())
    assert lines.line(("a", "b")) == 1
    assert lines.line(("qA.z",)) == 2
    assert lines.line(("x", "y z", "k")) == 5
    assert lines.line(("x", "y z", "k", 1, "n", 1)) == 7
    assert lines.line(("s", "members", "User", 0, "all")) == 9
    assert lines.line(("s", "members", "User", 1, "late")) == 11
    assert lines.line(("s", "members", "User", 1, "sub", "z")) == 15
    assert lines.line(("s", "members", "User", 1, "absent")) == 10
    assert lines.line(()) is None


keys = st.text("ab_-9.\"'= é#[", min_size=1, max_size=4)
values = st.recursive(
    st.one_of(st.integers(0, 9), st.booleans(), st.text("a#]}\"'\n\\,=[{", max_size=6), st.just(1.5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=6,
)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[ # [\n" + "".join(f"{written(each)},\n" for each in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {written(each)}" for key, each in value.items()) + "}"
    return repr(value)


def places(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    found = {path} if path else set()
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found.union(*(places(each, (*path, key)) for key, each in inner))


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(keys, values, max_size=4))
def test_the_locator_finds_exactly_the_places_that_the_parser_finds(document: Mapping[str, Any]) -> None:
    text = "".join(f"{quoted(key)} = {written(value)}\n" for key, value in document.items())
    assert set(key_lines(text)) == places(tomllib.loads(text))


@pytest.mark.parametrize(
    ("text", "read", "message"),
    [
        ("a = 1", lambda t: t.expect_str("a"), "a: expected a string, found an integer"),
        ("", lambda t: t.expect_str("a"), "'a' is missing"),
        ("a = ' '", lambda t: t.expect_str("a"), "a: expected text, found an empty string"),
        ('a = "x\\u0000y"', lambda t: t.expect_str("a"), "a: holds a control character"),
        ('a = "../x"', lambda t: t.expect_name("a"), "a: '../x' is not a name"),
        ("a = true", lambda t: t.expect_int("a"), "a: expected an integer, found a boolean"),
        ("a = 0", lambda t: t.expect_int("a", minimum=1), "a: expected a number from 1, found 0"),
        ("a = 9", lambda t: t.expect_int("a", minimum=1, maximum=8), "a: expected a number from 1 to 8, found 9"),
        ("a = nan", lambda t: t.expect_float("a"), "a: expected a finite number"),
        ("a = inf", lambda t: t.expect_float("a"), "a: expected a finite number"),
        ("a = 1", lambda t: t.expect_bool("a"), "a: expected a boolean, found an integer"),
        ("a = 'rad'", lambda t: t.expect_enum("a", Colour), "a: there is no word 'rad'; did you mean 'red'?"),
        ("a = ['greeen']", lambda t: t.expect_enums("a", Colour), "a[0]: there is no colour 'greeen'; did you mean"),
        ("a = []", lambda t: t.expect_list("a"), "a: expected at least one, found an empty list"),
        ("a = ['x', 1]", lambda t: t.expect_list("a"), "a[1]: expected a string, found an integer"),
        ("a = ['x', 'x']", lambda t: t.expect_list("a"), "a[1]: 'x' is given twice"),
        ("a = 'x'", lambda t: t.expect_list("a"), "a: expected a list, found a string"),
        ("a = 'x'", lambda t: t.expect_table("a"), "a: expected a table, found a string"),
        ("[a]", lambda t: t.expect_tables("a"), "a: expected an array of tables, found a table"),
        ("a = [1]", lambda t: t.expect_tables("a"), "a[0]: expected a table, found an integer"),
        ("a.en = 'x'", lambda t: t.expect_text("a"), "a: 'zh-TW' is missing"),
        ("a = 2026-11-20T01:00:00", lambda t: t.expect_moment("a"), "a: expected a date or an RFC 3339 time"),
        ("a = '20261120'", lambda t: t.expect_moment("a"), "a: expected a date or an RFC 3339 time"),
        ("a = 'soon'", lambda t: t.expect_moment("a"), "a: expected a date or an RFC 3339 time"),
        ("a = 12:00:00", lambda t: t.expect_moment("a"), "a: expected a date or an RFC 3339 time"),
        ("[a.'x y']", lambda t: t.named_tables("a"), "a.'x y': 'x y' is not a name"),
        ("[a]\nb = 1", lambda t: t.named_tables("a"), "a.b: expected a table, found an integer"),
    ],
)
def test_a_wrong_value_is_one_problem_and_still_of_the_right_type(text: str, read: Any, message: str) -> None:
    reader = table(text)
    assert read(reader) is not None
    assert len(reader.problems) == 1
    assert message in str(reader.problems[0])


@pytest.mark.parametrize(
    "text",
    ["2026-11-20", "'2026-11-20'", "2026-11-20T00:00:00Z", "'2026-11-20T08:00:00+08:00'", "2026-11-20 00:00:00Z"],
)
def test_a_moment_is_utc_and_a_date_is_its_first_instant(text: str) -> None:
    assert table(f"a = {text}").expect_moment("a") == datetime(2026, 11, 20, tzinfo=UTC)


def test_unknown_keys_are_told_with_the_nearest_key_in_sub_tables_too() -> None:
    reader = table("nmae = 'x'\n[inner]\nlevle = 1\n")
    reader.expect_str("name", "")
    reader.expect_table("inner").expect_int("level", 0)
    reader.close()
    assert [str(problem) for problem in reader.problems] == [
        "x.toml:1: nmae: unknown key; did you mean 'name'?",
        "x.toml:3: inner.levle: unknown key; did you mean 'level'?",
    ]


def test_problems_are_raised_once_distinct_and_in_order() -> None:
    later, sooner = Problem("x", 9, "b", "m"), Problem("x", 2, "a", "m")
    with pytest.raises(ConfigurationError) as caught:
        raise_problems([later, sooner, later])
    assert caught.value.problems == (sooner, later)
    raise_problems([])


def test_a_default_stands_in_for_an_absent_key_only() -> None:
    reader = table("a = 3")
    assert (reader.expect_int("a", 7), reader.expect_int("b", 7), reader.optional_str("c")) == (3, 7, None)
    assert reader.problems == []


def test_only_regular_files_within_the_cap_are_read(tmp_path: Any) -> None:
    (tmp_path / "big").write_bytes(b"x" * 11)
    assert read_file(tmp_path / "big", 11) == b"x" * 11
    for path, words in ((tmp_path, "regular"), (tmp_path / "none", "No such file"), (tmp_path / "big", "larger")):
        with pytest.raises(OSError, match=words):
            read_file(path, 10)


@pytest.mark.parametrize(
    ("name", "good"), [("ad-corp", True), ("a.b_1", True), ("", False), (".a", False), ("a/b", False), ("é", False)]
)
def test_names_are_plain(name: str, good: bool) -> None:
    assert is_name(name) is good


def test_a_place_is_shown_as_people_write_it() -> None:
    assert dotted(("systems", "core bank", "members", "User", 0, "all")) == "systems.'core bank'.members.User[0].all"


def test_a_long_value_is_not_repeated_in_full() -> None:
    reader = table(f"a = '{'x' * 10_000}'")
    reader.expect_enum("a", Colour)
    assert len(reader.problems[0].message) < 600
