"""The one thread that writes: many messages in one transaction, and no answer before it is durable."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scanner.errors import StoreError
from scanner.fleet.answers import Answer, refusal
from scanner.fleet.database import Database, Full, Unavailable
from scanner.fleet.ingest import Ingest, Sent
from scanner.fleet.messages import Report
from scanner.fleet.migration import in_step

BATCH = 256
"""Messages in one transaction at most."""
KEPT_FOR_REPORTS = 64
"""Of a batch, so that heartbeats, which go first, never starve reports."""
ERRANDS = 16
"""Enrolments, renewals and notes in one transaction at most."""
LINGER_S = 0.02
"""For how long messages wait for others to share their transaction, unless it is full; agents come once in minutes."""
FULL_S = 30
"""After a full disk, how long until reports are tried again."""
RESERVE_BYTES = 8 << 20
ENDED = refusal("store", retry_after=30)
"""What whoever waits gets from a thread that ends before its time."""

Clock = Callable[[], float]
Errand = Callable[[Database, int], Answer]
"""Anything else to be done in a transaction; takes the time in ms since 1970."""


@dataclass(slots=True, eq=False)
class Waiting:
    """One message or errand, and what is called with its answer."""

    work: Sent | Errand
    answer: Callable[[Answer], None]


class Busy(Exception):
    """So much waits in a lane that nothing more is taken."""


class Reserve:
    """A file whose only use is to be deleted when the disk is full, so that heartbeats can still be written."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def make(self) -> bool:
        """Whether it lies there whole."""
        if self._path is None:
            return True
        try:
            if self._path.exists() and self._path.stat().st_size == RESERVE_BYTES:
                return True
            with self._path.open("wb") as file:
                for _ in range(RESERVE_BYTES >> 16):
                    file.write(bytes(1 << 16))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self.give_up()
            return False
        return True

    def give_up(self) -> None:
        """Let others have its room."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


class Writer(threading.Thread):
    """Takes from three lanes: heartbeats, reports, errands; each is bounded by itself."""

    def __init__(
        self,
        database: Database,
        ingest: Ingest,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        *,
        queue: int = 4096,
        reserve: Path | None = None,
        died: Callable[[StoreError | None], None] = lambda fault: None,
    ) -> None:
        super().__init__(name="fleet-writer", daemon=True)
        self._database, self._ingest, self._loop, self._clock = database, ingest, loop, clock
        self._bound = queue
        self._beats: deque[Waiting] = deque()
        self._reports: deque[Waiting] = deque()
        self._errands: deque[Waiting] = deque()
        self._wake = threading.Event()
        self._ends = False
        self._dead = False
        self._died = died
        self._fault: StoreError | None = None
        self._reserve = Reserve(reserve)
        self._full_until = 0.0
        self.commits = 0

    @property
    def waiting(self) -> dict[str, int]:
        """How much waits in each lane."""
        return {"heartbeats": len(self._beats), "reports": len(self._reports), "errands": len(self._errands)}

    @property
    def healthy(self) -> bool:
        """Whether it runs and the disk takes what it writes."""
        return not self._dead and not self._full_until

    def send(self, work: Sent | Errand) -> asyncio.Future[Answer]:
        """Let something be done; its answer comes when it is durable. Raises Busy. For the event loop only."""
        future: asyncio.Future[Answer] = self._loop.create_future()

        def answer(given: Answer) -> None:
            if not future.done():
                future.set_result(given)

        self.post(work, answer)
        return future

    def post(self, work: Sent | Errand, answer: Callable[[Answer], None]) -> None:
        """The same with a call in place of a future."""
        if self._dead:
            answer(ENDED)
            return
        if isinstance(work, Sent):
            lane = self._reports if isinstance(work.beat, Report) else self._beats
        else:
            lane = self._errands
        if len(lane) >= self._bound or self._ends:
            raise Busy
        lane.append(Waiting(work, answer))
        if not self._wake.is_set():
            self._wake.set()

    def end(self) -> None:
        """Write what waits, then stop."""
        self._ends = True
        self._wake.set()
        self.join()

    def run(self) -> None:
        """Until the end; should it fail, whoever waits is told so, and the server ends with what it failed for."""
        self._reserve.make()
        try:
            while not self._fault and (not self._ends or any(self.waiting.values())):
                self._wake.wait()
                self._wake.clear()
                if not self._ends and not self._errands and len(self._beats) + len(self._reports) < BATCH:
                    time.sleep(LINGER_S)
                self._round()
                if any(self.waiting.values()):
                    self._wake.set()
        finally:
            self._dead = True
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._refuse_the_rest)
                if not self._ends:
                    self._loop.call_soon_threadsafe(self._died, self._fault)

    def _round(self) -> None:
        errands = _first(self._errands, ERRANDS)
        if errands:
            self._write(errands)
        if self._full_until:
            self._try_again()
        beats = _first(self._beats, BATCH - min(KEPT_FOR_REPORTS, len(self._reports)))
        reports = _first(self._reports, BATCH - len(beats))
        if self._full_until and reports:
            self._deliver([(item, refusal("store", retry_after=FULL_S)) for item in reports])
            reports = []
        if beats or reports:
            self._write(beats + reports)

    def _write(self, batch: list[Waiting]) -> None:
        try:
            answers = self._committed(batch)
        except Full:
            self._on_full(batch)
            return
        except Unavailable:
            if len(batch) > 1:
                for item in batch:  # one that the database cannot take must not hold up the others
                    self._write([item])
                return
            answers = [refusal("store", retry_after=5)]
        except StoreError as error:  # tables that another version made: nothing can be written any more
            self._fault = error
            answers = [ENDED] * len(batch)
        except BaseException:
            self._deliver([(item, ENDED) for item in batch])
            raise
        self._deliver(list(zip(batch, answers, strict=True)))

    def _committed(self, batch: list[Waiting]) -> list[Answer]:
        now = int(self._clock() * 1000)
        messages = [item.work for item in batch if isinstance(item.work, Sent)]
        # A heartbeat that a dead machine forgets costs nothing: the nonce proves that the agent's next message is ours.
        durable = len(messages) < len(batch) or any(isinstance(sent.beat, Report) for sent in messages)
        with in_step(self._database, durable=durable):
            if messages:
                answers = self._ingest.take(self._database, messages, now)
            else:
                answers = [item.work(self._database, now) for item in batch if not isinstance(item.work, Sent)]
        self.commits += 1
        return answers

    def _on_full(self, batch: list[Waiting]) -> None:
        if not self._full_until:
            self._reserve.give_up()
        self._full_until = self._clock() + FULL_S
        beats = [item for item in batch if isinstance(item.work, Sent) and not isinstance(item.work.beat, Report)]
        rest = [item for item in batch if item not in beats]
        self._deliver([(item, refusal("store", retry_after=FULL_S)) for item in rest])
        if not beats:
            return
        try:
            answers = self._committed(beats)
        except Unavailable:
            answers = [refusal("store", retry_after=FULL_S)] * len(beats)
        self._deliver(list(zip(beats, answers, strict=True)))

    def _try_again(self) -> None:
        if self._clock() >= self._full_until:
            self._full_until = 0.0 if self._reserve.make() else self._clock() + FULL_S

    def _refuse_the_rest(self) -> None:
        """In the event loop, where alone something can come to wait."""
        _tell([(item, ENDED) for item in (*self._beats, *self._reports, *self._errands)])

    def _deliver(self, pairs: list[tuple[Waiting, Answer]]) -> None:
        if pairs and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_tell, pairs)


def _first(lane: deque[Waiting], most: int) -> list[Waiting]:
    return [lane.popleft() for _ in range(min(most, len(lane)))]


def _tell(pairs: list[tuple[Waiting, Answer]]) -> None:
    for item, answer in pairs:
        item.answer(answer)
