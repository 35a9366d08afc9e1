"""A fleet whose server gives verdicts, and postures that the rules like."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent import wire
from scanner.fleet.signal_callers import let_in
from scanner.fleet.signal_keys import make_key
from tests.scanner.fleet.lab import START, Clock, Pretended, Reply, Running, make_fleet, section


def day(days: float) -> str:
    """So many days after the lab's beginning."""
    return (datetime.fromtimestamp(START, UTC) + timedelta(days=days)).isoformat().replace("+00:00", "Z")


def good_posture() -> dict[str, dict[str, Any]]:
    """What every rule that comes with this version is content with."""
    edr = {"product": "Falcon", "category": "edr", "running": True, "mode": None}
    products = section("endpoint_protection", products=[edr], known_list="1")
    products["missing"] = {"products": {"status": "unsupported", "detail": "Falcon: mode is not told"}}
    volumes = [{"mount": "/", "encrypted": True, "method": "luks2"}]
    return {
        "disk_encryption": section("disk_encryption", volumes=volumes),
        "host_firewall": section("host_firewall", enabled=True, inbound="deny", product="nftables"),
        "endpoint_protection": products,
        "patching": section("patching", last_patched=day(-3), pending_security=0, ever_patched=True),
        "operating_system": section("operating_system", family="linux", name="Debian", supported_until=day(400)),
        "session_lock": section("session_lock", desktop="gnome", enforced=True, idle_seconds=300),
    }


def signalling(folder: Path, more: str = "", *, clock: Clock | None = None, **chosen: Any) -> Running:
    """A running server with the signal on."""
    make_fleet(folder, per_minute=100_000, **chosen)
    make_key(folder)
    settings = folder / "fleet.toml"
    settings.write_text(settings.read_text() + f"\n[signal]\nenabled = true\n{more}\n")
    return Running(folder, clock)


def caller(server: Running, name: str = "gateway", **limits: Any) -> str:
    """The secret of a token that reads verdicts."""
    with server.database() as database:
        return let_in(database, name, limits.pop("life_s", 3600), limits.pop("networks", ()), server.ms)


def ask(server: Running, path: str, secret: str = "", method: str = "GET", **headers: str) -> Reply:
    """The answer to a caller."""
    connection = server.connect()
    try:
        given = {"Authorization": f"Bearer {secret}"} if secret else {}
        connection.request(
            method, path, headers=given | {name.replace("_", "-"): text for name, text in headers.items()}
        )
        return Reply.of(connection.getresponse())
    finally:
        connection.close()


def told(server: Running, posture: dict[str, dict[str, Any]] | None = None, **attributes: str) -> Pretended:
    """An enrolled agent that has told its posture."""
    agent = Pretended(server, attributes.pop("hostname", "laptop-1"), attributes)
    assert agent.enrol().status == 200
    assert agent.send(wire.REPORT, agent.report(posture or good_posture())).says["need"] == []
    return agent


def claims(reply: Reply) -> dict[str, Any]:
    """What a verdict says, which is what was signed."""
    import base64

    body = reply.says["jws"].split(".")[1]
    found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert found == reply.says["claims"]
    return dict(found)
