"""When to speak next: spread over the interval, backed off after failures, and before a certificate ends."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

SHORTEST = 60
LONGEST = 24 * 3600
"""Bounds of the interval that a server may set, in seconds."""
LEAST = 5
"""To which the host's own administrator may lower the first of them; no server can."""

FIRST_BACKOFF = 5.0
LAST_BACKOFF = 1800.0
SLOW = 3600.0
"""Seconds between attempts while the server says no, rather than nothing."""


def clamped(interval: int, shortest: int = SHORTEST, longest: int = LONGEST) -> int:
    """The interval within its bounds."""
    return max(shortest, min(longest, interval))


def until_slot(now: float, agent: str, interval: int) -> float:
    """Seconds until this agent's turn: each has its own moment in every interval, so that a fleet never comes at once.

    ``now`` is seconds since 1970; the result is more than 0 and at most ``interval``.
    """
    return interval - (now - share(agent) * interval) % interval


def share(text: str) -> float:
    """A number from 0 up to 1 that a text always gives."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def backoff(failures: int, retry_after: int | None, chance: Callable[[], float]) -> float:
    """Seconds until the next attempt after so many failures in a row.

    Full jitter between 5 seconds and 30 minutes; never sooner than the server asked for, and then spread over as much
    again (at most 5 minutes), since it asked everybody. ``chance`` gives a number from 0 up to 1.
    """
    if retry_after is not None:
        asked = float(max(1, min(LONGEST, retry_after)))
        return asked + chance() * min(asked, 300.0)
    return max(1.0, chance() * min(LAST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failures, 20)))


def slowly(chance: Callable[[], float]) -> float:
    """Seconds until the next attempt after a no: between half an hour and an hour."""
    return SLOW * (0.5 + chance() / 2)


def renews_at(not_before: datetime, not_after: datetime, key_id: str) -> datetime:
    """When a certificate is renewed: at half of its life, give or take a tenth, always the same for one key."""
    return not_before + (not_after - not_before) * (0.4 + 0.2 * share(key_id))
