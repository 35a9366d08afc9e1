"""Answers of an LDAP server (RFC 4511) as they come over a socket: entries with their raw values, and how it ended.

ldap3 decodes every value twice, as bytes and as text, which took two thirds of the time of a reading.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_SEQUENCE = 0x30
_OCTETS = 0x04
_SET = 0x31
_INTEGER = 0x02
_ENUMERATED = 0x0A
_ENTRY = 0x64
_DONE = 0x65
_REFERENCE = 0x73
_EXTENDED = 0x78
_REFERRAL = 0xA3
_CONTROLS = 0xA0
_PAGED = b"1.2.840.113556.1.4.319"
_CHUNK = 1 << 16
MOST = 1 << 28
"""Bytes of the largest message that is taken for one; a group of a million members is below it."""

Row = tuple[str, Mapping[str, tuple[bytes, ...]]]
"""Distinguished name, and values by attribute name in lower case."""


@dataclass
class Answer:
    """Everything that came for one request: entries, the result code and text, and the cookie of the next page."""

    rows: list[Row] = field(default_factory=list)
    code: int = 0
    message: str = ""
    referrals: tuple[str, ...] = ()
    cookie: bytes = b""


class Answers:
    """Reads one connection; ``receive`` gives bytes as ``socket.recv`` does, ``seconds`` are for one whole answer."""

    def __init__(self, receive: Callable[[int], bytes], seconds: float) -> None:
        self._receive = receive
        self._seconds = seconds
        self._data = b""
        self._at = 0
        self._names: dict[bytes, str] = {}

    def to(self, number: int) -> Answer:
        """The answer to one request.

        Raises ValueError or IndexError where it is not to be understood, ConnectionError where the server ended the
        session, TimeoutError, and what ``receive`` raises.
        """
        until = time.monotonic() + self._seconds
        answer = Answer()
        while True:
            begin, end = self._message(until)
            at, begin = _span(self._data, begin, _INTEGER)
            given = int.from_bytes(self._data[at:begin], "big")
            kind = self._data[begin]
            at, stop = _span(self._data, begin, kind)
            if given == 0 and kind == _EXTENDED:
                code, message, _ = _result(self._data, at, stop)
                raise ConnectionAbortedError(f"the server gave notice that it ends the session: {message or code}")
            if given != number:
                raise ValueError("an answer to something that was not asked")
            if kind == _ENTRY:
                answer.rows.append(_entry(self._data, at, stop, self._names))
            elif kind == _DONE:
                answer.code, answer.message, answer.referrals = _result(self._data, at, stop)
                answer.cookie = _cookie(self._data, stop, end)
                return answer
            elif kind != _REFERENCE:  # what another server holds is no part of this one's answer
                raise ValueError(f"a message of kind {kind:#x}, where entries were expected")

    def _message(self, until: float) -> tuple[int, int]:
        """Begin and end, in the data, of what the next message holds."""
        while True:
            held = len(self._data) - self._at
            wanted = 2
            if held >= 2:
                if self._data[self._at] != _SEQUENCE:
                    raise ValueError("what came is no message of LDAP")
                long = self._data[self._at + 1]
                wanted = 2 + (long & 0x7F) if long > 0x7F else 2 + long
                if held >= wanted:
                    begin, end = _span(self._data, self._at, _SEQUENCE)
                    if end - begin > MOST:
                        raise ValueError(f"a message of {end - begin} bytes")
                    wanted = end - self._at
                    if held >= wanted:
                        self._at = end
                        return begin, end
            self._more(wanted - held, until)

    def _more(self, wanted: int, until: float) -> None:
        chunks = [self._data[self._at :]]
        while wanted > 0:
            chunk = self._receive(_CHUNK)
            if not chunk:
                raise ConnectionResetError("the server ended the session")
            if time.monotonic() > until:
                raise TimeoutError(f"timed out: one answer took more than {self._seconds:g} seconds")
            wanted -= len(chunk)
            chunks.append(chunk)
        self._data, self._at = b"".join(chunks), 0


def _span(data: bytes, at: int, tag: int) -> tuple[int, int]:
    """Begin and end of what stands under a tag (X.690, definite lengths); raises ValueError, IndexError."""
    if data[at] != tag:
        raise ValueError(f"tag {data[at]:#x}, where {tag:#x} was expected")
    size = data[at + 1]
    at += 2
    if size > 0x7F:
        many = size & 0x7F
        if not 0 < many <= 8:
            raise ValueError(f"a length of {many} bytes")
        size = int.from_bytes(data[at : at + many], "big")
        at += many
    return at, at + size


def _entry(data: bytes, at: int, end: int, names: dict[bytes, str]) -> Row:
    at, stop = _span(data, at, _OCTETS)
    dn = data[at:stop].decode("utf-8")
    at, last = _span(data, stop, _SEQUENCE)
    values: dict[str, tuple[bytes, ...]] = {}
    while at < last:
        at, whole = _span(data, at, _SEQUENCE)
        at, stop = _span(data, at, _OCTETS)
        raw = data[at:stop]
        name = names.get(raw)
        if name is None:
            name = names[raw] = raw.decode("ascii").lower()
        at, stop = _span(data, stop, _SET)
        if stop != whole:
            raise ValueError("an attribute that does not end where it should")
        found = []
        while at < whole:
            begin, at = _span(data, at, _OCTETS)
            found.append(data[begin:at])
        if at != whole:
            raise ValueError("a value that does not end where it should")
        if found:
            values[name] = tuple(found)
    if at != last or last != end:
        raise ValueError("an entry that does not end where it should")
    return dn, values


def _result(data: bytes, at: int, end: int) -> tuple[int, str, tuple[str, ...]]:
    """Code, message and referrals of an LDAPResult."""
    at, stop = _span(data, at, _ENUMERATED)
    code = int.from_bytes(data[at:stop], "big")
    _, stop = _span(data, stop, _OCTETS)
    at, stop = _span(data, stop, _OCTETS)
    message = data[at:stop].decode("utf-8", "replace")
    referrals = []
    if stop < end and data[stop] == _REFERRAL:
        at, last = _span(data, stop, _REFERRAL)
        while at < last:
            begin, at = _span(data, at, _OCTETS)
            referrals.append(data[begin:at].decode("utf-8", "replace"))
    return code, message, tuple(referrals)


def _cookie(data: bytes, at: int, end: int) -> bytes:
    """The cookie of the paging control (RFC 2696); empty where there is no further page."""
    if at >= end:
        return b""
    at, end = _span(data, at, _CONTROLS)
    while at < end:
        at, stop = _span(data, at, _SEQUENCE)
        begin, at = _span(data, at, _OCTETS)
        if data[begin:at] == _PAGED:
            if data[at] == 0x01:  # criticality
                _, at = _span(data, at, 0x01)
            at, _ = _span(data, at, _OCTETS)
            at, _ = _span(data, at, _SEQUENCE)
            _, at = _span(data, at, _INTEGER)
            at, stop = _span(data, at, _OCTETS)
            return data[at:stop]
        at = stop
    return b""
