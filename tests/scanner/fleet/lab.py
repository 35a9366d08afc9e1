"""A fleet server on loopback with a clock of its own, and agents that are only their protocol."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from agent import wire
from scanner.fleet import journal, operations, tokens
from scanner.fleet.authority import pin_of
from scanner.fleet.database import Database
from scanner.fleet.reading import FleetReader
from scanner.fleet.serving import FleetServer
from scanner.fleet.settings import load_settings, open_database

START = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
BOOT = "7d9f2c1e-0000-4000-8000-000000000001"


class Clock:
    """The server's time, and that of agents which have no other."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        self.now += 0.001
        return self.now

    def pass_days(self, days: float) -> None:
        self.now += days * 86_400


def make_fleet(folder: Path, **chosen: Any) -> Path:
    """A fleet folder, its root in ``root`` beside it."""
    settings = {"url": "https://127.0.0.1:8443", "domain": "lab.example", "listen": "127.0.0.1:0"} | chosen
    operations.make_fleet(folder, folder.parent / "root", settings, int(START * 1000))
    return folder


class Running:
    """A server in a thread of this process."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.folder, self.clock = folder, clock or Clock()
        self.server = FleetServer(folder, self.clock)
        self._started = threading.Event()
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._started.wait(20)
        if self.failure:
            raise self.failure

    def _serve(self) -> None:
        try:
            self.server.run(self._on_start)
        except BaseException as error:
            self.failure = error
            self._started.set()
            raise

    def _on_start(self, address: tuple[str, int]) -> None:
        self.port = address[1]
        self._started.set()

    def end(self) -> int | None:
        self.server.end()
        self._thread.join(20)
        assert not self._thread.is_alive()
        return None

    @property
    def ms(self) -> int:
        return int(self.clock() * 1000)

    @contextmanager
    def database(self) -> Iterator[Database]:
        database = open_database(self.folder, load_settings(self.folder))
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def reader(self) -> Iterator[FleetReader]:
        reader = FleetReader.open(self.folder)
        try:
            yield reader
        finally:
            reader.close()

    def token(self, **limits: Any) -> str:
        """The secret of a new token."""
        with self.database() as database:
            told = tokens.mint(database, url="https://x", pin=self.pin(), now=self.ms, **limits)
        return str(json.loads(base64.urlsafe_b64decode(told.removeprefix("zt1.") + "=="))["t"])

    def pin(self) -> str:
        return pin_of((self.folder / "server.pem").read_bytes())

    def connect(self, **options: Any) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.folder / "root.pem"))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.verify_flags |= 0x200000  # X509_V_FLAG_NO_CHECK_TIME: the lab's clock is not this machine's
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=20, **options)

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> Reply:
        connection = self.connect()
        try:
            connection.request("POST", path, body, headers or {})
            return Reply.of(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, str]:
        connection = self.connect()
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def events(self) -> list[str]:
        """What the audit log names, oldest first."""
        with self.database() as database:
            return [entry.says["event"] for entry in journal.entries(database, "audit")]

    def counted(self, sql: str) -> int:
        with self.database() as database:
            return int(database.rows(sql)[0][0])


@dataclass(frozen=True)
class Reply:
    """An answer of the server."""

    status: int
    says: dict[str, Any]
    headers: dict[str, str]

    @classmethod
    def of(cls, response: http.client.HTTPResponse) -> Reply:
        content = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        plain = headers.get("content-type", "").startswith("application/json")
        return cls(response.status, json.loads(content) if plain else {"text": content.decode()}, headers)

    @property
    def word(self) -> str:
        return str(self.says.get("error", ""))


@dataclass
class Pretended:
    """An agent as the wire knows it."""

    server: Running
    hostname: str = "host-1"
    attributes: dict[str, str] = field(default_factory=dict)
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: str = ""
    seq: int = 0
    nonce: str = ""
    root: str = wire.EMPTY_ROOT
    boot_id: str = BOOT
    offset: float = 0.0
    certificate: str = ""
    chain: str = ""

    @property
    def key_id(self) -> str:
        spki = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(spki).hexdigest()

    @property
    def ts(self) -> str:
        now = datetime.fromtimestamp(self.server.clock() + self.offset, UTC)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def enrolment(self, token: str) -> bytes:
        host = {"hostname": self.hostname} | self.attributes
        return wire.encode({"v": 1, "token": token, "csr": request(self.key), "nonce": "n" * 24, "host": host})

    def enrol(self, token: str = "") -> Reply:
        reply = self.server.post(wire.ENROL, self.enrolment(token or self.server.token()))
        if reply.status == 200:
            self.id, self.nonce = reply.says["agent"], reply.says["nonce"]
            self.certificate, self.chain = reply.says["certificate"], reply.says["chain"]
        return reply

    def beat(self, **other: Any) -> bytes:
        message = wire.beat(
            self.id,
            self.seq + 1,
            boot_id=self.boot_id,
            nonce=self.nonce,
            root=self.root,
            prev_root=self.root,
            ts=self.ts,
            version="1.0.0",
        )
        return wire.encode(message | other)

    def report(self, sections: dict[str, dict[str, Any]], /, send: list[str] | None = None, **other: Any) -> bytes:
        index = {name: wire.section_digest(section) for name, section in sections.items()}
        sent: list[Mapping[str, Any]] = [section for name, section in sections.items() if send is None or name in send]
        message = json.loads(self.beat(root=wire.root_digest(index)))
        return wire.encode(wire.report(message, index, sent) | other)

    def signed(self, path: str, body: bytes, key: ec.EllipticCurvePrivateKey | None = None) -> dict[str, str]:
        kind = {wire.BEAT: wire.BEAT_TYPE, wire.REPORT: wire.REPORT_TYPE, wire.RENEW: wire.RENEW_TYPE}[path]
        value = (key or self.key).sign(wire.signed_bytes(kind, body), ec.ECDSA(hashes.SHA256()))
        return {wire.SIGNATURE_HEADER: wire.Signature(self.key_id, value).header()}

    def send(self, path: str, body: bytes) -> Reply:
        """Send a message and keep what the answer says."""
        reply = self.server.post(path, body, self.signed(path, body))
        if reply.status == 200:
            told = json.loads(body)
            self.seq, self.nonce = told["seq"], reply.says["nonce"]
            if not reply.says["need"]:
                self.root = told["root"]
        return reply

    def renewal(self, key: ec.EllipticCurvePrivateKey, **other: Any) -> bytes:
        asked = {"v": 1, "agent": self.id, "csr": request(key), "ts": self.ts, "nonce": self.nonce}
        return wire.encode(asked | other)

    def renew(self, body: bytes, key: ec.EllipticCurvePrivateKey) -> Reply:
        reply = self.server.post(wire.RENEW, body, self.signed(wire.RENEW, body))
        if reply.status == 200:
            self.key, self.certificate, self.nonce = key, reply.says["certificate"], reply.says["nonce"]
        return reply


def enrolled(server: Running, hostname: str = "host-1", **attributes: str) -> Pretended:
    """An agent that is in."""
    agent = Pretended(server, hostname, attributes)
    assert agent.enrol().status == 200
    return agent


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def request(key: Any) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ztagent")])
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(name)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
        .decode()
    )


def section(name: str, observed_at: str = "2026-11-23T00:00:00Z", /, **values: Any) -> dict[str, Any]:
    """One section as an agent sends it."""
    return {
        "name": name,
        "schema_version": 1,
        "status": "seen",
        "detail": "",
        "observed_at": observed_at,
        "values": values,
        "missing": {},
    }


POSTURE = {
    "firewall": section("firewall", enabled=True, product="nftables"),
    "disk": section("disk", encrypted=[{"device": "/dev/sda2", "type": "luks2"}], count=1),
    "os": section("os", name="debian", version="12", pending=None),
}
