"""Runs collectors over targets under caps and seals one collection per target; what escapes a collector is a gap."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from scanner import registry
from scanner.collecting.access import Restraint, TargetAccess
from scanner.collecting.pacing import CredentialLedger, Halted, Pace, Slots, Stop
from scanner.collecting.progress import Progress, ReadState, Silent, Summary
from scanner.collecting.reading import Ending, Reading, meet
from scanner.collecting.redaction import Redactor
from scanner.collecting.selection import chosen_targets, ledger_names, origin_of
from scanner.errors import LoginRefused, ReadError, StoreError
from scanner.institution.nouns import Estate
from scanner.institution.secret import resolve
from scanner.model import Collector, GapWhy, Target, promised_facts, utc
from scanner.sealed.collection import Collection
from scanner.sealed.store import CollectionWriter, Store, Writer

LOOK_SECONDS = 0.1
"""How often the stop file and the time-outs are looked at while nothing else happens."""
GRACE_SECONDS = 5.0
"""How long a target past its time, or a stopped one, may take to come to an end before it is left behind."""


def collect(
    estate: Estate,
    store: Store,
    *,
    collectors: Mapping[str, Collector],
    targets: Sequence[str] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    stop_file: Path | None = None,
    progress: Progress | None = None,
    pace: Pace | None = None,
    grace_seconds: float = GRACE_SECONDS,
) -> list[Collection]:
    """Read the targets (all, or those named), each into one sealed collection, in the order of the estate.

    Nothing that a source or a collector does ends the run: each promised fact type that was not finished becomes a gap.
    ``stop_file`` (by default ``stop`` in the store) ends it promptly when it appears; targets under way are then sealed
    as incomplete, those not begun are not sealed. ``progress`` hears a Summary for every target. Raises UnknownName
    before anything is sent, StoreError or OSError where the store fails, KeyboardInterrupt without sealing anything
    half.
    """
    wanted = chosen_targets(estate, targets)
    for target in wanted:
        registry.find("collector", target.collector, collectors)
    meet(registry.facts().values())
    told = progress if progress is not None else Silent()
    restraint = Restraint(
        clock=clock,
        resolve=lambda name: _resolved(estate, name),
        ledger=CredentialLedger(),
        stop=Stop(stop_file if stop_file is not None else store.path / "stop"),
        pace=pace if pace is not None else Pace(),
        redactor=Redactor(),
        progress=told,
    )
    with store.writing() as writer:
        run = _Run(estate, writer, collectors, restraint, grace_seconds)
        told.begun(len(wanted))
        try:
            sealed = run.read(wanted)
        except BaseException:
            run.abandon()
            raise
        finally:
            told.closed()
    return [sealed[target.name] for target in wanted if target.name in sealed]


def promised(target: Target, collector: Collector) -> frozenset[str]:
    """Fact types expected of a target: those the estate names, or else those the collector names.

    Where a collector cannot even say, it is taken at its widest, so that nothing vanishes.
    """
    if target.promises is not None:
        return promised_facts(target.promises)
    try:
        return promised_facts(str(promise) for promise in collector.promises(target))
    except Exception:
        asked = frozenset(fact for permission in collector.permissions for fact in permission.facts)
        return asked or frozenset(registry.facts())


def _ending_of(error: BaseException, redactor: Redactor) -> Ending:
    """The ending for what escaped a collector: its type and its message, without secrets and without a traceback."""
    try:
        message = redactor.detail(str(error))
    except Exception:
        message = "(its message cannot be shown)"
    if isinstance(error, ReadError):
        return Ending(ReadState.LOST, error.why, message or type(error).__name__)
    name = redactor.detail(type(error).__name__)
    return Ending(ReadState.LOST, GapWhy.ERROR, f"{name}: {message}" if message else name)


def _read(reading: Reading, redactor: Redactor) -> Ending:
    """Read to the end, whatever the end is: nothing that a collector raises may end the run, not even SystemExit."""
    try:
        reading.stream()
        ending = Ending(ReadState.READ)
    except Halted:
        ending = reading.halted_ending()
    except BaseException as error:
        if isinstance(error, LoginRefused):
            reading.access.count(error)
        ending = _ending_of(error, redactor)
    close = getattr(reading.records, "close", None)
    if callable(close):
        with suppress(BaseException):  # its own tidying up must not hide why reading ended
            close()
    return reading.halted_ending() if reading.access.halted else ending


def _resolved(estate: Estate, name: str) -> tuple[str | None, str]:
    credential = registry.find("credential", name, estate.credentials)
    return credential.user, resolve(credential.reference, estate.path.parent)


class _Run:
    """One run over the chosen targets; everything here happens in the thread that called ``collect``."""

    def __init__(
        self,
        estate: Estate,
        writer: Writer,
        collectors: Mapping[str, Collector],
        restraint: Restraint,
        grace_seconds: float,
    ) -> None:
        self._estate = estate
        self._writer = writer
        self._collectors = collectors
        self._restraint = restraint
        self._grace = grace_seconds
        self._ledger_names = ledger_names(estate.credentials)
        self._slots = Slots(estate.caps.parallel, estate.caps.per_credential, estate.caps.per_site)
        self._running: list[Reading] = []
        self._wake = threading.Event()
        self._stopped_at: float | None = None
        self._sealed: dict[str, Collection] = {}

    def read(self, targets: Sequence[Target]) -> Mapping[str, Collection]:
        """Collections by target name."""
        pending = list(targets)
        while pending or self._running:
            self._look_for_stop()
            if self._stopped_at is not None:
                for target in pending:
                    self._not_started(target)
                pending = []
            pending = [target for target in pending if not self._begin(target)]
            ended = [reading for reading in self._running if self._over(reading)]
            if not ended:
                if self._running:
                    self._wake.wait(LOOK_SECONDS)
                    self._wake.clear()
                continue
            for reading in ended:
                reading.leave()
                self._running.remove(reading)
                self._slots.give_back(self._ledger_name(reading.target), reading.target.site)
                if reading.fault is not None:
                    reading.recorder.abandon()
                    raise reading.fault
            for reading in ended:
                self._seal(reading)
        return self._sealed

    def abandon(self) -> None:
        """Let every thread go and drop what is not sealed."""
        self._restraint.stop.request()
        for reading in self._running:
            reading.leave()
            reading.recorder.abandon()

    def _look_for_stop(self) -> None:
        if self._stopped_at is None and self._restraint.stop.look():
            self._stopped_at = self._restraint.pace.elapsed()

    def _ledger_name(self, target: Target) -> str | None:
        return None if target.credential is None else self._ledger_names.get(target.credential, target.credential)

    def _begin(self, target: Target) -> bool:
        """Whether the target is under way or done with; false where it must wait for a place."""
        credential = self._ledger_name(target)
        refused = credential is not None and self._restraint.ledger.stopped(credential)
        if not refused and not self._slots.take(credential, target.site):
            return False
        reading = self._reading(target)
        if refused:
            detail = f"not tried: credential {target.credential!r} was refused too often in this run"
            reading.ending = Ending(ReadState.REFUSED, GapWhy.DENIED, detail)
            self._seal(reading)
            return True
        self._running.append(reading)
        self._restraint.progress.started(target.name)
        try:
            reading.start(lambda begun: _read(begun, self._restraint.redactor))
        except RuntimeError as error:  # the machine has no thread left
            reading.ending = _ending_of(error, self._restraint.redactor)
            reading.done = True
        return True

    def _reading(self, target: Target) -> Reading:
        collector = self._collectors[target.collector]
        promises = promised(target, collector)
        started_at = utc(self._restraint.clock())
        return Reading(
            target,
            collector,
            self._recorder(target, promises, started_at),
            TargetAccess(target, self._ledger_name(target), self._restraint),
            promises=promises,
            started_at=started_at,
            redactor=self._restraint.redactor,
            progress=self._restraint.progress,
            wake=self._wake.set,
        )

    def _recorder(self, target: Target, promises: frozenset[str], started_at: datetime) -> CollectionWriter:
        return self._writer.collection(
            target,
            collector=target.collector,
            version=self._collectors[target.collector].version,
            origin=origin_of(target),
            started_at=started_at,
            estate_digest=self._estate.digest,
            promises=sorted(promises),
        )

    def _over(self, reading: Reading) -> bool:
        if reading.done:
            return True
        now = self._restraint.pace.elapsed()
        if self._stopped_at is not None and now > self._stopped_at + self._grace:
            return True
        return reading.access.expired and now > reading.access.deadline + self._grace

    def _seal(self, reading: Reading) -> None:
        ending = reading.ending or reading.lost_ending()
        try:
            recorder = reading.recorder
            for gap in reading.closing_gaps(ending):
                recorder.add(gap)
            collection = recorder.seal(ending.complete, utc(self._restraint.clock()))
        except (StoreError, OSError):
            raise
        except Exception as error:
            ending = _ending_of(error, self._restraint.redactor)
            ending = replace(ending, detail=f"what was read could not be stored: {ending.detail}")
            collection = self._gaps_only(reading, ending)
        self._sealed[reading.target.name] = collection
        seconds = (utc(self._restraint.clock()) - reading.started_at).total_seconds()
        self._restraint.progress.ended(
            Summary(
                target=reading.target.name,
                source=reading.target.source,
                collector=reading.target.collector,
                state=ending.state,
                rows=dict(collection.meta.facts),
                gaps=collection.meta.gaps,
                complete=collection.meta.complete,
                seconds=seconds,
                detail=ending.detail,
                root=collection.root,
            )
        )

    def _gaps_only(self, reading: Reading, ending: Ending) -> Collection:
        """A collection that says why there is nothing; without it, older data would stand in for it."""
        reading.recorder.abandon()
        recorder = self._recorder(reading.target, reading.promises, reading.started_at)
        for gap in ending.gaps(reading.promises):
            recorder.add(gap)
        return recorder.seal(True, utc(self._restraint.clock()))

    def _not_started(self, target: Target) -> None:
        self._restraint.progress.ended(
            Summary(
                target=target.name,
                source=target.source,
                collector=target.collector,
                state=ReadState.NOT_STARTED,
                rows={},
                gaps=0,
                complete=False,
                seconds=0.0,
                detail="the run was stopped before it was begun; remove the stop file to read it",
            )
        )
