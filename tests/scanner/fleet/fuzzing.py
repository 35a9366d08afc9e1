"""Requests that nobody should send, from a seed: made from the OpenAPI document, from real messages, and from spite."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import re._parser as regex  # type: ignore[import-not-found]
import socket
import ssl
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agent import wire
from scanner.fleet.openapi import document
from tests.scanner.fleet.lab import POSTURE, Pretended

PATIENCE_S = 5.0
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**53, -(2**63), 10**400, "", "\x00", "\ud7ff", "é" * 300, "x" * 20_000, "../..",
    "<script>", "%00", "'; --", [], {}, [[]], [None], {"": None}, {"a": {"a": {"a": {}}}}, "0" * 64, "seen", "1\n",
    "2026-11-23T00:00:00Z", "9999-12-31T23:59:59.999999+23:59", "0001-01-01T00:00:00-23:59",
)  # fmt: skip
ODD_FIELDS = (
    b"Content-Length: -1", b"Content-Length: +5", b"Content-Length: 0x10", b"Content-Length: 5, 5",
    b"Content-Length: 99999999999999999999", b"Content-Length: 262145", b"Content-Length: 1073741824",
    b"Content-Length: \xb2", b"Content-Length: ", b"Content-Length: 5\r\nContent-Length: 6",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: \x0bchunked",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Content-Encoding: gzip", b"Content-Encoding: br, gzip",
    b"Expect: 100-continue", b"Expect: x", b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings", b"Connection: close", b"Connection: keep-alive, close",
    b"Host: x\r\nHost: y", b"Host: \xff\xfe", b"X: " + b"a" * 60_000, b"X-Null: a\x00b", b"X-Bare: a\rb", b": empty",
    b"No-Colon", b" folded: x", b"X: a\r\n b", b"ZT-Sig: " + b"v1;" * 2000, b"ZT-Sig: v1;\xff;\xff",
    b"ZT-Sig: v1;" + b"0" * 64 + b";" + b"A" * 40, b"ZT-Sig: v1;" + b"0" * 64 + b";" + b"A" * 41 + b"==",
    b"Authorization: Bearer zp1." + b"A" * 43, b"Authorization: Bearer \xff", b"Authorization: " + b"Basic " * 3000,
    b"If-None-Match: *", b"If-None-Match: " + b'"x", ' * 4000, b"Range: bytes=0-0", b"X-Forwarded-For: 10.0.0.1",
    b"Cookie: " + b"a=b; " * 5000, b"Content-Type: text/xml", b"Accept: application/jwt",
    *(b"X-%d: y" % number for number in range(3)), b"\r\n".join(b"N%d: v" % number for number in range(1500)),
)  # fmt: skip
ODD_TARGETS = (
    b"/", b"*", b"//", b"/v1", b"/v1/hb/", b"/v1//hb", b"/v1/hb?x=1", b"/v1/hb#x", b"/v1/%68b", b"/V1/HB", b"/v1/hb%00",
    b"/../v1/hb", b"http://x/v1/hb", b"https://x:99999/healthz", b"x:443", b"/\xff\xfe", b"/" + b"a" * 30_000,
    b"/healthz",
    b"/metrics", b"/v1/posture", b"/v1/posture/", b"/v1/posture/%2e%2e", b"/v1/posture/\xc3\xa9", b"/v1/posture-keys",
    b"/v1/posture?limit=0", b"/v1/posture?limit=9999999999999999999999", b"/v1/posture?limit=%D9%A1",
    b"/v1/posture?after=%00", b"/v1/posture?after=" + b"a" * 9000, b"/v1/posture?limit=1&limit=x", b"/v1/posture?=&&&;",
    b"/v1/posture/" + b"0" * 36, b"/v1/enroll", b"/v1/renew", b"/v1/sections", b"/v1/posture?" + b"a=1&" * 2000,
)  # fmt: skip
METHODS = (
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"PATCH",
    b"TRACE",
    b"CONNECT",
    b"PRI",
    b"get",
    b"X" * 50,
)
VERSIONS = (b"HTTP/1.1",) * 6 + (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.99", b"ICY", b"")


class Made:
    """Values that a JSON schema allows."""

    def __init__(self, chance: random.Random, schemas: dict[str, Any]) -> None:
        self._chance, self._schemas = chance, schemas

    def value(self, schema: Any, depth: int = 0) -> Any:
        if "$ref" in schema:
            return self.value(self._schemas[schema["$ref"].rsplit("/", 1)[1]], depth)
        if "anyOf" in schema:
            return self.value(self._chance.choice(schema["anyOf"][: 3 if depth > 3 else None]), depth)
        if "enum" in schema:
            return self._chance.choice(schema["enum"])
        kind = schema["type"] if isinstance(schema["type"], str) else self._chance.choice(schema["type"])
        return getattr(self, f"_{kind}")(schema, depth)

    def _null(self, schema: Any, depth: int) -> None:
        return None

    def _boolean(self, schema: Any, depth: int) -> bool:
        return self._chance.random() < 0.5

    def _integer(self, schema: Any, depth: int) -> int:
        low, high = schema.get("minimum", -(2**53) + 1), schema.get("maximum", 2**53 - 1)
        chosen: int = self._chance.choice([low, high, self._chance.randint(low, high), max(low, min(high, 1))])
        return chosen

    def _string(self, schema: Any, depth: int) -> str:
        if schema.get("format") == "date-time":
            year, month = self._chance.randint(2000, 2999), self._chance.randint(1, 9)
            return f"{year}-0{month}-1{self._chance.randint(0, 9)}T00:00:00Z"
        if "pattern" in schema:
            text = self._of(regex.parse(schema["pattern"]))[: schema.get("maxLength", 99_999)]
            return text or "a" * schema.get("minLength", 0)
        low, high = schema.get("minLength", 0), min(schema.get("maxLength", 40), 40)
        return "".join(self._chance.choice('aZ09 é漢\u0301😀"\\<') for _ in range(self._chance.randint(low, high)))

    def _array(self, schema: Any, depth: int) -> list[Any]:
        return [self.value(schema["items"], depth + 1) for _ in range(self._chance.randint(0, 3))]

    def _object(self, schema: Any, depth: int) -> dict[str, Any]:
        names = schema.get("properties", {})
        needed = schema.get("required", ())
        found = {
            name: self.value(each, depth + 1)
            for name, each in names.items()
            if name in needed or self._chance.random() < 0.5
        }
        if isinstance(more := schema.get("additionalProperties"), dict):
            keys = {"type": "string", "maxLength": 12} | schema.get("propertyNames", {})
            for _ in range(self._chance.randint(0, 3)):
                found[self._string(keys, depth)] = self.value(more, depth + 1)
        return found

    def _of(self, parsed: Any) -> str:
        """A text of a regular expression, as far as the document's patterns go."""
        text = ""
        for op, given in parsed:
            match str(op):
                case "LITERAL":
                    text += chr(given)
                case "IN":
                    text += self._among(given)
                case "MAX_REPEAT":
                    low, high, inner = given
                    text += "".join(self._of(inner) for _ in range(self._chance.randint(low, min(int(high), low + 20))))
                case "SUBPATTERN":
                    text += self._of(given[3])
        return text

    def _among(self, members: Any) -> str:
        refused = str(members[0][0]) == "NEGATE"
        allowed = [range(0x20, 0x7E)] if refused else []
        for op, given in members[1:] if refused else members:
            if not refused:
                allowed.append(range(given, given + 1) if str(op) == "LITERAL" else range(given[0], given[1] + 1))
        return chr(self._chance.choice(self._chance.choice(allowed)))


@dataclass
class Tally:
    """What was answered: counts by path and status, and what must never be."""

    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    closed: int = 0


class Line:
    """A TLS connection that sends whatever it is given; each new one comes from another address of this host."""

    def __init__(self, port: int, chance: random.Random) -> None:
        self.port, self._chance = port, chance
        self._sock: ssl.SSLSocket | None = None
        self._context = ssl.create_default_context()
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE

    def open(self) -> ssl.SSLSocket:
        if self._sock is None:
            source = f"127.{self._chance.randint(1, 254)}.{self._chance.randint(0, 255)}.{self._chance.randint(1, 254)}"
            plain = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S, (source, 0))
            self._sock = self._context.wrap_socket(plain)
        return self._sock

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def ask(
        self, content: bytes, *, half: bool = False, head: bool = False
    ) -> tuple[int, dict[bytes, bytes], bytes] | None:
        """The first answer, or None where the server only closed the connection or waits for more."""
        try:
            sock = self.open()
            sock.sendall(content)
            if half:
                self.close()
                return None
            sock.settimeout(PATIENCE_S)
            return self.read(sock, head=head)
        except (OSError, ValueError):
            self.close()
            return None

    def read(self, sock: ssl.SSLSocket, *, head: bool) -> tuple[int, dict[bytes, bytes], bytes] | None:
        found = b""
        while b"\r\n\r\n" not in found:
            more = sock.recv(65536)
            if not more:
                self.close()
                return None
            found += more
        start, _, body = found.partition(b"\r\n\r\n")
        lines = start.split(b"\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
        status = int(lines[0].split(b" ")[1])
        length = 0 if head or status in (100, 204, 304) else int(fields.get(b"content-length", b"0"))
        while len(body) < length:
            more = sock.recv(65536)
            if not more:
                break
            body += more
        if fields.get(b"connection", b"").lower() == b"close" or len(body) != length or b"content-length" not in fields:
            self.close()
        return status, fields, body[:length]


class Fuzzer:
    """Sends odd requests to a server, and tallies what it answers."""

    def __init__(
        self, port: int, seed: int, enrol: Callable[[], Pretended], secret: str, most: int = 64 * 1024
    ) -> None:
        self._chance = random.Random(seed)
        self._line = Line(port, self._chance)
        self._enrol, self._secret, self._most = enrol, secret, most
        self._document = document()
        self._made = Made(self._chance, self._document["components"]["schemas"])
        self._agent = enrol()
        self.tally = Tally()
        self._ways: tuple[tuple[int, Callable[[], None]], ...] = (
            (6, self.mutated),
            (4, self.of_the_document),
            (3, self.damaged),
            (3, self.hostile),
            (3, self.compressed),
            (4, self.odd_head),
            (2, self.verdicts),
            (1, self.cut_off),
            (1, self.sent_ahead),
            (1, self.no_tls),
            (2, self.mixed_ways),
        )

    def step(self) -> None:
        """One request of a random kind."""
        weights, ways = [weight for weight, _ in self._ways], [way for _, way in self._ways]
        way = self._chance.choices(ways, weights)[0]
        self.tally.sent[way.__name__] += 1
        way()

    @property
    def ways(self) -> list[str]:
        """The names of the kinds of request."""
        return [way.__name__ for _, way in self._ways]

    def close(self) -> None:
        """Let go of the connection."""
        self._line.close()

    # Messages of an agent

    def mutated(self) -> None:
        """A right message in which one value is another, signed."""
        path, message = self._message()
        holder = message
        while True:
            key = self._chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
            inner = holder[key]
            if isinstance(inner, (dict, list)) and inner and self._chance.random() < 0.8:
                holder = inner
                continue
            break
        what = self._chance.random()
        if what < 0.15 and isinstance(holder, dict):
            del holder[key]
        elif what < 0.3 and isinstance(holder, dict):
            holder[self._chance.choice(["surplus", "", "\x00", "é" * 600])] = 1
        elif what < 0.45:
            holder[key] = self._deep(self._chance.choice([3, 9, 12, 400]))
        else:
            holder[key] = self._chance.choice(ODD_VALUES)
        self._post(path, json.dumps(message, ensure_ascii=self._chance.random() < 0.5).encode("utf-8", "surrogatepass"))

    def of_the_document(self) -> None:
        """A message that the document allows, with some values of the real one so that it gets further."""
        path = self._chance.choice([wire.ENROL, wire.RENEW, wire.BEAT, wire.REPORT])
        schema = self._document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        message = self._made.value(schema)
        if path != wire.ENROL:
            real = json.loads(self._agent.beat())
            for name in set(message) & set(real):
                if self._chance.random() < 0.85:
                    message[name] = real[name]
        if path == wire.REPORT and self._chance.random() < 0.8:
            sections = {each["name"]: each for each in message["sections"]}
            message["sections"] = list(sections.values())
            message["index"] = {name: wire.section_digest(each) for name, each in sections.items()}
            message["root"] = wire.root_digest(message["index"])
        self._post(path, wire.encode(message))

    def damaged(self) -> None:
        """A right message with bytes lost, doubled or changed, signed as it then is."""
        path, message = self._message()
        body = bytearray(wire.encode(message))
        for _ in range(self._chance.randint(1, 4)):
            place = self._chance.randrange(len(body))
            match self._chance.randint(0, 3):
                case 0:
                    body[place] = self._chance.randrange(256)
                case 1:
                    del body[place : place + self._chance.randint(1, 30)]
                case 2:
                    body[place:place] = body[place : place + 40]
                case _:
                    body[place:place] = bytes([self._chance.randrange(256)])
            body = body or bytearray(b"0")
        self._post(path, bytes(body))

    def hostile(self) -> None:
        """A body that is no message, often large or deep, signed."""
        size = self._chance.choice([10, 1000, self._most])
        repeated = self._chance.choice(
            [b"[", b'{"a":', b"[]", b"{}", b" ", b"\x00", b'"v":1,', b"\\u0000", b"9", b"\xed\xa0\x80"]
        )
        around = self._chance.choice(
            [(b"", b""), (b"{", b"}"), (b'{"v":', b"}"), (b'"', b'"'), (b'{"v":1,"agent":"', b'"}')]
        )
        short = (
            b"\xef\xbb\xbf{}",
            b"\xff\xfe{\x00}\x00",
            b"nul",
            b"NaN",
            b"-",
            b"1e999999",
            b"",
            self._chance.randbytes(size),
        )
        long = around[0] + repeated * (size // len(repeated)) + around[1]
        body = self._chance.choice(short) if self._chance.random() < 0.3 else long
        self._post(self._chance.choice([wire.ENROL, wire.RENEW, wire.BEAT, wire.REPORT]), body[: wire.MAX_BODY + 1])

    def compressed(self) -> None:
        """A compressed body, some of it a bomb, said to be so or not."""
        plain = self._chance.choice([bytes(4 << 20), wire.encode(self._message()[1]), b"[" * (1 << 20)])
        body = (gzip.compress(plain) if self._chance.random() < 0.5 else zlib.compress(plain))[: wire.MAX_BODY]
        kind = self._chance.choice(
            [b"gzip", b"deflate", b"br", b"zstd", b"identity", b"GZIP", b"", b"gzip, gzip", b"\xff"]
        )
        self._post(self._chance.choice([wire.BEAT, wire.REPORT, wire.ENROL]), body, b"Content-Encoding: " + kind)

    def _message(self) -> tuple[str, Any]:
        agent = self._agent
        match self._chance.randint(0, 3):
            case 0:
                return wire.BEAT, json.loads(agent.beat())
            case 1:
                return wire.RENEW, json.loads(agent.renewal(agent.key))
            case 2:
                return wire.ENROL, json.loads(agent.enrolment("t" * 43))
        return wire.REPORT, json.loads(agent.report(POSTURE))

    def _post(self, path: str, body: bytes, *fields: bytes) -> None:
        head = [f"POST {path} HTTP/1.1".encode(), b"Host: x", b"Content-Length: %d" % len(body), *fields]
        if path != wire.ENROL:
            signed = self._agent.signed(path, body)
            head += [f"{name}: {value}".encode() for name, value in signed.items()]
        answer = self._line.ask(b"\r\n".join([*head, b"", b""]) + body)
        said = self._judged(path, "post", answer, body)
        if answer and answer[0] == 200 and path in (wire.BEAT, wire.REPORT):
            told = json.loads(body)
            self._agent.seq, self._agent.nonce = told["seq"], said["nonce"]
            if not said["need"]:
                self._agent.root = told["root"]
        elif answer and said.get("error") not in (None, "bad_message", "encoding", "length", "too_large"):
            self._agent = self._enrol()  # taken for a copy, or its number is used up

    # Everything else

    def odd_head(self) -> None:
        """A request whose head is not as it should be."""
        target = self._chance.choice(ODD_TARGETS)
        method, version = self._chance.choice(METHODS), self._chance.choice(VERSIONS)
        fields = self._chance.sample(ODD_FIELDS, self._chance.randint(0, 3))
        body = self._chance.choice(
            [b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\n", b"\x00" * 70_000]
        )
        head = b"\r\n".join([b" ".join([method, target, version]), b"Host: x", *fields, b"", b""])
        if self._chance.random() < 0.1:
            head = head.replace(b"\r\n", self._chance.choice([b"\n", b"\r", b"\r\n\x00"]))
        self._line.close()
        content = head + body if b"Expect" not in head else head
        sock_answer = self._impatient(content, head=method == b"HEAD")
        self._judged(target.split(b"?")[0].decode("latin-1"), "odd", sock_answer, content)
        self._line.close()

    def _impatient(self, content: bytes, *, head: bool) -> tuple[int, dict[bytes, bytes], bytes] | None:
        """As ``ask``, without waiting for a server that waits for the rest."""
        try:
            sock = self._line.open()
            sock.settimeout(0.15)
            sock.sendall(content)
            return self._line.read(sock, head=head)
        except (OSError, ValueError):
            self._line.close()
            return None

    def verdicts(self) -> None:
        """A read of verdicts, with a right token or nearly one."""
        secret = self._secret if self._chance.random() < 0.7 else self._secret[:-1] + self._chance.choice("AQgw\xff ")
        agent = self._agent.id
        right = [f"/v1/posture/{agent}", "/v1/posture?limit=2", f"/v1/posture?after={agent}", "/v1/posture?limit=501"]
        odd = [each.decode("latin-1") for each in ODD_TARGETS if each.startswith(b"/v1/posture")]
        target = self._chance.choice(right if self._chance.random() < 0.5 else odd)
        method = self._chance.choice(["GET"] * 5 + ["HEAD", "POST", "QUERY"])
        fields = [f"Authorization: Bearer {secret}".encode("latin-1"), *self._chance.sample(ODD_FIELDS[-8:-6], 1)]
        head = b"\r\n".join([f"{method} {target} HTTP/1.1".encode("latin-1"), b"Host: x", *fields, b"", b""])
        answer = self._line.ask(head, head=method == "HEAD")
        self._judged(target.split("?")[0], method.lower(), answer, head)

    def cut_off(self) -> None:
        """A message whose sender goes away, or waits, within it."""
        path, message = self._message()
        body = wire.encode(message)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        content = head + body
        self._line.ask(content[: self._chance.randrange(1, len(content))], half=True)

    def sent_ahead(self) -> None:
        """Many requests at once on one connection, of which the last is broken."""
        body = self._agent.beat()
        head = f"POST {wire.BEAT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        self._line.close()
        content = (head + body) * self._chance.randint(2, 20) + b"POST /v1/hb HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"
        self._judged(wire.BEAT, "post", self._line.ask(content), content)
        self._line.close()

    def mixed_ways(self) -> None:
        """Messages in the plainest form and others behind one another on one connection, in odd pieces."""
        self._line.close()
        parts = []
        for _ in range(self._chance.randint(2, 6)):
            body = self._agent.beat() if self._chance.random() < 0.6 else b"{"
            header = "".join(f"{name}: {value}\r\n" for name, value in self._agent.signed(wire.BEAT, body).items())
            more = self._chance.choice(["", "", "Expect: 100-continue\r\n", "Connection: close\r\n", "Upgrade: x\r\n"])
            path = self._chance.choice([wire.BEAT, wire.BEAT, "/healthz", wire.REPORT, "/v1/posture"])
            method = self._chance.choice(["POST", "POST", "GET"])
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{header}{more}Content-Length: {len(body)}\r\n\r\n"
            parts.append(head.encode() + body)
        content = b"".join(parts)
        place = self._chance.randrange(1, len(content))
        try:
            sock = self._line.open()
            sock.settimeout(0.1)
            for piece in (content[:place], content[place:]):
                sock.sendall(piece)
                self._judged("mixed", "odd", self._line.read(sock, head=False), content)
        except (OSError, ValueError):
            self.tally.closed += 1
        self._line.close()
        self._agent = self._enrol()

    def no_tls(self) -> None:
        """Bytes to the port that are no TLS."""
        port = self._line.port
        try:
            with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as plain:
                plain.settimeout(0.05)
                plain.sendall(
                    self._chance.choice(
                        [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff", self._chance.randbytes(300)]
                    )
                )
                plain.recv(100)
        except OSError:
            self.tally.closed += 1

    def _deep(self, depth: int) -> Any:
        value: Any = 1
        for _ in range(depth):
            value = self._chance.choice([[value], {"a": value}])
        return value

    def _judged(self, path: str, method: str, answer: tuple[int, dict[bytes, bytes], bytes] | None, sent: bytes) -> Any:
        """Tally an answer; gives what it says, where it is JSON."""
        if answer is None:
            self.tally.closed += 1
            return {}
        status, fields, body = answer
        known = (
            path
            if path in self._document["paths"]
            else "/v1/posture/{agent}"
            if path.startswith("/v1/posture/")
            else "other"
        )
        self.tally.counts[known, status] += 1
        said: Any = {}
        if fields.get(b"content-type") == b"application/json" and body:
            said = json.loads(body)
        shown = f"{method} {path[:60]} -> {status} {body[:120]!r} for {base64.b64encode(sent[:600]).decode()}"
        if status >= 500:
            self.tally.failures.append(shown)
        operation = self._document["paths"].get(known, {}).get(method)
        if operation and status not in (100, 405) and not (status == 400 and not said):
            response = operation["responses"].get(str(status))
            content = (response or {}).get("content", {}).get("application/json", {}).get("schema", {})
            words = content["allOf"][1]["properties"]["error"]["enum"] if "allOf" in content else None
            if response is None or (words and said.get("error") not in words and method != "head"):
                self.tally.failures.append(f"not in the document: {shown}")
        if re.search(rb"Traceback|File \"|sqlite", body):
            self.tally.failures.append(f"tells of its inside: {shown}")
        return said
