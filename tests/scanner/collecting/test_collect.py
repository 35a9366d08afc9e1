"""Collecting: every promised fact type ends as facts or as a gap, whatever sources and collectors do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from scanner.collecting.collect import collect
from scanner.collecting.progress import ReadState, Silent, Summary
from scanner.collecting.reading import Ending, Reading
from scanner.errors import (
    AccessDenied,
    LoginRefused,
    Malformed,
    StoreError,
    Throttled,
    Truncated,
    UnknownName,
    Unreachable,
    Unsupported,
)
from scanner.facts import SignIn, User
from scanner.institution.nouns import Caps, Credential
from scanner.model import Access, Capture, Gap, GapWhy, Origin, Record, Target
from scanner.sealed.collection import Collection, gaps
from scanner.sealed.store import Store
from tests.scanner.pretend import AT, FakeTime, PretendStore, Recorder, Told, census, estate, target

Read = Callable[[Access], Iterable[Any]]


class House:
    """Everything one run needs, with short names."""

    def __init__(self, path: Path) -> None:
        self.store = PretendStore(path)
        self.time = FakeTime()
        self.progress = Silent()
        self.path = path

    def collect(
        self,
        reads: dict[str, Read],
        targets: Sequence[Target] | None = None,
        *,
        names: Sequence[str] | None = None,
        caps: Caps | None = None,
        credentials: Iterable[Credential] = (),
        stop_file: Path | None = None,
    ) -> list[Collection]:
        told = Told(reads)
        chosen = targets if targets is not None else [target(name) for name in reads]
        return collect(
            estate(chosen, caps=caps, credentials=credentials, path=self.path / "estate.toml"),
            self.store,  # type: ignore[arg-type]
            collectors={"told": told, "import": told},
            targets=names,
            clock=self.time.clock,
            stop_file=stop_file,
            progress=self.progress,
            pace=self.time.pace(),
            grace_seconds=0.5,
        )

    def recorder(self, name: str) -> Recorder:
        return self.store.recorders[name]

    def summary(self, name: str) -> Summary:
        (found,) = (summary for summary in self.progress.summaries if summary.target == name)
        return found


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def user(key: str = "ann", **given: Any) -> User:
    return User(asset=f"user:told:{key}", observed_at=AT, **given)


def healthy(access: Access) -> Iterator[Record]:
    yield user(enabled=True)
    yield census("User")
    yield SignIn(asset="user:told:ann", observed_at=access.now(), mfa="enforced")
    yield census("SignIn")


def raising(error: BaseException) -> Read:
    def read(access: Access) -> Iterator[Record]:
        yield user()
        yield census("User")
        raise error

    return read


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for another thread, at most five seconds of real time."""
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)


# What becomes of a target


def test_a_healthy_target_is_sealed_complete_without_gaps(house: House) -> None:
    (collection,) = house.collect({"a": healthy})

    assert collection.meta.complete
    assert collection.meta.facts == {"User": 1, "SignIn": 1}
    assert collection.meta.gaps == 0
    assert collection.meta.promises == ["SignIn", "User"]
    assert collection.meta.estate_digest == "e" * 64
    assert house.summary("a").state is ReadState.READ


def test_every_form_of_fact_is_met_before_any_target_is_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def read(access: Access) -> Iterator[Record]:
        order.append("read")
        yield from healthy(access)

    monkeypatch.setattr("scanner.collecting.collect.meet", lambda forms: order.append("met" if User in forms else ""))
    house.collect({"a": read})
    assert order == ["met", "read"]


@pytest.mark.parametrize(
    ("error", "why", "detail"),
    [
        (AccessDenied("no right"), "denied", "no right"),
        (Unreachable("no route"), "unreachable", "no route"),
        (Throttled("slow down"), "unreachable", "slow down"),
        (Unsupported("what?"), "unsupported", "what?"),
        (Malformed("not JSON"), "malformed", "not JSON"),
        (Truncated("cut"), "truncated", "cut"),
        (LoginRefused("wrong password"), "denied", "wrong password"),
        (KeyError("x"), "error", "KeyError: 'x'"),
        (RecursionError("too deep"), "error", "RecursionError: too deep"),
        (MemoryError(), "error", "MemoryError"),
        (SystemExit(3), "error", "SystemExit: 3"),
        (KeyboardInterrupt(), "error", "KeyboardInterrupt"),
        (AssertionError(), "error", "AssertionError"),
    ],
)
def test_what_escapes_becomes_a_gap_for_what_was_not_finished(
    house: House, error: BaseException, why: str, detail: str
) -> None:
    broken, whole = house.collect({"broken": raising(error), "whole": healthy})

    assert house.recorder("broken").gaps() == {"SignIn": (why, detail)}
    assert broken.meta.complete, "lost sight must not hide behind older data"
    assert house.summary("broken").state is ReadState.LOST
    assert whole.meta.gaps == 0


def test_a_collector_that_does_not_even_begin_loses_every_promise(house: House) -> None:
    def read(access: Access) -> Iterator[Record]:
        raise RuntimeError("at once")

    house.collect({"a": read})

    assert house.recorder("a").gaps() == {
        "User": ("error", "RuntimeError: at once"),
        "SignIn": ("error", "RuntimeError: at once"),
    }


def test_an_error_that_cannot_be_shown_is_still_a_gap(house: House) -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise ValueError("no")

    house.collect({"a": raising(Hostile())})

    assert house.recorder("a").gaps() == {"SignIn": ("error", "Hostile: (its message cannot be shown)")}


def test_a_promise_without_a_word_is_unseen(house: House) -> None:
    house.collect({"a": lambda access: iter([user()])})

    assert house.recorder("a").gaps() == {"SignIn": ("unseen", "the collector ended without a word about it")}


def test_a_gap_or_a_census_is_a_word_about_a_promise(house: House) -> None:
    said = [Gap(fact="User", why=GapWhy.DENIED, detail="no right"), census("SignIn")]
    house.collect({"a": lambda access: iter(said)})

    assert house.recorder("a").gaps() == {"User": ("denied", "no right")}


@pytest.mark.parametrize(
    "thing",
    [
        None,
        {},
        "text",
        7,
        object(),
        User,
        Gap(fact=3, why="denied", detail="x"),  # type: ignore[arg-type]
        Capture(name="a", media_type="b", content=5),  # type: ignore[arg-type]
    ],
)
def test_a_thing_that_is_no_record_is_a_malformed_gap_and_the_rest_is_kept(house: House, thing: object) -> None:
    house.collect({"a": lambda access: iter([thing, user(), census("User"), thing])})

    recorder = house.recorder("a")
    assert recorder.gaps()["SignIn"][0] == "malformed"
    assert "2 things that are no records" in recorder.gaps()["SignIn"][1]
    assert "User" not in recorder.gaps()
    assert user() in recorder.records


def test_a_collector_that_gives_nothing_to_iterate_over_is_an_error(house: House) -> None:
    house.collect({"a": lambda access: None})  # type: ignore[dict-item,return-value]

    assert house.recorder("a").gaps()["User"][0] == "error"


def test_a_collector_that_cannot_say_what_it_promises_is_taken_at_its_widest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Told, held: Target) -> frozenset[str]:
        raise ValueError("no")

    monkeypatch.setattr(Told, "promises", fail)
    (collection,) = house.collect({"a": lambda access: iter([])})

    assert collection.meta.promises == ["SignIn", "User"]
    assert set(house.recorder("a").gaps()) == {"SignIn", "User"}


def test_promises_of_the_estate_win_over_those_of_the_collector(house: House) -> None:
    house.collect({"*": lambda access: iter([])}, [target("a", promises=("Device",))])

    assert set(house.recorder("a").gaps()) == {"Device"}


def test_origin_says_whether_the_source_itself_spoke(house: House, tmp_path: Path) -> None:
    collections = house.collect(
        {"*": healthy},
        [
            target("live"),
            target("capture", captures=tmp_path),
            target("supplied", collector="import", captures=tmp_path),
        ],
    )

    assert [held.meta.origin for held in collections] == [Origin.LIVE, Origin.CAPTURE, Origin.SUPPLIED]


def test_collections_come_in_the_order_of_the_estate(house: House) -> None:
    late = threading.Event()

    def slow(access: Access) -> Iterator[Record]:
        late.wait(5)
        yield from healthy(access)

    def quick(access: Access) -> Iterator[Record]:
        yield from healthy(access)
        late.set()

    collections = house.collect({"first": slow, "second": quick})

    assert [held.meta.target for held in collections] == ["first", "second"]


def test_only_named_targets_are_read_and_an_inventory_stands_for_its_rows(house: House) -> None:
    targets = [target("hr"), target("switches/a", source="switches"), target("switches/b", source="switches")]

    assert [held.meta.target for held in house.collect({"*": healthy}, targets, names=["switches"])] == [
        "switches/a",
        "switches/b",
    ]
    assert [held.meta.target for held in house.collect({"*": healthy}, targets, names=["switches/b", "hr"])] == [
        "hr",
        "switches/b",
    ]


def test_an_unknown_target_or_collector_is_refused_before_anything_is_read(house: House) -> None:
    with pytest.raises(UnknownName, match="did you mean 'hr'"):
        house.collect({"hr": healthy}, names=["hrr"])
    with pytest.raises(UnknownName, match="no collector 'tld'"):
        house.collect({"*": healthy}, [target("hr"), target("x", collector="tld")])

    assert house.store.recorders == {}


# Time-outs and stopping


def test_an_endless_stream_ends_with_its_time(house: House) -> None:
    def endless(access: Access) -> Iterator[Record]:
        while True:
            house.time.seconds += 1
            yield user()

    (collection,) = house.collect({"*": endless}, [target("a", timeout_seconds=50)])

    assert house.recorder("a").gaps() == {
        "SignIn": ("unreachable", "not finished within 50 seconds"),
        "User": ("unreachable", "not finished within 50 seconds"),
    }
    assert 40 < collection.meta.facts["User"] < 60
    assert collection.meta.complete
    assert house.summary("a").state is ReadState.TIMED_OUT


@pytest.mark.parametrize("use", ["now", "call", "login", "secret"])
def test_a_target_past_its_time_gets_no_further_by_any_way(house: House, use: str) -> None:
    reached: list[str] = []
    ways: dict[str, Callable[[Access], object]] = {
        "now": lambda access: access.now(),
        "call": lambda access: access.call(lambda: reached.append("call")),
        "login": lambda access: access.login(lambda: reached.append("login")),
        "secret": lambda access: access.secret(),
    }

    def stubborn(access: Access) -> Iterator[Record]:
        house.time.seconds += 1000
        for _ in range(3):
            try:
                ways[use](access)
            except Exception:
                reached.append("swallowed")
        yield user()

    house.collect({"a": stubborn})

    assert reached == []
    assert house.summary("a").state is ReadState.TIMED_OUT


def test_a_collector_that_swallows_even_the_end_of_its_time_did_not_finish(house: House) -> None:
    def deaf(access: Access) -> Iterator[Record]:
        house.time.seconds += 1000
        try:
            access.now()
        except BaseException:
            return
        yield user()

    house.collect({"a": deaf})

    assert house.recorder("a").gaps()["User"][0] == "unreachable"


def test_a_hanging_target_is_left_behind_and_can_add_nothing_later(house: House) -> None:
    release, tried = threading.Event(), threading.Event()
    keeps_alive: list[bool] = []

    def hang(access: Access) -> Iterator[Record]:
        keeps_alive.append(not threading.current_thread().daemon)
        yield user()
        try:
            release.wait(10)
            yield user("late")
        finally:
            tried.set()

    house.time.every_look = 10
    hung, whole = house.collect({"hung": hang, "whole": lambda access: iter([census("User"), census("SignIn")])})
    release.set()

    assert tried.wait(5)
    assert hung.meta.facts == {"User": 1}
    assert house.recorder("hung").gaps()["SignIn"] == (
        "unreachable",
        "not finished within 300 seconds; it did not answer and was left behind",
    )
    assert house.store.late == []
    assert keeps_alive == [False], "a thread that hangs must not keep the process alive"
    assert whole.meta.gaps == 0


def test_the_stop_file_seals_what_there_is_as_incomplete_and_begins_nothing_more(house: House) -> None:
    stop = house.path / "please-stop"

    def read(access: Access) -> Iterator[Record]:
        yield user()
        stop.touch()
        access.call(lambda: None)
        yield user("late")

    collections = house.collect({"first": read, "second": healthy}, caps=Caps(parallel=1), stop_file=stop)

    (first,) = collections
    assert not first.meta.complete
    assert first.meta.facts == {"User": 1}
    assert house.recorder("first").gaps() == {
        "SignIn": ("truncated", "the run was stopped before it was finished"),
        "User": ("truncated", "the run was stopped before it was finished"),
    }
    assert house.summary("second").state is ReadState.NOT_STARTED
    assert house.summary("second").root is None


def test_the_stop_file_of_the_store_counts_where_none_is_named(house: House) -> None:
    (house.path / "stop").touch()

    assert house.collect({"a": healthy}) == []
    assert house.summary("a").state is ReadState.NOT_STARTED


def test_a_hanging_target_does_not_hold_up_a_stop(house: House) -> None:
    release = threading.Event()
    stop = house.path / "stop"

    def hang(access: Access) -> Iterator[Record]:
        yield user()
        stop.touch()
        house.time.every_look = 0.1
        release.wait(10)

    (collection,) = house.collect({"a": hang})
    release.set()

    assert not collection.meta.complete
    assert house.summary("a").state is ReadState.STOPPED


def test_an_interrupt_seals_nothing_half_and_lets_every_thread_go(house: House) -> None:
    release, went = threading.Event(), threading.Event()

    def hang(access: Access) -> Iterator[Record]:
        try:
            yield user()
            release.wait(10)
            access.now()
        finally:
            went.set()

    class Interrupted(Silent):
        def started(self, target: str) -> None:
            if target == "b":
                raise KeyboardInterrupt

    house.progress = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        house.collect({"a": hang, "b": hang})
    release.set()

    assert went.wait(5)
    assert house.store.recorders == {}


# The store


def test_a_failing_disk_ends_the_run(house: House) -> None:
    def full(record: Record) -> None:
        raise StoreError("no space")

    house.store.before_add = full
    with pytest.raises(StoreError, match="no space"):
        house.collect({"a": healthy})
    assert house.store.recorders == {}


def test_a_collection_that_cannot_be_sealed_is_replaced_by_gaps(house: House) -> None:
    def refuse(recorder: Recorder) -> None:
        if any(isinstance(record, User) for record in recorder.records):
            raise ValueError("what is this")

    house.store.before_seal = refuse
    (collection,) = house.collect({"a": healthy})

    assert collection.meta.complete
    assert house.recorder("a").gaps() == {
        "SignIn": ("error", "what was read could not be stored: ValueError: what is this"),
        "User": ("error", "what was read could not be stored: ValueError: what is this"),
    }


# Throttling


def test_a_throttled_call_is_made_again_after_growing_waits(house: House) -> None:
    answers = iter([Throttled("slow"), Throttled("slow", 30.0), Throttled("slow"), None])

    def attempt() -> str:
        answer = next(answers)
        if answer is not None:
            raise answer
        return "done"

    def read(access: Access) -> Iterator[Record]:
        assert access.call(attempt) == "done"
        yield from healthy(access)

    (collection,) = house.collect({"a": read})

    first, asked, third = house.time.waits
    assert collection.meta.gaps == 0
    assert first < third
    assert asked >= 30


def test_calls_after_a_throttled_one_keep_a_distance_that_shrinks_with_each_answer(house: House) -> None:
    answers = iter([None, Throttled("slow"), Throttled("slow"), *[None] * 100])

    def attempt() -> None:
        answer = next(answers)
        if answer is not None:
            raise answer

    def read(access: Access) -> Iterator[Record]:
        for _ in range(101):
            access.call(attempt)
        yield from healthy(access)

    (collection,) = house.collect({"a": read})

    waits, spaces = house.time.waits[:2], house.time.waits[2:]
    assert collection.meta.gaps == 0
    assert spaces == sorted(spaces, reverse=True)
    assert spaces[0] == pytest.approx(0.2, rel=0.1)
    assert 10 < len(spaces) < 99, "in the end there is no distance any more"
    assert sum(spaces) < 5 < sum(waits) + 5


def test_a_target_that_throttles_costs_no_more_than_its_time(house: House) -> None:
    tries = 0

    def attempt() -> None:
        nonlocal tries
        tries += 1
        if tries % 3 == 0:
            raise Throttled("slow")

    def read(access: Access) -> Iterator[Record]:
        while True:
            access.call(attempt)
            yield user()

    house.collect({"*": read}, [target("a", timeout_seconds=30)])

    assert house.summary("a").state is not ReadState.READ
    assert 20 < sum(house.time.waits) <= 30.001


def test_endless_throttling_becomes_a_gap_within_the_time_of_the_target(house: House) -> None:
    tries = 0

    def attempt() -> None:
        nonlocal tries
        tries += 1
        raise Throttled("slow")

    def read(access: Access) -> Iterator[Record]:
        access.call(attempt)
        yield user()

    house.collect({"*": read}, [target("a", timeout_seconds=10)])

    assert sum(house.time.waits) <= 10
    assert tries == len(house.time.waits) + 1
    assert house.recorder("a").gaps()["User"] == ("unreachable", "slow")


def test_a_source_that_asks_for_longer_than_there_is_time_is_not_waited_for(house: House) -> None:
    def attempt() -> None:
        raise Throttled("come back tomorrow", 86400.0)

    def read(access: Access) -> Iterator[Record]:
        access.call(attempt)
        yield user()

    house.collect({"a": read})

    assert house.time.waits == []
    assert house.recorder("a").gaps()["User"] == ("unreachable", "come back tomorrow")


# Refused logins


class Server:
    """A server that refuses or accepts, and counts how many speak to it at once."""

    def __init__(self, accept: bool = False) -> None:
        self.accept = accept
        self.attempts = 0
        self.now: dict[str, int] = {}
        self.peak: dict[str, int] = {}
        self._lock = threading.Lock()

    def login(self) -> None:
        with self._lock:
            self.attempts += 1
        time.sleep(0.002)
        if not self.accept:
            raise LoginRefused("wrong password")

    def call(self, *names: str) -> None:
        with self._lock:
            for name in names:
                self.now[name] = self.now.get(name, 0) + 1
                self.peak[name] = max(self.peak.get(name, 0), self.now[name])
        time.sleep(0.002)
        with self._lock:
            for name in names:
                self.now[name] -= 1


READER = Credential("reader", "svc", "env:PRETEND_SECRET")


def test_a_refused_login_is_tried_exactly_once(house: House) -> None:
    server = Server()

    def insistent(access: Access) -> Iterator[Record]:
        for _ in range(5):
            try:
                access.login(server.login)
            except LoginRefused:
                continue
        access.call(server.login)
        yield user()

    house.collect({"a": insistent})

    assert server.attempts == 1
    assert house.recorder("a").gaps()["User"][0] == "denied"


@pytest.mark.parametrize("way", ["login", "call"])
def test_three_refusals_stop_a_credential_everywhere_even_in_parallel(house: House, way: str) -> None:
    server = Server()

    def read(access: Access) -> Iterator[Record]:
        getattr(access, way)(server.login)
        yield user()

    targets = [target(f"t{number:02}", credential="reader", site=f"s{number % 7}") for number in range(40)]
    collections = house.collect(
        {"*": read}, targets, caps=Caps(parallel=16, per_credential=16, per_site=16), credentials=[READER]
    )

    assert server.attempts == 3
    assert len(collections) == 40
    assert all(set(house.recorder(held.name).gaps()) == {"User", "SignIn"} for held in targets)
    assert {why for held in targets for why, _ in house.recorder(held.name).gaps().values()} == {"denied"}
    assert all(held.meta.complete for held in collections)


def test_two_names_of_one_account_are_stopped_as_one(house: House) -> None:
    server = Server()

    def read(access: Access) -> Iterator[Record]:
        access.login(server.login)
        yield user()

    same = Credential("also-reader", READER.user, READER.reference)
    targets = [target(f"t{number}", credential=("reader", "also-reader")[number % 2]) for number in range(10)]
    house.collect({"*": read}, targets, credentials=[READER, same])

    assert server.attempts == 3


def test_a_stopped_credential_stops_running_targets_at_their_next_call(house: House) -> None:
    stopped, refused_late = threading.Event(), []

    def running(access: Access) -> Iterator[Record]:
        access.login(lambda: None)
        yield user()
        yield census("User")
        stopped.wait(5)
        try:
            access.call(lambda: refused_late.append("reached"))
        except LoginRefused:
            refused_late.append("refused")
            raise

    def refused(access: Access) -> Iterator[Record]:
        access.login(Server().login)
        yield user()

    class Watching(Silent):
        def ended(self, summary: Summary) -> None:
            super().ended(summary)
            if sum(held.state in {ReadState.LOST, ReadState.REFUSED} for held in self.summaries) == 4:
                stopped.set()

    house.progress = Watching()
    reads: dict[str, Read] = {"running": running, **{f"r{number}": refused for number in range(4)}}
    house.collect(reads, [target(name, credential="reader") for name in reads], credentials=[READER])

    assert refused_late == ["refused"]
    assert house.recorder("running").gaps()["SignIn"][0] == "denied"
    assert "User" not in house.recorder("running").gaps()


def test_other_credentials_go_on(house: House) -> None:
    def refused(access: Access) -> Iterator[Record]:
        access.login(Server().login)
        yield user()

    targets = [target(f"r{number}", credential="reader") for number in range(5)]
    targets += [target("other", credential="other"), target("none")]
    house.collect(
        {"*": refused, "other": healthy, "none": healthy},
        targets,
        credentials=[READER, Credential("other", None, "env:OTHER")],
    )

    assert house.recorder("other").gaps() == {}
    assert house.recorder("none").gaps() == {}


def test_a_refusal_outside_login_counts_too(house: House) -> None:
    tries: list[str] = []

    def careless(access: Access) -> Iterator[Record]:
        tries.append(access.target.name)
        raise LoginRefused("wrong password")

    targets = [target(f"t{number}", credential="reader") for number in range(6)]
    house.collect({"*": careless}, targets, caps=Caps(parallel=1), credentials=[READER])

    assert tries == ["t0", "t1", "t2"]


def test_an_accepted_credential_is_used_by_all(house: House) -> None:
    server = Server(accept=True)

    def read(access: Access) -> Iterator[Record]:
        access.login(lambda: access.call(server.login))
        yield from healthy(access)

    targets = [target(f"t{number:02}", credential="reader") for number in range(20)]
    collections = house.collect({"*": read}, targets, credentials=[READER])

    assert server.attempts == 20
    assert all(held.meta.gaps == 0 for held in collections)


# Caps


def test_caps_are_never_exceeded(house: House) -> None:
    server = Server(accept=True)
    caps = Caps(parallel=6, per_credential=3, per_site=2)

    def read(access: Access) -> Iterator[Record]:
        held = access.target
        for _ in range(3):
            access.call(lambda: server.call("all", f"site {held.site}", f"credential {held.credential}"))
        yield from healthy(access)

    targets = [
        target(f"t{number:02}", credential=("a", "b")[number % 2], site=f"s{number % 5}") for number in range(40)
    ]
    credentials = [Credential(name, name, f"env:{name}") for name in "ab"]
    collections = house.collect({"*": read}, targets, caps=caps, credentials=credentials)

    assert len(collections) == 40
    assert server.peak["all"] <= 6
    assert max(server.peak[f"credential {name}"] for name in "ab") <= 3
    assert max(server.peak[f"site s{number}"] for number in range(5)) <= 2
    assert server.peak["all"] > 1, "targets are read in parallel"


def test_calls_of_one_target_are_made_one_at_a_time(house: House) -> None:
    server = Server(accept=True)

    def read(access: Access) -> Iterator[Record]:
        threads = [threading.Thread(target=lambda: access.call(lambda: server.call("device"))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        yield from healthy(access)

    house.collect({"a": read})

    assert server.peak == {"device": 1}


# Secrets


def test_a_secret_is_resolved_only_when_asked_for_and_never_stored(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRETEND_SECRET", "hunter2!")

    def read(access: Access) -> Iterator[Record]:
        secret = access.secret()
        yield Capture(name=f"bind {secret}", media_type="text/plain", content=f"password={secret}".encode())
        yield Gap(fact="SignIn", why=GapWhy.DENIED, detail=f"bind as {secret} failed", asset="user:told:ann")
        yield user(display_name=f"Ann {secret}", enabled=True)
        raise ValueError(f"could not use {secret}")

    def innocent(access: Access) -> Iterator[Record]:
        yield from healthy(access)

    targets = [target("a", credential="reader"), target("b", credential="unset")]
    house.collect(
        {"a": read, "b": innocent}, targets, credentials=[READER, Credential("unset", None, "env:PRETEND_UNSET")]
    )

    records = house.recorder("a").records
    assert "hunter2" not in repr(records)
    assert user(enabled=True) in records, "a field that held the secret is lost, the rest is kept"
    assert house.recorder("a").gaps()["User"] == ("error", "ValueError: could not use [redacted]")
    assert house.recorder("b").gaps() == {}


def test_a_secret_that_cannot_be_had_is_a_gap_of_its_target_alone(house: House) -> None:
    def read(access: Access) -> Iterator[Record]:
        access.secret()
        yield user()

    house.collect(
        {"a": read, "b": read, "c": healthy},
        [target("a", credential="unset"), target("b"), target("c")],
        credentials=[Credential("unset", None, "env:PRETEND_UNSET")],
    )

    assert "PRETEND_UNSET is not set" in house.recorder("a").gaps()["User"][1]
    assert "names no credential" in house.recorder("b").gaps()["User"][1]
    assert house.recorder("c").gaps() == {}


def test_a_summary_is_told_for_every_target(house: House) -> None:
    house.collect({"a": healthy, "b": raising(Unreachable("no route"))})

    assert {held.target: (held.state, dict(held.rows), held.gaps) for held in house.progress.summaries} == {
        "a": (ReadState.READ, {"User": 1, "SignIn": 1}, 0),
        "b": (ReadState.LOST, {"User": 1}, 1),
    }
    assert house.summary("b").line == "b: lost, 1 facts, 1 gaps, 0.0 s: no route"


def test_a_thread_that_ends_without_a_word_is_an_error_and_not_a_stop(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: Reading, read: Callable[[Reading], Ending]) -> None:
        self.done = True

    monkeypatch.setattr(Reading, "start", start)
    (collection,) = house.collect({"a": healthy})

    assert collection.meta.complete
    assert house.recorder("a").gaps()["User"] == ("error", "its thread ended without a word")


def test_a_machine_without_threads_left_is_an_error_of_each_target(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: Reading, read: Callable[[Reading], Ending]) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Reading, "start", start)
    house.collect({"a": healthy, "b": healthy})

    assert house.recorder("b").gaps()["User"] == ("error", "RuntimeError: can't start new thread")


def test_a_run_against_the_store_on_disk_seals_what_verifies(house: House, tmp_path: Path) -> None:
    told = Told({"a": healthy, "b": raising(AccessDenied("no right"))})
    with Store.open(tmp_path / "store", create=True) as store:
        collections = collect(
            estate([target("a"), target("b")]), store, collectors={"told": told}, clock=house.time.clock
        )

        assert [held.whole().meta.facts for held in collections] == [{"SignIn": 1, "User": 1}, {"User": 1}]
        assert [(gap.fact, gap.why) for gap in gaps(collections[1])] == [("SignIn", GapWhy.DENIED)]
        assert [held.root for held in store.collections()] and all(held.meta.complete for held in collections)


def test_hung_logins_do_not_bar_the_credential_for_ever(house: House) -> None:
    release = threading.Event()
    log: list[str] = []

    def hang(access: Access) -> Iterator[Record]:
        access.login(lambda: release.wait(3))
        log.append("hung login ended")
        yield user()

    def last(access: Access) -> Iterator[Record]:
        wait_until(lambda: house.time.seconds > 0)
        access.login(lambda: log.append("last login"))
        yield from healthy(access)

    def pass_time(access: Access) -> Iterator[Record]:
        time.sleep(0.05)
        house.time.seconds = 1000
        yield from ()

    reads: dict[str, Read] = {**{f"h{number}": hang for number in range(3)}, "last": last, "time": pass_time}
    targets = [target(name, credential="reader", timeout_seconds=500) for name in reads]
    targets[3] = target("last", credential="reader", timeout_seconds=5000)
    targets[4] = target("time", site="elsewhere")
    house.collect(reads, targets, credentials=[READER])
    release.set()

    assert log[0] == "last login"
    assert {house.summary(f"h{number}").state for number in range(3)} == {ReadState.TIMED_OUT}
    assert house.summary("last").state is ReadState.READ


def test_waiting_for_a_turn_to_log_in_does_not_use_up_the_time_of_a_target(house: House) -> None:
    begun = threading.Barrier(4, timeout=5)
    held: list[Any] = []

    def slow(access: Access) -> Iterator[Record]:
        def login() -> None:
            begun.wait()
            wait_until(lambda: bool(held) and held[0]._waiting)
            house.time.seconds += 90

        access.login(login)
        yield from healthy(access)

    def patient(access: Access) -> Iterator[Record]:
        begun.wait()
        held.append(access)
        access.login(lambda: None)
        yield from healthy(access)

    reads: dict[str, Read] = {**{f"s{number}": slow for number in range(3)}, "patient": patient}
    targets = [target(name, credential="reader", timeout_seconds=300) for name in reads]
    targets[3] = target("patient", credential="reader", timeout_seconds=80)
    house.collect(reads, targets, credentials=[READER])

    assert house.summary("patient").state is ReadState.READ


def test_a_stop_ends_a_wait_and_the_call_is_not_made_again(house: House) -> None:
    tries = 0

    def attempt() -> None:
        nonlocal tries
        tries += 1
        (house.path / "stop").touch()
        raise Throttled("slow")

    def read(access: Access) -> Iterator[Record]:
        access.call(attempt)
        yield user()

    (collection,) = house.collect({"a": read})

    assert tries == 1
    assert not collection.meta.complete


def test_tidying_up_that_fails_does_not_hide_why_reading_ended(house: House) -> None:
    class Stubborn:
        def __init__(self, access: Access) -> None:
            self.records = iter([user(), AccessDenied("no right")])

        def __iter__(self) -> Iterator[Any]:
            return self

        def __next__(self) -> Any:
            record = next(self.records)
            if isinstance(record, Exception):
                raise record
            return record

        def close(self) -> None:
            raise RuntimeError("cannot close")

    house.collect({"a": Stubborn})

    assert house.recorder("a").gaps()["User"] == ("denied", "no right")


def test_a_call_inside_a_login_is_one_attempt_even_where_only_one_is_left(house: House) -> None:
    server = Server(accept=True)

    def refused(access: Access) -> Iterator[Record]:
        access.login(Server().login)
        yield user()

    def nested(access: Access) -> Iterator[Record]:
        access.login(lambda: access.call(server.login))
        yield from healthy(access)

    reads: dict[str, Read] = {"r1": refused, "r2": refused, "nested": nested}
    targets = [target(name, credential="reader", timeout_seconds=5) for name in reads]
    stop = threading.Timer(5, (house.path / "stop").touch)
    stop.start()
    house.collect(reads, targets, caps=Caps(parallel=1), credentials=[READER])
    stop.cancel()

    assert house.summary("nested").state is ReadState.READ
    assert server.attempts == 1
