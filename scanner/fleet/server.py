"""The server's application: two hot paths for messages of agents, and Starlette for everything that is asked seldom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent import wire
from scanner.fleet.answers import Answer, Refused, refusal, response
from scanner.fleet.authority import BadRequest, requested
from scanner.fleet.chain import mark_of
from scanner.fleet.database import Database, Unavailable
from scanner.fleet.door import Allowance, Gone, Receive, Scope, Send, body_of, give
from scanner.fleet.enrolment import Registrar
from scanner.fleet.ingest import Sent
from scanner.fleet.journal import AUDIT, note
from scanner.fleet.keyring import Keyring, PublicKey
from scanner.fleet.messages import BadMessage, Beat, Enrolment, Renewal, Report, decoded, offered
from scanner.fleet.metrics import Metrics
from scanner.fleet.settings import Settings
from scanner.fleet.shown_once import within
from scanner.fleet.signal_service import Signal
from scanner.fleet.writer import Busy, Errand, Writer

KINDS: dict[str, tuple[str, type[Beat]]] = {
    wire.BEAT: (wire.BEAT_TYPE, Beat),
    wire.REPORT: (wire.REPORT_TYPE, Report),
}
BUSY = refusal("busy", retry_after=10)
STRANGERS = 30
"""Refused tokens and signatures of one address in a minute, after which it must wait."""
NOTED = 10
"""Refused signatures in a minute that are set down one by one."""


@dataclass(frozen=True)
class Parts:
    """What the application is made of."""

    settings: Settings
    writer: Writer
    keyring: Keyring
    registrar: Registrar
    clock: Callable[[], float]
    gauges: Callable[[], dict[str, float]] = dict
    metrics: Metrics = field(default_factory=Metrics)
    signal: Signal | None = None


class Application:
    """ASGI application of the fleet server."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.metrics = parts.metrics
        self._agents = Allowance(parts.settings.per_minute)
        self._strangers = Allowance(STRANGERS)
        self._notes = Allowance(NOTED)
        self._tasks: set[asyncio.Task[None]] = set()
        self._seldom = Starlette(
            routes=[
                Route("/healthz", self._health),
                Route("/metrics", self._show_metrics),
                *(parts.signal.routes if parts.signal else ()),
            ],
            exception_handlers={404: _not_found, 405: _other_method},
        )
        self._seldom.router.redirect_slashes = False  # a redirection would repeat whatever Host the request names

    @property
    def paths(self) -> list[str]:
        """Every path that is answered."""
        return [
            wire.ENROL,
            wire.RENEW,
            *KINDS,
            *(route.path for route in self._seldom.routes if isinstance(route, Route)),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        kind = KINDS.get(path)
        if scope["type"] == "http" and (kind or path in (wire.ENROL, wire.RENEW)):
            try:
                answer = await self._answer(path, kind, scope, receive)
            except Gone:
                return
            except Refused as refused:
                answer = refused.answer
            self.metrics.count(path, answer.status)
            await give(send, answer)
            return
        await self._seldom(scope, receive, send)

    async def _answer(self, path: str, kind: tuple[str, type[Beat]] | None, scope: Scope, receive: Receive) -> Answer:
        if scope["method"] != "POST":
            raise Refused(refusal("method", closes=True))
        address = scope["client"][0] if scope.get("client") else ""
        if path == wire.ENROL:
            body, _ = await body_of(scope, receive)
            return await self._enrol(body, address)
        body, header = await body_of(scope, receive)
        if kind is None:
            return await self._renew(body, header, address)
        signature = self._claimed(header, address)
        return await self._done(self._message(kind, body, signature, await self._key(signature, address), address))

    def take(self, path: str, body: bytes, header: str, address: str, answer: Callable[[Answer], None]) -> None:
        """Take a heartbeat or report without a task of its own; ``answer`` is called at once, or once it is stored."""
        writer = self._parts.writer

        def give_back(given: Answer) -> None:
            self.metrics.count(path, given.status)
            answer(given)

        try:
            signature = self._claimed(header, address)
            key = self._parts.keyring.known(signature.key_id)
            if key is None:
                task = asyncio.create_task(self._take_new(path, body, signature, address, give_back))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                writer.post(self._message(KINDS[path], body, signature, key, address), give_back)
        except Refused as refused:
            give_back(refused.answer)
        except Busy:
            give_back(BUSY)

    async def _take_new(
        self, path: str, body: bytes, signature: wire.Signature, address: str, answer: Callable[[Answer], None]
    ) -> None:
        """The same where the key must be looked up first."""
        try:
            key = await self._key(signature, address)
            given = await self._done(self._message(KINDS[path], body, signature, key, address))
        except Refused as refused:
            given = refused.answer
        answer(given)

    def _message(
        self, kind: tuple[str, type[Beat]], body: bytes, signature: wire.Signature, key: PublicKey, address: str
    ) -> Sent:
        self._prove(kind[0], body, signature, key, address)
        message = self._understood(body, kind[1])
        try:
            sections = offered(message, body) if isinstance(message, Report) else []
        except BadMessage as error:
            raise Refused(refusal("bad_message", str(error))) from error
        return Sent(signature.key_id, message, body, mark_of(body), signature.value, sections)

    async def _enrol(self, body: bytes, address: str) -> Answer:
        now = self._parts.clock()
        if self._strangers.spent(address, now):
            raise Refused(refusal("too_often", "too many refused requests from this address", 60))
        asked: Enrolment = self._understood(body, Enrolment)
        try:
            key = requested(asked.csr)
        except BadRequest as error:
            self._strangers.take(address, now)
            raise Refused(refusal("bad_message", str(error))) from error
        registrar = self._parts.registrar
        answer = await self._done(lambda database, then: registrar.enrol(database, asked, key, address, then))
        if answer.status not in (200, 202, 503):
            self._strangers.take(address, now)
        return answer

    async def _renew(self, body: bytes, header: str, address: str) -> Answer:
        signature = self._claimed(header, address)
        self._prove(wire.RENEW_TYPE, body, signature, await self._key(signature, address), address)
        asked: Renewal = self._understood(body, Renewal)
        try:
            key = requested(asked.csr)
        except BadRequest as error:
            raise Refused(refusal("bad_message", str(error))) from error
        registrar, signer = self._parts.registrar, signature.key_id
        return await self._done(lambda database, then: registrar.renew(database, asked, signer, body, key, then))

    def _claimed(self, header: str, address: str) -> wire.Signature:
        try:
            signature = wire.Signature.read(header)
        except ValueError as error:
            raise self._stranger("bad_signature", address, "", str(error)) from error
        if self._strangers.spent(address, self._parts.clock()):
            raise Refused(refusal("too_often", "too many refused requests from this address", 60))
        return signature

    async def _key(self, signature: wire.Signature, address: str) -> PublicKey:
        try:
            key = await self._parts.keyring.find(signature.key_id)
        except Unavailable as error:
            raise Refused(refusal("store", retry_after=5)) from error
        if key is None:
            raise self._stranger("unknown_key", address, signature.key_id)
        return key

    def _prove(self, kind: str, body: bytes, signature: wire.Signature, key: PublicKey, address: str) -> None:
        if not self._parts.keyring.proves(key, kind, body, signature.value):
            raise self._stranger("bad_signature", address, signature.key_id)
        if not self._agents.take(signature.key_id, self._parts.clock()):
            raise Refused(refusal("too_often", retry_after=60))

    def _stranger(self, word: str, address: str, key_id: str, detail: str = "") -> Refused:
        """Refuse one who did not prove who he is; a few of them are set down by name, all are counted."""
        now = self._parts.clock()
        self._strangers.take(address, now)
        self.metrics.add("ztgrade_fleet_refused_signatures_total", why=word)
        if self._notes.take("", now):

            def errand(database: Database, then: int) -> Answer:
                note(database, AUDIT, then, event="refused", why=word, address=address, key=key_id)
                return Answer(204, b"")

            try:
                self._parts.writer.send(errand)
            except Busy:
                self.metrics.add("ztgrade_fleet_notes_dropped_total")
        return Refused(refusal(word, detail))

    def _understood(self, body: bytes, form: type[Any]) -> Any:
        try:
            return decoded(body, form)
        except BadMessage as error:
            raise Refused(refusal("bad_message", str(error))) from error

    async def _done(self, work: Sent | Errand) -> Answer:
        try:
            return await self._parts.writer.send(work)
        except Busy:
            raise Refused(BUSY) from None

    async def _health(self, request: Request) -> Response:
        healthy = self._parts.writer.healthy
        return JSONResponse({"status": "ok" if healthy else "store"}, 200 if healthy else 503)

    async def _show_metrics(self, request: Request) -> Response:
        address = request.client.host if request.client else ""
        if not within(address, self._parts.settings.metrics_networks):
            return response(refusal("not_found"))
        waiting = {f"ztgrade_fleet_waiting_{lane}": float(n) for lane, n in self._parts.writer.waiting.items()}
        gauges = waiting | {"ztgrade_fleet_commits": float(self._parts.writer.commits)} | self._parts.gauges()
        return Response(self.metrics.text(gauges), media_type="text/plain; version=0.0.4")


async def _not_found(request: Request, error: Exception) -> Response:
    return response(refusal("not_found"))


async def _other_method(request: Request, error: Exception) -> Response:
    return response(refusal("method"))
