"""The words of the reports in each language, from ``words.toml`` beside this file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from reports.visible import PROSE_LIMIT, Shown, prose, visible

LANGUAGES = ("zh-TW", "en")
"""BCP 47 tags of the languages that a report can be written in."""


class Words:
    """Words in one language; a missing word is an error, never an empty place in a report."""

    def __init__(self, language: str, table: Mapping[str, Mapping[str, str]]) -> None:
        self.language = language
        self._table = table

    def say(self, key: str, /, **values: object) -> Shown:
        """The sentence ``section.name`` with its ``{placeholders}`` filled; values are made visible first.

        Raises KeyError for an unknown key and for a placeholder without a value.
        """
        pattern = self._table[key][self.language]
        return visible(pattern.format(**{name: visible(str(value)) for name, value in values.items()}), PROSE_LIMIT)

    def term(self, section: str, value: object) -> Shown:
        """The word for an enum value in a section, or the value itself, made visible, where there is none."""
        entry = self._table.get(f"{section}.{value}")
        return visible(str(value)) if entry is None else prose(entry[self.language])

    def knows(self, section: str, value: object) -> bool:
        """Whether a section has a word for the value."""
        return f"{section}.{value}" in self._table


def load_words(language: str) -> Words:
    """The words of one of LANGUAGES; raises ValueError for any other."""
    if language not in LANGUAGES:
        raise ValueError(f"reports are written in {' or '.join(LANGUAGES)}, not {language!r}")
    return Words(language, word_table())


def word_table() -> dict[str, dict[str, str]]:
    """Every word by ``section.name``, in every language."""
    text = resources.files("reports").joinpath("words.toml").read_text("utf-8")
    sections: dict[str, dict[str, Any]] = tomllib.loads(text)
    return {f"{section}.{name}": entry for section, names in sections.items() for name, entry in names.items()}
