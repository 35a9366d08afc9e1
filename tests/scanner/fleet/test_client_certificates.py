"""TLS may ask for the agents' certificates, too; the signature is what counts either way."""

from __future__ import annotations

import http.client
import ssl
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent import wire
from tests.scanner.fleet.lab import Clock, Pretended, Reply, Running, enrolled, make_fleet


def beat_with_certificate(agent: Pretended, folder: Path) -> int:
    """The status of a heartbeat over a connection that presents the agent's certificate."""
    pem = agent.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    (folder / "agent.pem").write_text(agent.certificate + agent.chain + pem)
    context = ssl.create_default_context(cafile=str(agent.server.folder / "root.pem"))
    context.load_cert_chain(folder / "agent.pem")
    connection = http.client.HTTPSConnection("127.0.0.1", agent.server.port, context=context, timeout=20)
    body = agent.beat()
    connection.request("POST", wire.BEAT, body, agent.signed(wire.BEAT, body))
    reply = Reply.of(connection.getresponse())
    connection.close()
    agent.seq, agent.nonce = agent.seq + 1, str(reply.says.get("nonce"))
    return reply.status


@pytest.mark.parametrize("wanted", ["optional", "required"])
def test_a_client_certificate_of_the_fleet_is_taken(tmp_path: Path, wanted: str) -> None:
    clock = Clock()
    clock.now = time.time()  # OpenSSL knows no other time
    folder = make_fleet(tmp_path / "server")
    first = Running(folder, clock)
    agent = enrolled(first)
    first.end()
    settings = folder / "fleet.toml"
    settings.write_text(settings.read_text() + f'client_certificates = "{wanted}"\n')
    agent.server = Running(folder, clock)

    assert beat_with_certificate(agent, tmp_path) == 200
    if wanted == "optional":
        assert agent.send(wire.BEAT, agent.beat()).status == 200
    else:
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            agent.send(wire.BEAT, agent.beat())
    agent.server.end()
