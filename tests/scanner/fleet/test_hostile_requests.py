"""Whatever is sent gets an answer that is no failure of the server, and costs it little."""

from __future__ import annotations

import gzip
import json
import logging
import resource
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent import wire
from tests.scanner.fleet.lab import POSTURE, Pretended, Running, enrolled, make_fleet, section

PATHS = (wire.ENROL, wire.RENEW, wire.BEAT, wire.REPORT)


def raw(fleet: Running, *parts: bytes, pause: float = 0.0, patience: float = 10.0) -> bytes:
    """What the server answers to bytes as they are."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", fleet.port), timeout=patience) as plain,
        context.wrap_socket(plain) as sock,
    ):
        try:
            for part in parts:
                sock.sendall(part)
                time.sleep(pause)
            found = b""
            while more := sock.recv(65536):
                found += more
        except (ConnectionError, ssl.SSLError):
            return b""
        return found


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def head(path: str, *fields: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *fields, "", ""]).encode()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ((), 411),
        (("Transfer-Encoding: chunked",), 411),
        (("Content-Length: 262145",), 413),
        (("Content-Length: 1073741824",), 413),
        (("Content-Length: 99999999999999999999",), 400),
        (("Content-Length: -1",), 400),
        (("Content-Length: 10", "Content-Encoding: gzip"), 415),
    ],
)
def test_a_body_is_refused_before_it_is_read(fleet: Running, path: str, fields: tuple[str, ...], expected: int) -> None:
    assert status(raw(fleet, head(path, *fields))) == expected


def test_a_huge_body_costs_no_memory(fleet: Running) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(6):
        raw(fleet, head(wire.REPORT, "Content-Length: 1073741824"), *[bytes(1 << 20)] * 4)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024


def test_a_compressed_body_is_not_opened(fleet: Running) -> None:
    bomb = gzip.compress(bytes(20 << 20))

    assert fleet.post(wire.BEAT, bomb, {"Content-Encoding": "gzip"}).status == 415


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_refused(fleet: Running, path: str) -> None:
    assert fleet.get(path)[0] == 405


def test_a_head_without_end_is_cut_off(fleet: Running) -> None:
    answer = raw(fleet, b"POST /v1/hb HTTP/1.1\r\n", *[b"X-Filler: " + b"a" * 8000 + b"\r\n"] * 20)

    assert answer == b""


@pytest.mark.parametrize("line", [b"\x00\x01\x02", b"GET / HTTP/9.9\r\n\r\n", b"POST /v1/\xff HTTP/1.1\r\n\r\n"])
def test_what_is_no_http_is_refused(fleet: Running, line: bytes) -> None:
    assert not raw(fleet, line + b"\r\n\r\n", patience=3).startswith(b"HTTP/1.1 5")


BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"v": "\xff\xfe"}',
    "no object": b"[]",
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 40_000,
    "lone surrogate": b'{"v":"\\ud800"}',
    "huge number": b'{"v":' + b"9" * 200_000 + b"}",
    "exponent": b'{"v":1e999999}',
    "NUL": b'{"v":1,"agent":"\\u0000"}',
    "twice": b'{"v":1,"v":2}',
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_malformed_body_is_a_bad_message_even_if_it_is_signed(malformed: Pretended, path: str, body: bytes) -> None:
    fleet = malformed.server
    headers = {} if path == wire.ENROL else malformed.signed(path, body)

    assert fleet.post(path, body, headers).word in {"bad_message", "too_often"}


@pytest.fixture(scope="module")
def malformed(fleet: Running) -> Pretended:
    return enrolled(fleet)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "odd",
    [
        section("os", share=0.5),
        section("os", deep=nested(12)),
        section("os", text="x" * 20_000),
        section("os", number=2**60),
        section("os") | {"surplus": 1},
        section("os") | {"status": "fine"},
        section("os") | {"schema_version": True},
        section("os") | {"missing": {"a": {"status": "seen", "detail": ""}}},
        section("os") | {"observed_at": "yesterday"},
        section("os") | {"values": []},
        section("../os"),
        section("os", much=["x" * 1000] * 140),
    ],
)
def test_a_section_that_is_not_of_the_form_is_refused_whole(fleet: Running, odd: dict[str, Any]) -> None:
    agent = enrolled(fleet)

    reply = agent.send(wire.REPORT, agent.report(POSTURE | {odd["name"]: odd}))

    assert (reply.status, reply.word) == (400, "bad_message")
    assert agent.send(wire.REPORT, agent.report(POSTURE)).status == 200, "and nothing of it counted"


@pytest.mark.parametrize(
    "other",
    [
        {"index": {"os": "0" * 64}},
        {"root": "0" * 64},
        {"surplus": 1},
        {"sections": [POSTURE["os"], POSTURE["os"]]},
        {"ts": "2026-11-23T00:00:00"},
        {"seq": 0},
        {"seq": 1.0},
        {"v": 2},
    ],
)
def test_a_report_that_contradicts_itself_is_refused(fleet: Running, other: dict[str, Any]) -> None:
    agent = enrolled(fleet)

    assert agent.send(wire.REPORT, agent.report(POSTURE, **other)).word == "bad_message"


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.dictionaries(TEXTS, VALUES, max_size=4))
def test_both_sides_digest_every_text_alike(values: dict[str, Any]) -> None:
    import msgspec

    from scanner.fleet.messages import Report, decoded, offered

    sent = section("os") | {"values": values}
    index = {"os": wire.section_digest(sent)}
    beat = wire.beat(
        "01920000-0000-7000-8000-000000000000",
        1,
        boot_id="b",
        nonce="n",
        root=wire.root_digest(index),
        prev_root=wire.EMPTY_ROOT,
        ts="2026-11-23T00:00:00Z",
        version="1",
    )
    for escaped in (True, False):
        body = json.dumps(wire.report(beat, index, [sent]), ensure_ascii=escaped).encode()
        (found,) = offered(decoded(body, Report), body)

        assert found.digest.hex() == index["os"]
        assert found.body == wire.section_bytes(sent)
        assert msgspec.json.decode(found.body)["name"] == "os"


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), path=st.sampled_from(PATHS))
def test_a_damaged_message_never_fails_the_server(malformed: Pretended, data: st.DataObject, path: str) -> None:
    whole = malformed.report(POSTURE) if path == wire.REPORT else malformed.beat()
    place = data.draw(st.integers(0, len(whole) - 1))
    body = data.draw(
        st.sampled_from([whole[:place], whole[:place] + b"\x00" + whole[place:], whole[:place] + whole[place + 1 :]])
    )

    reply = malformed.server.post(path, body, {} if path == wire.ENROL else malformed.signed(path, body))

    assert 400 <= reply.status < 500 or reply.status == 200


def test_an_unsigned_or_wrongly_signed_message_is_refused_and_set_down(own: Running) -> None:
    agent = enrolled(own)
    body = agent.beat()
    stranger = Pretended(own)

    words = [
        own.post(wire.BEAT, body).word,
        own.post(wire.BEAT, body, {wire.SIGNATURE_HEADER: "v1;zz;AA=="}).word,
        own.post(wire.BEAT, body, agent.signed(wire.BEAT, body + b" ")).word,
        own.post(wire.BEAT, body, stranger.signed(wire.BEAT, body)).word,
    ]

    assert words == ["bad_signature", "bad_signature", "bad_signature", "unknown_key"]
    until = time.monotonic() + 10  # nobody waits for the entry
    while own.events().count("refused") < 4 and time.monotonic() < until:
        time.sleep(0.05)
    assert own.events().count("refused") == 4


def test_one_agent_that_says_too_much_is_told_to_wait_and_others_are_not(own: Running) -> None:
    loud, quiet = enrolled(own, "loud"), enrolled(own, "quiet")

    replies = [loud.send(wire.BEAT, loud.beat()) for _ in range(12)]

    assert [reply.status for reply in replies] == [200] * 10 + [429] * 2
    assert replies[-1].headers["retry-after"] == "60"
    assert quiet.send(wire.BEAT, quiet.beat()).status == 200
    own.clock.now += 60
    assert loud.send(wire.BEAT, loud.beat()).status == 200


def test_an_address_that_guesses_tokens_must_wait(own: Running) -> None:
    words = [Pretended(own).enrol(f"guessed-token-{number:04}").word for number in range(31)]

    assert words[0] == "token_unknown" and words[-1] == "too_often"
    own.clock.now += 60


def test_a_request_that_never_ends_is_cut_off(own: Running) -> None:
    begun = time.monotonic()

    assert raw(own, head(wire.BEAT, "Content-Length: 100"), b"a", patience=8) == b""
    assert raw(own, b"POST /v1/hb", patience=8) == b""
    assert raw(own, b"\r\n" * 100, patience=8) == b""
    assert raw(own, patience=8) == b""
    assert time.monotonic() - begun < 7


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with little patience."""
    running = Running(make_fleet(tmp_path_factory.mktemp("own") / "server", per_minute=10, request_seconds=1))
    yield running
    running.end()


@pytest.mark.parametrize("whose", ["asyncio", "uvicorn.error"])
def test_nobody_fills_the_log_with_warnings_of_odd_connections(fleet: Running, whose: str) -> None:
    assert not logging.getLogger(whose).isEnabledFor(logging.WARNING)
    assert logging.getLogger(whose).isEnabledFor(logging.ERROR)
