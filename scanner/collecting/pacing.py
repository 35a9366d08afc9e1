"""How fast and how often a source may be asked: stopping, backoff, and the ledger of refused logins."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from scanner.errors import LoginRefused

REFUSALS_ALLOWED = 3
"""A credential refused so often is not used again in the run; directories lock accounts after as few as five."""
TRIES = 6
"""Times that a throttled call is made before it is given up."""
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
"""Longest wait of our own choosing; a source may ask for a longer one."""
FIRST_SPACE_SECONDS = 0.1
LONGEST_SPACE_SECONDS = 2.0
CLOSER = 0.95
"""What each answer leaves of the space between calls."""


class Halted(BaseException):
    """Reading must end now: the run was stopped, or the target's time is over.

    Not an error, and not an ``Exception``, so that no collector takes it for one and carries on.
    """


@dataclass(frozen=True)
class Pace:
    """How time passes: ``elapsed`` in seconds from any start; ``sleep`` waits on an event for so many seconds."""

    elapsed: Callable[[], float] = time.monotonic
    sleep: Callable[[threading.Event, float], object] = threading.Event.wait
    seed: int = 0

    def random(self, target: str) -> Random:
        """The jitter of one target, the same in every run with the same seed."""
        return Random(f"{self.seed}:{target}")  # noqa: S311 - spreads waits, guards nothing


class Stop:
    """Whether the run was told to end, by a file that appears or by an interrupt."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.event = threading.Event()

    def request(self) -> None:
        """Tell the run to end."""
        self.event.set()

    def look(self) -> bool:
        """Whether the run was told to end; looks for the file."""
        if not self.event.is_set() and self.path is not None and os.path.exists(self.path):
            self.event.set()
        return self.event.is_set()


def waits(random: Random) -> Iterator[float]:
    """Seconds to wait after each throttled try: doubling to a limit, each up to a quarter longer by chance."""
    seconds = FIRST_WAIT_SECONDS
    while True:
        yield seconds * (1 + random.random() / 4)
        seconds = min(seconds * 2, LONGEST_WAIT_SECONDS)


def wait_for(own: float, asked: float | None) -> float:
    """The longer of our own wait and the one that the source asked for; an absurd one counts as none."""
    if asked is None or not isinstance(asked, (int, float)) or not math.isfinite(asked):
        return own
    return max(own, float(asked))


class Spacing:
    """How far apart the calls of one target are: not at all until it asks to slow down, then less with each answer.

    Repeating the one call that was throttled is not enough: the next would be throttled as well.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def throttled(self) -> None:
        """Double the space, to a limit."""
        self.seconds = min(max(self.seconds * 2, FIRST_SPACE_SECONDS), LONGEST_SPACE_SECONDS)

    def answered(self) -> None:
        """Draw closer, and together in the end."""
        self.seconds = self.seconds * CLOSER if self.seconds > FIRST_SPACE_SECONDS / 10 else 0.0


class CredentialLedger:
    """Counts refused logins per credential, and stops a credential everywhere before it can lock an account.

    Logins under way count as if refused until they end, so that parallel ones cannot exceed the limit together.
    """

    def __init__(self, allowed: int = REFUSALS_ALLOWED) -> None:
        self._allowed = allowed
        self._changed = threading.Condition()
        self._refused: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()

    def stopped(self, credential: str) -> bool:
        """Whether the credential was refused too often to be used again."""
        with self._changed:
            return self._refused[credential] >= self._allowed

    def heed(self, credential: str) -> None:
        """Raise LoginRefused where the credential is stopped."""
        if self.stopped(credential):
            raise LoginRefused(
                f"credential {credential!r} was refused {self._allowed} times and is not used again in this run; "
                "correct it before the next one"
            )

    def refused(self, credential: str) -> None:
        """Count a refusal that did not come from a login begun here."""
        with self._changed:
            self._refused[credential] += 1
            self._changed.notify_all()

    def begin(self, credential: str, heed: Callable[[], None]) -> Login:
        """Wait until one more refusal would stay within the limit; ``heed`` may raise to end the waiting."""
        while True:
            self.heed(credential)
            heed()
            with self._changed:
                if self._refused[credential] + self._under_way[credential] < self._allowed:
                    self._under_way[credential] += 1
                    return Login(self, credential)
                if self._refused[credential] < self._allowed:
                    self._changed.wait(0.1)

    def settle(self, credential: str, *, refused: bool, under_way: bool) -> None:
        """Note how a login ended; ``under_way`` where it had not been given up before."""
        with self._changed:
            self._refused[credential] += refused
            self._under_way[credential] -= under_way
            self._changed.notify_all()


class Login:
    """One login under way."""

    def __init__(self, ledger: CredentialLedger, credential: str) -> None:
        self._ledger = ledger
        self._credential = credential
        self._lock = threading.Lock()
        self._under_way = True

    def end(self, *, refused: bool = False) -> None:
        """Say how it ended. One that was given up may still be refused later, and then counts."""
        with self._lock:
            under_way, self._under_way = self._under_way, False
        self._ledger.settle(self._credential, refused=refused, under_way=under_way)


class Slots:
    """How many targets are read at once in all, per credential and per site; used from one thread."""

    def __init__(self, parallel: int, per_credential: int, per_site: int) -> None:
        self._limits = {"all": parallel, "credential": per_credential, "site": per_site}
        self._taken: Counter[tuple[str, str]] = Counter()

    def take(self, credential: str | None, site: str) -> bool:
        """Take a place for one target, or none at all where one of the limits is reached."""
        places = self._places(credential, site)
        if any(self._taken[place] >= self._limits[place[0]] for place in places):
            return False
        self._taken.update(places)
        return True

    def give_back(self, credential: str | None, site: str) -> None:
        """Free the place of one target."""
        self._taken.subtract(self._places(credential, site))

    def _places(self, credential: str | None, site: str) -> list[tuple[str, str]]:
        shared = [("all", ""), ("site", site)]
        return shared if credential is None else [*shared, ("credential", credential)]
