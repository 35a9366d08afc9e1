"""Patterns of OVAL documents that are simple enough to be tried without harm."""

from __future__ import annotations

import re

LONGEST = 8192
LONGEST_SUBJECT = 256
MOST_REPEATS = 2
"""Repeats of one pattern; each more could multiply the time by the length of what it is tried on."""
_ATOM = r"[A-Za-z0-9 _.:~=/-]|\\[.+d-]|\[\^?\\d\]"
_SIMPLE = re.compile(rf"\^?(?:(?:{_ATOM})\+?|\([A-Za-z0-9 _.~-]+(?:\|[A-Za-z0-9 _.~-]+)*\))*\$?")


def matches(pattern: str, subject: str) -> bool | None:
    """Whether the pattern is found in the subject; None for patterns that are not tried.

    Tried are literals, digits, their opposite, these repeated, and groups of alternatives, as feeds use them.
    """
    if len(pattern) > LONGEST or len(subject) > LONGEST_SUBJECT or pattern.count("+") > MOST_REPEATS:
        return None
    if not _SIMPLE.fullmatch(pattern):
        return None
    return re.search(pattern, subject) is not None
