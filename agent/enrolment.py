"""How an agent gets its identity: a token, a key, a certificate; and how it renews it.

What is asked is written down before it is sent and repeated until it is answered, so that a lost answer or a lost
process never uses a token up, and a new key takes the place of the old one only with its certificate beside it.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent import keystores, wire
from agent.connection import Connection, Way, presented
from agent.errors import Misconfigured, Refused, Unreached
from agent.schedule import clamped, renews_at
from agent.section import moment
from agent.settings import AUTO, HARDWARE, IN_FILE, Settings, server_url
from agent.signing import Keys
from agent.state import Identity, Standing, StateFolder

LARGEST_TOKEN = 4096
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Token:
    """What a token string says: where the server is, who vouches for it, and the secret that is good for one use."""

    server: str
    pin: str
    secret: str

    @classmethod
    def read(cls, text: str) -> Token:
        """From ``zt1.`` and base64url; raises Misconfigured, without saying what the text was."""
        prefix, _, rest = text.strip().partition(".")
        try:
            if prefix != "zt1":
                raise ValueError
            said = json.loads(base64.b64decode(rest + "=" * (-len(rest) % 4), altchars=b"-_", validate=True))
            server, pin, secret = said["u"], said["p"], said["t"]
            if not re.fullmatch(r"[0-9a-f]{64}", pin) or not re.fullmatch(r"[!-~]{16,128}", secret):
                raise ValueError
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise Misconfigured("this is no token; paste the whole line that ztgrade fleet token printed") from None
        return cls(server_url(server, "the server in the token"), pin, secret)


@dataclass(frozen=True)
class Waiting:
    """The server wants a person to approve; ask again after so many seconds."""

    retry_after: int


class Enroller:
    """Asks for an identity, and for its renewal."""

    def __init__(self, state: StateFolder, keys: Keys, connect: Callable[[Way], Connection]) -> None:
        self._state = state
        self._keys = keys
        self._connect = connect

    def prepare(self, token: Token, settings: Settings, *, proxy: str, ca_file: str) -> None:
        """Write down what is asked with a token; a token that was prepared before keeps its key, unless settings want
        it elsewhere."""
        note = self._state.note("enrolment") or {}
        known = note.get("secret") == token.secret and note.get("pin") == token.pin
        if known and settings.key in (AUTO, self._state.key_place(note["key_id"])):
            key_id, fallback = note["key_id"], note.get("key_fallback", "")
        else:
            key_id, fallback = self._made(settings)
        self._state.keep_note(
            "enrolment",
            {
                "server": token.server,
                "pin": token.pin,
                "secret": token.secret,
                "key_id": key_id,
                "key_fallback": fallback,
                "nonce": os.urandom(24).hex(),
                "proxy": proxy,
                "ca_file": ca_file,
                "authority": "",
            },
        )

    def enrol(self, host: Mapping[str, str], settings: Settings) -> Identity | Waiting:
        """Ask with what was prepared, by the way that the settings name now, so that a wrong one can be mended; raises
        AgentError, and then it may be asked again."""
        note = self._state.note("enrolment")
        if note is None:
            raise Misconfigured("there is nothing to enrol with; run ztagent enroll --token-file FILE")
        server, proxy, ca_file = settings.way(note["server"], note["proxy"], note["ca_file"])
        way = Way(server, proxy, note["authority"], ca_file)
        if not way.authority:
            way = replace(way, authority=self._anchor(way, note["pin"]))
        path = self._state.key_file(note["key_id"])
        asked = {
            "v": wire.VERSION,
            "token": note["secret"],
            "csr": self._keys.request(path),
            "nonce": note["nonce"],
            "host": dict(host),
        }
        with self._connect(way) as connection:
            status, answer = connection.exchange(wire.ENROL, wire.encode(asked))
        if status == 202:
            wait = answer.get("retry_after")
            return Waiting(wait if type(wait) is int and 0 < wait <= 86_400 else 60)
        agent, nonce = _text(answer, "agent"), _text(answer, "nonce")
        if not _UUID.fullmatch(agent):
            raise Unreached("the server gave an identity that is no UUID")
        identity = self._identity(agent, answer, note["key_id"], way, note["pin"])
        identity = replace(identity, key_fallback=note.get("key_fallback", ""))
        self._state.keep(Standing(nonce=nonce, interval=clamped(interval_of(answer, 300))))
        self._state.keep(identity)
        self._state.keep_note("enrolment", None)
        self._state.keep_note("renewal", None)
        self._state.forget_keys(identity.key_id, self._keys.forget)
        return identity

    def renew(
        self, identity: Identity, standing: Standing, now: datetime, connection: Connection, place: str = AUTO
    ) -> Identity:
        """Get a certificate for a new key, asked for with the present one; gives who the agent is from now on.

        The new key is made where the present one lies, unless ``place`` names another: none ever leaves its
        keystore because that does not work just now. Raises Misconfigured where it cannot be made.
        """
        note = self._state.note("renewal")
        if note is None or note.get("nonce") != standing.nonce or note.get("with") != identity.key_id:
            # Another nonce means that a message by the present key was accepted since, so that no renewal was. But the
            # same question with other bytes, after an answer that was lost, would look like that of a copy.
            there = self._state.key_place(identity.key_id) if place == AUTO else place
            key_id = note["key_id"] if note else self._keys.make(self._state.keys, there)
            asked = {
                "v": wire.VERSION,
                "agent": identity.agent,
                "csr": self._keys.request(self._state.key_file(key_id)),
                "ts": moment(now),
                "nonce": standing.nonce,
            }
            body = wire.encode(asked)
            note = {
                "key_id": key_id,
                "with": identity.key_id,
                "nonce": standing.nonce,
                "body": body.decode(),
                "signature": signature(self._keys, self._state, identity, wire.RENEW_TYPE, body),
            }
            self._state.keep_note("renewal", note)
        try:
            answer = connection.post(wire.RENEW, note["body"].encode(), note["signature"])
        except Refused as error:
            if error.status in {400, 413, 422}:
                self._state.keep_note("renewal", note | {"with": ""})  # ask anew the next time, for the same key
            raise
        way = Way(identity.server, identity.proxy, identity.authority, identity.ca_file)
        renewed = self._identity(identity.agent, answer, note["key_id"], way, identity.pin)
        if place == AUTO and self._state.key_place(renewed.key_id) != HARDWARE:
            renewed = replace(renewed, key_fallback=identity.key_fallback)
        self._state.keep(renewed)
        self._state.keep_note("renewal", None)
        self._state.forget_keys(renewed.key_id, self._keys.forget)
        return renewed

    def renewing(self, identity: Identity) -> bool:
        """Whether a renewal was asked for whose answer did not come yet."""
        note = self._state.note("renewal")
        if note is not None and note.get("key_id") == identity.key_id:
            self._state.keep_note("renewal", None)
            return False
        return note is not None

    def _made(self, settings: Settings) -> tuple[str, str]:
        """A new key, and why it is not in hardware where it would be if it could."""
        if settings.key != AUTO:
            return self._keys.make(self._state.keys, settings.key), ""
        if settings.client_certificate:
            return self._keys.make(self._state.keys, IN_FILE), "client_certificate takes the key from a file"
        reasons: list[str] = []
        for place in keystores.places():
            try:
                return self._keys.make(self._state.keys, place), "; ".join(reasons)[:500]
            except Misconfigured as error:
                reasons.append(str(error))
        return self._keys.make(self._state.keys, IN_FILE), "; ".join(reasons)[:500]

    def _anchor(self, way: Way, pin: str) -> str:
        """The authority that the token names, as the server presents it."""
        try:
            return self._keys.anchor(pin, presented(way))
        except Misconfigured as error:
            if way.ca_file:
                return ""  # a proxy that opens TLS stands between; the authorities in the file vouch for it
            raise Misconfigured(f"{error}; another server answers, or a proxy opens TLS: see --ca-file") from error

    def _identity(self, agent: str, answer: Mapping[str, Any], key_id: str, way: Way, pin: str) -> Identity:
        certificate, chain = _text(answer, "certificate"), _text(answer, "chain")
        try:
            validity = self._keys.read(self._state.key_file(key_id), certificate, chain)
        except Misconfigured as error:
            raise Unreached(f"the server's answer cannot be used: {error}") from error
        return Identity(
            agent=agent,
            server=way.server,
            key_id=key_id,
            certificate=certificate,
            chain=chain,
            not_before=moment(validity.not_before),
            not_after=moment(validity.not_after),
            pin=pin,
            authority=way.authority,
            proxy=way.proxy,
            ca_file=way.ca_file,
        )


def signature(keys: Keys, state: StateFolder, identity: Identity, payload_type: str, body: bytes) -> str:
    """The header that signs a body with the agent's present key."""
    value = keys.sign(state.key_file(identity.key_id), wire.signed_bytes(payload_type, body))
    return wire.Signature(identity.key_id, value).header()


def due(identity: Identity, standing: Standing, now: datetime) -> bool:
    """Whether a renewal is to be asked for."""
    begin, end = identity.validity()
    return standing.renew or now >= renews_at(begin, end, identity.key_id)


def interval_of(answer: Mapping[str, Any], otherwise: int) -> int:
    """The interval that an answer sets; how much of that is allowed is for others to say."""
    found = answer.get("interval")
    return found if type(found) is int else otherwise


def read_token(path: str, given: Callable[[], str]) -> Token:
    """The token in a file, or from standard input (``given``) for ``-``; raises Misconfigured."""
    if path == "-":
        return Token.read(given()[:LARGEST_TOKEN])
    try:
        with Path(path).open("r", encoding="ascii", errors="replace") as stream:
            return Token.read(stream.read(LARGEST_TOKEN))
    except OSError as error:
        raise Misconfigured(f"the token file {path} cannot be read: {error.strerror}") from error


def utc(seconds: float) -> datetime:
    """A moment from seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def _text(answer: Mapping[str, Any], key: str) -> str:
    found = answer.get(key)
    if not isinstance(found, str) or not found:
        raise Unreached(f"the server's answer lacks {key}")
    return found
