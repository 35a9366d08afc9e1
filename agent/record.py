"""What the agent has of its past, on disk or, while that takes nothing, in memory: what the server accepted last, how
the attempts went, and what waits to be told."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from agent import __version__, wire
from agent.enrolment import utc
from agent.schedule import backoff, slowly
from agent.section import moment
from agent.spool import Spool
from agent.state import Attempts, Standing, StateFolder

MOST_KINDS = 40
"""Kinds of trouble that are counted apart."""


class Record:
    """The agent's memory. ``now`` gives seconds since 1970, ``chance`` a number from 0 up to 1."""

    def __init__(self, state: StateFolder, now: Callable[[], float], chance: Callable[[], float]) -> None:
        self._state = state
        self._now = now
        self._chance = chance
        self.attempts = self._read_attempts()
        self.spool = Spool(state.spool, lambda name: self.count(f"damaged in the spool: {name.split('.')[-1]}"))
        self._standing: Standing | None = None
        self._unwritten = False
        """Whether it could not be written, while the disk is full."""
        if wire.version_numbers(self.attempts.highest_version) < wire.version_numbers(__version__):
            self.attempts = replace(self.attempts, highest_version=__version__)

    def standing(self) -> Standing:
        """What the server accepted last."""
        if self._standing is None:
            self._standing = self._state.standing()
        return self._standing or Standing()

    def keep(self, standing: Standing) -> None:
        """Keep what the server accepted: the reserve of the disk goes first, then it lies in memory."""
        self._standing = standing
        try:
            try:
                self._state.keep(standing)
            except OSError:
                self.spool.make_room()
                self._state.keep(standing)
        except OSError as error:
            self._unwritten = True
            self.spool.degraded = f"what the server accepted lies in memory: {error.strerror or error}"
        else:
            self._unwritten = False

    def settle(self) -> None:
        """Bring to disk what lies in memory, where there is room again."""
        self.spool.settle()
        if self._unwritten:
            self.keep(self.standing())

    def begin_anew(self) -> None:
        """Take up what an enrolment has written, and forget what lies in memory of an identity that is given up."""
        self._standing, self._unwritten = None, False

    def keep_attempts(self) -> None:
        """Keep how the last attempts went."""
        self.attempts = replace(self.attempts, degraded=self.spool.degraded)
        try:
            self._state.keep(self.attempts)
        except OSError as error:
            self.attempts = replace(self.attempts, degraded=f"status cannot be written: {error.strerror or error}")

    def wait(self) -> float:
        """Seconds until an attempt is allowed; 0 for now. A moment that a wrong clock set does not hold for long."""
        if not self.attempts.not_before:
            return 0.0
        left = datetime.fromisoformat(self.attempts.not_before).timestamp() - self._now()
        return left if 0 < left <= 2 * 86_400 else 0.0

    def succeeded(self) -> None:
        """Note an attempt that went well."""
        self.attempts = replace(self.attempts, last_error="", failures=0, not_before="", copy_suspected=False)

    def failed(self, kind: str, why: str, asked: int | None, *, slow: bool = False, copy: bool = False) -> None:
        """Note an attempt that went wrong, and when the next one may be made: after the seconds that were asked for,
        else slowly where the server said no, else after some that grow with each failure."""
        self.count(kind)
        failures = self.attempts.failures + 1
        wait = slowly(self._chance) if slow and asked is None else backoff(failures, asked, self._chance)
        self.attempts = replace(
            self.attempts,
            last_error=why[:1000],
            failures=failures,
            not_before=moment(utc(math.ceil(self._now() + wait))),
            copy_suspected=copy,
        )

    def count(self, kind: str) -> None:
        """Count a kind of trouble."""
        errors = dict(self.attempts.errors)
        kind = kind if kind in errors or len(errors) < MOST_KINDS else "others"
        errors[kind] = errors.get(kind, 0) + 1
        self.attempts = replace(self.attempts, errors=errors)

    def _read_attempts(self) -> Attempts:
        try:
            found = self._state.attempts() or Attempts()
            if found.not_before:
                datetime.fromisoformat(found.not_before)
        except ValueError:
            return Attempts(errors={"attempts.json was damaged": 1})
        return found
