"""One agent's messages form one chain; whatever is no next link is a repetition, a stale copy, or a second agent."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from enum import Enum

from scanner.fleet.messages import Beat

MARK = 8
"""Bytes of the digest of a body that are remembered."""
REMEMBERED = 8
"""Accepted messages of an agent whose repetition gets its receipt again."""
BOOTS = 4
"""Earlier boots that are remembered: one that returns runs on another machine."""
_SEAL = 16


class Step(Enum):
    """What a message is to its agent's chain."""

    NEXT = "next"
    REPEATED = "repeated"
    """The same bytes again: the receipt was lost, or somebody replays; nothing changes."""
    STALE = "stale"
    """Older than what is remembered, and by its own clock, too: a replay; nothing changes."""
    RESUMED = "resumed"
    """The operator allowed the chain to go on from here."""
    AHEAD = "ahead"
    """The nonce is ours, of a message that we no longer know: the store was restored from an older copy."""
    FORK = "fork"
    """Two hold this key."""


@dataclass(slots=True)
class Link:
    """Where an agent's chain stands."""

    seq: int
    epoch: int
    """How often the operator let the chain begin anew."""
    root: str
    boot_id: str
    boots: str
    """Marks of earlier boots, in hex, with commas."""
    marks: bytes
    """Marks of the last accepted bodies, the newest last."""
    ts: int
    """The agent's own time in the last accepted message, in ms since 1970."""
    resume: bool


def mark_of(body: bytes) -> bytes:
    """By which a body is remembered."""
    return hashlib.sha256(body).digest()[:MARK]


class Nonces:
    """Gives the word that an agent must say next; needs no memory, so a repetition gets the same one."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def give(self, agent: str, seq: int, mark: bytes) -> str:
        """After a message of a number and a mark."""
        told = seq.to_bytes(8, "big") + mark
        return base64.urlsafe_b64encode(told + self._seal(agent, told)).decode()

    def number(self, agent: str, nonce: str) -> int | None:
        """After which message of this agent a nonce was given; None where it is none of ours."""
        try:
            raw = base64.urlsafe_b64decode(nonce.encode("ascii"))
        except (UnicodeEncodeError, binascii.Error):
            return None
        told, seal = raw[: 8 + MARK], raw[8 + MARK :]
        if len(told) < 8 + MARK or not hmac.compare_digest(seal, self._seal(agent, told)):
            return None
        return int.from_bytes(told[:8], "big")

    def _seal(self, agent: str, told: bytes) -> bytes:
        return hashlib.blake2b(agent.encode() + told, key=self._secret, digest_size=_SEAL).digest()


def judge(link: Link, beat: Beat, mark: bytes, nonces: Nonces) -> tuple[Step, str]:
    """What a message is to the chain, and for a fork in what it differs."""
    behind = link.seq - beat.seq
    if behind >= 0 and not link.resume:
        return _past(link, beat, mark, behind)
    if link.resume:
        fresh = ms(beat) > link.ts and mark not in _marks(link)
        known = fresh and nonces.number(beat.agent, beat.nonce) is not None
        return (Step.RESUMED, "") if known else (Step.STALE, "")
    if beat.seq > link.seq + 1:
        ours = nonces.number(beat.agent, beat.nonce) == beat.seq - 1
        return (Step.AHEAD, "") if ours else (Step.FORK, "seq")
    if not hmac.compare_digest(beat.nonce, nonces.give(beat.agent, link.seq, link.marks[-MARK:])):
        return Step.FORK, "nonce"
    if beat.prev_root != link.root:
        return Step.FORK, "prev_root"
    if beat.boot_id != link.boot_id and _boot(beat.boot_id) in link.boots.split(","):
        return Step.FORK, "boot_id"
    return Step.NEXT, ""


def _past(link: Link, beat: Beat, mark: bytes, behind: int) -> tuple[Step, str]:
    marks = _marks(link)
    if behind < len(marks):
        return (Step.REPEATED, "") if marks[-1 - behind] == mark else (Step.FORK, "seq")
    return (Step.STALE, "") if ms(beat) <= link.ts else (Step.FORK, "seq")


def follow(link: Link, beat: Beat, mark: bytes, step: Step) -> None:
    """Let a message be the newest link; the root is another matter."""
    if beat.boot_id != link.boot_id:
        earlier = [boot for boot in link.boots.split(",") if boot]
        if link.boot_id:
            earlier.append(_boot(link.boot_id))
        link.boots = ",".join(earlier[-BOOTS:]) if step is Step.NEXT else ""
        link.boot_id = beat.boot_id
    kept = link.marks if step is Step.NEXT else b""
    link.marks = (kept + mark)[-REMEMBERED * MARK :]
    link.seq, link.ts, link.resume = beat.seq, ms(beat), False


def ms(beat: Beat) -> int:
    """The agent's own time, in ms since 1970."""
    return int(beat.ts.timestamp() * 1000)


def _marks(link: Link) -> list[bytes]:
    return [link.marks[place : place + MARK] for place in range(0, len(link.marks), MARK)]


def _boot(boot_id: str) -> str:
    return hashlib.sha256(boot_id.encode()).hexdigest()[:16]
