"""Runs the fleet server: its database, its writer, its certificate, and uvicorn with limits of its own."""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import logging
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import uvicorn
from cryptography import x509

from scanner.errors import EngineError, StoreError, UsageError, ZtgradeError
from scanner.fleet.authority import ROOT_FILE, Issuing, load_certificate, load_issuing
from scanner.fleet.chain import Nonces
from scanner.fleet.connection import IDLE_S, Guarded
from scanner.fleet.database import Database
from scanner.fleet.enrolment import Registrar
from scanner.fleet.ingest import Ingest
from scanner.fleet.keyring import Keyring
from scanner.fleet.metrics import Metrics
from scanner.fleet.migration import prepare
from scanner.fleet.retention import Retention
from scanner.fleet.server import Application, Parts
from scanner.fleet.settings import POSTGRESQL, Settings, connect, load_settings, open_database
from scanner.fleet.signal_audit import Ledger
from scanner.fleet.signal_keys import load_signer
from scanner.fleet.signal_rules import load_rules
from scanner.fleet.signal_service import Signal
from scanner.fleet.signal_verdict import Standing, load_words
from scanner.fleet.writer import Writer
from scanner.sealed.disk import place_private

SERVER_PEM = "server.pem"
BACKLOG = 2048
TIDIES_S = 10
"""Between two times that free memory is given back."""
LOOKS_S = 600
"""Between two looks at whether certificates have changed or must be renewed."""


class Certificates:
    """Issuing authorities and the server's own certificate, as they lie in the folder; follows what changes there."""

    def __init__(self, folder: Path, settings: Settings, clock: Callable[[], float]) -> None:
        self._folder, self._settings, self._clock = folder, settings, clock
        self._issuing = load_issuing(folder)
        self.context = self._make_context()
        self.look()

    def newest(self) -> Issuing:
        """The authority that issues now."""
        return self._issuing

    @property
    def files(self) -> tuple[Path, Path]:
        """Chain and key of the server, PEM; its own lie in one file, so that they are always of one another."""
        given = self._settings.server_certificate, self._settings.server_key
        own = self._folder / SERVER_PEM
        return (Path(given[0]), Path(given[1])) if given[0] else (own, own)

    def look(self) -> None:
        """Take what is new: an authority after a rotation, a certificate of the server before the old one ends."""
        self._issuing = load_issuing(self._folder)
        now = datetime.fromtimestamp(self._clock(), UTC)
        if not self._settings.server_certificate and self._worn(now):
            chain, key = self.newest().serve([self._settings.host], now)
            place_private(self.files[0], (chain + key).encode())
        self.context.load_cert_chain(*self.files)

    def gauges(self) -> dict[str, float]:
        """When certificates end, in seconds since 1970."""
        served = x509.load_pem_x509_certificates(self.files[0].read_bytes())[0]
        issuing = self.newest().certificate
        return {
            "ztgrade_fleet_issuing_authority_expires_seconds": issuing.not_valid_after_utc.timestamp(),
            "ztgrade_fleet_server_certificate_expires_seconds": served.not_valid_after_utc.timestamp(),
        }

    def _worn(self, now: datetime) -> bool:
        try:
            served = x509.load_pem_x509_certificates(self.files[0].read_bytes())
            self.context.load_cert_chain(*self.files)
        except (FileNotFoundError, ValueError, ssl.SSLError):
            # None was ever made, or a dying disk left half of it: what the server made itself it can make again.
            return True
        left = served[0].not_valid_after_utc - now
        return left < timedelta(days=30) or self.newest().certificate not in served[1:]

    def _make_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.num_tickets = 0  # agents come once in minutes with a new connection and keep none
        context.set_alpn_protocols(["http/1.1"])
        wanted = self._settings.client_certificates
        if wanted != "off":
            context.verify_mode = ssl.CERT_REQUIRED if wanted == "required" else ssl.CERT_OPTIONAL
            context.load_verify_locations(self._folder / ROOT_FILE)
            if self._settings.signal.authority:
                context.load_verify_locations(_authority(self._folder / self._settings.signal.authority))
        return context


class FleetServer:
    """Everything of one server process, made in ``run``."""

    def __init__(self, folder: Path, clock: Callable[[], float], listen: str | None = None) -> None:
        self._folder, self._clock = folder, clock
        chosen = load_settings(folder)
        self.settings = msgspec.structs.replace(chosen, listen=listen) if listen else chosen
        self.certificates = Certificates(folder, self.settings, clock)
        self.standing = standing_of(folder, self.settings) if self.settings.signal.enabled else None
        self._signer = load_signer(folder) if self.standing else None
        self._fault: ZtgradeError | None = None
        self._uvicorn: uvicorn.Server | None = None

    def run(self, started: Callable[[tuple[str, int]], None] = lambda address: None) -> None:
        """Serve until a signal ends it.

        Raises StoreError where nothing opens or a newer ztgrade has changed the tables since, and EngineError where the
        writer failed.
        """
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them again when it has ended
                signal.signal(number, lambda number, frame: self.end())
        with asyncio.Runner(loop_factory=_fast_loop()) as runner:
            runner.run(self._run(started))
        if self._fault:
            raise self._fault

    def end(self) -> None:
        """Stop serving soon; may be called from any thread."""
        if self._uvicorn is not None:
            self._uvicorn.should_exit = True

    async def _run(self, started: Callable[[tuple[str, int]], None]) -> None:
        loop = asyncio.get_running_loop()
        database = connect(self._folder, self.settings)
        prepare(database, int(self._clock() * 1000))
        nonces = Nonces(secret(database))
        writer = Writer(
            database,
            Ingest(nonces, self.settings.interval, self.settings.min_version),
            loop,
            self._clock,
            queue=self.settings.queue,
            reserve=None if self.settings.database.startswith(POSTGRESQL) else self._folder / "reserve",
            died=self._on_death,
        )
        keyring = Keyring(open_database(self._folder, self.settings, read_only=True))
        registrar = Registrar(self.certificates.newest, nonces, self.settings.domain, self.settings.interval)
        retention = Retention(writer.send, self.settings.keep_days)
        metrics = Metrics()
        signals = self._signal(writer, metrics)
        parts = Parts(
            self.settings,
            writer,
            keyring,
            registrar,
            self._clock,
            lambda: self.certificates.gauges() | retention.gauges(),
            metrics,
            signals,
        )
        self._uvicorn = uvicorn.Server(self._config(Application(parts)))
        listening = self._listen()
        writer.start()
        beside = [asyncio.create_task(work) for work in (self._watch(started), self._tidy(), retention.run())]
        try:
            await self._uvicorn.serve(sockets=[listening])
        finally:
            for task in beside:
                task.cancel()
            await asyncio.to_thread(writer.end)
            if signals is not None:
                signals.close()
            keyring.close()
            database.close()

    def _signal(self, writer: Writer, metrics: Metrics) -> Signal | None:
        """What answers policy engines, where that is switched on."""
        if self.standing is None or self._signer is None:
            return None
        database = open_database(self._folder, self.settings, read_only=True)
        ledger = Ledger(writer.send, metrics)
        per_minute = self.settings.signal.per_minute
        return Signal(database, self.standing, self._signer, ledger, self._clock, per_minute)

    def _listen(self) -> socket.socket:
        host, port = self.settings.bind
        try:
            return socket.create_server(
                (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
            )
        except OSError as error:
            hint = "choose another with listen in fleet.toml, or --listen"
            raise UsageError(f"cannot listen at {self.settings.listen}: {error.strerror or error}; {hint}") from error

    def _config(self, application: Application) -> uvicorn.Config:
        # Warnings are one for each odd request or lost connection, so that anybody could fill the disk.
        logging.getLogger("asyncio").setLevel(logging.ERROR)
        chosen = {"request_seconds": float(self.settings.request_seconds), "application": application}
        protocol = type("Protocol", (Guarded,), chosen)
        return uvicorn.Config(
            application,
            http=protocol,
            ws="none",
            lifespan="off",
            access_log=False,
            proxy_headers=False,  # an address is what the connection says; anybody can write a header
            log_level="error",
            server_header=False,
            backlog=BACKLOG,
            limit_concurrency=self.settings.connections,
            timeout_keep_alive=int(IDLE_S),
            timeout_graceful_shutdown=10,
            ssl_context_factory=lambda config, default: self.certificates.context,
        )

    async def _tidy(self) -> None:
        """Give free memory back: buffers of TLS, a quarter of a megabyte for each connection, leave holes in it."""
        trim = _trimming()
        while trim is not None:
            await asyncio.sleep(TIDIES_S)
            trim(0)

    async def _watch(self, started: Callable[[tuple[str, int]], None]) -> None:
        server = self._uvicorn
        while server is None or not server.started:
            await asyncio.sleep(0.02)
        started(server.servers[0].sockets[0].getsockname()[:2])
        while True:
            await asyncio.sleep(LOOKS_S)
            try:
                self.certificates.look()
            except (ZtgradeError, OSError, ValueError) as error:  # the certificates in use go on; look again later
                logging.getLogger(__name__).warning("certificates: %s", error)

    def _on_death(self, fault: StoreError | None) -> None:
        refused = "the messages that waited were refused, and agents send them again"
        self._fault = (
            StoreError(f"{fault}; {refused}")
            if fault
            else EngineError(f"the thread that writes has ended; {refused}; start it again")
        )
        self.end()


def standing_of(folder: Path, settings: Settings) -> Standing:
    """What verdicts rest on besides the posture; raises ConfigurationError for wrong rules."""
    chosen = settings.signal
    rules = load_rules(folder / chosen.rules if chosen.rules else None)
    life = chosen.life or settings.interval
    return Standing(settings.url, settings.domain, settings.interval, life, rules, load_words())


def _authority(path: Path) -> Path:
    """A file that holds certificates; raises ConfigurationError."""
    load_certificate(path)
    return path


def secret(database: Database) -> bytes:
    """The secret of nonces; the same for all servers of one database."""
    found = database.rows("SELECT value FROM meta WHERE name = 'nonces'")
    if not found:
        raise StoreError("the fleet's database was never set up; run: ztgrade fleet init")
    return bytes(found[0][0])


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The event loop of uvloop where it is installed; Windows has none."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop


def _trimming() -> Callable[[int], int] | None:
    """malloc_trim(3) of glibc; other C libraries have none."""
    if not sys.platform.startswith("linux"):
        return None
    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim
