"""How package managers order versions: dpkg by deb-version(7), rpm by rpmvercmp of rpm's own manual."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import zip_longest

LONGEST = 256
_DPKG = re.compile(r"(?:([0-9]{1,9}):)?([0-9A-Za-z.+~:-]+?)(?:-([0-9A-Za-z.+~]*))?")
_RPM = re.compile(r"(?:([0-9]{1,9}):)?([^\s:-]+)(?:-([^\s:-]+))?")
_PIECES = re.compile(r"([^0-9]*)([0-9]*)")
_SEGMENTS = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")

MOST_REMEMBERED = 1 << 18
"""Pairs of versions whose order is kept."""

Compare = Callable[[str, str], int]
"""-1 where the first is earlier, 0 where both are one version, 1 where it is later; raises ValueError."""


def remembered(compare: Compare) -> Compare:
    """The same comparison, which keeps what it found: the hosts of a fleet have much the same versions."""
    return lru_cache(MOST_REMEMBERED)(compare)


def compare_dpkg(one: str, other: str) -> int:
    """Two versions ``[epoch:]upstream[-revision]``; an absent epoch or revision counts as 0."""
    left, right = _dpkg(one), _dpkg(other)
    return _sign(left[0], right[0]) or _debian(left[1], right[1]) or _debian(left[2], right[2])


def compare_rpm(one: str, other: str) -> int:
    """Two versions ``[epoch:]version[-release]``; an absent epoch counts as 0, without a release it is not compared."""
    left, right = _rpm(one), _rpm(other)
    compared = _sign(left[0], right[0]) or _segments(left[1], right[1])
    return compared or (_segments(left[2], right[2]) if left[2] and right[2] else 0)


def _sign(one: int, other: int) -> int:
    return (one > other) - (one < other)


def _dpkg(text: str) -> tuple[int, str, str]:
    found = _DPKG.fullmatch(text) if len(text) <= LONGEST else None
    if found is None or (found[1] is None and ":" in found[2]):
        raise ValueError(f"{text[:64]!r} is no version of dpkg")
    return int(found[1] or 0), found[2], found[3] or "0"


def _weight(character: str) -> int:
    """A tilde before the end, the end before letters, letters before all else."""
    if character == "~":
        return -1
    if not character:
        return 0
    return ord(character) if character.isalpha() else ord(character) + 256


def _debian(one: str, other: str) -> int:
    pairs = zip_longest(_PIECES.findall(one), _PIECES.findall(other), fillvalue=("", ""))
    for (letters, digits), (other_letters, other_digits) in pairs:
        for mine, theirs in zip_longest(letters, other_letters, fillvalue=""):
            if compared := _sign(_weight(mine), _weight(theirs)):
                return compared
        if compared := _sign(int(digits or 0), int(other_digits or 0)):
            return compared
    return 0


def _rpm(text: str) -> tuple[int, str, str]:
    found = _RPM.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        raise ValueError(f"{text[:64]!r} is no version of rpm")
    return int(found[1] or 0), found[2], found[3] or ""


def _segments(one: str, other: str) -> int:
    """A tilde is earlier than the end, a caret later than the end and earlier than anything else."""
    for mine, theirs in zip_longest(_SEGMENTS.findall(one), _SEGMENTS.findall(other), fillvalue=""):
        if mine == theirs:
            continue
        if "~" in (mine, theirs):
            return -1 if mine == "~" else 1
        if "^" in (mine, theirs):
            ends = theirs if mine == "^" else mine
            later = 1 if not ends else -1
            return later if mine == "^" else -later
        if not mine or not theirs:
            return 1 if mine else -1
        if mine.isdigit() != theirs.isdigit():
            return 1 if mine.isdigit() else -1
        if mine.isdigit():
            if compared := _sign(int(mine), int(theirs)):
                return compared
            continue
        return 1 if mine > theirs else -1
    return 0
