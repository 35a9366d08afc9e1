"""The resident agent: one cycle in each interval, sooner or later after a failure, until it is told to end."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from agent.cycle import Cycle
from agent.schedule import until_slot
from agent.trouble import TROUBLE

SHORTEST_PAUSE = 1.0


class Resident:
    """Runs cycles; nothing but ``stop`` or a signal ends it.

    ``pause`` turns the seconds until the next turn into those that are really waited.
    """

    def __init__(
        self,
        cycle: Cycle,
        stop: threading.Event,
        *,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], float] = lambda seconds: seconds,
    ) -> None:
        self._cycle = cycle
        self._stop = stop
        self._now = now
        self._pause = pause

    def run(self) -> None:
        """Go on until the end."""
        collect, pause = True, self._first()
        while not self._stop.wait(self._pause(pause)):
            try:
                collect, pause = self._turn(collect)
            except TROUBLE:
                pause = 60.0

    def _first(self) -> float:
        """At once where nothing was ever accepted, else in turn: what starts together must not come together."""
        try:
            return self._slot() if self._cycle.standing().accepted_at else 0.0
        except TROUBLE:
            return 0.0

    def _turn(self, collect: bool) -> tuple[bool, float]:
        """One turn; gives whether the next one looks at the host again, and the seconds until then."""
        if collect:
            self._cycle.collect()
        if self._cycle.wait() <= 0:
            self._cycle.tell()
        _give_memory_back()
        slot = self._slot()
        retry = max(SHORTEST_PAUSE, self._cycle.wait())
        if self._cycle.attempts.failures and retry < slot:
            return False, retry
        return True, slot

    def _slot(self) -> float:
        identity = self._cycle.identity()
        return until_slot(self._now(), identity.agent if identity else "", self._cycle.standing().interval)


def _give_memory_back() -> None:
    """Let the C library return what the cycle does not need any more; only glibc keeps it otherwise."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def end_on_signals(stop: threading.Event) -> None:
    """Let SIGTERM and SIGINT end the process at once, whatever it does: it may be killed at any moment anyway."""

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
