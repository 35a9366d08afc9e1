"""Reads a result so that what is equal in many scopes is held once: a hundred megabytes of it become a few."""

from __future__ import annotations

from typing import Any

import msgspec

from scanner.result.assessment import Assessment, BaselineRef
from scanner.result.collection import CollectionRef
from scanner.result.grade import GateResult, Grade, ItemResult


class ResultHead(msgspec.Struct, frozen=True, kw_only=True):
    """Under which baseline, when and from what a result was graded."""

    baseline: BaselineRef
    as_of: str
    collections: list[CollectionRef]


class _Parts(msgspec.Struct):
    gates: list[msgspec.Raw]
    items: list[msgspec.Raw]


class _Grades(msgspec.Struct):
    grades: list[msgspec.Raw]


def read_assessment(content: bytes) -> Assessment:
    """The result that the JSON tells; equal items and gates of it are one object.

    Raises msgspec.DecodeError where it is none.
    """
    gates, items = _Once(GateResult), _Once(ItemResult)
    grades = [_grade(raw, gates, items) for raw in msgspec.json.decode(content, type=_Grades).grades]
    fields = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    fields["grades"] = msgspec.Raw(b"[]")
    rest = msgspec.json.decode(msgspec.json.encode(fields), type=Assessment)
    return msgspec.structs.replace(rest, grades=grades)


class _Once:
    """Decodes what is spelled alike once."""

    def __init__(self, form: type[Any]) -> None:
        self._decoder = msgspec.json.Decoder(form)
        self._told: dict[bytes, Any] = {}

    def read(self, raw: msgspec.Raw) -> Any:
        content = bytes(raw)
        if content not in self._told:
            self._told[content] = self._decoder.decode(content)
        return self._told[content]


def _grade(raw: msgspec.Raw, gates: _Once, items: _Once) -> Grade:
    parts = msgspec.json.decode(raw, type=_Parts)
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    fields |= {"gates": msgspec.Raw(b"[]"), "items": msgspec.Raw(b"[]")}
    rest = msgspec.json.decode(msgspec.json.encode(fields), type=Grade)
    return msgspec.structs.replace(
        rest, gates=[gates.read(each) for each in parts.gates], items=[items.read(each) for each in parts.items]
    )
