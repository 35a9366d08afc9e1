"""Reads TOML so that everything wrong with a file is said at once, with file, line, key and nearest valid word."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from scanner.errors import ConfigurationError, Problem, nearest
from scanner.institution.toml_lines import KeyPath, key_lines
from scanner.model import Text, utc

MAX_BYTES = 16 * 1024 * 1024
"""Largest configuration file that is read."""

_LONGEST_MESSAGE = 500
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NAME_HINT = "letters, digits, dot, underscore, hyphen; at most 64"
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_KINDS = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", list: "a list", dict: "a table"}

EnumT = TypeVar("EnumT", bound=StrEnum)


def read_file(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Bytes of a regular file of at most ``limit`` bytes; raises OSError that says what is wrong with it otherwise."""
    if path.exists() and not path.is_file():
        raise OSError("not a regular file")
    with path.open("rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise OSError(f"larger than {limit} bytes")
    return content


def decode_text(file: str, content: bytes) -> str:
    """UTF-8 text without byte-order mark, lines ended by a line feed; raises ConfigurationError naming the line."""
    if len(content) > MAX_BYTES:
        raise ConfigurationError([Problem(file, None, "", f"larger than {MAX_BYTES} bytes")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError([Problem(file, line, "", "not UTF-8 text", "save the file as UTF-8")]) from None
    return text.replace("\r\n", "\n")


def dotted(path: KeyPath) -> str:
    """The place as people write it: ``systems.core.members.User[0]``."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            shown += ("." if shown else "") + (part if _BARE.fullmatch(part) else repr(part))
    return shown


def has_control_character(text: str) -> bool:
    """Whether the text holds a control character other than line feed and tab."""
    return _CONTROL.search(text) is not None


def is_name(text: str) -> bool:
    """Whether it may name a thing: ASCII letters, digits, dot, underscore, hyphen; 1 to 64, no leading mark."""
    return _NAME.fullmatch(text) is not None


class TomlSource:
    """One parsed TOML file; knows the line of every key."""

    def __init__(self, file: str, content: bytes) -> None:
        """Parse ``content``; raises ConfigurationError with the line for bad UTF-8, syntax and duplicate keys."""
        self.file = file
        self._text = decode_text(file, content)
        try:
            self.data: Mapping[str, Any] = tomllib.loads(self._text)
        except RecursionError:
            raise ConfigurationError([Problem(file, None, "", "nested too deeply")]) from None
        except ValueError as error:
            raise ConfigurationError([self._syntax_problem(str(error))]) from None

    @cached_property
    def _lines(self) -> Mapping[KeyPath, int]:
        return key_lines(self._text)

    def line(self, path: KeyPath) -> int | None:
        """Line of the key, or of the nearest table around it; None for the document itself."""
        for end in range(len(path), 0, -1):
            if path[:end] in self._lines:
                return self._lines[path[:end]]
        return None

    def _syntax_problem(self, message: str) -> Problem:
        place = _PLACE.search(message)
        line = None
        if place:
            message = message[: place.start()]
            line = int(place["line"]) if place["line"] else self._text.rstrip("\n").count("\n") + 1
        hint = ""
        if message == "Cannot overwrite a value":
            message, hint = "not TOML: the key is given twice", "keep one of them"
        elif message.startswith("Cannot declare"):
            message, hint = "not TOML: the table is given twice", "keep one of them"
        else:
            message = f"not TOML: {message}"
        return Problem(self.file, line, "", message, hint)

    def table(self, problems: list[Problem]) -> Table:
        """Checked reader of the whole document; what is wrong is added to ``problems``."""
        return Table(self, (), self.data, problems)


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raise ConfigurationError with all of them, distinct and in file and line order; nothing if there are none."""
    found = sorted(set(problems), key=lambda problem: (problem.file, problem.line or 0, problem.key, problem.message))
    if found:
        raise ConfigurationError(found)


class Table:
    """Checked reader of one table.

    Every ``expect_*`` returns a value of the right type even where the file is wrong, after adding a Problem; without
    ``default`` the key is required. ``close`` then reports the keys that nothing asked for, in sub-tables too.
    """

    def __init__(self, source: TomlSource, path: KeyPath, data: Mapping[str, Any], problems: list[Problem]) -> None:
        self.source = source
        self.path = path
        self.data = data
        self.problems = problems
        self._asked: set[str] = set()
        self._children: list[Table] = []

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def line(self, *keys: str | int) -> int | None:
        """Line of a key of this table."""
        return self.source.line(self.path + keys)

    def problem(self, keys: str | int | KeyPath, message: str, hint: str = "") -> None:
        """Add one problem at a key of this table; ``()`` is the table itself."""
        path = self.path + (keys if isinstance(keys, tuple) else (keys,))
        if len(message) > _LONGEST_MESSAGE:
            message = message[:_LONGEST_MESSAGE] + "..."
        self.problems.append(Problem(self.source.file, self.source.line(path), dotted(path), message, hint))

    def close(self) -> None:
        """Report every key that was not asked for, with the nearest key that was."""
        for key in self.data:
            if key not in self._asked:
                self.problem(key, "unknown key" + nearest(key, self._asked))
        for child in self._children:
            child.close()

    def _take(self, key: str, kind: type | tuple[type, ...], required: bool) -> Any:
        """The value where it has the kind; None, with a problem unless merely absent, otherwise."""
        self._asked.add(key)
        if key not in self.data:
            if required:
                self.problem((), f"{key!r} is missing")
            return None
        value = self.data[key]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            self.problem(key, f"expected {_KINDS[kinds[0]]}, found {_found(value)}")
            return None
        return value

    def _sound(self, key: str | KeyPath, value: str, empty: bool = False) -> bool:
        if not value.strip() and not empty:
            self.problem(key, "expected text, found an empty string")
            return False
        if has_control_character(value):
            self.problem(key, "holds a control character")
            return False
        return True

    def expect_raw(self, key: str) -> Any:
        """The value as parsed, whatever it is; None where absent."""
        self._asked.add(key)
        return self.data.get(key)

    def expect_str(self, key: str, default: str | None = None, *, empty: bool = False) -> str:
        """Text without control characters other than line feed and tab; empty only with ``empty``."""
        value = self._take(key, str, default is None)
        if value is None or not self._sound(key, value, empty):
            return default or ""
        return str(value)

    def optional_str(self, key: str) -> str | None:
        """Text as in ``expect_str``; None where absent."""
        self._asked.add(key)
        return self.expect_str(key) if key in self.data else None

    def expect_name(self, key: str, default: str | None = None) -> str:
        """A name in the sense of ``is_name``."""
        value = self.expect_str(key, default)
        if key in self.data and value and not is_name(value):
            self.problem(key, f"{value!r} is not a name", _NAME_HINT)
        return value

    def expect_int(
        self, key: str, default: int | None = None, *, minimum: int | None = None, maximum: int | None = None
    ) -> int:
        """An integer within the bounds, both included."""
        value = self._take(key, int, default is None)
        return (default or 0) if value is None or not self._bounded(key, value, minimum, maximum) else int(value)

    def expect_float(
        self, key: str, default: float | None = None, *, minimum: float | None = None, maximum: float | None = None
    ) -> float:
        """A finite number within the bounds, both included; an integer is a number."""
        value = self._take(key, (float, int), default is None)
        if value is not None and not math.isfinite(value):
            self.problem(key, "expected a finite number")
            value = None
        return (default or 0.0) if value is None or not self._bounded(key, value, minimum, maximum) else float(value)

    def _bounded(self, key: str, value: float, minimum: float | None, maximum: float | None) -> bool:
        if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
            between = f"from {minimum}" if maximum is None else f"from {minimum} to {maximum}"
            self.problem(key, f"expected a number {between}, found {value}")
            return False
        return True

    def expect_bool(self, key: str, default: bool | None = None) -> bool:
        """true or false."""
        value = self._take(key, bool, default is None)
        return bool(default) if value is None else bool(value)

    def expect_enum(self, key: str, kind: type[EnumT], default: EnumT | None = None) -> EnumT:
        """A word of the enumeration, told with the nearest word where it is none."""
        words = [str(member) for member in kind]
        value = self.expect_word(key, words, str(default) if default is not None else None)
        return kind(value) if value in words else (default if default is not None else next(iter(kind)))

    def expect_word(self, key: str, known: Iterable[str], default: str | None = None, what: str = "word") -> str:
        """One of the ``known`` words; ``what`` says what they name."""
        value = self.expect_str(key, default)
        if value and key in self.data and value not in (words := frozenset(known)):
            self.problem(key, f"there is no {what} {value!r}{nearest(value, words)}")
            return default or ""
        return value

    def expect_list(
        self,
        key: str,
        default: tuple[str, ...] | None = None,
        *,
        known: Iterable[str] | None = None,
        what: str = "word",
        empty: bool = False,
        valid: Callable[[str], str | None] | None = None,
    ) -> tuple[str, ...]:
        """Distinct texts in the order given, of the ``known`` words where told; ``valid`` says what is wrong with one.

        An empty list is a problem unless ``empty``, and so is any element that is not text.
        """
        values = self._take(key, list, default is None)
        if values is None:
            return default or ()
        if not values and not empty:
            self.problem(key, "expected at least one, found an empty list")
        words = None if known is None else frozenset(known)
        kept: list[str] = []
        for position, value in enumerate(values):
            at = (key, position)
            if not isinstance(value, str):
                self.problem(at, f"expected a string, found {_found(value)}")
            elif value in kept:
                self.problem(at, f"{value!r} is given twice")
            elif words is not None and value not in words:
                self.problem(at, f"there is no {what} {value!r}{nearest(value, words)}")
            elif self._sound(at, value):
                wrong = valid(value) if valid else None
                if wrong:
                    self.problem(at, wrong)
                kept.append(value)
        return tuple(kept)

    def expect_enums(self, key: str, kind: type[EnumT], default: tuple[EnumT, ...] | None = None) -> tuple[EnumT, ...]:
        """Distinct words of the enumeration, at least one."""
        words = self.expect_list(
            key, None if default is None else tuple(map(str, default)), known=map(str, kind), what=kind.__name__.lower()
        )
        return tuple(kind(word) for word in words)

    def expect_moment(self, key: str, default: datetime | None = None) -> datetime:
        """A moment in UTC: RFC 3339 with a zone, or a date, which means its first instant in UTC; epoch if wrong."""
        fallback = default or datetime.fromtimestamp(0, UTC)
        value = self.expect_raw(key)
        if value is None:
            if default is None:
                self.problem((), f"{key!r} is missing")
            return fallback
        try:
            return _moment(value)
        except (ValueError, OverflowError):
            self.problem(key, "expected a date or an RFC 3339 time with its zone", "2026-11-20 or 2026-11-20T01:00:00Z")
            return fallback

    def expect_text(self, key: str) -> Text:
        """The same words in every language: a table with ``zh-TW`` and ``en``."""
        words = self.expect_table(key)
        if key not in self.data:
            return Text(zh_tw="", en="")
        return Text(zh_tw=words.expect_str("zh-TW"), en=words.expect_str("en"))

    def expect_table(self, key: str, *, required: bool = True) -> Table:
        """A sub-table; an empty one where absent or wrong."""
        return self._child((key,), self._take(key, dict, required) or {})

    def expect_tables(self, key: str, *, required: bool = True) -> tuple[Table, ...]:
        """An array of at least one table, as ``[[key]]`` makes it."""
        if isinstance(self.data.get(key), dict):
            self._asked.add(key)
            self.problem(key, "expected an array of tables, found a table", "write [[...]] with two brackets")
            return ()
        values = self._take(key, list, required) or []
        if key in self.data and self.data[key] == []:
            self.problem(key, "expected at least one, found an empty list")
        for position, value in enumerate(values):
            if not isinstance(value, dict):
                self.problem((key, position), f"expected a table, found {_found(value)}")
        return tuple(
            self._child((key, position), value) for position, value in enumerate(values) if isinstance(value, dict)
        )

    def named_tables(self, key: str, *, required: bool = True, names: bool = True) -> dict[str, Table]:
        """Tables by their name, as ``[key.NAME]`` makes them; ``names`` holds them to ``is_name``."""
        parent = self.expect_table(key, required=required)
        tables: dict[str, Table] = {}
        for name in parent.data:
            if names and not is_name(name):
                parent.problem(name, f"{name!r} is not a name", _NAME_HINT)
            child = parent.expect_table(name)
            if isinstance(parent.data[name], dict):
                tables[name] = child
        return tables

    def words(self) -> tuple[str, ...]:
        """Names of all keys of this table, which counts as asking for them."""
        self._asked.update(self.data)
        return tuple(self.data)

    def _child(self, path: KeyPath, data: Mapping[str, Any]) -> Table:
        child = Table(self.source, self.path + path, data, self.problems)
        self._children.append(child)
        return child


def _found(value: object) -> str:
    return _KINDS.get(type(value), "a date or time")


def _moment(value: object) -> datetime:
    if isinstance(value, str):
        if not re.match(r"\d{4}-\d{2}-\d{2}", value):
            raise ValueError(value)
        value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise ValueError(value)
