"""What agent and server say to each other."""

from __future__ import annotations

import hashlib
import json

import pytest

from agent import wire

SECTION = {
    "name": "boot",
    "schema_version": 1,
    "status": "seen",
    "detail": "",
    "observed_at": "2026-01-02T03:04:05Z",
    "values": {"b": 1, "a": ["é", None, True]},
    "missing": {},
}


def test_a_section_has_one_digest_however_its_keys_stand_and_whenever_it_was_looked_at() -> None:
    later = dict(reversed(SECTION.items())) | {"observed_at": "2027-01-01T00:00:00Z"}
    assert wire.section_digest(later) == wire.section_digest(SECTION)


def test_a_changed_value_changes_the_digest() -> None:
    assert wire.section_digest(SECTION | {"values": {"b": 2}}) != wire.section_digest(SECTION)


def test_texts_that_look_alike_have_one_digest() -> None:
    decomposed = SECTION | {"values": {"b": 1, "a": ["e\u0301", None, True]}}
    assert wire.section_digest(decomposed) == wire.section_digest(SECTION)


def test_a_text_that_utf_8_cannot_carry_is_sent_all_the_same() -> None:
    assert json.loads(wire.encode({"odd": "a\udcffb"})) == {"odd": "a?b"}


def test_a_root_speaks_for_every_section_and_the_empty_one_is_told_apart() -> None:
    one = {"boot": "0" * 64}
    assert wire.root_digest({}) == wire.EMPTY_ROOT == hashlib.sha256(b"").hexdigest()
    assert wire.root_digest(one) == hashlib.sha256(wire.encode(one)).hexdigest()
    assert wire.root_digest(one | {"patching": "1" * 64}) != wire.root_digest(one)


def test_what_is_signed_says_what_kind_of_message_it_is() -> None:
    assert wire.signed_bytes("a/b", b"xyz") == b"DSSEv1 3 a/b 3 xyz"
    assert wire.signed_bytes(wire.BEAT_TYPE, b"{}") != wire.signed_bytes(wire.REPORT_TYPE, b"{}")


def test_a_signature_survives_its_header() -> None:
    signature = wire.Signature("a" * 64, bytes(range(70)))
    assert wire.Signature.read(signature.header()) == signature


@pytest.mark.parametrize(
    "header", ["", "v2;" + "a" * 64 + ";" + "A" * 96, "v1;abc;" + "A" * 96, "v1;" + "a" * 64 + ";" + "A" * 41 + "=="]
)
def test_a_header_of_another_form_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match=wire.SIGNATURE_HEADER):
        wire.Signature.read(header)


def test_a_report_is_a_heartbeat_with_its_sections() -> None:
    beat = wire.beat("id", 7, boot_id="b", nonce="n", root="r", prev_root="p", ts="t", version="1")
    report = wire.report(beat, {"boot": "d"}, [SECTION])
    assert report["seq"] == 7
    assert report["index"] == {"boot": "d"}
    assert report["sections"] == [SECTION]
