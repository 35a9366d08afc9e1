"""One target: a domain, and such further domains of its forest as it names, each through its own session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from collectors.ad.listings import Listings
from collectors.ad.reading import FACTS, DomainReading, unsaid
from collectors.ad.source import LiveSource, captured_domains
from collectors.ports.directory import DirectoryPort
from scanner.errors import LoginRefused, ReadError
from scanner.model import Access, Gap, Record, SourceIdentity, Target, promised_facts

ResultT = TypeVar("ResultT")


def places(target: Target) -> list[Target]:
    """The target as it is for each of its domains: address by address.

    ``server_name`` names the first server's certificate, and is not carried on to the others.
    """
    further = target.options.get("domains", ())
    options = {name: value for name, value in target.options.items() if name != "server_name"}
    return [target, *(replace(target, address=str(address), options=options) for address in further)]


@dataclass(frozen=True)
class _There:
    """What collecting hands to the collector, for the address of another domain."""

    access: Access
    target: Target
    asked: Counter[str] = field(default_factory=Counter)

    def now(self) -> datetime:
        return self.access.now()

    def secret(self) -> str:
        return self.access.secret()

    def user(self) -> str | None:
        return self.access.user()

    def login(self, attempt: Callable[[], ResultT]) -> ResultT:
        return self.access.login(self._counted("logins", attempt))

    def call(self, attempt: Callable[[], ResultT]) -> ResultT:
        return self.access.call(self._counted("searches", attempt))

    def _counted(self, name: str, attempt: Callable[[], ResultT]) -> Callable[[], ResultT]:
        def counted() -> ResultT:
            self.asked[name] += 1
            return attempt()

        return counted

    def requests(self) -> SourceIdentity:
        """How often this domain was asked, further pages and repetitions included."""
        asked = f"logins {self.asked['logins']}, searches {self.asked['searches']}"
        return SourceIdentity(kind="requests", value=f"{self.target.address}: {asked}")


class ForestReading:
    """Reads every domain of a target and closes the listings over all of them."""

    def __init__(self, access: Access, open_port: Callable[[Access], DirectoryPort], promises: frozenset[str]) -> None:
        self._access = access
        self._open = open_port
        self._promises = promises
        self._promised = promised_facts(promises) & FACTS
        elsewhere = frozenset(str(name).lower() for name in access.target.options.get("read_elsewhere", ()))
        self._listings = Listings(self._promised, elsewhere)

    def records(self) -> Iterator[Record]:
        """Facts and gaps as the pages come, then the censuses; a domain that could not be read lets none be given.

        A refused login ends the reading: the other domains would be asked with the same credential.
        """
        failures: list[ReadError] = []
        if self._access.target.captures is not None:
            ways = iter([self._captured()])
        else:
            ways = (self._live(place, number) for number, place in enumerate(places(self._access.target), 1))
        for way in ways:
            try:
                yield from way
            except ReadError as error:
                failures.append(error)
                if isinstance(error, LoginRefused):
                    break
        for failure in failures:
            for fact in sorted(self._promised):
                yield Gap(fact=fact, why=failure.why, detail=str(failure))
        if not failures:
            yield from unsaid(self._access.target, self._promises)
            yield from self._listings.closing()

    def _captured(self) -> Iterator[Record]:
        folder = self._access.target.captures
        assert folder is not None
        for source in captured_domains(self._access, folder):
            yield from DomainReading(self._access, source, self._promises, self._listings).records()

    def _live(self, place: Target, number: int) -> Iterator[Record]:
        access = _There(self._access, place)
        port = self._open(access)
        try:
            certificate = port.certificate()
            if certificate is not None:
                yield SourceIdentity(kind="tls_certificate", value=f"sha256:{certificate}")
            source = LiveSource(port, self._promised, "domain" if number == 1 else f"domain{number}")
            yield from DomainReading(access, source, self._promises, self._listings).records()
            yield access.requests()
        finally:
            with suppress(ReadError):
                port.close()
