"""How many losses are graded: a seeded share of those that are many, or all of them where the table is made anew."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator

from tests.honesty.law import Loss

EVERY_ONE = "ZTGRADE_EVERY_LOSS"
SEED = 7


def every_one() -> bool:
    """Whether all losses are graded; always so where the table is accepted, which takes many minutes."""
    return bool(os.environ.get(EVERY_ONE) or os.environ.get("ZTGRADE_ACCEPT_GOLDEN"))


def drawn(losses: Iterable[Loss], one_in: int) -> Iterator[Loss]:
    """One of so many, the same ones each time; all where every one is graded."""
    held = list(losses)
    if every_one():
        return iter(held)
    chosen = sorted(random.Random(SEED).sample(range(len(held)), -(-len(held) // one_in)))
    return iter([held[number] for number in chosen])
