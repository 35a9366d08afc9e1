"""What a request must be before anything of it is read, and how often one may come."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from agent import wire
from scanner.fleet.answers import Answer, Refused, refusal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SIGNATURE = wire.SIGNATURE_HEADER.lower().encode()


class Gone(Exception):
    """The client went away before its request was whole."""


class Allowance:
    """So many a minute for each name, and a few at once; forgets names that did not come for long."""

    def __init__(self, per_minute: int, names: int = 65_536) -> None:
        self._rate, self._most, self._names = per_minute / 60, float(per_minute), names
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, now: float) -> bool:
        """Whether one more is allowed; ``now`` in seconds."""
        left, then = self._left.pop(name, (self._most, now))
        left = min(self._most, left + max(0.0, now - then) * self._rate)
        allowed = left >= 1
        self._left[name] = (left - 1 if allowed else left, now)
        if len(self._left) > self._names:
            self._left.popitem(last=False)
        return allowed

    def spent(self, name: str, now: float) -> bool:
        """Whether nothing is left, without taking anything."""
        left, then = self._left.get(name, (self._most, now))
        return left + max(0.0, now - then) * self._rate < 1


async def body_of(scope: Scope, receive: Receive) -> tuple[bytes, str]:
    """The body of a request and its signature header; raises Refused before reading what is too large, and Gone."""
    length, signature = -1, ""
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value) if value.isdigit() and len(value) < 16 else -1
        elif name == SIGNATURE:
            signature = value.decode("latin-1")
        elif name == b"transfer-encoding":
            raise Refused(refusal("length", closes=True))
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise Refused(refusal("encoding", closes=True))
    if length < 0:
        raise Refused(refusal("length", closes=True))
    if length > wire.MAX_BODY:
        raise Refused(refusal("too_large", closes=True))
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body, signature
    parts, count = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        parts.append(message.get("body", b""))
        count += len(parts[-1])
        if count > wire.MAX_BODY:
            raise Refused(refusal("too_large", closes=True))
    return b"".join(parts), signature


async def give(send: Send, answer: Answer) -> None:
    """Send an answer."""
    status, body, retry_after, closes = answer
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if retry_after:
        headers.append((b"retry-after", b"%d" % retry_after))
    if closes:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
