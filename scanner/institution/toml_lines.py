"""Finds the line on which each key of a TOML document stands; the document must already have parsed."""

from __future__ import annotations

import re
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]
"""Place of a value: names of keys, and positions in arrays from 0."""

_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^\s,\]}#]+")
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """Line, counted from 1, of every key, table header and array element of a valid TOML ``text``."""
    return _Locator(text).lines


class _Locator:
    """Walks a document once; it trusts the grammar, since the real parser has already accepted the text."""

    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        self._elements: dict[KeyPath, int] = {}
        table: KeyPath = ()
        self._skip_blank()
        while self._at < len(text):
            if text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip_blank()

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _note(self, path: KeyPath) -> None:
        for end in range(1, len(path) + 1):
            self.lines.setdefault(path[:end], self._here())

    def _skip_blank(self, also: str = "") -> None:
        text = self._text
        while self._at < len(text):
            if text[self._at] == "#":
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
            elif text[self._at] in " \t\r\n" or text[self._at] in also:
                self._at += 1
            else:
                return

    def _header(self) -> KeyPath:
        many = self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        names = self._key()
        path: KeyPath = ()
        for position, name in enumerate(names):
            path += (name,)
            last = position == len(names) - 1
            if many and last:
                self._elements[path] = self._elements.get(path, -1) + 1
            if path in self._elements:
                path += (self._elements[path],)
        self._note(path)
        self._at = self._text.index("]", self._at) + (2 if many else 1)
        return path

    def _pair(self, table: KeyPath) -> None:
        path = table + self._key()
        self._note(path)
        self._at = self._text.index("=", self._at) + 1
        self._value(path)

    def _key(self) -> tuple[str, ...]:
        names = []
        while True:
            self._skip_blank()
            start = self._at
            if self._text[start] in "\"'":
                self._string()
                names.append(_unquoted(self._text[start : self._at]))
            else:
                bare = _BARE.match(self._text, start)
                self._at = bare.end() if bare else start + 1
                names.append(self._text[start : self._at])
            self._skip_blank()
            if not self._text.startswith(".", self._at):
                return tuple(names)
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        self._skip_blank()
        first = self._text[self._at]
        if first in "\"'":
            self._string()
        elif first == "[":
            self._at += 1
            position = 0
            self._skip_blank(",")
            while self._text[self._at] != "]":
                self._note((*path, position))
                self._value((*path, position))
                position += 1
                self._skip_blank(",")
            self._at += 1
        elif first == "{":
            self._at += 1
            self._skip_blank(",")
            while self._text[self._at] != "}":
                self._pair(path)
                self._skip_blank(",")
            self._at += 1
        else:
            scalar = _SCALAR.match(self._text, self._at)
            self._at = scalar.end() if scalar else self._at + 1

    def _string(self) -> None:
        quote = self._text[self._at]
        if self._text.startswith(quote * 3, self._at):
            self._at += 3
            while not self._text.startswith(quote * 3, self._at):
                self._at += 2 if quote == '"' and self._text[self._at] == "\\" else 1
            self._at += 3
            while self._text.startswith(quote, self._at):
                self._at += 1
            return
        self._at += 1
        while self._text[self._at] != quote:
            self._at += 2 if quote == '"' and self._text[self._at] == "\\" else 1
        self._at += 1


def _unquoted(quoted: str) -> str:
    if quoted[0] == "'":
        return quoted[1:-1]
    return _ESCAPE.sub(
        lambda found: chr(int(found[1][1:], 16)) if found[1][0] in "uU" else _ESCAPES[found[1]], quoted[1:-1]
    )
