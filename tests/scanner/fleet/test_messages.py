"""What a text of a message must look like: checked together in one go, as strictly as one by one."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from agent import wire
from scanner.fleet.messages import BadMessage, Beat, Report, decoded

DIGEST = "0123456789abcdef" * 4
GOOD: dict[str, Any] = {
    "v": 1,
    "agent": "01920000-0000-7000-8000-000000000000",
    "seq": 1,
    "boot_id": "b",
    "nonce": "",
    "root": DIGEST,
    "prev_root": wire.EMPTY_ROOT,
    "ts": "2026-11-23T00:00:00Z",
    "agent_version": "1.0 beta",
}
INDEX = {"os": DIGEST, "disk_2": wire.EMPTY_ROOT}
SHAPES = {
    "agent": r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "boot_id": r"[\x21-\x7e]{1,64}",
    "nonce": r"[\x21-\x7e]{0,256}",
    "root": r"[0-9a-f]{64}",
    "prev_root": r"[0-9a-f]{64}",
    "agent_version": r"[\x20-\x7e]{0,64}",
}
NAME = r"[a-z][a-z0-9_]{0,47}"
ODD = [
    "",
    " ",
    "\n",
    "\r",
    "\x00",
    "\x7f",
    "a",
    "a\n",
    "\na",
    "a\nb",
    "é",
    "A",
    "a" * 48,
    "a" * 49,
    "7",
    "_",
    "a b",
    "a" * 64,
    "a" * 65,
    "a" * 257,
    DIGEST,
    DIGEST.upper(),
    f"{DIGEST}\n",
    f" {DIGEST}",
    f"{DIGEST[:-1]} ",
    f"{DIGEST[:-2]}  ",
    DIGEST[:-1],
    f"{DIGEST}00",
    f"{DIGEST}\n{DIGEST}",
    f"{DIGEST[:-1]}g",
    f"{DIGEST[:62]}٣٤",
    GOOD["agent"],
    f"{GOOD['agent']}\n",
    GOOD["agent"].replace("-7", "-4"),
    f"os\n{DIGEST}",
    f"b\nb\n{DIGEST}",
]


def taken(form: type[Any], message: dict[str, Any]) -> bool:
    try:
        decoded(msgspec.json.encode(message), form)
    except BadMessage:
        return False
    return True


@pytest.mark.parametrize("form", [Beat, Report])
@pytest.mark.parametrize("field", SHAPES)
def test_a_text_of_a_message_is_taken_as_its_pattern_says_and_no_other(form: type[Any], field: str) -> None:
    more = {"index": INDEX, "sections": []} if form is Report else {}
    assert taken(form, GOOD | more)
    for text in ODD:
        wanted = re.fullmatch(SHAPES[field], text) is not None
        assert taken(form, GOOD | more | {field: text}) == wanted, (field, text)


def test_names_and_digests_of_an_index_are_taken_as_their_patterns_say_and_no_others() -> None:
    for text in ODD:
        named = GOOD | {"index": {"os": DIGEST, text: DIGEST}, "sections": []}
        assert taken(Report, named) == (re.fullmatch(NAME, text) is not None), text
        digest = GOOD | {"index": {"os": text, "vpn": DIGEST}, "sections": []}
        assert taken(Report, digest) == (re.fullmatch(SHAPES["root"], text) is not None), text


def test_texts_that_only_together_would_look_right_are_refused() -> None:
    assert not taken(Beat, GOOD | {"boot_id": "b\nn", "nonce": ""})
    assert not taken(Beat, GOOD | {"root": DIGEST[:63], "prev_root": f"0{wire.EMPTY_ROOT}"})
    index = {"os": DIGEST[:63], "vpn": f"{DIGEST}0"}
    assert not taken(Report, GOOD | {"index": index, "sections": []})
    assert not taken(Report, GOOD | {"index": {"os\nvpn": DIGEST}, "sections": []})


def test_what_is_wrong_is_named_by_its_place() -> None:
    with pytest.raises(BadMessage, match=r"at `\$\.prev_root`"):
        decoded(msgspec.json.encode(GOOD | {"prev_root": "x"}), Beat)
    with pytest.raises(BadMessage, match=r"at `\$\.index`"):
        decoded(msgspec.json.encode(GOOD | {"index": {"X": DIGEST}, "sections": []}), Report)
    with pytest.raises(BadMessage, match=r"at `\$\.index\[\.\.\.\]`"):
        decoded(msgspec.json.encode(GOOD | {"index": {"os": "x"}, "sections": []}), Report)
