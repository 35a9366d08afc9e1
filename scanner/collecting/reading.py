"""One target being read in a thread of its own: records go straight to the store, what escapes becomes an ending."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import msgspec

from scanner.collecting.access import TargetAccess
from scanner.collecting.pacing import Halted
from scanner.collecting.progress import REPORT_EVERY, Progress, ReadState
from scanner.collecting.redaction import Redactor
from scanner.errors import StoreError
from scanner.model import Capture, Census, Collector, Fact, Gap, GapWhy, Record, SourceIdentity, Target
from scanner.sealed.collection import Collection


class Recorder(Protocol):
    """What takes the records of one target; ``scanner.sealed.store.CollectionWriter`` is one."""

    def add(self, record: Record) -> None:
        """Keep one record; raises StoreError where the disk fails."""

    def seal(self, complete: bool, finished_at: datetime) -> Collection:
        """Seal what was added."""

    def abandon(self) -> None:
        """Drop everything."""


@dataclass(frozen=True)
class Ending:
    """How reading ended; ``why`` and ``detail`` are those of the gaps for what was promised and not finished."""

    state: ReadState
    why: GapWhy = GapWhy.ERROR
    detail: str = ""

    @property
    def complete(self) -> bool:
        """Whether this is the newest word on the target: only a stopped run leaves the question open."""
        return self.state is not ReadState.STOPPED

    def gaps(self, facts: Iterable[str]) -> Iterator[Gap]:
        """One gap of a whole source for each fact type, in order."""
        for fact in sorted(facts):
            yield Gap(fact=fact, why=self.why, detail=self.detail)


def meet(forms: Iterable[type[Any]]) -> None:
    """Let msgspec take in each form once, before threads read.

    Two threads that validate a form for the first time at one moment end the whole process (msgspec 0.22: a null
    pointer in ``convert``).
    """
    for form in (*forms, Gap, Census, Capture, SourceIdentity):
        msgspec.json.Decoder(form)


class Reading:
    """Runs one collector over one target.

    The thread that made it may look at ``done``, ``ending`` and ``fault``, and must call ``leave`` before it adds
    anything itself; after that the reading thread can add nothing more.
    """

    def __init__(
        self,
        target: Target,
        collector: Collector,
        recorder: Recorder,
        access: TargetAccess,
        *,
        promises: frozenset[str],
        started_at: datetime,
        redactor: Redactor,
        progress: Progress,
        wake: Callable[[], None],
    ) -> None:
        self.target = target
        self.collector = collector
        self.recorder = recorder
        self.access = access
        self.promises = promises
        self.started_at = started_at
        self.done = False
        self.ending: Ending | None = None
        self.fault: StoreError | OSError | None = None
        self.records: Iterable[Record] = ()
        self._redactor = redactor
        self._progress = progress
        self._wake = wake
        self._lock = threading.Lock()
        self._left = False
        self._records = 0
        self._seen: set[str] = set()
        self._finished: set[str] = set()
        self._strange = 0
        self._first_strange = ""

    def start(self, read: Callable[[Reading], Ending]) -> None:
        """Begin; ``read`` calls ``stream`` and turns whatever escapes it into an ending.

        A thread that hangs cannot be ended, so it must not keep the process alive either.
        """

        def run() -> None:
            try:
                self.ending = read(self)
            finally:
                self.done = True
                self._wake()

        threading.Thread(target=run, name=f"read {self.target.name}", daemon=True).start()

    def leave(self) -> None:
        """Let nothing more of this thread in."""
        self.access.leave()
        with self._lock:
            self._left = True

    def halted_ending(self) -> Ending:
        """The ending of a target that did not come to its own end."""
        if self.access.expired:
            seconds = self.target.timeout_seconds
            return Ending(ReadState.TIMED_OUT, GapWhy.UNREACHABLE, f"not finished within {seconds} seconds")
        return Ending(ReadState.STOPPED, GapWhy.TRUNCATED, "the run was stopped before it was finished")

    def lost_ending(self) -> Ending:
        """The ending of a thread that gave none: it hangs, or the machine ended it."""
        if self.done:
            return Ending(ReadState.LOST, GapWhy.ERROR, "its thread ended without a word")
        halted = self.halted_ending()
        return replace(halted, detail=f"{halted.detail}; it did not answer and was left behind")

    def closing_gaps(self, ending: Ending) -> Iterator[Gap]:
        """A gap for each promised fact type that would otherwise vanish."""
        unfinished = sorted(self.promises - self._finished)
        if ending.state is not ReadState.READ:
            yield from ending.gaps(unfinished)
            return
        if self._strange:
            detail = f"the collector gave {self._strange} things that are no records, first {self._first_strange}"
            for fact in unfinished or sorted(self.promises):
                yield Gap(fact=fact, why=GapWhy.MALFORMED, detail=detail, count=self._strange)
            return
        for fact in sorted(self.promises - self._seen - self._finished):
            yield Gap(fact=fact, why=GapWhy.UNSEEN, detail="the collector ended without a word about it")

    def stream(self) -> None:
        """Take the records as they come; raises what the collector raises, and Halted."""
        self.records = self.collector.read(self.access)
        for record in self.records:
            for clean in self._cleaned(record):
                self._keep(clean)
            self.access.heed()

    def _cleaned(self, record: Any) -> Iterator[Record]:
        sound = _sound(record)
        if sound is None:
            self._strange += 1
            self._first_strange = self._first_strange or self._redactor.detail(type(record).__name__)
            return
        match sound:
            case Fact():
                self._seen.add(type(sound).__name__)
            case Census():
                self._finished.add(sound.fact)
            case Gap():
                self._seen.add(sound.fact)
        yield from self._redactor.record(sound)

    def _keep(self, record: Record) -> None:
        with self._lock:
            if self._left:
                raise Halted
            try:
                self.recorder.add(record)
            except (StoreError, OSError) as error:
                self.fault = error
                raise Halted from error
        self._records += 1
        if self._records % REPORT_EVERY == 0:
            self._progress.advanced(self.target.name, self._records)


def _sound(record: Any) -> Record | None:
    """The record with every field of its declared type, but for facts, which the store checks field by field."""
    if isinstance(record, Fact):
        return record if type(record) is not Fact else None
    for kind in (Gap, Census, Capture, SourceIdentity):
        if type(record) is kind:
            try:
                sound: Record = msgspec.convert(msgspec.structs.asdict(record), kind, builtin_types=(bytes,))
                return sound
            except (msgspec.ValidationError, TypeError, ValueError):
                return None
    return None
