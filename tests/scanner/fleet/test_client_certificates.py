"""TLS may ask for the agents' certificates, too; the signature is what counts either way."""

from __future__ import annotations

import http.client
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from agent import wire
from scanner.cli import cli
from scanner.errors import ConfigurationError
from scanner.fleet.serving import FleetServer
from tests.scanner.fleet.lab import Clock, Pretended, Reply, Running, enrolled, make_fleet, new_key
from tests.scanner.fleet.signalling import signalling, told


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


def certificate(folder: Path, name: str, key: Any) -> Path:
    """A certificate that vouches for itself, with its key in one file."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return path


def answer(server: Running, agent: str, secret: str, shown: Path | None) -> tuple[int, str]:
    """To a question for a verdict, with a certificate or without: status and word."""
    context = ssl.create_default_context(cafile=str(server.folder / "root.pem"))
    if shown is not None:
        context.load_cert_chain(shown)
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=20)
    connection.request("GET", f"/v1/posture/{agent}", headers={"Authorization": f"Bearer {secret}"})
    reply = Reply.of(connection.getresponse())
    connection.close()
    return reply.status, reply.word


def test_a_token_that_is_bound_to_a_certificate_is_worth_nothing_without_its_key(tmp_path: Path) -> None:
    key = new_key()
    mine, other = certificate(tmp_path, "gateway", key), certificate(tmp_path, "other", new_key())
    (tmp_path / "callers.pem").write_bytes(mine.read_bytes() + other.read_bytes())
    clock = Clock()
    clock.now = time.time()
    chosen = f'authority = "{tmp_path}/callers.pem"'
    server = signalling(tmp_path / "server", chosen, clock=clock, client_certificates="optional")
    run = ["fleet", "signal", "token", "--folder", str(server.folder), "--name", "gateway"]
    bound = CliRunner().invoke(cli, [*run, "--certificate", str(mine)]).output.strip()
    free = CliRunner().invoke(cli, run).output.strip()
    agent = told(server).id

    assert answer(server, agent, bound, mine) == (200, "")
    for shown in (None, other):
        assert answer(server, agent, bound, shown) == (401, "caller_certificate")
        assert answer(server, agent, free, shown) == (200, "")
    listed = CliRunner().invoke(cli, ["fleet", "signal", "token", "--folder", str(server.folder), "--list"]).output
    assert sorted(line.split()[3:] for line in listed.splitlines()) == [[], ["certificate"]]
    assert "posture_refused" in server.events()
    stranger = certificate(tmp_path, "stranger", key)
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
        answer(server, agent, bound, stranger)
    server.end()


def test_certificates_of_callers_are_told_to_be_switched_on_and_to_be_certificates(tmp_path: Path) -> None:
    folder = make_fleet(tmp_path / "server")
    path = certificate(tmp_path, "gateway", new_key())
    run = ["fleet", "signal", "token", "--folder", str(folder), "--name", "gateway", "--certificate"]
    refused = CliRunner().invoke(cli, [*run, str(path)])
    assert refused.exit_code == 2 and "client_certificates" in refused.output

    settings = folder / "fleet.toml"
    settings.write_text(settings.read_text() + '[signal]\nauthority = "none.pem"\n')
    with pytest.raises(ConfigurationError, match="client_certificates is off"):
        FleetServer(folder, Clock())
    settings.write_text('client_certificates = "optional"\n' + settings.read_text())
    with pytest.raises(ConfigurationError, match=r"none\.pem"):
        FleetServer(folder, Clock())
