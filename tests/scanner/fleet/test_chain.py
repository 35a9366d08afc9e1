"""What a message is to a chain, without any server."""

from __future__ import annotations

from datetime import UTC

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import wire
from scanner.fleet.chain import Link, Nonces, Step, follow, judge, mark_of
from scanner.fleet.messages import BadMessage, Beat, decoded

AGENT = "01920000-0000-7000-8000-000000000000"
NONCES = Nonces(b"s" * 32)
FIRST = b"12345678"


def beat(**other: object) -> tuple[Beat, bytes]:
    plain = wire.beat(
        AGENT,
        1,
        boot_id="boot",
        nonce=NONCES.give(AGENT, 0, FIRST),
        root=wire.EMPTY_ROOT,
        prev_root=wire.EMPTY_ROOT,
        ts="2026-11-23T00:00:00Z",
        version="1",
    )
    body = wire.encode(plain | other)
    return decoded(body, Beat), mark_of(body)


def link() -> Link:
    return Link(0, 0, wire.EMPTY_ROOT, "", "", FIRST, 0, False)


def test_a_nonce_is_of_one_agent_one_number_and_one_secret() -> None:
    nonce = NONCES.give(AGENT, 7, FIRST)

    assert NONCES.number(AGENT, nonce) == 7
    assert NONCES.number(AGENT[:-1] + "1", nonce) is None
    assert Nonces(b"t" * 32).number(AGENT, nonce) is None
    assert [NONCES.number(AGENT, odd) for odd in ("", "=", "é", "AAAA", nonce[:-2] + "AA")] == [None] * 5


def test_the_first_message_is_the_next_and_its_repetition_none() -> None:
    chain = link()
    message, mark = beat()
    assert judge(chain, message, mark, NONCES) == (Step.NEXT, "")

    follow(chain, message, mark, Step.NEXT)

    assert judge(chain, message, mark, NONCES) == (Step.REPEATED, "")
    assert judge(chain, *beat(boot_id="other"), NONCES) == (Step.FORK, "seq")


@settings(max_examples=300, deadline=None)
@given(
    seq=st.integers(1, 2**53 - 1),
    nonce=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=256),
    boot=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64),
    ts=st.datetimes(timezones=st.just(UTC)),
    resume=st.booleans(),
    known=st.integers(0, 2**53 - 1),
)
def test_no_message_of_the_form_makes_judging_fail(
    seq: int, nonce: str, boot: str, ts: object, resume: bool, known: int
) -> None:
    chain = link()
    chain.seq, chain.resume = known, resume
    message, mark = beat(seq=seq, nonce=nonce, boot_id=boot, ts=msgspec.to_builtins(ts))

    step, _ = judge(chain, message, mark, NONCES)

    assert step in {Step.FORK, Step.STALE}, "nobody guesses a nonce"


@pytest.mark.parametrize(
    "ts", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-23T00:00:00.999999Z"]
)
def test_times_at_the_ends_of_the_calendar_are_judged_too(ts: str) -> None:
    try:
        message, mark = beat(ts=ts)
    except BadMessage:
        return
    chain = link()
    assert judge(chain, message, mark, NONCES)[0] is Step.NEXT
    follow(chain, message, mark, Step.NEXT)
    assert abs(chain.ts) < 2**62


@pytest.mark.parametrize("nonce", ["é", "日本", "\x00", "a b"])
def test_a_nonce_that_nobody_gives_is_no_message(nonce: str) -> None:
    with pytest.raises(BadMessage, match="nonce"):
        beat(nonce=nonce)
