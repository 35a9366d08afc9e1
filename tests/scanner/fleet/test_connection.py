"""Messages of agents take a short way through the server; it answers as the long one does, and ends as it must."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from agent import wire
from scanner.fleet.chain import Nonces, mark_of
from scanner.fleet.ingest import Ingest, Sent
from scanner.fleet.messages import Report, decoded, offered
from scanner.fleet.serving import secret
from tests.scanner.fleet.lab import POSTURE, Pretended, Reply, Running, enrolled, make_fleet, section


def request(agent: Pretended, body: bytes, *fields: str) -> bytes:
    signed = [f"{name}: {value}" for name, value in agent.signed(wire.BEAT, body).items()]
    lines = [f"POST {wire.BEAT} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *signed, *fields, "", ""]
    return "\r\n".join(lines).encode() + body


def line(fleet: Running) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", fleet.port), timeout=10))


def answer(sock: ssl.SSLSocket) -> Reply:
    response = http.client.HTTPResponse(sock)
    response.begin()
    return Reply.of(response)


def test_both_ways_give_the_same_receipt(fleet: Running) -> None:
    agent = enrolled(fleet)
    body = agent.beat()
    replies = []
    for fields in ((), ("Connection: close",), ("Expect: 100-nothing",)):
        with line(fleet) as sock:
            sock.sendall(request(agent, body, *fields))
            replies.append(answer(sock))

    assert [reply.status for reply in replies] == [200, 200, 200]
    assert {(reply.says["seq"], reply.says["nonce"]) for reply in replies} == {(1, replies[0].says["nonce"])}
    assert all("date" in reply.headers for reply in replies)


def test_a_connection_may_be_used_again_for_anything(fleet: Running) -> None:
    agent = enrolled(fleet)
    connection = fleet.connect()
    seen = []
    for path, body in ((wire.BEAT, agent.beat()), (wire.BEAT, b"{"), ("/healthz", b""), (wire.BEAT, agent.beat(seq=1))):
        headers = agent.signed(path, body) if body else {}
        connection.request("POST" if body else "GET", path, body, headers)
        seen.append(Reply.of(connection.getresponse()).status)
    connection.close()

    assert seen[:3] == [200, 400, 200] and seen[3] in (200, 409)


def test_what_is_sent_ahead_of_an_answer_is_not_taken(fleet: Running) -> None:
    agent = enrolled(fleet)
    with line(fleet) as sock:
        sock.sendall(
            request(agent, agent.beat()) + request(agent, agent.beat(seq=2)) + b"GET /healthz HTTP/1.1\r\n\r\n"
        )
        found = b""
        while more := sock.recv(65536):
            found += more

    assert found.count(b"HTTP/1.1 ") == 1 and b"\r\nconnection: close\r\n" in found
    assert json.loads(found.partition(b"\r\n\r\n")[2])["seq"] == 1


def test_a_message_in_pieces_is_one_message(fleet: Running) -> None:
    agent = enrolled(fleet)
    whole = request(agent, agent.beat())
    with line(fleet) as sock:
        for start in range(0, len(whole), 120):
            sock.sendall(whole[start : start + 120])
            time.sleep(0.002)

        assert answer(sock).says["seq"] == 1


def test_a_request_that_stalls_on_a_used_connection_is_cut_off(hasty: Running) -> None:
    agent = enrolled(hasty)
    with line(hasty) as sock:
        sock.sendall(request(agent, agent.beat()))
        assert answer(sock).status == 200
        began = time.monotonic()
        sock.sendall(b"POST /v1/hb HTTP/1.1\r\nHost: x\r\n")
        try:
            left = sock.recv(100)
        except (ConnectionError, ssl.SSLError):
            left = b""

    assert left == b"" and time.monotonic() - began < 8


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(make_fleet(tmp_path_factory.mktemp("hasty") / "server", request_seconds=1))
    yield running
    running.end()


def test_reports_of_one_agent_in_one_transaction_leave_its_last_posture_and_its_history(fleet: Running) -> None:
    agent = enrolled(fleet)
    agent.send(wire.REPORT, agent.report(POSTURE))
    with fleet.database() as database:
        nonces = Nonces(secret(database))
        batch = []
        for build in (7, 8, 7):
            body = agent.report(POSTURE | {"os": section("os", build=build)}, send=["os"])
            report: Report = decoded(body, Report)
            batch.append(Sent(agent.key_id, report, body, mark_of(body), b"signature", offered(report, body)))
            agent.seq, agent.nonce = report.seq, nonces.give(agent.id, report.seq, mark_of(body))
            agent.root = report.root
        with database.transaction():
            answers = Ingest(nonces, 300).take(database, batch, fleet.ms)

    assert [json.loads(given.body)["need"] for given in answers] == [[], [], []]
    with fleet.reader() as reader:
        seen = reader.agent(agent.id)
        assert seen is not None
        told = [found for found in reader.sections(seen, past=True) if found.name == "os"]
    assert sorted(str(found.content["values"].get("build")) for found in told) == ["7", "7", "8", "None"]
    assert [found.content["values"].get("build") for found in told if found.until is None] == [7]
