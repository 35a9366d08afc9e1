"""What the client library knows of AWS, cut down to the calls that may be made: the rest would only fill memory."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from botocore.loaders import JSONFileLoader, Loader

OF_THE_LIBRARY = {
    "s3": frozenset({"CreateSession", "HeadBucket"}),
    "sts": frozenset({"AssumeRoleWithWebIdentity"}),
}
"""Calls that the library makes of its own accord; they must be known so that the port can judge them by name."""
_MODEL = "service-2"
_Parts = dict[str, msgspec.Raw]


def loader_of(calls: Iterable[tuple[str, str]]) -> Loader:
    """A loader of models in which nothing but these calls stands, by service and name, for any number of sessions."""
    wanted: dict[str, set[str]] = {}
    for service, name in calls:
        wanted.setdefault(service, set(OF_THE_LIBRARY.get(service, ()))).add(name)
    return Loader(file_loader=_CutDown(wanted))


class _CutDown(JSONFileLoader):  # type: ignore[misc, unused-ignore]
    """Reads the library's files; of the model of a service it keeps the wanted calls and what they are made of."""

    def __init__(self, wanted: Mapping[str, Iterable[str]]) -> None:
        self._wanted = wanted

    def load_file(self, file_path: str) -> Any:
        """Content of a file, named without ``.json`` or ``.json.gz``; None where there is no such file."""
        path = Path(file_path)
        plain, packed = path.with_name(f"{path.name}.json"), path.with_name(f"{path.name}.json.gz")
        if plain.is_file():
            raw = plain.read_bytes()
        elif packed.is_file():
            raw = gzip.decompress(packed.read_bytes())
        else:
            return None
        service = path.parent.parent.name
        if path.name == _MODEL and service in self._wanted:
            return cut_down(raw, self._wanted[service])
        return msgspec.json.decode(raw)


def cut_down(raw: bytes, wanted: Iterable[str]) -> dict[str, Any]:
    """The model of a service with the wanted calls alone, the shapes that they reach, and no documentation."""
    parts = msgspec.json.decode(raw, type=_Parts)
    operations = msgspec.json.decode(parts.pop("operations"), type=_Parts)
    shapes = msgspec.json.decode(parts.pop("shapes"), type=_Parts)
    model: dict[str, Any] = {
        name: msgspec.json.decode(part) for name, part in parts.items() if name not in {"documentation", "examples"}
    }
    kept = {name: _undocumented(operations[name]) for name in sorted(wanted) if name in operations}
    reached: dict[str, Any] = {}
    ahead = set(_shapes_in(kept))
    while ahead:
        name = ahead.pop()
        if name in shapes:
            reached[name] = _undocumented(shapes[name])
            ahead |= set(_shapes_in(reached[name])) - reached.keys()
    return {**model, "operations": kept, "shapes": reached}


def _undocumented(raw: msgspec.Raw) -> Any:
    return _without(msgspec.json.decode(raw))


def _without(value: Any) -> Any:
    """The same without its documentation; a member that is called so is no text."""
    if not isinstance(value, dict):
        return value
    return {
        name: _without(part) for name, part in value.items() if not (name == "documentation" and isinstance(part, str))
    }


def _shapes_in(value: Any) -> Iterator[str]:
    """Names of shapes that a call or a shape refers to."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "shape" and isinstance(part, str):
                yield part
            else:
                yield from _shapes_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from _shapes_in(part)
