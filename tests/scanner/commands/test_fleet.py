"""``ztgrade fleet``: making a fleet, tokens, looking at agents and deciding about them."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent import wire
from scanner.cli import cli
from scanner.fleet.authority import pin_of
from tests.scanner.fleet.lab import POSTURE, Clock, Pretended, Running, section


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["fleet", *arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "fleet"
    made = run(
        "init",
        *("--folder", str(place), "--url", "https://127.0.0.1:8443", "--root-folder", str(tmp_path / "root")),
        *("--listen", "127.0.0.1:0"),
    )
    assert made.exit_code == 0, made.output
    return place


def test_a_fleet_is_made_once_private_and_without_its_root_key(folder: Path, tmp_path: Path) -> None:
    names = {path.name for path in folder.rglob("*")}

    assert "root.key" not in names and (tmp_path / "root" / "root.key").is_file()
    assert folder.stat().st_mode & 0o077 == 0
    keys = [*folder.rglob("*.key"), tmp_path / "root" / "root.key", folder / "fleet.db"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys)
    again = run("init", "--folder", str(folder), "--url", "https://x", "--root-folder", str(tmp_path / "root-2"))
    assert again.exit_code == 2 and "is there already" in again.output


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("interval = 1", "interval"),
        ("surplus = 1", "surplus"),
        ('url = "http://x"', "url"),
        ("interval =", "it is no TOML"),
        ('database = "mysql://x"', "sqlite:"),
        ('database = "postgresql://u:secret@h/d"', "holds a password"),
    ],
)
def test_wrong_settings_are_told_by_name(folder: Path, line: str, told: str) -> None:
    path = folder / "fleet.toml"
    name = line.split(" ")[0]
    kept = [each for each in path.read_text().splitlines() if not each.startswith(f"{name} ")]
    path.write_text("\n".join([*kept, line]))

    result = run("list", "--folder", str(folder))

    assert result.exit_code == 2
    assert told in result.output and "fleet.toml" in result.output and "secret" not in result.output


def test_a_token_says_where_the_server_is_and_who_vouches_for_it(folder: Path) -> None:
    token = run("token", "--folder", str(folder), "--life", "7d", "--uses", "3").output.strip()

    said = json.loads(base64.urlsafe_b64decode(token.removeprefix("zt1.") + "=="))
    assert said["u"] == "https://127.0.0.1:8443"
    assert said["p"] == pin_of((folder / "root.pem").read_bytes())
    listed = run("token", "--folder", str(folder), "--list", "--json")
    assert [(each["used"], each["uses"]) for each in json.loads(listed.output)] == [(0, 3)]
    assert said["t"] not in listed.output


@pytest.mark.parametrize("life", ["0h", "week", "1y", "-1d"])
def test_an_odd_life_of_a_token_is_told(folder: Path, life: str) -> None:
    result = run("token", "--folder", str(folder), "--life", life)

    assert result.exit_code == 2 and "write it like" in result.output


def test_operators_see_agents_and_decide_while_the_server_runs(folder: Path) -> None:
    clock = Clock()
    clock.now = time.time()
    running = Running(folder, clock)
    token = run("token", "--folder", str(folder)).output.strip()
    secret = json.loads(base64.urlsafe_b64decode(token.removeprefix("zt1.") + "=="))["t"]
    agent = Pretended(running, "<b>host</b>")
    agent.enrol(secret)
    agent.send(wire.REPORT, agent.report(POSTURE | {"os": section("os", name="\x1b[31mred")}))

    listed = run("list", "--folder", str(folder))
    shown = run("show", agent.id, "--folder", str(folder))
    (plain,) = json.loads(run("list", "--folder", str(folder), "--json").output)
    banned = run("ban", agent.id, "--folder", str(folder), "--reason", "stolen")
    refused = agent.send(wire.BEAT, agent.beat())
    running.end()

    assert agent.id in listed.output and "active" in listed.output
    assert "firewall: seen" in shown.output and "\x1b" not in shown.output
    assert (plain["id"], plain["clone_suspected"], plain["silent_since"]) == (agent.id, None, None)
    assert banned.exit_code == 0 and refused.word == "banned"
    audit = run("audit", "--folder", str(folder))
    assert [word for word in ("set_up", "token_made", "enrolled", "banned") if word not in audit.output] == []
    proved = run("audit", "--folder", str(folder), "--verify")
    assert proved.exit_code == 0 and len(proved.output.splitlines()) == 2


def test_an_unknown_agent_is_told_with_the_nearest(folder: Path) -> None:
    result = run("show", "nobody", "--folder", str(folder))

    assert result.exit_code == 2 and "there is no agent 'nobody'" in result.output


def test_the_issuing_authority_is_rotated_with_the_root(folder: Path, tmp_path: Path) -> None:
    assert run("rekey", "--folder", str(folder), "--issuing").exit_code == 2
    other = tmp_path / "other"
    run("init", "--folder", str(tmp_path / "f2"), "--url", "https://x", "--root-folder", str(other))
    foreign = run("rekey", "--folder", str(folder), "--issuing", "--root-folder", str(other))
    assert foreign.exit_code == 2 and "root of another fleet" in foreign.output

    result = run("rekey", "--folder", str(folder), "--issuing", "--root-folder", str(tmp_path / "root"))

    assert result.exit_code == 0, result.output
    assert len(list((folder / "issuing").glob("*.pem"))) == 2
    assert "0 agents renew" in run("rekey", "--folder", str(folder), "--all").output
