"""A TOML file read key by key, so that everything wrong with it is said at once, with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar

from scanner.errors import Problem, nearest
from scanner.result import Text

LANGUAGES = ("zh-TW", "en")
Path = tuple[str | int, ...]
EnumT = TypeVar("EnumT", bound=StrEnum)
ValueT = TypeVar("ValueT")

_KEY = r"(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')"
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_ASSIGNMENT = re.compile(rf"^\s*({_DOTTED})\s*=")
_PART = re.compile(_KEY)
_TYPE_NAMES: Mapping[type, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def line_index(text: str) -> dict[Path, int]:
    """Line, counted from 1, on which each table and key of a TOML text first stands; array elements by position."""
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            path: Path = ()
            *parents, last = _parts(header[2])
            for part in parents:
                path = (*path, part)
                if path in counts:
                    path = (*path, counts[path] - 1)
            path = (*path, last)
            if header[1] == "[[":
                lines.setdefault(path, number)
                counts[path] = counts.get(path, 0) + 1
                path = (*path, counts[path] - 1)
            table = path
            lines.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            path = table
            for part in _parts(assignment[1]):
                path = (*path, part)
                lines.setdefault(path, number)
    return lines


class Document:
    """One TOML file and the list to which its problems are added."""

    def __init__(self, name: str, content: bytes, problems: list[Problem]) -> None:
        self.name = name
        self._problems = problems
        self._text = ""
        values: dict[str, Any] = {}
        try:
            self._text = content.decode("utf-8")
            values = tomllib.loads(self._text)
        except UnicodeDecodeError as error:
            problems.append(Problem(name, None, "", f"is not UTF-8: {error.reason}", "save it as UTF-8"))
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"at line (\d+)", str(error))
            problems.append(Problem(name, int(found[1]) if found else None, "", f"is not TOML: {error}"))
        self.root = Table(self, (), values)

    @cached_property
    def _lines(self) -> dict[Path, int]:
        return line_index(self._text)

    def line(self, path: Path) -> int | None:
        """Line of a key, or of the nearest table around it that has a line of its own."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return None

    def problem(self, path: Path, message: str, hint: str = "") -> None:
        """Add a problem at this key."""
        key = ".".join(str(part) for part in path)
        self._problems.append(Problem(self.name, self.line(path), key, message, hint))


class Table:
    """One table of a TOML file; remembers which keys were asked for, so that the others can be called unknown.

    ``over`` holds tables whose keys win over its own, the strongest first.
    """

    def __init__(self, document: Document, path: Path, values: Mapping[str, Any], over: Sequence[Table] = ()) -> None:
        self.document = document
        self.path = path
        self._values = values
        self._over = tuple(over)
        self._known: set[str] = set()

    def names(self) -> Iterator[str]:
        """Keys that stand in it, in order."""
        yield from dict.fromkeys(key for layer in (self, *self._over) for key in layer._values)

    def has(self, key: str) -> bool:
        """Whether the key stands there; it then counts as known."""
        self._known.add(key)
        return any(key in layer._values for layer in (self, *self._over))

    def owner(self, key: str) -> Table:
        """The layer whose value of the key counts."""
        self._known.add(key)
        return next((layer for layer in (*self._over, self) if key in layer._values), self)

    def problem(self, key: str, message: str, hint: str = "") -> None:
        """Add a problem at a key, or at the table itself where the key is empty."""
        owner = self.owner(key) if key else self
        owner.document.problem((*owner.path, key) if key else owner.path, message, hint)

    def raw(self, key: str) -> Any:
        """The value as TOML gives it; None where the key does not stand there."""
        return self.owner(key)._values.get(key)

    def _of(self, key: str, kind: type[ValueT]) -> ValueT | None:
        value = self.raw(key)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if value is None:
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.problem(key, f"is {value!r}", f"expected {_TYPE_NAMES[kind]}")
            return None
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """Non-empty text; required unless a default is given."""
        value = self._of(key, str)
        if value is None and not self.has(key):
            if default is None:
                self.problem(key, "is missing", "expected text")
            return default or ""
        if value is not None and not value.strip():
            self.problem(key, "is empty", "expected text")
        return value or ""

    def number(self, key: str, default: float) -> float:
        """A number, or the default."""
        value = self._of(key, float)
        return default if value is None else value

    def whole(self, key: str) -> int:
        """A whole number; required."""
        value = self._of(key, int)
        if value is None and not self.has(key):
            self.problem(key, "is missing", "expected a whole number")
        return value or 0

    def flag(self, key: str) -> bool:
        """A yes or no that is no where the key does not stand there."""
        return bool(self._of(key, bool))

    def one_of(self, key: str, words: type[EnumT]) -> EnumT | None:
        """One of the words of an enum; required."""
        value = self.text(key)
        return self.word(key, value, words) if value else None

    def word(self, key: str, value: str, words: type[EnumT]) -> EnumT | None:
        """The value as a word of an enum; a problem at the key where it is none."""
        try:
            return words(value)
        except ValueError:
            self.problem(key, f"there is no {value!r} here{nearest(value, [word.value for word in words])}")
            return None

    def both(self, key: str) -> Text:
        """Words in both languages; required."""
        if not self.has(key):
            self.problem(key, "is missing", f"expected {key}.zh-TW and {key}.en")
            return Text(zh_tw="", en="")
        return self.table(key).languages()

    def both_or_none(self, key: str) -> Text | None:
        """Words in both languages, or None where the key does not stand there."""
        return self.both(key) if self.has(key) else None

    def languages(self) -> Text:
        """The words in both languages that are all of this table."""
        zh_tw, en = (self.text(language) for language in LANGUAGES)
        self.finish()
        return Text(zh_tw=zh_tw, en=en)

    def table(self, key: str) -> Table:
        """A table below; empty where it is not there or is something else."""
        owner = self.owner(key)
        value = self.raw(key)
        if value is not None and not isinstance(value, dict):
            self.problem(key, f"is {value!r}", "expected a table")
            value = None
        return Table(owner.document, (*owner.path, key), value or {})

    def tables(self, key: str) -> list[Table]:
        """An array of tables below; empty where it is not there or is something else."""
        owner = self.owner(key)
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            self.problem(key, f"is {value!r}", "expected an array of tables")
            return []
        return [Table(owner.document, (*owner.path, key, index), row) for index, row in enumerate(value)]

    def children(self) -> Iterator[tuple[str, Table]]:
        """Every key of the table as a table of its own."""
        for key in list(self.names()):
            yield key, self.table(key)

    def under(self, over: Sequence[Table]) -> Table:
        """The same table with others whose keys win over its own."""
        return Table(self.document, self.path, self._values, (*over, *self._over))

    def without(self, key: str) -> Table:
        """The same table as if the key did not stand there."""
        rest = {name: value for name, value in self._values.items() if name != key}
        return Table(self.document, self.path, rest, self._over)

    def finish(self) -> None:
        """Call every key that was never asked for unknown."""
        for key in self.names():
            if key not in self._known:
                self.problem(key, f"there is no key {key!r} here{nearest(key, self._known)}")
                self._known.discard(key)
