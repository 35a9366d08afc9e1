"""Sets down who reads verdicts, and who was refused: one entry a caller in ten minutes, and a few refusals a minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from scanner.fleet.answers import Answer
from scanner.fleet.database import Database
from scanner.fleet.door import Allowance
from scanner.fleet.journal import AUDIT, note
from scanner.fleet.metrics import Metrics
from scanner.fleet.signal_callers import Caller
from scanner.fleet.writer import Busy, Errand

WINDOW_S = 600
NOTED = 10
"""Refusals in a minute that are set down one by one; all are counted."""
NAMED = 20
"""Agents that one entry names; the rest is counted."""


@dataclass
class _Window:
    begun: float
    reads: Counter[str] = field(default_factory=Counter)


class Ledger:
    """What callers read; used by the event loop only."""

    def __init__(self, send: Callable[[Errand], object], metrics: Metrics) -> None:
        self._send, self._metrics = send, metrics
        self._windows: dict[str, _Window] = {}
        self._notes = Allowance(NOTED)

    def read(self, caller: Caller, address: str, agents: list[str], now: float) -> None:
        """Set down that verdicts were read: at once for the first in a window, its sum with the first of the next."""
        self._metrics.add("ztgrade_fleet_verdicts_total", len(agents), caller=caller.name)
        window = self._windows.get(caller.handle)
        if window is None or now - window.begun >= WINDOW_S:
            before = window.reads if window else Counter[str]()
            window = self._windows[caller.handle] = _Window(now)
            says = {"caller": caller.handle, "name": caller.name, "address": address}
            if before:
                says |= {"before": sum(before.values()), "agents": sorted(before)[:NAMED]}  # type: ignore[dict-item]
            self._note("posture_read", says)
        for agent in agents:
            if agent in window.reads or len(window.reads) < NAMED:
                window.reads[agent] += 1
            else:
                window.reads["others"] += 1

    def refused(self, word: str, address: str, handle: str, now: float) -> None:
        """Set down that somebody may not read."""
        self._metrics.add("ztgrade_fleet_refused_callers_total", why=word)
        if self._notes.take("", now):
            self._note("posture_refused", {"why": word, "address": address, "caller": handle})

    def _note(self, event: str, says: dict[str, str]) -> None:
        def errand(database: Database, then: int) -> Answer:
            note(database, AUDIT, then, event=event, **says)
            return Answer(204, b"")

        try:
            self._send(errand)
        except Busy:
            self._metrics.add("ztgrade_fleet_notes_dropped_total")
