"""A store in memory, a collector that does as it is told, and a time that only passes when somebody waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from scanner.collecting.pacing import Pace
from scanner.institution.nouns import Caps, Credential, Estate
from scanner.model import Access, Census, Fact, Gap, Permission, PlannedCall, Record, Target, Text
from scanner.sealed.collection import Collection, CollectionMeta

AT = datetime(2026, 11, 20, 1, tzinfo=UTC)


class Recorder:
    """Keeps the records of one target in a list."""

    def __init__(self, store: PretendStore, target: Target, given: Mapping[str, Any]) -> None:
        self.store = store
        self.target = target
        self.given = given
        self.records: list[Record] = []
        self.abandoned = False
        self.sealed = False

    def add(self, record: Record) -> None:
        if self.sealed:
            self.store.late.append(record)
            return
        self.store.before_add(record)
        self.records.append(record)

    def seal(self, complete: bool, finished_at: datetime) -> Collection:
        assert threading.current_thread() is threading.main_thread(), "sealing is ordered in one thread"
        self.store.before_seal(self)
        self.sealed = True
        facts: dict[str, int] = {}
        for record in self.records:
            if isinstance(record, Fact):
                facts[type(record).__name__] = facts.get(type(record).__name__, 0) + 1
        meta = CollectionMeta(
            schema_version=1,
            target=self.target.name,
            source=self.target.source,
            collector=self.given["collector"],
            collector_version=self.given["version"],
            origin=self.given["origin"],
            started_at=self.given["started_at"],
            finished_at=finished_at,
            complete=complete,
            identities=[],
            facts=facts,
            gaps=sum(isinstance(record, Gap) for record in self.records),
            promises=list(self.given["promises"]),
            estate_digest=self.given["estate_digest"],
        )
        self.store.recorders[self.target.name] = self
        return Collection(Path(self.target.name), f"root-of-{self.target.name}", meta)

    def abandon(self) -> None:
        self.abandoned = True

    def gaps(self) -> dict[str, tuple[str, str]]:
        """Fact type to why and detail, of gaps for a whole source."""
        return {
            record.fact: (record.why.value, record.detail)
            for record in self.records
            if isinstance(record, Gap) and record.asset is None
        }


class PretendStore:
    """The part of a store that collecting uses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recorders: dict[str, Recorder] = {}
        self.late: list[Record] = []
        """Records that somebody added after sealing."""
        self.before_add: Callable[[Record], None] = lambda record: None
        self.before_seal: Callable[[Recorder], None] = lambda recorder: None

    @contextmanager
    def writing(self) -> Iterator[PretendStore]:
        yield self

    def collection(self, target: Target, **given: Any) -> Recorder:
        return Recorder(self, target, given)


class Told:
    """A collector that reads as it is told, by target name or for all under ``*``."""

    version = "1"
    permissions: tuple[Permission, ...] = (Permission("look", "to see", ("User", "SignIn")),)

    def __init__(self, reads: Mapping[str, Callable[[Access], Iterable[Any]]], name: str = "told") -> None:
        self.name = name
        self.reads = reads

    def promises(self, target: Target) -> frozenset[str]:
        return frozenset({"User", "SignIn"})

    def plan(self, target: Target) -> Iterator[PlannedCall]:
        yield PlannedCall(target.address, "bind", "search\nusers")

    def read(self, access: Access) -> Iterator[Record]:
        read = self.reads.get(access.target.name) or self.reads["*"]
        return read(access)  # type: ignore[return-value]


class FakeTime:
    """Seconds that pass only in waits; ``every_look`` adds some whenever the time is asked for."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.every_look = 0.0
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def elapsed(self) -> float:
        with self._lock:
            self.seconds += self.every_look
            return self.seconds

    def sleep(self, event: threading.Event, seconds: float) -> None:
        with self._lock:
            self.waits.append(seconds)
            self.seconds += seconds

    def clock(self) -> datetime:
        return AT + timedelta(seconds=self.seconds)

    def pace(self) -> Pace:
        return Pace(elapsed=self.elapsed, sleep=self.sleep, seed=7)


def target(name: str, **given: Any) -> Target:
    return Target(**{"name": name, "collector": "told", "source": name, **given})


def estate(
    targets: Iterable[Target],
    *,
    caps: Caps | None = None,
    credentials: Iterable[Credential] = (),
    path: Path = Path("estate.toml"),
) -> Estate:
    return Estate(
        path=path,
        digest="e" * 64,
        files={},
        institution_id="lab",
        institution_name=Text(zh_tw="測試", en="Lab"),
        targets={held.name: held for held in targets},
        credentials={held.name: held for held in credentials},
        populations={},
        precedence={},
        systems={},
        approvers={},
        registers=Path("registers"),
        caps=caps if caps is not None else Caps(),
    )


def census(fact: str) -> Census:
    return Census(fact=fact, query="all", as_of=AT, complete=True, n=0, digest="0" * 64)
