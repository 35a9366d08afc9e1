"""One connection of an agent: uvicorn's protocol with an end to patience, and a short way for plain messages.

Nearly all that arrives is a heartbeat or a report in the plainest form of HTTP. Such a request is read here, handed
over without a task or an ASGI scope of its own, and answered with one write.
Whatever is in any way different (other paths, methods, framing, sent ahead) goes the way of uvicorn.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from agent import wire
from scanner.fleet.answers import Answer
from scanner.fleet.authority import digest_of_key
from scanner.fleet.door import SIGNATURE

HEAD_BYTES = 32 << 10
"""Request line and headers at most."""
IDLE_S = 15.0
"""For how long a connection may stand after an answer."""
LINGER_S = 2.0
"""For how long a connection that the server has closed is still listened to, so that its last answer can be read; by
default one could send for half a minute more what nobody wants."""
SHORT_WAY = {wire.BEAT.encode(): wire.BEAT, wire.REPORT.encode(): wire.REPORT}
LONG_WAY = frozenset({b"transfer-encoding", b"content-encoding", b"expect", b"upgrade"})
"""Headers with which a request is no plain one."""
SHOWN = "ztgrade.client_key"
"""In the scope of a request: SHA-256 over the public key of the certificate that the client showed, in hex."""
_FIRST_LINE = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


def _shown(transport: Any) -> str:
    """Of the certificate that TLS found to be of an authority that the server trusts; empty where there is none."""
    tls = transport.get_extra_info("ssl_object")
    certificate = tls.getpeercert(binary_form=True) if tls is not None else None
    try:
        return digest_of_key(certificate) if certificate else ""
    except (ValueError, UnsupportedAlgorithm):  # OpenSSL reads certificates that others do not
        return ""


class Guarded(HttpToolsProtocol):
    """A request arrives whole in time, its head is small, and messages of agents take the short way.

    One timer runs for each connection, whatever happens on it: when it rings, it looks at how long may still be
    waited.
    """

    request_seconds = 20.0
    application: Any = None
    """A ``scanner.fleet.server.Application``."""

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._head = 0
        self._in_body = False
        self._path = ""
        """Of the plain message that is being read or answered."""
        self._body = b""
        self._ready = self._answering = self._ahead = self._ends = False
        self._until = self.loop.time() + self.request_seconds
        """How long to wait for what comes next; 0 while the server is the one to speak."""
        self._rings = self.loop.call_at(self._until, self._look)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head has become too large."""
        if self.transport.is_closing():
            return  # nobody reads what would be answered to it
        if not self._in_body:
            self._head += len(data)
        idle = not self._until or self._idle
        self._idle = False
        super().data_received(data)
        if self._ready:
            self._ready, self._answering = False, True
            address = self.client[0] if self.client else ""
            self.application.take(self._path, self._body, self._signature, address, self._answer)
        elif self._head > HEAD_BYTES and not self._in_body and not self._whole:
            self._close()
        elif idle and not self._whole:
            self._wait(self.request_seconds)

    def on_message_begin(self) -> None:
        """Note what a request is, and nothing yet of how it will be answered."""
        self.url, self.headers = b"", []
        self.expect_100_continue = self._whole = False
        self._ahead = self._ready or self._answering
        if self._ahead:
            self._ends = True  # nobody of ours sends ahead: the connection ends with the answer before

    def on_headers_complete(self) -> None:
        """The head is whole: choose the way."""
        self._in_body, self._head = True, 0
        if self._ahead:
            return
        if self._is_plain():
            self._path, self._body = SHORT_WAY[self.url], b""
            return
        self._path = ""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        scope: Any = self.scope
        scope[SHOWN] = _shown(self.transport)
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Another part of the body."""
        if self._ahead:
            return
        if self._path:
            self._body = self._body + body if self._body else body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_body, self._whole = False, True
        self._until = 0.0
        if self._ahead:
            return
        if self._path:
            self._ready = True
        else:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer of the long way is given."""
        super().on_response_complete()
        self._until = 0.0
        if self.transport.is_closing():
            self._close()

    def shutdown(self) -> None:
        """The server ends: answer what was taken, then close."""
        self._ends = True
        if not self._answering:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rings.cancel()
        super().connection_lost(exc)

    _whole = _idle = False
    _signature = ""

    def _is_plain(self) -> bool:
        if self.url not in SHORT_WAY or self.parser.get_method() != b"POST" or self._ends:
            return False
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            return False
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        self._signature = ""
        length = b""
        for name, value in self.headers:
            if name == b"content-length":
                length = value
            elif name == SIGNATURE:
                self._signature = value.decode("latin-1")
            elif name in LONG_WAY:
                return False
        return length.isdigit() and len(length) < 8 and int(length) <= wire.MAX_BODY and self.parser.should_keep_alive()

    def _answer(self, answer: Answer) -> None:
        self._answering = False
        if self.transport.is_closing():
            return
        status, body, retry_after, closes = answer
        ends = closes or self._ends
        head = [_FIRST_LINE[status]]
        head += [b"%b: %b\r\n" % field for field in self.server_state.default_headers]
        if retry_after:
            head.append(b"retry-after: %d\r\n" % retry_after)
        if ends:
            head.append(b"connection: close\r\n")
        head.append(b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body))
        head.append(body)
        self.transport.write(b"".join(head))
        self.server_state.total_requests += 1
        if ends:
            self._close()
            return
        self._idle = True
        self._until = self.loop.time() + IDLE_S

    def _close(self) -> None:
        self.transport.close()
        self._rings.cancel()
        self._rings = self.loop.call_later(LINGER_S, self.transport.abort)

    def _wait(self, seconds: float) -> None:
        """Wait no longer than so for the rest of a request; the timer may have to ring earlier than it was to."""
        self._until = self.loop.time() + seconds
        if self._rings.when() > self._until:
            self._rings.cancel()
            self._rings = self.loop.call_at(self._until, self._look)

    def _look(self) -> None:
        now = self.loop.time()
        if self._until and now >= self._until - 0.001:
            self._close() if self._idle else self.transport.abort()
            return
        again = self._until or now + self.request_seconds
        self._rings = self.loop.call_at(again, self._look)
