"""A fleet server for tests: TLS on loopback, the protocol of `agent.wire`, and faults on demand."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import socketserver
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent import keys, keystores, wire
from agent.errors import Misconfigured
from agent.settings import IN_FILE
from agent.signing import Validity

SECRET = "a-secret-that-is-long-enough-1234567890"
_PEM = serialization.Encoding.PEM


def spki_digest(key: ec.EllipticCurvePublicKey) -> str:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


class Authority:
    """A root that signs the server's certificate and those of agents."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test root")])
        now = datetime.now(UTC)
        self.certificate = self.sign(
            self.key.public_key(), now - timedelta(days=400), now + timedelta(days=4000), name=self.name, ca=True
        )
        self.pem = self.certificate.public_bytes(_PEM).decode()
        self.pin = spki_digest(self.key.public_key())

    def sign(
        self,
        public: ec.EllipticCurvePublicKey,
        begin: datetime,
        end: datetime,
        *,
        name: x509.Name | None = None,
        ca: bool = False,
        serves: bool = False,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name or x509.Name([]))
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if serves:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def served(self, folder: Path, life: tuple[timedelta, timedelta]) -> Path:
        """Key and chain of a server in one file."""
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        certificate = self.sign(key.public_key(), now + life[0], now + life[1], serves=True)
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path = folder / f"{uuid.uuid4()}.pem"
        path.write_bytes(private + certificate.public_bytes(_PEM) + self.pem.encode())
        return path


Fault = Callable[["Handler", bytes], bool]
"""Does something instead of, or after, the answer; gives whether the request is still to be taken and answered."""


@dataclass
class Fleet:
    """What the server knows; ``faults`` by path are used up one by one."""

    authority: Authority
    agent: str = "019aaaaa-0000-7000-8000-000000000001"
    seq: int = 0
    nonce: str = "first"
    root: str = wire.EMPTY_ROOT
    taken: list[bytes] = field(default_factory=list)
    """Accepted bodies."""
    asked: list[tuple[str, bytes, str]] = field(default_factory=list)
    """Every request: path, body, signature."""
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, ec.EllipticCurvePublicKey] = field(default_factory=dict)
    replaced: dict[str, bytes] = field(default_factory=dict)
    redeemed: str = ""
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    life: tuple[timedelta, timedelta] = (timedelta(minutes=-10), timedelta(days=30))
    ahead: timedelta = timedelta()
    """The server's clock before the true one."""
    answers: dict[str, bytes] = field(default_factory=dict)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def certify(self, csr: str) -> dict[str, Any]:
        asked = x509.load_pem_x509_csr(csr.encode())
        assert asked.is_signature_valid
        public = asked.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        begin, end = self.now() + self.life[0], self.now() + self.life[1]
        certificate = self.authority.sign(public, begin, end)
        key_id = spki_digest(public)
        self.keys[key_id] = public
        return {
            "v": 1,
            "agent": self.agent,
            "certificate": certificate.public_bytes(_PEM).decode(),
            "chain": self.authority.pem,
            "interval": 300,
            "nonce": self.nonce,
            "time": self.now().isoformat(),
            "key_id": key_id,
        }

    def take(self, path: str, body: bytes, header: str) -> tuple[int, dict[str, Any]]:
        said = json.loads(body)
        if path == wire.ENROL:
            return self._enrol(said)
        kind = {wire.BEAT: wire.BEAT_TYPE, wire.REPORT: wire.REPORT_TYPE, wire.RENEW: wire.RENEW_TYPE}[path]
        signed = wire.Signature.read(header)
        if signed.key_id not in self.keys:
            return 401, {"error": "unknown_key"}
        try:
            digest = ec.ECDSA(hashes.SHA256())
            self.keys[signed.key_id].verify(signed.value, wire.signed_bytes(kind, body), digest)
        except InvalidSignature:
            return 401, {"error": "bad_signature"}
        if path == wire.RENEW:
            return self._renew(said, body, signed.key_id)
        if signed.key_id in self.replaced:
            return 401, {"error": "key_replaced"}
        return self._message(path, body, said)

    def _enrol(self, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if said["token"] != SECRET:
            return 403, {"error": "token_unknown"}
        csr = x509.load_pem_x509_csr(said["csr"].encode()).public_key()
        assert isinstance(csr, ec.EllipticCurvePublicKey)
        if self.redeemed not in {"", spki_digest(csr)}:
            return 409, {"error": "token_used"}
        self.redeemed = spki_digest(csr)
        return 200, self.certify(said["csr"])

    def _renew(self, said: dict[str, Any], body: bytes, key_id: str) -> tuple[int, dict[str, Any]]:
        if key_id in self.replaced:
            if self.replaced[key_id] != body:
                return 409, {"error": "clone_suspected"}
        else:
            self.replaced[key_id] = body
        return 200, self.certify(said["csr"])

    def _message(self, path: str, body: bytes, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        need: list[str] = []
        if said["seq"] == self.seq and self.taken and self.taken[-1] == body:
            return 200, self._receipt(said, [])
        if said["seq"] != self.seq + 1 or said["nonce"] != self.nonce or said["prev_root"] != self.root:
            return 409, {"error": "clone_suspected", "detail": f"{said['seq']} after {self.seq}"}
        if path == wire.REPORT:
            for section in said["sections"]:
                assert wire.section_digest(section) == said["index"][section["name"]]
                self.sections[said["index"][section["name"]]] = section
            assert wire.root_digest(said["index"]) == said["root"]
            need = [name for name, digest in said["index"].items() if digest not in self.sections]
        elif said["root"] != self.root:
            need = [wire.WHOLE]
        self.seq, self.nonce = said["seq"], f"nonce after {said['seq']}"
        if not need:
            self.root = said["root"]
        self.taken.append(body)
        return 200, self._receipt(said, need)

    def _receipt(self, said: dict[str, Any], need: list[str]) -> dict[str, Any]:
        receipt = {"v": 1, "seq": said["seq"], "nonce": f"nonce after {said['seq']}", "interval": 300, "need": need}
        return receipt | {"renew": False, "time": self.now().isoformat()} | self.extra

    def token(self, port: int, pin: str = "") -> str:
        said = {"u": f"https://localhost:{port}", "p": pin or self.authority.pin, "t": SECRET}
        return "zt1." + base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.taken]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        fleet = self.server.fleet
        body = self.rfile.read(int(self.headers["Content-Length"]))
        header = self.headers.get(wire.SIGNATURE_HEADER, "")
        fleet.asked.append((self.path, body, header))
        faults = fleet.faults.get(self.path, [])
        if faults and not faults.pop(0)(self, body):
            return
        status, said = fleet.take(self.path, body, header)
        self.answer(status, json.dumps(said).encode())

    def do_HEAD(self) -> None:
        self.answer(404, b"")

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response_only(status)
        self.send_header("Date", self.server.fleet.now().strftime("%a, %d %b %Y %H:%M:%S GMT"))
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    context: ssl.SSLContext
    fleet: Fleet

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # without asking any name service

    def finish_request(self, request: Any, client_address: Any) -> None:
        with suppress(OSError):
            request.settimeout(20)
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Faults are meant."""


@contextmanager
def serving(fleet: Fleet, certificate: Path) -> Iterator[int]:
    """Serve on loopback; gives the port."""
    server = _Server(("127.0.0.1", 0), Handler)
    server.fleet = fleet
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# Faults


def says(status: int, said: dict[str, Any] | None = None, **headers: str) -> Fault:
    """Another answer, and the request is not taken."""

    def act(handler: Handler, body: bytes) -> bool:
        handler.answer(status, json.dumps(said or {}).encode(), **headers)
        return False

    return act


def loses_the_answer(handler: Handler, body: bytes) -> bool:
    """The request is taken, but the connection ends before the answer."""
    fleet = handler.server.fleet
    fleet.take(handler.path, body, handler.headers.get(wire.SIGNATURE_HEADER, ""))
    handler.close_connection = True
    return False


def loses_the_request(handler: Handler, body: bytes) -> bool:
    """The connection ends before anything is taken."""
    handler.close_connection = True
    return False


def cuts_the_answer(handler: Handler, body: bytes) -> bool:
    """The request is taken, and half of the answer comes."""
    fleet = handler.server.fleet
    status, said = fleet.take(handler.path, body, handler.headers.get(wire.SIGNATURE_HEADER, ""))
    content = json.dumps(said).encode()
    handler.send_response_only(status)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.close_connection = True
    return False


class KeysHere:
    """`agent.keys` in this process, for tests that are not about its own one."""

    def make(self, folder: Path, place: str = IN_FILE) -> str:
        if place != IN_FILE:
            raise Misconfigured("no hardware for this test")
        return keys.make(str(folder))

    def request(self, path: Path) -> str:
        return keys.request(str(path)).decode()

    def sign(self, path: Path, content: bytes) -> bytes:
        with self._told():
            return keys.sign(str(path), content)

    def read(self, path: Path, certificate: str, chain: str) -> Validity:
        with self._told():
            found = keys.read(str(path), {"certificate": certificate, "chain": chain})
        return Validity(datetime.fromisoformat(found["not_before"]), datetime.fromisoformat(found["not_after"]))

    def anchor(self, pin: str, chain: str) -> str:
        with self._told():
            return keys.anchor(pin, chain.encode()).decode()

    def forget(self, path: Path) -> None:
        keystores.forget(path)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise Misconfigured(str(error)) from error
