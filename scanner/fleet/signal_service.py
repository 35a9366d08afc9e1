"""Serves verdicts to policy engines: a read of one device or of many, signed, with its own tokens and limits."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent import wire
from scanner.errors import StoreError
from scanner.fleet.answers import Refused, refusal, response
from scanner.fleet.connection import SHOWN
from scanner.fleet.database import Database
from scanner.fleet.door import Allowance
from scanner.fleet.reading import AgentSeen, FleetReader
from scanner.fleet.signal_audit import Ledger
from scanner.fleet.signal_callers import PREFIX, Caller, find_caller
from scanner.fleet.signal_keys import Signer
from scanner.fleet.signal_verdict import Standing, Verdict, barred, judge

ONE, MANY, KEYS = "/v1/posture/{agent}", "/v1/posture", "/v1/posture-keys"
STRANGERS = 30
"""Refused tokens of one address in a minute, after which it must wait."""
WAITING = 64
"""Requests that are worked on or wait; the thread that judges is one."""
REMEMBERED = 2048
"""Signed verdicts that are kept for the next who asks."""
PAGE, LONGEST_PAGE = 100, 500
KEYS_S = 300
"""Seconds that the key set may be kept."""
_AGENT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SECRET = re.compile(rf"[Bb]earer ({re.escape(PREFIX)}[A-Za-z0-9_-]{{43}})")
_Found = TypeVar("_Found")


class Signed(msgspec.Struct, frozen=True):
    """One verdict: ``jws`` is what to verify and to keep, ``claims`` are the same claims for those who only look."""

    jws: str
    claims: Verdict


class One(msgspec.Struct, frozen=True):
    """The answer for one device."""

    v: int
    jws: str
    claims: Verdict


class Many(msgspec.Struct, frozen=True):
    """The answer for many devices; ``next`` goes into ``after`` for the next page, and is empty on the last."""

    v: int
    verdicts: list[Signed]
    next: str


@dataclass(frozen=True)
class _Kept:
    mark: tuple[object, ...]
    until: int
    """In ms since 1970; half of its life, so that nobody is given one that ends at once."""
    signed: Signed


class Verdicts:
    """Judges and signs; remembers what it signed while nothing changes. For one thread."""

    def __init__(self, database: Database, standing: Standing, signer: Signer) -> None:
        self._reader, self._standing, self._signer = FleetReader(database, standing.interval_s), standing, signer
        self._kept: OrderedDict[int, _Kept] = OrderedDict()

    def one(self, agent: str, now: int) -> Signed | None:
        """Of one agent; None where there is none."""
        found = self._reader.agent(agent)
        return self._signed(found, now) if found else None

    def many(self, after: str, most: int, now: int) -> tuple[list[Signed], str] | None:
        """So many after an agent, as they enrolled, and the last if more follow; None where there is no such agent."""
        start = 0
        if after:
            known = self._reader.agent(after)
            if known is None:
                return None
            start = known.number
        found = self._reader.page(start, most + 1)
        shown = found[:most]
        return [self._signed(each, now) for each in shown], shown[-1].id if len(found) > most else ""

    def _signed(self, agent: AgentSeen, now: int) -> Signed:
        bars = barred(agent, now, self._standing.interval_s)
        mark = (agent.status, agent.root, *bars)
        kept = self._kept.pop(agent.number, None)
        if kept is None or kept.mark != mark or now >= kept.until:
            verdict = judge(agent, [] if bars else self._reader.sections(agent), self._standing, now)
            half = (now + verdict.exp * 1000) // 2
            kept = _Kept(mark, half, Signed(self._signer.sign(verdict), verdict))
        self._kept[agent.number] = kept
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
        return kept.signed


class Signal:
    """The signal's side of the server; everything but ``routes`` is for the event loop only."""

    def __init__(
        self,
        database: Database,
        standing: Standing,
        signer: Signer,
        ledger: Ledger,
        clock: Callable[[], float],
        per_minute: int,
    ) -> None:
        self._database, self._clock, self._ledger = database, clock, ledger
        self._verdicts = Verdicts(database, standing, signer)
        self._key_set = msgspec.json.encode(signer.key_set())
        self._thread = ThreadPoolExecutor(1, "fleet-signal")
        self._waiting = 0
        self._callers, self._strangers = Allowance(per_minute), Allowance(STRANGERS)

    @property
    def routes(self) -> Sequence[Route]:
        """What it answers."""
        return [Route(ONE, self._one), Route(MANY, self._many), Route(KEYS, self._keys)]

    def close(self) -> None:
        """Answer nothing more."""
        self._thread.shutdown()
        self._database.close()

    async def _one(self, request: Request) -> Response:
        try:
            caller, address = await self._admitted(request)
            agent, now = request.path_params["agent"], self._now()
            signed = await self._asked(lambda: self._verdicts.one(agent, now)) if _AGENT.fullmatch(agent) else None
            if signed is None:
                raise Refused(refusal("not_found"))
        except Refused as refused:
            return _refused(refused)
        self._ledger.read(caller, address, [agent], self._clock())
        answer = One(wire.VERSION, signed.jws, signed.claims)
        return _cacheable(request, msgspec.json.encode(answer), signed.claims.exp - now // 1000)

    async def _many(self, request: Request) -> Response:
        try:
            caller, address = await self._admitted(request)
            after, most, now = *_page(request), self._now()
            found = await self._asked(lambda: self._verdicts.many(after, most, now))
            if found is None:
                raise Refused(refusal("bad_message", "after names no agent; begin again without it"))
        except Refused as refused:
            return _refused(refused)
        verdicts, following = found
        self._ledger.read(caller, address, [each.claims.agent for each in verdicts], self._clock())
        left = min((each.claims.exp for each in verdicts), default=now // 1000) - now // 1000
        return _cacheable(request, msgspec.json.encode(Many(wire.VERSION, verdicts, following)), left)

    async def _keys(self, request: Request) -> Response:
        headers = {"cache-control": f"public, max-age={KEYS_S}"}
        return Response(self._key_set, 200, headers, "application/jwk-set+json")

    async def _admitted(self, request: Request) -> tuple[Caller, str]:
        """Who asks, and from where; raises Refused."""
        address, now = request.client.host if request.client else "", self._clock()
        if self._strangers.spent(address, now):
            raise Refused(refusal("too_often", "too many refused requests from this address", 60))
        given = _SECRET.fullmatch(request.headers.get("authorization", ""))
        caller = await self._asked(lambda: find_caller(self._database, given[1])) if given else None
        word = caller.refused(address, request.scope.get(SHOWN, ""), int(now * 1000)) if caller else "caller_unknown"
        if caller is None or word:
            self._strangers.take(address, now)
            self._ledger.refused(word, address, caller.handle if caller else "", now)
            raise Refused(refusal(word))
        if not self._callers.take(caller.handle, now):
            raise Refused(refusal("too_often", "this caller asks too much", 5))
        return caller, address

    async def _asked(self, work: Callable[[], _Found]) -> _Found:
        """What the thread with the database finds; raises Refused where too much waits, or the store is silent."""
        if self._waiting >= WAITING:
            raise Refused(refusal("busy", retry_after=1))
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except StoreError as error:
            raise Refused(refusal("store", "the store could not be asked", 5)) from error
        finally:
            self._waiting -= 1

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _page(request: Request) -> tuple[str, int]:
    after, most = request.query_params.get("after", ""), request.query_params.get("limit", str(PAGE))
    if set(request.query_params) - {"after", "limit"}:
        raise Refused(refusal("bad_message", "only after and limit can be asked for"))
    if after and not _AGENT.fullmatch(after):
        raise Refused(refusal("bad_message", "after is the id of an agent"))
    if not re.fullmatch(r"[1-9][0-9]{0,2}", most) or int(most) > LONGEST_PAGE:
        raise Refused(refusal("bad_message", f"limit is a whole number from 1 to {LONGEST_PAGE}"))
    return after, int(most)


def _refused(refused: Refused) -> Response:
    headers = {"cache-control": "no-store"}
    if refused.answer.status == 401:
        headers["www-authenticate"] = "Bearer"
    return response(refused.answer, headers)


def _cacheable(request: Request, body: bytes, seconds: int) -> Response:
    """An answer that a cache of the caller's own may keep until the verdicts in it end, or that it has it already."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "cache-control": f"private, max-age={seconds}" if seconds > 0 else "no-store",
        "etag": tag,
        "vary": "authorization",
    }
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, "application/json")
