"""What the port makes of refusals, throttling, broken answers and lost connections, each sent by a small server."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from collectors.aws.operations import ALLOWED, BUCKET_TAGS, BUCKETS, DETAILS, GROUPS, KEY, KEYS, ORGANIZATION
from collectors.ports.aws import AwsPort, Operation, opened
from scanner.errors import (
    AccessDenied,
    EngineError,
    LoginRefused,
    Malformed,
    ReadError,
    SecretUnavailable,
    Throttled,
    Truncated,
    Unreachable,
    Unsupported,
)
from tests.collectors.aws.lab import LiveAccess, live_target

Reply = Callable[[BaseHTTPRequestHandler], None]
CALLER = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::123456789012:user/reader</Arn><UserId>x</UserId><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
HTML = b"<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n"


def sent(status: int, body: bytes, content_type: str = "text/xml", **headers: str) -> Reply:
    """An answer of these bytes."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Connection", "close")  # a client that reuses it would race with the server's closing
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return reply


def query_error(code: str, status: int = 400, **headers: str) -> Reply:
    """An error as IAM and STS write it."""
    body = (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>said</Message></Error></ErrorResponse>"
    )
    return sent(status, body.encode(), **headers)


def json_error(code: str, status: int = 400) -> Reply:
    """An error as KMS writes it."""
    return sent(status, json.dumps({"__type": code, "message": "said"}).encode(), "application/x-amz-json-1.1")


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Cut the connection without a word."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def silence(handler: BaseHTTPRequestHandler) -> None:
    """Say nothing for longer than the port waits."""
    threading.Event().wait(2.5)


def cut_short(handler: BaseHTTPRequestHandler) -> None:
    """Promise more bytes than are sent."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/xml")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b"<GetAccountAuthorizationDetailsResponse>")
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


class Canned:
    """A server that gives prepared answers in order; the last one again and again."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.asked: list[str] = []
        canned = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                canned.asked.append(f"{self.headers.get('Authorization', '')} {self.rfile.read(length).decode()}")
                self.close_connection = True
                reply = canned.replies.pop(0) if len(canned.replies) > 1 else canned.replies[0]
                reply(self)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Canned]:
    canned = Canned()
    yield canned
    canned.close()


def port_to(server: Canned, *, proven: bool = True, **options: Any) -> tuple[AwsPort, LiveAccess]:
    """A port that has, unless told otherwise, already proven its credential."""
    access = LiveAccess(live_target(server.address, **options))
    port = opened(access, ALLOWED, home_region="us-east-1")
    if proven:
        after, server.replies = server.replies, [sent(200, CALLER)]
        port.ask(ALLOWED[0])
        server.replies = after
        server.asked.clear()
    return port, access


@pytest.mark.parametrize(
    ("operation", "reply", "expected"),
    [
        (DETAILS, query_error("AccessDenied", 403), AccessDenied),
        (KEYS, json_error("AccessDeniedException"), AccessDenied),
        (KEYS, json_error("com.amazonaws.kms#AccessDeniedException"), AccessDenied),
        (DETAILS, query_error("InvalidClientTokenId", 403), LoginRefused),
        (DETAILS, query_error("SignatureDoesNotMatch", 403), LoginRefused),
        (KEYS, json_error("UnrecognizedClientException"), LoginRefused),
        (DETAILS, query_error("RequestExpired", 400), AccessDenied),
        (DETAILS, query_error("Throttling", 400), Throttled),
        (KEYS, json_error("ThrottlingException"), Throttled),
        (DETAILS, query_error("ServiceUnavailable", 503), Throttled),
        (DETAILS, query_error("InvalidAction", 400), Unsupported),
        (KEYS, json_error("UnknownOperationException"), Unsupported),
        (KEYS, sent(404, HTML, "text/html"), (Unsupported, Malformed)),
        (DETAILS, sent(500, HTML, "text/html"), Malformed),
        (KEYS, sent(500, HTML, "text/html"), Malformed),
        (BUCKETS, sent(404, b"", "text/html"), Unsupported),
        (DETAILS, sent(200, HTML, "text/html"), Malformed),
        (DETAILS, sent(200, b"<a><b/></a>"), Malformed),
        (KEYS, sent(200, b"[1]", "application/x-amz-json-1.1"), Malformed),
        (KEYS, sent(200, b'{"Keys": null}', "application/x-amz-json-1.1"), Malformed),
        (KEYS, sent(200, b'{"Keys": [{"KeyId": ', "application/x-amz-json-1.1"), Malformed),
        (DETAILS, query_error("ServiceFailure", 500), Unreachable),
        (DETAILS, query_error("NoSuchEntity", 404), Malformed),
        (DETAILS, reset, Unreachable),
        (DETAILS, cut_short, (Unreachable, Truncated, Malformed)),
    ],
)
def test_what_goes_wrong_is_told_as_what_it_is(
    server: Canned, operation: Any, reply: Reply, expected: type[ReadError] | tuple[type[ReadError], ...]
) -> None:
    server.replies = [reply]
    port, _ = port_to(server)

    with pytest.raises(expected):
        port.ask(operation.call)


def test_a_server_that_says_nothing_is_unreachable(server: Canned) -> None:
    server.replies = [silence]
    access = LiveAccess(live_target(server.address))
    object.__setattr__(access.target, "timeout_seconds", 1)

    with pytest.raises(Unreachable, match="ReadTimeout"):
        AwsPort(access, ALLOWED, home_region="us-east-1").ask(DETAILS.call)


def test_an_address_where_nobody_listens_is_unreachable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"

    with pytest.raises(Unreachable):
        AwsPort(LiveAccess(live_target(address)), ALLOWED, home_region="us-east-1").ask(DETAILS.call)


def test_a_refused_credential_is_sent_once(server: Canned) -> None:
    server.replies = [query_error("InvalidClientTokenId", 403)]
    port, access = port_to(server, proven=False)

    with pytest.raises(LoginRefused):
        port.ask(ALLOWED[0])
    assert (access.logins, len(server.asked)) == (1, 1)


def test_a_region_that_does_not_know_a_proven_credential_denies_and_refuses_no_login(server: Canned) -> None:
    server.replies = [query_error("AuthFailure", 401)]
    port, _ = port_to(server)

    with pytest.raises(AccessDenied, match="region"):
        port.ask(GROUPS.call, "af-south-1")


def test_throttling_waits_as_long_as_it_is_told_and_then_goes_on(server: Canned) -> None:
    server.replies = [query_error("Throttling", 429, Retry_After="7"), sent(200, b'{"Keys": []}', "application/json")]
    port, access = port_to(server)

    assert port.ask(KEYS.call, "us-east-1") == {"Keys": []}
    assert access.waits == [7.0]


def test_a_first_call_that_is_throttled_is_no_refused_login(server: Canned) -> None:
    server.replies = [query_error("Throttling"), query_error("Throttling"), sent(200, CALLER)]
    port, access = port_to(server, proven=False)
    answer = port.ask(ALLOWED[0])

    assert answer is not None
    assert answer["Account"] == "123456789012"
    assert access.logins == 1


def test_a_lost_connection_is_tried_once_more(server: Canned) -> None:
    server.replies = [reset, sent(200, b'{"Keys": []}', "application/json")]
    port, _ = port_to(server)

    assert port.ask(KEYS.call, "us-east-1") == {"Keys": []}
    assert len(server.asked) == 2


def test_an_expired_credential_is_renewed_once_and_then_lost_with_that_reason(server: Canned) -> None:
    server.replies = [json_error("ExpiredTokenException"), sent(200, b'{"Keys": []}', "application/json")]
    port, access = port_to(server)
    access.hidden = json.dumps({"AccessKeyId": "ASIANEWKEY", "SecretAccessKey": "s", "SessionToken": "t"})

    assert port.ask(KEYS.call, "us-east-1") == {"Keys": []}
    assert "ASIANEWKEY" in server.asked[-1]

    server.replies = [json_error("ExpiredTokenException")]
    with pytest.raises(AccessDenied, match="expired"):
        port.ask(KEYS.call, "us-east-1")


def _keys(names: list[str], **more: Any) -> Reply:
    body = {"Keys": [{"KeyId": name, "KeyArn": name} for name in names], **more}
    return sent(200, json.dumps(body).encode(), "application/json")


def test_all_pages_are_joined(server: Canned) -> None:
    server.replies = [_keys(["a"], Truncated=True, NextMarker="two"), _keys(["b"], Truncated=False)]
    port, _ = port_to(server)
    answer = port.ask(KEYS.call, "us-east-1")

    assert answer is not None
    assert [key["KeyId"] for key in answer["Keys"]] == ["a", "b"]
    assert '"Marker": "two"' in server.asked[-1]


@pytest.mark.parametrize(
    "pages",
    [
        [_keys(["a"], Truncated=True)],
        [_keys(["a"], Truncated=True, NextMarker="same")],
    ],
    ids=["no marker", "a marker that leads to itself"],
)
def test_a_listing_that_does_not_end_is_truncated(server: Canned, pages: list[Reply]) -> None:
    server.replies = pages
    port, _ = port_to(server)

    with pytest.raises(Truncated):
        port.ask(KEYS.call, "us-east-1")


def test_a_page_that_fails_loses_the_listing(server: Canned) -> None:
    server.replies = [_keys(["a"], Truncated=True, NextMarker="two"), json_error("AccessDeniedException")]
    port, _ = port_to(server)

    with pytest.raises(AccessDenied):
        port.ask(KEYS.call, "us-east-1")


def test_only_the_words_of_the_service_itself_mean_none(server: Canned) -> None:
    server.replies = [json_error("AWSOrganizationsNotInUseException")]
    port, _ = port_to(server)
    assert port.ask(ORGANIZATION.call) is None

    server.replies = [sent(404, b"<Error><Code>NoSuchTagSet</Code><Message>m</Message></Error>")]
    assert port.ask(BUCKET_TAGS.call, Bucket="b") is None

    server.replies = [sent(404, b"<Error><Code>NoSuchBucket</Code><Message>m</Message></Error>")]
    with pytest.raises(Malformed):
        port.ask(BUCKET_TAGS.call, Bucket="b")


def test_a_call_that_is_not_on_the_list_is_never_sent(server: Canned) -> None:
    server.replies = [sent(200, b"{}", "application/json")]
    port, _ = port_to(server)

    for service, name, parameters in (
        ("secretsmanager", "GetSecretValue", {"SecretId": "s"}),
        ("kms", "Decrypt", {"CiphertextBlob": b"c"}),
        ("s3", "GetObject", {"Bucket": "b", "Key": "k"}),
    ):
        with pytest.raises(EngineError, match="not on the list"):
            port.ask(Operation(service, name), **parameters)
    assert server.asked == []


def test_a_role_that_may_not_be_assumed_is_denied_by_name(server: Canned) -> None:
    server.replies = [query_error("AccessDenied", 403)]
    port, access = port_to(server, proven=False, assume_role="arn:aws:iam::123456789012:role/reader")

    with pytest.raises(AccessDenied):
        port.ask(ALLOWED[0])
    assert (access.logins, len(server.asked)) == (1, 1)
    assert "Action=AssumeRole" in server.asked[0]


def test_a_credential_without_its_parts_is_told_without_its_secret(server: Canned) -> None:
    for key, hidden in ((None, "hush-hush"), ("AKIA", '{"hush-hush": 1}')):
        access = LiveAccess(live_target(server.address), key=key, hidden=hidden)
        with pytest.raises(SecretUnavailable) as caught:
            AwsPort(access, ALLOWED, home_region="us-east-1").ask(KEY.call, KeyId="k")
        assert "hush" not in str(caught.value)
