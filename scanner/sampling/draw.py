"""Draws a sample that anybody can draw again with ``sha256sum`` and ``sort``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from scanner.errors import UsageError

SHORTEST_SEED = 8
LONGEST_SEED = 200


def frame_digest(keys: Iterable[str]) -> str:
    """SHA-256 in hex over the keys in order of their UTF-8 bytes, each ended by a line feed."""
    digest = hashlib.sha256()
    for key in sorted(keys):
        digest.update(f"{key}\n".encode())
    return digest.hexdigest()


def place_of(seed: str, key: str) -> str:
    """What the keys are ordered by: SHA-256 in hex over seed, line feed, key, in UTF-8."""
    return hashlib.sha256(f"{seed}\n{key}".encode()).hexdigest()


def draw(keys: Iterable[str], seed: str, size: int) -> list[str]:
    """The first ``size`` of the keys in order of ``place_of``; raises UsageError where there are fewer."""
    held = set(keys)
    if not 1 <= size <= len(held):
        raise UsageError(f"{size} cannot be drawn of {len(held)}")
    return sorted(held, key=lambda key: (place_of(seed, key), key))[:size]


def seed_fault(seed: str) -> str | None:
    """What is wrong with a seed; None where nothing is."""
    if not SHORTEST_SEED <= len(seed) <= LONGEST_SEED or not seed.isprintable() or seed != seed.strip():
        return f"expected {SHORTEST_SEED} to {LONGEST_SEED} printable characters in one line"
    return None


def key_line_fault(key: str, longest: int = 1024) -> str | None:
    """Why a key cannot stand in a frame; None where it can."""
    if len(key) > longest:
        return f"is longer than {longest} characters"
    if not key or key != key.strip() or len(key.splitlines()) != 1 or "\t" in key:
        return "expected one line of text without spaces around it"
    try:
        key.encode()
    except UnicodeEncodeError:
        return "is no text that UTF-8 can hold"
    return None


def differences(expected: Sequence[str], found: Sequence[str]) -> tuple[list[str], list[str]]:
    """Keys that are missing, and keys that are too many, in order."""
    return sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
