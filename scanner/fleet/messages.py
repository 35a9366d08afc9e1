"""What agents send, as strict types: anything unknown, too long, too deep or of another kind is refused."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from agent import wire

# In every pattern, $ alone would let a line's end follow.
_VISIBLE = r"[\x21-\x7e]*"
_HEX = r"[0-9a-f]{64}"
_AGENT_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_SECTION_NAME = r"[a-z][a-z0-9_]{0,47}"
_VERSION = r"[\x20-\x7e]*"
Nonce = Annotated[str, msgspec.Meta(max_length=256, pattern=rf"^{_VISIBLE}$(?!\n)")]
Plain = Annotated[str, msgspec.Meta(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
AgentId = Annotated[str, msgspec.Meta(pattern=rf"^{_AGENT_ID}$(?!\n)")]
SectionName = Annotated[str, msgspec.Meta(pattern=rf"^{_SECTION_NAME}$(?!\n)")]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Pem = Annotated[str, msgspec.Meta(max_length=4096)]
Number = Annotated[int, msgspec.Meta(ge=-(2**53) + 1, le=2**53 - 1)]
Leaf = Annotated[str, msgspec.Meta(max_length=16384)] | Number | bool | None
DEPTH = 9
"""Levels of lists and objects in the values of a section; the agent refuses to send more, too."""
MAX_SECTIONS = 64


def _shape(pattern: str) -> msgspec.Meta:
    """What the form says of a text that is not matched where it is decoded but with all others of its message, which
    takes a fifth of the time: see ``_shapes``."""
    return msgspec.Meta(extra_json_schema={"pattern": rf"^{pattern}$(?!\n)"})


Hex = Annotated[str, _shape(_HEX)]


def nested(depth: int) -> Any:
    """The type of values nested at most so deeply: text, whole numbers, yes and no, nothing, lists and objects."""
    form: Any = Leaf
    for _ in range(depth):
        form = Leaf | list[form] | dict[Annotated[str, msgspec.Meta(max_length=512)], form]
    return form


class Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Forbids what it does not know."""


class Why(Message):
    """Why one value of a section is missing."""

    status: Literal["denied", "unsupported", "error"]
    detail: Annotated[str, msgspec.Meta(max_length=4096)]


class SectionMessage(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One section; without its ``observed_at`` it encodes to the bytes that are digested and stored."""

    name: SectionName
    schema_version: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    status: Literal["seen", "denied", "unsupported", "error"]
    detail: Annotated[str, msgspec.Meta(max_length=4096)]
    values: dict[Annotated[str, msgspec.Meta(max_length=512)], nested(DEPTH - 1)]  # type: ignore[valid-type]
    missing: dict[Annotated[str, msgspec.Meta(max_length=512)], Why]
    observed_at: Annotated[str, msgspec.Meta(max_length=40)] = ""


class Beat(Message):
    """A heartbeat; see ``agent.wire.beat``."""

    v: Literal[1]
    agent: Annotated[str, _shape(_AGENT_ID)]
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
    boot_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64), _shape(_VISIBLE)]
    nonce: Annotated[str, msgspec.Meta(max_length=256), _shape(_VISIBLE)]
    root: Hex
    prev_root: Hex
    ts: Moment
    agent_version: Annotated[str, msgspec.Meta(max_length=64), _shape(_VERSION)]


class Report(Beat):
    """A heartbeat with the digests of all sections, and those sections that the server lacks."""

    index: Annotated[dict[Annotated[str, _shape(_SECTION_NAME)], Hex], msgspec.Meta(max_length=MAX_SECTIONS)]
    sections: Annotated[list[SectionMessage], msgspec.Meta(max_length=MAX_SECTIONS)]


class Attributes(Message, omit_defaults=True):
    """What a host says of itself when it enrols; attributes, never identity."""

    hostname: Plain
    os: Plain = ""
    machine_id: Plain = ""
    smbios_uuid: Plain = ""
    serial: Plain = ""
    tpm_ek_sha256: Plain = ""


class Enrolment(Message):
    """Asks for an identity with a token and a certificate request, which proves that the private key is held."""

    v: Literal[1]
    token: Annotated[str, msgspec.Meta(min_length=16, max_length=128)]
    csr: Pem
    nonce: Nonce
    host: Attributes


class Renewal(Message):
    """Asks for a certificate over a new key; signed with the present one."""

    v: Literal[1]
    agent: AgentId
    csr: Pem
    ts: Moment
    nonce: Nonce


def _digests(texts: Collection[str]) -> bool:
    """Whether all are as ``_HEX`` has it."""
    joined = "".join(texts)
    try:
        return {64}.issuperset(map(len, texts)) and bytes.fromhex(joined).hex() == joined
    except ValueError:
        return False


class BadMessage(Exception):
    """A body that is not of the form; says where and why, holds nothing of the body."""


@dataclass(frozen=True)
class Offered:
    """A section that was sent: its digest, the bytes that were digested, and when the agent looked."""

    name: str
    digest: bytes
    body: bytes
    observed_at: str


def decoded(body: bytes, form: type[Any]) -> Any:
    """A body as a message of a form; raises BadMessage."""
    try:
        message = _DECODERS[form].decode(body)
    except msgspec.MsgspecError as error:
        raise BadMessage(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise BadMessage("the body is no UTF-8 text in JSON") from error
    if isinstance(message, Beat):
        _shapes(message)
    return message


# None of the patterns lets a line's end into a text, so that as many lines as texts are those texts.
_BEAT = {
    "agent": _AGENT_ID,
    "boot_id": _VISIBLE,
    "nonce": _VISIBLE,
    "root": _HEX,
    "prev_root": _HEX,
    "agent_version": _VERSION,
}
_BEAT_LINES = re.compile("\n".join(_BEAT.values()))
_NAME_LINES = re.compile(rf"(?:{_SECTION_NAME}\n)*")


def _shapes(message: Beat) -> None:
    """Raise BadMessage where a text of a message is not of its pattern."""
    texts = (
        message.agent,
        message.boot_id,
        message.nonce,
        message.root,
        message.prev_root,
        message.agent_version,
    )
    if not _BEAT_LINES.fullmatch("\n".join(texts)):
        for (name, pattern), text in zip(_BEAT.items(), texts, strict=True):
            if not re.fullmatch(pattern, text):
                raise BadMessage(f"Expected `str` matching regex {pattern!r} - at `$.{name}`")
    if isinstance(message, Report):
        lines = "".join([f"{name}\n" for name in message.index])
        if not _NAME_LINES.fullmatch(lines) or lines.count("\n") != len(message.index):
            raise BadMessage(f"Expected names matching regex {_SECTION_NAME!r} - at `$.index`")
        if not _digests(message.index.values()):
            raise BadMessage(f"Expected digests matching regex {_HEX!r} - at `$.index[...]`")


_DECODERS: Mapping[type[Any], msgspec.json.Decoder[Any]] = {
    form: msgspec.json.Decoder(form) for form in (Beat, Report, Enrolment, Renewal)
}


def offered(report: Report, body: bytes) -> list[Offered]:
    """The sections of a report, each with the digest of what it says; raises BadMessage where one is not in order."""
    plain = body.isascii() and b"\\u" not in body  # then texts are in normal form C, whatever they say
    found: dict[str, Offered] = {}
    for section in report.sections:
        if not section.observed_at:
            raise BadMessage(f"section {section.name} lacks observed_at")
        try:
            datetime.fromisoformat(section.observed_at)
        except ValueError as error:
            raise BadMessage(f"observed_at of section {section.name} is no RFC 3339 time") from error
        if section.name in found:
            raise BadMessage(f"section {section.name} stands there twice")
        observed, section.observed_at = section.observed_at, ""
        stored = msgspec.json.encode(section, order="sorted")
        if not plain:
            stored = wire.section_bytes(msgspec.json.decode(stored))
        if len(stored) > wire.MAX_SECTION:
            raise BadMessage(f"section {section.name} is larger than {wire.MAX_SECTION} bytes")
        found[section.name] = Offered(section.name, hashlib.sha256(stored).digest(), stored, observed)
    for name, given in found.items():
        if report.index.get(name) != given.digest.hex():
            raise BadMessage(f"section {name} is not what the index says of it")
    if root_of(report.index) != report.root:
        raise BadMessage("root is not the digest of the index")
    return list(found.values())


def root_of(index: dict[str, str]) -> str:
    """As ``agent.wire.root_digest``, for names that are plain."""
    return hashlib.sha256(msgspec.json.encode(index, order="sorted") if index else b"").hexdigest()
