"""LDIF (RFC 2849): what a directory gave, written for the record and read back."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from collectors.ad import attributes
from collectors.ports.directory import Entry
from scanner.errors import Malformed

_DECLARED = frozenset(name.lower() for name in attributes.DECLARED)
_REQUESTING = b"# requesting: "
_SAFE = re.compile(rb"(?:[!-9;=-~](?:[ -~]*[!-~])?)?")
"""Values that need no base64: printable ASCII that neither begins nor ends with what has a meaning of its own."""
LONGEST = 16 * 1024 * 1024
"""Bytes of the longest record that is read."""


def written(entries: Iterable[Entry]) -> bytes:
    """One LDIF file; an attribute that was not asked for is not written, whatever the server sent."""
    lines = [b"version: 1\n"]
    asked: frozenset[str] = frozenset()
    for entry in entries:
        if entry.asked != asked:
            asked = entry.asked
            lines.append(b"\n" + _REQUESTING + " ".join(sorted(asked)).encode("ascii") + b"\n")
        lines.append(b"\n" + _line("dn", entry.dn.encode("utf-8", "surrogatepass")))
        for name in sorted(entry.values):
            if name.split(";")[0] in _DECLARED:
                lines.extend(_line(name, value) for value in entry.values[name])
    return b"".join(lines)


def _line(name: str, value: bytes) -> bytes:
    if _SAFE.fullmatch(value):
        return name.encode("ascii") + b": " + value + b"\n"
    return name.encode("ascii") + b":: " + base64.b64encode(value) + b"\n"


def entries(stream: BinaryIO, name: str) -> Iterator[Entry]:
    """The records of one file as they come; only declared attributes are kept. Raises Malformed, naming the line.

    What was asked for stands in a comment of the form that ldapsearch writes, ``# requesting: NAME NAME``; without one
    nothing is known to have been asked for.
    """
    asked: frozenset[str] = frozenset()
    record: list[tuple[int, bytes]] = []
    size = 0
    for number, raw in enumerate(stream, start=1):
        line = raw.rstrip(b"\r\n")
        if not line:
            yield from _entry(record, name, asked)
            record, size = [], 0
        elif line.startswith(b" ") and record:
            place, begun = record[-1]
            record[-1] = (place, begun + line[1:])
        elif line.startswith(_REQUESTING) and all(before.startswith(b"#") for _, before in record):
            asked = frozenset(line[len(_REQUESTING) :].decode("ascii", "replace").lower().split())
        else:  # a comment stays until the record ends, for its next line may belong to it
            record.append((number, line))
        size += len(line)
        if size > LONGEST:
            raise Malformed(f"{name}:{number}: a record of more than {LONGEST} bytes")
    yield from _entry(record, name, asked)


def _entry(record: list[tuple[int, bytes]], name: str, asked: frozenset[str]) -> Iterator[Entry]:
    dn: str | None = None
    values: dict[str, list[bytes]] = {}
    for number, line in record:
        if line.startswith(b"#"):
            continue
        key, colon, rest = line.partition(b":")
        try:
            if not colon:
                raise ValueError("expected 'attribute: value'")
            attribute = key.decode("ascii").lower()
            if rest.startswith(b"<"):
                raise ValueError("values in other files are not followed")
            value = base64.b64decode(rest[1:].strip(), validate=True) if rest.startswith(b":") else rest.lstrip(b" ")
            if dn is None and attribute in {"version", "ref", "search", "result"}:
                continue
            if dn is None and attribute != "dn":
                raise ValueError("a record begins with its dn")
            if attribute == "dn":
                dn = value.decode("utf-8")
            elif attribute == "changetype":
                raise ValueError("a record of changes is no record of what is")
            elif attribute.split(";")[0] in _DECLARED:
                values.setdefault(attribute, []).append(value)
        except (ValueError, binascii.Error) as error:
            raise Malformed(f"{name}:{number}: {error}") from error
    if dn is not None:
        yield Entry(dn, {attribute: tuple(found) for attribute, found in values.items()}, asked)
