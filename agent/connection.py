"""One TLS connection to the server, through a proxy where there is one, and what comes back over it."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

from agent import __version__, wire
from agent.errors import Misconfigured, Refused, Unreached

PATIENCE = 20.0
"""Seconds that one step on the network may take."""
ALTOGETHER = 120.0
"""Seconds for one exchange, however slowly its bytes drip."""
LARGEST_ANSWER = 256 * 1024
TOLERANCE = 600
"""Seconds by which a certificate may be too young or too old: two clocks are never quite the same."""

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: `Connection` looks at the times itself, since this host's clock may be wrong."""

Body = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """How the server is reached, and who may vouch for it: the certificate of an authority (PEM) or a file of some."""

    server: str
    proxy: str = ""
    authority: str = ""
    ca_file: str = ""
    client: tuple[str, str] = ("", "")
    """Files of the certificate that TLS shows, and of its key."""


class Connection:
    """A connection for one cycle; made with the first request, closed at the end of the ``with`` block.

    ``now`` gives seconds since 1970 as far as this host knows the server's clock. After a request, ``server_time``
    holds the server's own, if it said it.
    """

    def __init__(self, way: Way, now: Callable[[], float] = time.time) -> None:
        self._way = way
        self._now = now
        self._connection: http.client.HTTPSConnection | None = None
        self.server_time: float | None = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; the next request makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def post(self, path: str, body: bytes, signature: str = "") -> Body:
        """Send a body and give the answer's; raises Unreached or Refused."""
        status, answer = self.exchange(path, body, signature)
        if status != 200:
            raise Refused(status, f"the server answered {status} to {path}")
        return answer

    def exchange(self, path: str, body: bytes, signature: str = "") -> tuple[int, Body]:
        """Send a body and give status (200 or 202) and answer; raises Unreached, or Refused for any other status."""
        headers = {"Content-Type": "application/json", "User-Agent": f"ztagent/{__version__}"}
        if signature:
            headers[wire.SIGNATURE_HEADER] = signature
        status, fields, content = self._round("POST", path, body, headers)
        if status in {200, 202}:
            return status, _object(content)
        word, detail = _said(content)
        said = ": ".join(filter(None, (f"the server answered {status} to {path}", word, detail)))
        raise Refused(status, said, _retry_after(fields), word)

    def _round(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> _Answered:
        try:
            alarm = threading.Timer(ALTOGETHER, self._cut)
            alarm.daemon = True
            alarm.start()
            try:
                connection = self._connection or self._open()
                connection.request(method, path, body=body, headers=dict(headers))
                response = connection.getresponse()
                content = response.read(LARGEST_ANSWER + 1)
            finally:
                alarm.cancel()
            fields = {name.lower(): value for name, value in response.getheaders()}
            if len(content) > LARGEST_ANSWER:
                raise Unreached(f"the answer is larger than {LARGEST_ANSWER} bytes")
            if method != "HEAD" and len(content) < int(fields.get("content-length") or 0):
                raise Unreached("the answer was cut off")
            self.server_time = _date(fields.get("date", ""))
            return response.status, fields, content
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise Unreached(_why(error)) from error
        except Unreached:
            self.close()
            raise

    def _open(self) -> http.client.HTTPSConnection:
        connection = self._connection = _dial(self._way, trusting(self._way))
        connection.connect()
        certificate = connection.sock.getpeercert() or {}
        if not _within(certificate, self._now()):
            # The server's own clock decides whether it is the certificate that is wrong, or this host's clock. Nothing
            # but the question for the time is sent before that is known.
            self._round("HEAD", "/", None, {"User-Agent": f"ztagent/{__version__}"})
            if self.server_time is None or not _within(certificate, self.server_time):
                span = f"{certificate.get('notBefore')} to {certificate.get('notAfter')}"
                raise Unreached(f"the server's certificate holds from {span}, by its own clock too; have it renewed")
        return connection

    def _cut(self) -> None:
        """From another thread: let whatever waits for bytes end."""
        sock = self._connection.sock if self._connection is not None else None
        if sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


_Answered = tuple[int, dict[str, str], bytes]


def trusting(way: Way) -> ssl.SSLContext:
    """A context that trusts the authority and the file of this way and nobody else; Misconfigured where it has none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags = ssl.VerifyFlags(context.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME)
    try:
        if way.authority:
            context.load_verify_locations(cadata=way.authority)
        if way.ca_file:
            context.load_verify_locations(cafile=way.ca_file)
        if way.client[0]:
            context.load_cert_chain(*way.client)
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"the authorities in {way.ca_file or 'identity.json'} or the agent's certificate cannot be read: {error}"
        ) from error
    if not way.authority and not way.ca_file:
        raise Misconfigured("nobody is named who may vouch for the server; enrol again")
    return context


def presented(way: Way) -> str:
    """The certificates that the server presents, unverified, PEM; nothing is sent to it. Raises Unreached."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = _dial(way, context)
    try:
        connection.connect()
        return "".join(ssl.DER_cert_to_PEM_cert(one) for one in _chain(connection.sock))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreached(_why(error)) from error
    finally:
        connection.close()


def _chain(sock: Any) -> list[bytes]:
    if hasattr(sock, "get_unverified_chain"):  # from Python 3.13 on
        return list(sock.get_unverified_chain())
    encoding = 2  # _ssl.ENCODING_DER
    return [one.public_bytes(encoding) for one in sock._sslobj.get_unverified_chain()]


def _dial(way: Way, context: ssl.SSLContext) -> http.client.HTTPSConnection:
    server = urlsplit(way.server)
    assert server.hostname is not None
    if not way.proxy:
        return http.client.HTTPSConnection(server.hostname, server.port or 443, timeout=PATIENCE, context=context)
    proxy = urlsplit(way.proxy)
    connection = http.client.HTTPSConnection(
        proxy.hostname or "", proxy.port or 3128, timeout=PATIENCE, context=context
    )
    headers = {}
    if proxy.username is not None:
        login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    connection.set_tunnel(server.hostname, server.port or 443, headers)
    return connection


def _within(certificate: Mapping[str, Any], now: float) -> bool:
    begin = ssl.cert_time_to_seconds(str(certificate["notBefore"]))
    end = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return begin - TOLERANCE <= now <= end + TOLERANCE


def _object(content: bytes) -> Body:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unreached("the answer is no JSON; something else than the server may have answered") from error
    if not isinstance(found, dict):
        raise Unreached("the answer is no object; something else than the server may have answered")
    return found


def _said(content: bytes) -> tuple[str, str]:
    """The server's word for a refusal, and its explanation."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(found, dict):
        return "", ""
    word, detail = (str(found.get(name) or "")[:200] for name in ("error", "detail"))
    return word, detail


def _retry_after(fields: Mapping[str, str]) -> int | None:
    given = fields.get("retry-after", "").strip()
    if given.isascii() and given.isdigit():
        return int(given[:9])
    at, now = _date(given), _date(fields.get("date", ""))
    return max(1, int(at - now)) if at is not None and now is not None else None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted: {error.verify_message}"
    if isinstance(error, http.client.HTTPException):
        return f"the answer is not HTTP: {type(error).__name__}"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
