"""A result is read whole, and what is equal in it is held once."""

from __future__ import annotations

import json

import msgspec
import pytest

from scanner.result.assessment import Assessment
from scanner.sealed.assessment_reader import ResultHead, read_assessment
from tests.reports.dossier_sample import wide


def sample() -> Assessment:
    """An assessment of several scopes, without the text that no file can hold."""
    text = json.dumps(msgspec.to_builtins(wide(6).assessment), ensure_ascii=False)
    return msgspec.json.decode(text.encode("utf-8", "replace"), type=Assessment)


def test_a_result_comes_back_as_it_was_written_with_equal_parts_held_once() -> None:
    written = sample()
    content = msgspec.json.encode(written)
    found = read_assessment(content)
    assert found == written == msgspec.json.decode(content, type=Assessment)
    first, second = found.grades[0], msgspec.json.decode(content, type=Assessment).grades[0]
    assert first == second
    twice = read_assessment(msgspec.json.encode(msgspec.structs.replace(written, grades=[*written.grades] * 2)))
    half = len(written.grades)
    assert all(a.items[0] is b.items[0] for a, b in zip(twice.grades[:half], twice.grades[half:], strict=True))


def test_the_head_tells_what_it_was_graded_from() -> None:
    written = sample()
    head = msgspec.json.decode(msgspec.json.encode(written), type=ResultHead)
    assert (head.baseline, head.as_of, head.collections) == (written.baseline, written.as_of, written.collections)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"grades": [{}]}', b'{"grades": [], "as_of": 1}'])
def test_what_is_no_result_is_refused(content: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_assessment(content)
