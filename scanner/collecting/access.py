"""The one way in which a collector reaches its source: clock, secret, logins and calls, all under restraint."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from scanner.collecting.pacing import TRIES, CredentialLedger, Halted, Login, Pace, Spacing, Stop, wait_for, waits
from scanner.collecting.progress import Progress
from scanner.collecting.redaction import Redactor
from scanner.errors import LoginRefused, SecretUnavailable, Throttled
from scanner.model import Target, utc

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Restraint:
    """What all targets of a run share."""

    clock: Callable[[], datetime]
    resolve: Callable[[str], tuple[str | None, str]]
    """User and secret of a credential by its name; raises SecretUnavailable."""
    ledger: CredentialLedger
    stop: Stop
    pace: Pace
    redactor: Redactor
    progress: Progress


class TargetAccess:
    """Access to one target, as ``scanner.model.Access`` has it.

    Calls of one target are made one at a time. ``ledger_name`` is the name under which refusals are counted, shared by
    credentials that are the same account.
    """

    def __init__(self, target: Target, ledger_name: str | None, restraint: Restraint) -> None:
        self._target = target
        self._ledger_name = ledger_name if ledger_name is not None else f"target {target.name}"
        self._restraint = restraint
        self._jitter = restraint.pace.random(target.name)
        self._spacing = Spacing()
        self._lock = threading.RLock()
        self._depth = 0
        self._login: Login | None = None
        self._proven = target.credential is None
        self._refusal: LoginRefused | None = None
        self._waiting = False
        self._left = False
        self.deadline = restraint.pace.elapsed() + target.timeout_seconds
        self.halted = False

    @property
    def target(self) -> Target:
        """The target being read."""
        return self._target

    @property
    def expired(self) -> bool:
        """Whether the target's time is over; waiting for a turn to log in does not use it up."""
        return not self._waiting and self._restraint.pace.elapsed() > self.deadline

    def now(self) -> datetime:
        """The time, in UTC; raises Halted where reading must end."""
        self.heed()
        return utc(self._restraint.clock())

    def secret(self) -> str:
        """The secret of the target's credential, resolved now; raises SecretUnavailable, LoginRefused, Halted."""
        self._heed_all()
        if self._target.credential is None:
            raise SecretUnavailable(f"target {self._target.name!r} names no credential; add one to the estate")
        user, secret = self._restraint.resolve(self._target.credential)
        self._restraint.redactor.learn(secret, user)
        return secret

    def user(self) -> str | None:
        """The account name that goes with the secret, where the credential has one; raises as ``secret``."""
        self._heed_all()
        if self._target.credential is None:
            return None
        user, secret = self._restraint.resolve(self._target.credential)
        self._restraint.redactor.learn(secret, user)
        return user

    def login(self, attempt: Callable[[], ResultT]) -> ResultT:
        """Try once to log in; after a refusal nothing more is tried on this target."""
        with self._lock:
            self._heed_all()
            return self._attempt(attempt, guarded=True)

    def call(self, attempt: Callable[[], ResultT]) -> ResultT:
        """Make one call, again after a wait where the source asks to slow down, up to the target's time.

        The calls after it then keep a distance, too. The first call with a credential is guarded like a login, for it
        may well be one.
        """
        with self._lock:
            own_waits = waits(self._jitter)
            if self._spacing.seconds and not self._depth:
                self._heed_all()
                left = self.deadline - self._restraint.pace.elapsed()
                self._restraint.pace.sleep(self._restraint.stop.event, max(0.0, min(self._spacing.seconds, left)))
            for tries in range(1, TRIES + 1):
                self._heed_all()
                try:
                    result = self._attempt(attempt, guarded=not self._proven)
                    self._spacing.answered()
                    return result
                except Throttled as error:
                    self._spacing.throttled()
                    seconds = wait_for(next(own_waits), error.retry_after)
                    if tries == TRIES or self._restraint.pace.elapsed() + seconds > self.deadline:
                        raise
                    self._restraint.progress.waiting(self._target.name, seconds)
                    self._restraint.pace.sleep(self._restraint.stop.event, seconds)
        raise AssertionError("a call either returns or raises")

    def heed(self) -> None:
        """Raise Halted where the run was stopped, the time is over, or collecting went on without this target."""
        if self._left or self._restraint.stop.event.is_set() or self.expired:
            self.halted = True
            raise Halted

    def count(self, refusal: LoginRefused) -> None:
        """Count a refusal that a collector met outside ``login`` and ``call``; one already counted counts once."""
        if self._refusal is None:
            self._refusal = refusal
            if not self._restraint.ledger.stopped(self._ledger_name):
                self._restraint.ledger.refused(self._ledger_name)

    def leave(self) -> None:
        """Go on without this target: nothing more may be asked, and a login under way no longer blocks others."""
        self._left = True
        login = self._login
        if login is not None:
            login.end()

    def _heed_all(self) -> None:
        self._restraint.stop.look()
        self.heed()
        self._restraint.ledger.heed(self._ledger_name)

    def _attempt(self, attempt: Callable[[], ResultT], *, guarded: bool) -> ResultT:
        if self._refusal is not None:
            raise LoginRefused(f"{self._target.name!r} refused the login, which is not tried again: {self._refusal}")
        login = self._begin() if guarded and not self._depth else None
        self._depth += 1
        try:
            result = attempt()
        except LoginRefused as refusal:
            if self._refusal is None:
                self._refusal = refusal
                if login is not None:
                    login.end(refused=True)
                else:
                    self._restraint.ledger.refused(self._ledger_name)
            raise
        finally:
            self._depth -= 1
            if login is not None:
                login.end()
        self._proven = True
        return result

    def _begin(self) -> Login:
        started = self._restraint.pace.elapsed()
        self._waiting = True
        try:
            login = self._login = self._restraint.ledger.begin(self._ledger_name, self._heed_stop)
        finally:
            self.deadline += self._restraint.pace.elapsed() - started
            self._waiting = False
        if self._left:
            login.end()
            raise Halted
        return login

    def _heed_stop(self) -> None:
        if self._left or self._restraint.stop.look():
            self.halted = True
            raise Halted
