"""Gives hosts an identity: a token and a proven key become an agent with an id of the server's choice."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from agent import wire
from scanner.fleet.agents import GRACE_MS, KeyState, Status, speaking, suspect
from scanner.fleet.answers import Answer, refusal, rfc3339, told
from scanner.fleet.authority import Issued, Issuing, Requested
from scanner.fleet.chain import MARK, Nonces
from scanner.fleet.database import Database
from scanner.fleet.hardware import collisions, remember
from scanner.fleet.journal import AUDIT, ISSUANCE, note
from scanner.fleet.messages import Enrolment, Renewal
from scanner.fleet.tokens import Token, find

ASK_AGAIN_S = 60
"""While an operator has not yet approved."""


@dataclass(frozen=True)
class Owner:
    """The agent that a key belongs to."""

    number: int
    id: str
    status: str
    token: int
    state: str
    certificate: str
    chain: str


class Registrar:
    """Enrols and renews; every call runs inside a transaction."""

    def __init__(self, issuing: Callable[[], Issuing], nonces: Nonces, domain: str, interval: int) -> None:
        self._issuing, self._nonces, self._domain, self._interval = issuing, nonces, domain, interval

    def enrol(self, database: Database, asked: Enrolment, key: Requested, address: str, now: int) -> Answer:
        """The answer to one who asks for an identity; the same key with the same token gets the same answer."""
        database.alone(f"key {key.key_id}")
        token = find(database, asked.token)
        if token is None:
            return refusal("token_unknown")
        owner = _owner(database, key.key_id)
        if owner and owner.status == Status.BANNED:
            return refusal("banned")
        if owner and owner.token == token.number:
            return self._again(database, owner, key, now)
        if owner and owner.status != Status.EVICTED:
            return refusal("key_known")
        if token.used >= token.uses:
            return self._used_up(database, token, key, address, now)
        if token.revoked or now >= token.expires:
            return refusal("token_expired")
        if not token.allows(address, asked.host.hostname):
            says = {"address": address, "hostname": asked.host.hostname}
            note(database, AUDIT, now, event="token_elsewhere", token=token.handle, **says)
            return refusal("token_elsewhere")
        return self._new(database, asked, key, token, address, now)

    def renew(self, database: Database, asked: Renewal, signer: str, body: bytes, key: Requested, now: int) -> Answer:
        """The answer to an agent that asks for a certificate over a new key; its old key is replaced once."""
        database.alone(f"key {signer}")
        agent = speaking(database, [signer]).get(signer)
        if agent is None or agent.id != asked.agent:
            return refusal("unknown_key")
        digest = hashlib.sha256(body).digest()
        if agent.key_state == KeyState.REPLACED and agent.status == Status.ACTIVE and agent.clone_suspected is None:
            sql = "SELECT renewal, successor FROM agent_key WHERE key_id = ?"
            renewal, successor = database.rows(sql, (signer,))[0]
            if renewal is None or bytes(renewal) != digest:
                return suspect(database, agent, now, differs="renewal", key=signer)
            owner = _owner(database, successor)
            return refusal("unknown_key") if owner is None else self._answer(database, owner)
        if barred := agent.barred(now, GRACE_MS):
            return barred
        link = agent.link
        number = self._nonces.number(agent.id, asked.nonce)
        if not link.resume and (number is None or number < link.seq - 1):  # the last receipt may have been lost
            return suspect(database, agent, now, differs="nonce of a renewal", key=signer)
        if _owner(database, key.key_id):
            return refusal("key_known")
        issued = self._issue(database, agent.number, agent.id, key, now)
        database.run(
            "UPDATE agent_key SET state = ?, renewal = ?, successor = ? WHERE key_id = ?",
            (KeyState.REPLACED, digest, key.key_id, signer),
        )
        note(database, AUDIT, now, event="renewed", agent=agent.id, key=key.key_id, before=signer)
        owner = Owner(agent.number, agent.id, agent.status, 0, "current", issued.certificate, issued.chain)
        return self._answer(database, owner)

    def _again(self, database: Database, owner: Owner, key: Requested, now: int) -> Answer:
        if owner.status == Status.PENDING:
            return _pending()
        if owner.status == Status.EVICTED:
            return refusal("evicted")
        if owner.state == KeyState.REPLACED:
            return refusal("key_replaced")
        if not owner.certificate:
            self._issue(database, owner.number, owner.id, key, now)
            found = _owner(database, key.key_id)
            owner = found or owner
        return self._first(owner, key, now, database)

    def _new(
        self, database: Database, asked: Enrolment, key: Requested, token: Token, address: str, now: int
    ) -> Answer:
        sql = "UPDATE token SET used = used + 1 WHERE number = ? AND used < uses RETURNING number"
        if not database.rows(sql, (token.number,)):  # another server was faster
            return self._used_up(database, token, key, address, now)
        agent = new_id(now)
        alike = collisions(database, asked.host)
        banned = [name for _, name, status in alike if status == Status.BANNED]
        status = Status.PENDING if token.approval or banned else Status.ACTIVE
        twins = [(number, name) for number, name, state in alike if state in (Status.ACTIVE, Status.PENDING)]
        host = msgspec.json.encode(asked.host).decode()
        rows = database.rows(
            "INSERT INTO agent (id, status, key_id, token, enrolled, host, address, issuer, not_before, not_after,"
            " rekey, clone_suspected, identity_collision, reason)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, '', 0, 0, 0, NULL, ?, '') RETURNING number",
            (agent, status, key.key_id, token.number, now, host, address, now if twins else None),
        )
        number = rows[0][0]
        database.run(
            "INSERT INTO agent_key (key_id, agent, spki, state, since, certificate, chain)"
            " VALUES (?, ?, ?, ?, ?, '', '')"
            " ON CONFLICT (key_id) DO UPDATE SET agent = excluded.agent, state = excluded.state,"
            " since = excluded.since, certificate = '', chain = '', renewal = NULL, successor = NULL",
            (key.key_id, number, key.spki, KeyState.CURRENT, now),
        )
        database.run(
            "INSERT INTO agent_state (agent, seq, epoch, root, boot_id, boots, marks, ts, resume, last_seen, confirmed,"
            " skew, version) VALUES (?, 0, 0, ?, '', '', ?, 0, 0, ?, 0, 0, '')",
            (number, wire.EMPTY_ROOT, _first_mark(key.key_id), now),
        )
        remember(database, number, asked.host)
        note(database, AUDIT, now, event="enrolled", agent=agent, token=token.handle, key=key.key_id, address=address)
        if twins:
            names = [name for _, name in twins]
            database.run_many(
                "UPDATE agent SET identity_collision = ? WHERE number = ?", [(now, twin) for twin, _ in twins]
            )
            note(database, AUDIT, now, event="identity_collision", agent=agent, others=names)
        if banned:
            note(database, AUDIT, now, event="hardware_of_banned", agent=agent, others=banned)
        if status is Status.PENDING:
            return _pending()
        issued = self._issue(database, number, agent, key, now)
        owner = Owner(number, agent, status, token.number, KeyState.CURRENT, issued.certificate, issued.chain)
        return self._first(owner, key, now, database)

    def _used_up(self, database: Database, token: Token, key: Requested, address: str, now: int) -> Answer:
        note(database, AUDIT, now, event="token_reused", token=token.handle, key=key.key_id, address=address)
        return refusal("token_used")

    def _issue(self, database: Database, number: int, agent: str, key: Requested, now: int) -> Issued:
        issued = self._issuing().issue(key.key, agent, self._domain, datetime.fromtimestamp(now / 1000, UTC))
        database.run(
            "INSERT INTO agent_key (key_id, agent, spki, state, since, certificate, chain) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (key_id) DO UPDATE SET certificate = excluded.certificate, chain = excluded.chain",
            (key.key_id, number, key.spki, KeyState.CURRENT, now, issued.certificate, issued.chain),
        )
        database.run(
            "UPDATE agent SET key_id = ?, issuer = ?, not_before = ?, not_after = ?, rekey = 0 WHERE number = ?",
            (key.key_id, issued.issuer, issued.not_before, issued.not_after, number),
        )
        digest = hashlib.sha256(issued.certificate.encode()).hexdigest()
        note(
            database,
            ISSUANCE,
            now,
            agent=agent,
            serial=issued.serial,
            key=key.key_id,
            issuer=issued.issuer,
            not_after=rfc3339(issued.not_after),
            certificate=digest,
        )
        return issued

    def _first(self, owner: Owner, key: Requested, now: int, database: Database) -> Answer:
        enrolled = database.rows("SELECT enrolled FROM agent WHERE number = ?", (owner.number,))[0][0]
        nonce = self._nonces.give(owner.id, 0, _first_mark(key.key_id))
        return self._certified(owner, nonce, enrolled)

    def _answer(self, database: Database, owner: Owner) -> Answer:
        sql = "SELECT seq, marks, last_seen FROM agent_state WHERE agent = ?"
        seq, marks, seen = database.rows(sql, (owner.number,))[0]
        return self._certified(owner, self._nonces.give(owner.id, seq, bytes(marks)[-MARK:]), seen)

    def _certified(self, owner: Owner, nonce: str, time: int) -> Answer:
        return told(
            agent=owner.id,
            certificate=owner.certificate,
            chain=owner.chain,
            interval=self._interval,
            nonce=nonce,
            time=rfc3339(time),
        )


def new_id(now: int) -> str:
    """A UUID of version 7 (RFC 9562) for a time in ms since 1970."""
    raw = bytearray(now.to_bytes(6, "big") + os.urandom(10))
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    return str(UUID(bytes=bytes(raw)))


def _first_mark(key_id: str) -> bytes:
    return bytes.fromhex(key_id)[:MARK]


def _pending() -> Answer:
    answer = told(202, state="pending", retry_after=ASK_AGAIN_S)
    return answer._replace(retry_after=ASK_AGAIN_S)


def _owner(database: Database, key_id: str) -> Owner | None:
    sql = (
        "SELECT agent.number, agent.id, agent.status, agent.token, agent_key.state, agent_key.certificate,"
        " agent_key.chain FROM agent_key JOIN agent ON agent.number = agent_key.agent WHERE agent_key.key_id = ?"
    )
    found = database.rows(sql, (key_id,))
    return Owner(*found[0]) if found else None
