"""One cycle: look at the host, spool what changed, tell the server, keep what it answers.

Whatever is sent lies on disk first, and what an answer says lies on disk before the request is forgotten. So a process
that dies anywhere begins again with the same bytes under the same number.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent import __version__, messages, wire
from agent.connection import Connection, Way
from agent.enrolment import Enroller, Waiting, due, signature, utc
from agent.errors import Misconfigured, Refused, Unreached
from agent.host import Host
from agent.posture import bearings, boot_id, look
from agent.record import Record
from agent.refusals import Refusals
from agent.section import moment
from agent.settings import Settings
from agent.signing import Keys
from agent.spool import Request, Spool
from agent.state import Attempts, Identity, Standing, StateFolder
from agent.trouble import TROUBLE
from agent.watch import Look, Watch

MOST_MESSAGES = 16
"""Messages in one cycle; what is left over waits for the next."""


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
        self._record = Record(state, outside.now, outside.chance)
        self._refusals = Refusals(self._record)
        self._watch = Watch(outside.host, settings.switched_off)

    @property
    def attempts(self) -> Attempts:
        """How the last attempts went."""
        return self._record.attempts

    @property
    def spool(self) -> Spool:
        """What waits to be told."""
        return self._record.spool

    def identity(self) -> Identity | None:
        """Who the agent is; None before it is enrolled."""
        return self._state.identity()

    def standing(self) -> Standing:
        """What the server accepted last."""
        return self._record.standing()

    def wait(self) -> float:
        """Seconds until an attempt is allowed; 0 for now."""
        return self._record.wait()

    def collect(self) -> None:
        """Look at the host and spool what changed. Never raises for what a look or a disk may do."""
        try:
            self._collect()
        except TROUBLE as error:
            self._record.count(f"collecting: {type(error).__name__}")

    def tell(self) -> bool:
        """Tell the server what waits; whether it accepted all. Whatever happens stands in ``attempts``."""
        self._note(last_at=moment(utc(self._outside.now())), clock="")
        done = self._told()
        if done:
            self._record.succeeded()
        self._record.keep_attempts()
        return done

    def _note(self, **attempts: Any) -> None:
        self._record.attempts = replace(self._record.attempts, **attempts)

    # Looking

    def _collect(self) -> None:
        self._record.settle()
        if self._state.identity() is None:
            return
        found = self._look()
        if found.root() != self._newest_root():
            self.spool.add(found.posture())
        self._note(degraded=self.spool.degraded)

    def _look(self) -> Look:
        return self._watch.look(
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

    def _told(self) -> bool:
        try:
            self._tell()
        except Refused as error:
            if self._enrolling():
                self._refusals.of_the_enrolment(error)
            else:
                self._refusals.of_a_message(error)
        except Unreached as error:
            self._record.failed("no answer", str(error), None)
        except TROUBLE as error:
            self._record.failed(f"telling: {type(error).__name__}", str(error) or type(error).__name__, None)
        else:
            return True
        return False

    def _tell(self) -> None:
        identity = self._state.identity()
        if identity is None or self._enrolling():
            identity = self._enrol()
        server, proxy, ca_file = self._settings.way(identity.server, identity.proxy, identity.ca_file)
        identity = replace(identity, server=server, proxy=proxy, ca_file=ca_file)
        shown = self._state.client_files(identity.key_id) if self._settings.client_certificate else ("", "")
        way = Way(identity.server, identity.proxy, identity.authority, identity.ca_file, shown)
        with self._outside.connect(way, self._now) as connection:
            try:
                self._speak(identity, connection)
            finally:
                self._set_clock(connection)

    def _enrolling(self) -> bool:
        return self._state.note("enrolment") is not None

    def _enrol(self) -> Identity:
        host, off = self._outside.host, self._settings.switched_off
        found = self._enroller.enrol(bearings(host, off, look(host, off)), self._settings)
        if isinstance(found, Waiting):
            raise Refused(202, "a person has to approve this host on the server", found.retry_after)
        self._record.begin_anew()
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
            self._send(request, connection)
            spoken += 1
        if self.standing().renew and not early:
            self._renew(identity, connection)

    def _next(self, identity: Identity, spoken: int) -> Request | None:
        """The request that waits, else one for the oldest posture, else a heartbeat if nothing was said yet."""
        standing = self.standing()
        request = self.spool.outstanding()
        if request is not None and request.seq > standing.seq and request.told()["agent"] == identity.agent:
            return self._signed(identity, request)
        speaker = messages.Speaker(identity.agent, boot_id(self._outside.host), utc(self._outside.now()))
        for name in self.spool.postures():
            posture = self.spool.posture(name)
            if posture is None or (posture.root() == standing.root and not standing.need):
                self.spool.told(name)
                continue
            return self._held(identity, wire.REPORT, messages.report(speaker, standing, posture))
        if spoken and not standing.need:
            return None
        if standing.need or standing.root == wire.EMPTY_ROOT:
            posture = self._look().posture()
            self.spool.add(posture)
            return self._held(identity, wire.REPORT, messages.report(speaker, standing, posture))
        return self._held(identity, wire.BEAT, messages.beat(speaker, standing, standing.root))

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

    def _send(self, request: Request, connection: Connection) -> None:
        answer = connection.post(request.path, request.body, request.signature)
        before = self.standing()
        after = messages.accepted(request, answer, before, self._settings, self._outside.now())
        self._refusals.none()
        self._record.keep(after)
        self.spool.answered()
        if messages.cannot_be_met(request, before, after):
            raise Unreached("the server asks for sections that this agent does not have")

    # Certificate and clock

    def _renew(self, identity: Identity, connection: Connection) -> Identity:
        """The agent with its new key; with its present one where the server does not renew or no key can be made, for
        messages by that may well be taken until the certificate ends."""
        now, place = utc(self._outside.now()), self._settings.key
        try:
            renewed = self._enroller.renew(identity, self.standing(), now, connection, place)
        except (Refused, Misconfigured) as error:
            self._record.count(f"renewal: {error.status if isinstance(error, Refused) else 'no key'}")
            self._note(renewal_error=str(error)[:500])
            return identity
        self._record.keep(replace(self.standing(), renew=False))
        self._note(renewal_error="")
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
            self._note(clock=f"this host's clock is {ahead}")
        standing = self.standing()
        if abs(offset - standing.offset) > 2:
            self._record.keep(replace(standing, offset=offset))
