"""Collected text made harmless to read: nothing invisible, nothing reordering, nothing endless."""

from __future__ import annotations

import re
import unicodedata

FIELD_LIMIT = 300
"""Characters shown of one collected value."""
PROSE_LIMIT = 6_000
"""Characters shown of one text of a baseline."""
MARKS_LIMIT = 4
"""Combining marks shown on one character; more of them only paint over the neighbouring lines."""

# Controls, format characters (all bidi and zero-width ones), surrogates, unassigned, line and paragraph separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
# Letters by category that nevertheless paint nothing: Hangul fillers, braille blank.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_PLAIN = re.compile(r"[ -~\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u3000-\u303f\u4e00-\u9fff\uff01-\uff60]*")


class Shown(str):
    """Text that has been through ``visible`` or ``prose``; not cut a second time."""

    __slots__ = ()


def visible(text: str, limit: int = FIELD_LIMIT) -> Shown:
    """The text with controls, bidi and zero-width characters, lone surrogates and blanks as ``⟨U+202E⟩``, and cut.

    Code points are spelled out because the fonts of many machines have no control pictures. ``limit`` counts
    characters shown; how many characters of the text were cut off is said at the end.
    """
    if isinstance(text, Shown):
        return text
    if len(text) <= limit and _PLAIN.fullmatch(text):
        return Shown(text)
    shown, taken = _symbols(text, limit)
    return Shown(shown if taken == len(text) else f"{shown}… ⟨+{len(text) - taken:,}⟩")


def prose(text: str) -> Shown:
    """A text of a baseline or of this package: white space and line breaks run together, then as ``visible``."""
    return visible(" ".join(text.split()), PROSE_LIMIT)


def code_lines(text: str) -> Shown:
    """A text whose line breaks and indentation matter, each line as ``visible``."""
    lines = text[:PROSE_LIMIT].split("\n")
    cut = "" if len(text) <= PROSE_LIMIT else f"\n… ⟨+{len(text) - PROSE_LIMIT:,}⟩"
    return Shown("\n".join(visible(line, PROSE_LIMIT) for line in lines) + cut)


def _symbols(text: str, limit: int) -> tuple[str, int]:
    """What is shown, within ``limit`` characters, and how many characters of the text that covers."""
    symbols: list[str] = []
    marks = room = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        odd_space = category == "Zs" and character not in " \u3000"
        hidden = category in _HIDDEN or odd_space or character in _BLANK or marks > MARKS_LIMIT
        symbol = f"⟨U+{ord(character):04X}⟩" if hidden else character
        room += len(symbol)
        if room > limit:
            break
        symbols.append(symbol)
    return "".join(symbols), len(symbols)
