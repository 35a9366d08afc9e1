"""A relay before a directory: it ends TLS with a certificate of its own and answers some searches in its own way."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
SEARCH = 0x63
Answer = Callable[[int, int], bytes | None]
"""From the number of the search, counted from 1, and of its message: what to say instead of asking the server."""


def certificate(folder: Path, name: str, *, until: timedelta = DAY) -> Path:
    """A self-signed certificate with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 30 * DAY)
        .not_valid_after(now + until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    pem = built.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(pem + private)
    return path


def tlv(tag: int, content: bytes) -> bytes:
    """One element of BER."""
    size = len(content)
    return bytes([tag]) + (bytes([size]) if size < 128 else b"\x84" + size.to_bytes(4, "big")) + content


def done(number: int, code: int, text: str = "", *referrals: str) -> bytes:
    """The end of a search (SearchResultDone) with a result code."""
    body = tlv(0x0A, bytes([code])) + tlv(0x04, b"") + tlv(0x04, text.encode())
    if referrals:
        body += tlv(0xA3, b"".join(tlv(0x04, each.encode()) for each in referrals))
    return tlv(0x30, tlv(0x02, number.to_bytes(4, "big")) + tlv(0x65, body))


def farewell() -> bytes:
    """Notice of disconnection (RFC 4511 4.4.1)."""
    body = tlv(0x0A, b"\x34") + tlv(0x04, b"") + tlv(0x04, b"shutting down") + tlv(0x8A, b"1.3.6.1.4.1.1466.20036")
    return tlv(0x30, tlv(0x02, b"\x00") + tlv(0x78, body))


@contextmanager
def relay(to: str, pem: Path, answer: Answer) -> Iterator[str]:
    """The address of a relay that serves one connection."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        with (
            suppress(OSError),
            listening.accept()[0] as accepted,
            context.wrap_socket(accepted, server_side=True) as inner,
            _secured(to) as outer,
        ):
            back = threading.Thread(target=_pump, args=(outer, inner), daemon=True)
            back.start()
            _pass_on(inner, outer, answer)
            with suppress(OSError):
                outer.shutdown(socket.SHUT_RDWR)
            back.join(5)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"ldaps://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.close()
        thread.join(5)


def _pass_on(inner: ssl.SSLSocket, outer: ssl.SSLSocket, answer: Answer) -> None:
    searches = 0
    data = b""
    with suppress(OSError):
        while chunk := inner.recv(65536):
            data += chunk
            while len(data) > 6 and len(data) >= (end := _length(data)):
                message, data = data[:end], data[end:]
                number, kind = _head(message)
                searches += kind == SEARCH
                said = answer(searches, number) if kind == SEARCH else None
                if said is None:
                    outer.sendall(message)
                else:
                    inner.sendall(said)


def _length(data: bytes) -> int:
    many = data[1] & 0x7F if data[1] > 0x7F else 0
    return 2 + many + (int.from_bytes(data[2 : 2 + many], "big") if many else data[1])


def _head(message: bytes) -> tuple[int, int]:
    """Number of a message and the tag of what it asks."""
    at = 2 + (message[1] & 0x7F if message[1] > 0x7F else 0)
    end = at + 2 + message[at + 1]
    return int.from_bytes(message[at + 2 : end], "big"), message[end]


def _pump(source: ssl.SSLSocket, sink: ssl.SSLSocket) -> None:
    with suppress(OSError, ValueError):
        while data := source.recv(65536):
            sink.sendall(data)


def _secured(to: str) -> ssl.SSLSocket:
    return ssl._create_unverified_context().wrap_socket(socket.create_connection((to, 636)))
