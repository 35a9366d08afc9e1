"""One cycle: look at the host, spool what changed, tell the server, keep what it answers.

Whatever is sent lies on disk first, and what an answer says lies on disk before the request is forgotten. So a process
that dies anywhere begins again with the same bytes under the same number.
"""

from __future__ import annotations

import http.client
import math
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agent import __version__, wire
from agent.connection import Connection, Way
from agent.enrolment import Enroller, Waiting, due, interval_of, signature, utc
from agent.errors import AgentError, Misconfigured, Refused, Unreached
from agent.host import Host
from agent.posture import as_posture, bearings, boot_id, look
from agent.schedule import backoff, clamped, slowly
from agent.section import Section, moment
from agent.settings import Settings
from agent.signing import Keys
from agent.spool import Posture, Request, Spool
from agent.state import Attempts, Identity, Standing, StateFolder

MOST_MESSAGES = 16
"""Messages in one cycle; what is left over waits for the next."""
MOST_REFUSALS = 3
"""How often a request that the server calls malformed is repeated before it is made anew."""
ROOM = 8 * 1024
"""Bytes of a report that are not its sections."""

TROUBLE = (
    AgentError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    AssertionError,
    MemoryError,
    EOFError,
    http.client.HTTPException,
    subprocess.SubprocessError,
)
"""What may go wrong in a cycle; none of it ends the agent."""


def _chance() -> float:
    """A number from 0 up to 1."""
    return int.from_bytes(os.urandom(6), "big") / 2**48


@dataclass(frozen=True)
class Outside:
    """What an agent needs of the world: the host, its keys, a way to connect, a clock and chance."""

    host: Host
    keys: Keys
    connect: Callable[[Way, Callable[[], float]], Connection] = Connection
    now: Callable[[], float] = time.time
    chance: Callable[[], float] = _chance


class Cycle:
    """An agent at work in its state folder."""

    def __init__(self, state: StateFolder, settings: Settings, outside: Outside) -> None:
        self._state = state
        self._settings = settings
        self._outside = outside
        self._enroller = Enroller(state, outside.keys, lambda way: outside.connect(way, self._now))
        self.attempts = self._read_attempts()
        self.spool = Spool(state.spool, lambda name: self._count(f"damaged in the spool: {name.split('.')[-1]}"))
        self._kept: Standing | None = None
        """What could not be written, while the disk is full."""
        self._refusals = 0
        if wire.version_numbers(self.attempts.highest_version) < wire.version_numbers(__version__):
            self.attempts = replace(self.attempts, highest_version=__version__)

    def identity(self) -> Identity | None:
        """Who the agent is; None before it is enrolled."""
        return self._state.identity()

    def standing(self) -> Standing:
        """What the server accepted last."""
        return self._kept or self._state.standing() or Standing()

    def wait(self) -> float:
        """Seconds until an attempt is allowed; 0 for now. A moment that a wrong clock set does not hold for long."""
        if not self.attempts.not_before:
            return 0.0
        left = datetime.fromisoformat(self.attempts.not_before).timestamp() - self._outside.now()
        return left if 0 < left <= 2 * 86_400 else 0.0

    def collect(self) -> None:
        """Look at the host and spool what changed. Never raises for what a look or a disk may do."""
        try:
            self._collect()
        except TROUBLE as error:
            self._count(f"collecting: {type(error).__name__}")

    def tell(self) -> bool:
        """Tell the server what waits; whether it accepted all. Whatever happens stands in ``attempts``."""
        self.attempts = replace(self.attempts, last_at=moment(utc(self._outside.now())), clock="")
        done = self._told()
        if done:
            self.attempts = replace(self.attempts, last_error="", failures=0, not_before="", copy_suspected=False)
        self._keep_attempts()
        return done

    # Looking

    def _collect(self) -> None:
        self.spool.settle()
        if self._kept is not None:
            self._keep_standing(self._kept)
        if self._state.identity() is None:
            return
        posture = as_posture(self._sections())
        if posture.root() != self._newest_root():
            self.spool.add(posture)
        self.attempts = replace(self.attempts, degraded=self.spool.degraded)

    def _enrolling(self) -> bool:
        return self._state.note("enrolment") is not None

    def _sections(self) -> list[Section]:
        return look(
            self._outside.host,
            self._settings.switched_off,
            degraded=bool(self.spool.degraded),
            downgraded=self.attempts.downgraded(__version__),
            key=self._state.key_told(),
        )

    def _newest_root(self) -> str:
        names = self.spool.postures()
        posture = self.spool.posture(names[-1]) if names else None
        if posture is not None:
            return posture.root()
        standing = self.standing()
        return wire.EMPTY_ROOT if standing.need else standing.root

    # Telling

    def _tell(self) -> None:
        identity = self._state.identity()
        if identity is None or self._enrolling():
            identity = self._enrol()
        identity = replace(
            identity,
            server=self._settings.server or identity.server,
            proxy=self._settings.proxy or identity.proxy,
            ca_file=self._settings.ca_file or identity.ca_file,
        )
        shown = self._state.client_files(identity.key_id) if self._settings.client_certificate else ("", "")
        way = Way(identity.server, identity.proxy, identity.authority, identity.ca_file, shown)
        with self._outside.connect(way, self._now) as connection:
            try:
                self._speak(identity, connection)
            finally:
                self._set_clock(connection)

    def _enrol(self) -> Identity:
        host = self._outside.host
        found = self._enroller.enrol(bearings(host, self._settings.switched_off, self._sections()))
        if isinstance(found, Waiting):
            raise Refused(202, "a person has to approve this host on the server", found.retry_after)
        self._kept = None
        self._collect()
        return found

    def _speak(self, identity: Identity, connection: Connection) -> None:
        standing = self.standing()
        # Before the first answer the server's time is not known, and this host's own may be wrong by weeks.
        timely = bool(standing.accepted_at) or standing.renew
        early = self._enroller.renewing(identity) or (timely and due(identity, standing, utc(self._now())))
        if early:
            identity = self._renew(identity, connection)
        spoken = 0
        while spoken < MOST_MESSAGES:
            request = self._next(identity, spoken)
            if request is None:
                break
            self._send(identity, request, connection)
            spoken += 1
        if self.standing().renew and not early:
            self._renew(identity, connection)

    def _next(self, identity: Identity, spoken: int) -> Request | None:
        """The request that waits, else one for the oldest posture, else a heartbeat if nothing was said yet."""
        standing = self.standing()
        request = self.spool.outstanding()
        if request is not None and request.seq > standing.seq and request.told()["agent"] == identity.agent:
            return self._signed(identity, request)
        for name in self.spool.postures():
            posture = self.spool.posture(name)
            if posture is None or (posture.root() == standing.root and not standing.need):
                self.spool.told(name)
                continue
            return self._held(identity, wire.REPORT, self._report(identity, standing, posture))
        if spoken and not standing.need:
            return None
        if standing.need or standing.root == wire.EMPTY_ROOT:
            posture = as_posture(self._sections())
            self.spool.add(posture)
            return self._held(identity, wire.REPORT, self._report(identity, standing, posture))
        return self._held(identity, wire.BEAT, self._beat(identity, standing, standing.root))

    def _held(self, identity: Identity, path: str, message: Mapping[str, Any]) -> Request:
        request = Request(path, int(message["seq"]), wire.encode(message), "")
        return self._signed(identity, request)

    def _signed(self, identity: Identity, request: Request) -> Request:
        """The request with a signature by the present key, as it lies in the spool."""
        if request.signature and wire.Signature.read(request.signature).key_id == identity.key_id:
            return request
        kind = wire.BEAT_TYPE if request.path == wire.BEAT else wire.REPORT_TYPE
        header = signature(self._outside.keys, self._state, identity, kind, request.body)
        request = replace(request, signature=header)
        self.spool.hold(request)
        return request

    def _beat(self, identity: Identity, standing: Standing, root: str) -> dict[str, Any]:
        return wire.beat(
            identity.agent,
            standing.seq + 1,
            boot_id=boot_id(self._outside.host),
            nonce=standing.nonce,
            root=root,
            prev_root=standing.root,
            # With its microseconds, by which two copies of one machine differ that speak within one second.
            ts=utc(self._outside.now()).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            version=__version__,
        )

    def _report(self, identity: Identity, standing: Standing, posture: Posture) -> dict[str, Any]:
        index, root = posture.index(), posture.root()
        lacking = {name for name, digest in index.items() if standing.index.get(name) != digest}
        if standing.need:
            asked = set(index) if wire.WHOLE in standing.need else set(standing.need) & set(index)
            lacking = asked if standing.need_root == root else lacking | asked
        sections: list[Mapping[str, Any]] = []
        size = ROOM
        for name in sorted(lacking):
            size += len(wire.encode(posture.sections[name])) + 1
            if size > wire.MAX_BODY and sections:
                break  # the server asks for the rest
            sections.append(posture.sections[name])
        return wire.report(self._beat(identity, standing, root), index, sections)

    def _send(self, identity: Identity, request: Request, connection: Connection) -> None:
        answer = connection.post(request.path, request.body, request.signature)
        if answer.get("seq") != request.seq:
            raise Unreached(f"the server answered for message {answer.get('seq')!r}, not {request.seq}")
        self._refusals = 0
        told, before = request.told(), self.standing()
        nonce, need = answer.get("nonce"), answer.get("need") or []
        if not isinstance(nonce, str) or not isinstance(need, list):
            raise Unreached("the server's answer lacks nonce or need")
        need = [name for name in need if isinstance(name, str)][:64]
        standing = replace(
            before,
            seq=request.seq,
            nonce=nonce[:256],
            need=tuple(need),
            need_root=told["root"] if need else "",
            interval=self._interval(answer, before),
            renew=answer.get("renew") is True,
            accepted_at=moment(utc(self._outside.now())),
        )
        if not need:
            standing = replace(standing, root=told["root"], index=told.get("index", before.index))
        self._keep_standing(standing)
        self.spool.answered()
        if need and wire.WHOLE not in need and not set(need) & set(told.get("index", before.index)):
            raise Unreached("the server asks for sections that this agent does not have")

    def _interval(self, answer: Mapping[str, Any], before: Standing) -> int:
        settings = self._settings
        return clamped(interval_of(answer, before.interval), settings.shortest_interval, settings.longest_interval)

    # Certificate and clock

    def _expired(self, identity: Identity) -> bool:
        return utc(self._now()) >= identity.validity()[1]

    def _renew(self, identity: Identity, connection: Connection) -> Identity:
        """The agent with its new key; with its present one where the server does not renew or no key can be made, for
        messages by that may well be taken until the certificate ends."""
        now, place = utc(self._outside.now()), self._settings.key
        try:
            renewed = self._enroller.renew(identity, self.standing(), now, connection, place)
        except (Refused, Misconfigured) as error:
            self._count(f"renewal: {error.status if isinstance(error, Refused) else 'no key'}")
            self.attempts = replace(self.attempts, renewal_error=str(error)[:500])
            return identity
        self._keep_standing(replace(self.standing(), renew=False))
        self.attempts = replace(self.attempts, renewal_error="")
        return renewed

    def _now(self) -> float:
        """Seconds since 1970 by the server's clock, as far as it is known."""
        return self._outside.now() + self.standing().offset

    def _set_clock(self, connection: Connection) -> None:
        if connection.server_time is None:
            return
        offset = round(connection.server_time - self._outside.now())
        if abs(offset) > 60:
            ahead = f"{abs(offset)} s {'behind' if offset > 0 else 'ahead of'} the server's"
            self.attempts = replace(self.attempts, clock=f"this host's clock is {ahead}")
        standing = self.standing()
        if abs(offset - standing.offset) > 2:
            self._keep_standing(replace(standing, offset=offset))

    # What went wrong

    def _told(self) -> bool:
        try:
            self._tell()
        except Refused as error:
            self._refused(error)
        except Unreached as error:
            self._failed("no answer", str(error), None)
        except TROUBLE as error:
            self._failed(f"telling: {type(error).__name__}", str(error) or type(error).__name__, None)
        else:
            return True
        return False

    def _refused(self, error: Refused) -> None:
        status = error.status
        if self._enrolling():
            slow = 400 <= status < 500 and status != 429
            self._failed(f"enrolment: {status}", str(error), error.retry_after, slow=slow)
        elif status == 409:
            # Not accepted, so it need not be repeated: when the operator lets this agent go on, a newer one may count.
            self.spool.answered()
            self._failed("409", f"the server suspects a copy of this agent: {error}", None, slow=True, copy=True)
        elif error.word == "certificate_expired":
            self._keep_standing(replace(self.standing(), renew=True))
            self._failed("401", str(error), error.retry_after)
        elif status in {400, 413, 422}:
            self._refusals += 1
            if self._refusals >= MOST_REFUSALS:
                self._refusals = 0
                self.spool.answered()
            self._failed(str(status), str(error), error.retry_after, slow=True)
        else:
            self._failed(str(status), str(error), error.retry_after, slow=status < 500 and status != 429)

    def _failed(self, kind: str, why: str, asked: int | None, *, slow: bool = False, copy: bool = False) -> None:
        self._count(kind)
        failures = self.attempts.failures + 1
        chance = self._outside.chance
        wait = slowly(chance) if slow and asked is None else backoff(failures, asked, chance)
        self.attempts = replace(
            self.attempts,
            last_error=why[:1000],
            failures=failures,
            not_before=moment(utc(math.ceil(self._outside.now() + wait))),
            copy_suspected=copy,
        )

    def _count(self, kind: str) -> None:
        errors = dict(self.attempts.errors)
        kind = kind if kind in errors or len(errors) < 40 else "others"
        errors[kind] = errors.get(kind, 0) + 1
        self.attempts = replace(self.attempts, errors=errors)

    def _keep_standing(self, standing: Standing) -> None:
        try:
            try:
                self._state.keep(standing)
            except OSError:
                self.spool.make_room()
                self._state.keep(standing)
        except OSError as error:
            self._kept = standing
            self.spool.degraded = f"what the server accepted lies in memory: {error.strerror or error}"
        else:
            self._kept = None

    def _keep_attempts(self) -> None:
        self.attempts = replace(self.attempts, degraded=self.spool.degraded)
        try:
            self._state.keep(self.attempts)
        except OSError as error:
            self.attempts = replace(self.attempts, degraded=f"status cannot be written: {error.strerror or error}")

    def _read_attempts(self) -> Attempts:
        try:
            found = self._state.attempts() or Attempts()
            if found.not_before:
                datetime.fromisoformat(found.not_before)
        except ValueError:
            return Attempts(errors={"attempts.json was damaged": 1})
        return found
