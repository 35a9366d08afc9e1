"""Pacing: waits grow, a credential stops after three refusals, places are limited."""

from __future__ import annotations

import math
import threading
from itertools import islice, pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.collecting.pacing import (
    LONGEST_WAIT_SECONDS,
    REFUSALS_ALLOWED,
    CredentialLedger,
    Halted,
    Pace,
    Slots,
    Stop,
    wait_for,
    waits,
)
from scanner.errors import LoginRefused


def go_on() -> None:
    """Nothing asks to end."""


@given(st.integers())
def test_waits_grow_up_to_a_limit(seed: int) -> None:
    made = list(islice(waits(Random(seed)), 12))

    assert all(later > earlier for earlier, later in pairwise(made[:6]))
    assert max(made) <= LONGEST_WAIT_SECONDS * 1.25
    assert min(made) >= 1


@given(st.floats(min_value=0, max_value=100), st.none() | st.floats())
def test_a_wait_that_was_asked_for_is_honoured_and_an_absurd_one_is_not(own: float, asked: float | None) -> None:
    waited = wait_for(own, asked)

    assert math.isfinite(waited)
    assert waited >= own
    if asked is not None and math.isfinite(asked):
        assert waited >= asked


def test_jitter_is_the_same_for_the_same_seed_and_differs_between_targets() -> None:
    assert Pace(seed=1).random("a").random() == Pace(seed=1).random("a").random()
    assert Pace(seed=1).random("a").random() != Pace(seed=1).random("b").random()
    assert Pace(seed=1).random("a").random() != Pace(seed=2).random("a").random()


def test_a_credential_is_stopped_after_the_allowed_refusals() -> None:
    ledger = CredentialLedger()
    for _ in range(REFUSALS_ALLOWED):
        assert not ledger.stopped("reader")
        ledger.begin("reader", go_on).end(refused=True)

    assert ledger.stopped("reader")
    assert not ledger.stopped("other")
    with pytest.raises(LoginRefused, match="'reader' was refused 3 times"):
        ledger.begin("reader", go_on)


def test_accepted_logins_do_not_forgive_refused_ones() -> None:
    ledger = CredentialLedger()
    for _ in range(REFUSALS_ALLOWED):
        ledger.begin("reader", go_on).end(refused=True)
        if not ledger.stopped("reader"):
            ledger.begin("reader", go_on).end()

    assert ledger.stopped("reader")


def test_logins_under_way_count_until_they_end() -> None:
    ledger = CredentialLedger()
    under_way = [ledger.begin("reader", go_on) for _ in range(REFUSALS_ALLOWED)]

    def give_up() -> None:
        raise Halted

    with pytest.raises(Halted):
        ledger.begin("reader", give_up)
    under_way[0].end()
    ledger.begin("reader", go_on).end()
    assert not ledger.stopped("reader")


def test_a_login_given_up_frees_its_place_but_its_late_refusal_still_counts() -> None:
    ledger = CredentialLedger(allowed=1)
    hung = ledger.begin("reader", go_on)
    hung.end()
    ledger.begin("reader", go_on).end()
    hung.end(refused=True)

    assert ledger.stopped("reader")


def test_a_waiting_login_hears_at_once_that_the_credential_was_stopped() -> None:
    ledger = CredentialLedger(allowed=1)
    first = ledger.begin("reader", go_on)
    heard: list[str] = []

    def wait() -> None:
        try:
            ledger.begin("reader", go_on)
        except LoginRefused:
            heard.append("refused")

    waiting = threading.Thread(target=wait)
    waiting.start()
    first.end(refused=True)
    waiting.join(5)

    assert heard == ["refused"]


def test_places_are_limited_in_all_per_credential_and_per_site() -> None:
    slots = Slots(parallel=3, per_credential=2, per_site=2)

    assert slots.take("reader", "taipei")
    assert slots.take("reader", "tainan")
    assert not slots.take("reader", "hualien"), "two with one credential"
    assert slots.take(None, "taipei")
    assert not slots.take("other", "hualien"), "three in all"
    slots.give_back("reader", "tainan")
    assert not slots.take("other", "taipei"), "two at one site"
    assert slots.take("other", "hualien")


def test_a_place_that_was_not_given_leaves_no_trace() -> None:
    slots = Slots(parallel=9, per_credential=1, per_site=9)
    assert slots.take("reader", "taipei")
    for _ in range(9):
        assert not slots.take("reader", "tainan")
    slots.give_back("reader", "taipei")

    assert slots.take("reader", "tainan")


def test_stop_is_heard_by_request_or_by_file_and_stays(tmp_path: Path) -> None:
    asked, filed, never = Stop(), Stop(tmp_path / "stop"), Stop(tmp_path / "other")
    asked.request()
    (tmp_path / "stop").touch()

    assert asked.look()
    assert filed.look()
    (tmp_path / "stop").unlink()
    assert filed.look()
    assert not never.look()


def test_the_end_of_reading_is_no_exception_that_a_collector_could_take_for_an_error() -> None:
    assert not issubclass(Halted, Exception)
