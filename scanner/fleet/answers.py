"""Answers of the fleet server: a status and JSON; refusals name what was wrong by a word that agents may rely on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from starlette.responses import Response

from agent import wire


class Answer(NamedTuple):
    """What goes back: status, body, seconds after which to ask again, and whether the connection ends here."""

    status: int
    body: bytes
    retry_after: int = 0
    closes: bool = False


class Refused(Exception):
    """A request that is not taken; carries its answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(answer.status)


REFUSALS: Mapping[str, tuple[int, str]] = {
    "bad_message": (400, "the message is not of the form"),
    "bad_signature": (401, "the signature is not by the key that it names, or over other bytes"),
    "unknown_key": (401, "no agent has this key; enrol"),
    "key_replaced": (401, "the agent has renewed this key; sign with the new one"),
    "certificate_expired": (401, "the certificate has expired; renew it"),
    "expired_too_long": (401, "the certificate expired more than 90 days ago; enrol again"),
    "caller_unknown": (401, "verdicts are read with a token of their own"),
    "caller_certificate": (
        401,
        "the token is good only with a client certificate that was not shown",
    ),
    "caller_expired": (401, "the token's time is over, or it was revoked"),
    "caller_elsewhere": (403, "the token is not for this network"),
    "banned": (403, "this agent may not speak any more"),
    "evicted": (403, "this agent was removed; it may enrol again with a new token"),
    "pending": (403, "an operator has not yet approved this agent"),
    "token_unknown": (403, "there is no such token"),
    "token_expired": (403, "the token's time is over, or it was revoked"),
    "token_elsewhere": (403, "the token is not for hosts of this network or name"),
    "not_found": (404, "there is nothing here"),
    "method": (405, "this is asked with another method"),
    "timeout": (408, "the request did not arrive in time"),
    "stale": (409, "a newer message was accepted already; nothing was changed"),
    "clone_suspected": (409, "two hosts speak with this key; an operator must decide"),
    "token_used": (409, "the token was used up by another key"),
    "key_known": (409, "this key belongs to an agent already; make a new one, or have the agent evicted"),
    "length": (411, "the request must say its Content-Length"),
    "too_large": (413, f"a request has at most {wire.MAX_BODY} bytes"),
    "encoding": (415, "bodies are sent as they are, not compressed"),
    "too_often": (429, "this agent sends too much"),
    "busy": (503, "too much waits already"),
    "store": (503, "the message could not be stored; it was not accepted"),
}
"""Word to status and meaning."""


def refusal(word: str, detail: str = "", retry_after: int = 0, *, closes: bool = False) -> Answer:
    """The answer that refuses; ``detail`` where more than the meaning of the word can be said."""
    status, meaning = REFUSALS[word]
    body = msgspec.json.encode({"v": wire.VERSION, "error": word, "detail": detail or meaning})
    return Answer(status, body, retry_after, closes)


def response(answer: Answer, headers: Mapping[str, str] | None = None) -> Response:
    """An answer as Starlette sends it."""
    retry = {"retry-after": str(answer.retry_after)} if answer.retry_after else {}
    return Response(answer.body, answer.status, retry | dict(headers or {}), "application/json")


def told(status: int = 200, /, **says: Any) -> Answer:
    """An answer that says something."""
    return Answer(status, msgspec.json.encode({"v": wire.VERSION, **says}))


def rfc3339(now: int) -> str:
    """A time in ms since 1970 as text in UTC."""
    return datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
