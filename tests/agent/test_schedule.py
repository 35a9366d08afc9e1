from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agent.schedule import backoff, clamped, renews_at, slowly, until_slot


def test_each_agent_has_its_own_moment_in_every_interval() -> None:
    slots = [(1_000_000 + until_slot(1_000_000, f"agent {number}", 300)) % 300 for number in range(3000)]
    tenths = [sum(lower <= slot < lower + 30 for slot in slots) for lower in range(0, 300, 30)]
    assert min(tenths) > 200 and max(tenths) < 400


def test_the_next_turn_is_one_interval_later() -> None:
    now = 1_000_000 + until_slot(1_000_000, "a", 300)
    assert until_slot(now, "a", 300) == pytest.approx(300, abs=1e-6)
    assert until_slot(now - 1, "a", 300) == pytest.approx(1)


@pytest.mark.parametrize("now", [0.0, 4_102_444_800.0, -5.0])
def test_a_turn_comes_whatever_the_clock_says(now: float) -> None:
    assert 0 < until_slot(now, "a", 60) <= 60


def test_failures_are_repeated_ever_more_seldom_up_to_half_an_hour() -> None:
    longest = [backoff(failures, None, lambda: 0.999999) for failures in range(1, 40)]
    assert longest == sorted(longest)
    assert 5 < longest[0] <= 10
    assert 1799 < longest[-1] <= 1800
    assert backoff(30, None, lambda: 0.0) == 1.0


def test_what_the_server_asks_for_is_waited_for_and_then_spread() -> None:
    assert backoff(1, 90, lambda: 0.0) == 90
    assert backoff(1, 90, lambda: 0.999) < 180
    assert backoff(1, 10**9, lambda: 0.0) == 86_400
    assert backoff(1, 0, lambda: 0.0) == 1


def test_after_a_no_it_is_slow() -> None:
    assert slowly(lambda: 0.0) == 1800
    assert slowly(lambda: 0.999) < 3600


@pytest.mark.parametrize(("set_", "used"), [(1, 60), (300, 300), (10**9, 86_400), (-4, 60)])
def test_an_interval_has_bounds(set_: int, used: int) -> None:
    assert clamped(set_) == used
    assert clamped(set_, 120, 600) in {120, 300, 600}


def test_renewals_are_spread_around_half_of_the_life() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    shares = [
        (renews_at(begin, begin + timedelta(days=30), f"key {number}") - begin) / timedelta(days=30)
        for number in range(500)
    ]
    assert 0.4 <= min(shares) < 0.41 and 0.59 < max(shares) <= 0.6
