"""The OpenAPI 3.1 document of the fleet server, made from the types that the server itself decodes and encodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from agent import wire
from scanner.fleet.answers import REFUSALS
from scanner.fleet.ingest import Receipt
from scanner.fleet.messages import DEPTH, Beat, Enrolment, Renewal, Report
from scanner.fleet.signal_callers import PREFIX
from scanner.fleet.signal_service import KEYS, LONGEST_PAGE, MANY, ONE, PAGE, Many, One

AGENT = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_BODY = ("length", "too_large", "encoding", "bad_message", "too_often", "busy", "store")
_AGENT = ("bad_signature", "unknown_key", "banned", "evicted", "pending", "clone_suspected")
_SPEAKING = (*_BODY, *_AGENT, "key_replaced", "certificate_expired", "stale")
_CALLER = ("caller_unknown", "caller_certificate", "caller_expired", "caller_elsewhere", "too_often", "busy", "store")
_TOKEN = ("token_unknown", "token_expired", "token_elsewhere", "token_used")
WORDS: Mapping[str, Sequence[str]] = {
    wire.ENROL: (*_BODY, *_TOKEN, "key_known", "key_replaced", "banned", "evicted"),
    wire.RENEW: (*_BODY, *_AGENT, "key_replaced", "expired_too_long", "key_known"),
    wire.BEAT: _SPEAKING,
    wire.REPORT: _SPEAKING,
    ONE: (*_CALLER, "not_found"),
    MANY: (*_CALLER, "bad_message"),
    "/metrics": ("not_found",),
}
"""Words of refusals that each path gives; others are a defect of this document."""

ABOUT = f"""What endpoint agents and policy engines say to the fleet server, over HTTPS.

Bodies are JSON in UTF-8, at most {wire.MAX_BODY} bytes, with a Content-Length and without Content-Encoding. Agents
sign the exact bytes of each body (DSSE pre-authentication encoding, ECDSA P-256 with SHA-256); an enrolment proves its
key by the certificate request in it. Texts count in Unicode normal form C; values of sections nest at most {DEPTH}
deep.

Every refusal is a `Refusal`; its word may be relied on. Another method is answered with 405 `method`, another path with
404 `not_found`. What is no HTTP/1.1 is answered with 400 in plain text, and with 503 in plain text where the server has
too many connections."""


class Certified(msgspec.Struct):
    """An identity, or its next certificate."""

    v: Literal[1]
    agent: str
    certificate: str
    """PEM."""
    chain: str
    """Issuing authority and root, PEM."""
    interval: int
    """Seconds between heartbeats."""
    nonce: str
    """For the next message."""
    time: str


class Waiting(msgspec.Struct):
    """An operator has not yet approved; ask again with the same bytes."""

    v: Literal[1]
    state: Literal["pending"]
    retry_after: int


class Refusal(msgspec.Struct):
    """A request that was not taken, and why."""

    v: Literal[1]
    error: Literal[tuple(REFUSALS)]  # type: ignore[valid-type]
    detail: str


class Health(msgspec.Struct):
    """Whether the store takes what is written."""

    status: Literal["ok", "store"]


class Key(msgspec.Struct):
    """A public key (RFC 7517)."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    kid: str
    use: Literal["sig"]
    alg: Literal["ES256"]


class KeySet(msgspec.Struct):
    """The keys that verdicts are verified with."""

    keys: list[Key]


def document(url: str = "https://fleet.example:8443") -> dict[str, Any]:
    """The document, for a server at this URL."""
    paths = {
        wire.ENROL: {"post": _post("enroll", "Ask for an identity", Enrolment, Certified, signed=False)},
        wire.RENEW: {"post": _post("renew", "Ask for a certificate over a new key", Renewal, Certified)},
        wire.BEAT: {"post": _post("heartbeat", "Say that nothing changed", Beat, Receipt)},
        wire.REPORT: {"post": _post("sections", "Tell a posture that changed", Report, Receipt)},
        "/healthz": {"get": _get("health", "Whether the server can store", _json(Health), {"503": _json(Health)})},
        "/metrics": {"get": _get("metrics", "Counts for Prometheus", _content("text/plain", {"type": "string"}))},
        ONE: {"get": _verdict("posture", "The verdict on one device", One, [_AGENT_PARAMETER])},
        MANY: {"get": _verdict("postures", "The verdicts on many devices", Many, _PAGE_PARAMETERS)},
        KEYS: {"get": _get("posture_keys", "Keys of verdicts", _content("application/jwk-set+json", _ref(KeySet)))},
    }
    paths[wire.ENROL]["post"]["responses"]["202"] = _response("waits for an operator", _json(Waiting), "retry-after")
    for path, item in paths.items():
        for operation in item.values():
            operation["responses"] |= _refusals(WORDS.get(path, ()))
            operation["responses"] = dict(sorted(operation["responses"].items()))
    return {
        "openapi": "3.1.0",
        "info": {"title": "ztgrade fleet", "version": str(wire.VERSION), "description": ABOUT},
        "servers": [{"url": url}],
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": _SECURITY},
    }


_SECURITY: Mapping[str, Any] = {
    "agent": {
        "type": "apiKey",
        "in": "header",
        "name": wire.SIGNATURE_HEADER,
        "description": "v1;KEYID;SIGNATURE: SHA-256 of the public key in hex, and the signature in base64",
    },
    "caller": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": f"{PREFIX}...",
        "description": "reads verdicts only",
    },
}
_AGENT_PARAMETER = {"name": "agent", "in": "path", "required": True, "schema": {"type": "string", "pattern": AGENT}}
_PAGE_PARAMETERS = [
    {"name": "after", "in": "query", "schema": {"type": "string", "pattern": AGENT}},
    {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": PAGE},
    },
]


def _schemas() -> dict[str, Any]:
    types = [Enrolment, Renewal, Beat, Report, Certified, Waiting, Receipt, Refusal, Health, One, Many, KeySet]
    _, found = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    section = found["SectionMessage"]
    # The types hold each level of nesting; here one that refers to itself says it in a line.
    inner = {"$ref": "#/components/schemas/Value"}
    keys = {"maxLength": 512}
    section["properties"]["values"] = {"type": "object", "propertyNames": keys, "additionalProperties": inner}
    section["properties"]["observed_at"] = {"type": "string", "format": "date-time", "maxLength": 40}
    section["required"] = [*section["required"], "observed_at"]  # its default is how the server stores it
    whole = 2**53 - 1
    found["Value"] = {
        "description": f"Text, whole number, yes or no, nothing, lists and objects; at most {DEPTH} levels.",
        "anyOf": [
            {"type": "string", "maxLength": 16384},
            {"type": "integer", "minimum": -whole, "maximum": whole},
            {"type": ["boolean", "null"]},
            {"type": "array", "items": inner},
            {"type": "object", "propertyNames": keys, "additionalProperties": inner},
        ],
    }
    return dict(sorted(found.items()))


def _post(name: str, summary: str, asks: type, answers: type, *, signed: bool = True) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "security": [{"agent": []}] if signed else [],
        "requestBody": {"required": True, "content": _json(asks)},
        "responses": {"200": _response("accepted and stored", _json(answers))},
    }


def _get(
    name: str, summary: str, content: Mapping[str, Any], others: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    responses = {"200": _response("the answer", content)}
    responses |= {status: _response("not now", each) for status, each in (others or {}).items()}
    return {"operationId": name, "summary": summary, "security": [], "responses": responses}


def _verdict(name: str, summary: str, answers: type, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    found = _get(name, summary, _json(answers))
    found |= {"security": [{"caller": []}], "parameters": parameters}
    found["responses"]["200"] = _response(
        "verdicts that are good until they end", _json(answers), "etag", "cache-control"
    )
    found["responses"]["304"] = _response("the answer of this ETag is still good", None, "etag", "cache-control")
    return found


def _refusals(words: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status in sorted({REFUSALS[word][0] for word in words}):
        mine = [word for word in words if REFUSALS[word][0] == status]
        schema = {"allOf": [_ref(Refusal), {"properties": {"error": {"enum": mine}}}]}
        about = "; ".join(f"{word}: {REFUSALS[word][1]}" for word in mine)
        headers = ("retry-after",) if status in (429, 503) else ()
        found[str(status)] = _response(about, _content("application/json", schema), *headers)
    return found


def _response(about: str, content: Mapping[str, Any] | None, *headers: str) -> dict[str, Any]:
    found: dict[str, Any] = {"description": about}
    if content:
        found["content"] = content
    if headers:
        found["headers"] = {name: {"schema": {"type": "string"}} for name in headers}
    return found


def _json(form: type) -> dict[str, Any]:
    return _content("application/json", _ref(form))


def _content(kind: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: {"schema": schema}}


def _ref(form: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{form.__name__}"}
