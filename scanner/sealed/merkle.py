"""The Merkle tree hash of RFC 9162, section 2.1.1: one digest for a list of leaves in their order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

_LEAF = b"\x00"
_NODE = b"\x01"


def tree_hash(leaves: Iterable[bytes]) -> str:
    """The root over the leaves, 64 hex digits; the root of no leaf is SHA-256 of nothing.

    Keeps one hash per level, so any number of leaves fits in memory.
    """
    stack: list[tuple[int, bytes]] = []
    for leaf in leaves:
        height, digest = 0, hashlib.sha256(_LEAF + leaf).digest()
        while stack and stack[-1][0] == height:
            left = stack.pop()[1]
            height, digest = height + 1, hashlib.sha256(_NODE + left + digest).digest()
        stack.append((height, digest))
    if not stack:
        return hashlib.sha256().hexdigest()
    _, root = stack.pop()
    while stack:
        _, left = stack.pop()
        root = hashlib.sha256(_NODE + left + root).digest()
    return root.hex()
