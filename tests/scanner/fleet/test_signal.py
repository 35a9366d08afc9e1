"""Verdicts for policy engines: off until switched on, signed by their own key, never compliant for lack of sight."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from joserfc import jwt
from joserfc.errors import BadSignatureError, ExpiredTokenError
from joserfc.jwk import KeySet

from agent import wire
from scanner.cli import cli
from scanner.errors import ConfigurationError
from scanner.fleet import journal, operations
from scanner.fleet.reading import SectionSeen
from scanner.fleet.signal_callers import let_in, shut_out
from scanner.fleet.signal_verdict import judge
from tests.scanner.fleet.lab import Running, enrolled, make_fleet, section
from tests.scanner.fleet.signalling import ask, caller, claims, good_posture, signalling, told

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = signalling(tmp_path_factory.mktemp("signal") / "server", "per_minute = 100000")
    yield running
    running.end()


@pytest.fixture(scope="module")
def secret(fleet: Running) -> str:
    return caller(fleet)


def verdict(fleet: Running, agent: str, secret: str) -> dict[str, Any]:
    reply = ask(fleet, f"/v1/posture/{agent}", secret)
    assert reply.status == 200, reply.says
    return claims(reply)


def rules_of(found: dict[str, Any]) -> dict[str, str]:
    return {reason["rule"]: reason["outcome"] for reason in found["reasons"]}


def changed(section_name: str, **values: Any) -> dict[str, dict[str, Any]]:
    posture = good_posture()
    posture[section_name]["values"] |= values
    return posture


def test_a_device_that_is_what_the_rules_ask_is_compliant_until_its_agent_must_speak_again(
    fleet: Running, secret: str
) -> None:
    agent = told(fleet, hostname="laptop-7", serial="S-77", machine_id="m" * 32)
    found = verdict(fleet, agent.id, secret)

    assert (found["verdict"], found["reasons"]) == ("compliant", [])
    assert found["device"] == {"hostname": "laptop-7", "serial": "S-77", "machine_id": "m" * 32}
    assert found["agent"] == agent.id and found["sub"] == f"spiffe://lab.example/agent/{agent.id}"
    assert found["posture_root"] == agent.root and len(found["rules"]) == 64
    assert found["iss"] == "https://127.0.0.1:8443"
    life = datetime.fromisoformat(found["expires"]) - datetime.fromisoformat(found["as_of"])
    assert timedelta(seconds=298) < life <= timedelta(seconds=300)
    assert found["exp"] - found["iat"] == life.total_seconds()


def test_a_verdict_is_verified_with_a_common_library_and_by_nothing_but_the_signals_own_key(
    fleet: Running, secret: str
) -> None:
    reply = ask(fleet, f"/v1/posture/{told(fleet).id}", secret)
    keys = ask(fleet, "/v1/posture-keys")
    text = json.dumps(json.loads(keys.says["text"]))
    assert keys.headers["content-type"] == "application/jwk-set+json" and '"d"' not in text

    token = jwt.decode(reply.says["jws"], KeySet.import_key_set(json.loads(text)), algorithms=["ES256"])
    assert token.header["typ"] == "zt-posture+jwt"
    assert token.claims == claims(reply)
    now = int(fleet.clock())
    jwt.JWTClaimsRegistry(now=now, iss={"essential": True, "value": "https://127.0.0.1:8443"}).validate(token.claims)
    with pytest.raises(ExpiredTokenError):
        jwt.JWTClaimsRegistry(now=now + 301).validate(token.claims)
    head, body, value = reply.says["jws"].split(".")
    with pytest.raises(BadSignatureError):
        jwt.decode(f"{head}.{body[:-4]}AAAA.{value}", KeySet.import_key_set(json.loads(text)), algorithms=["ES256"])

    own = {path.read_bytes() for path in (fleet.folder / "signal").iterdir()}
    others = [path.read_bytes() for path in fleet.folder.rglob("*") if path.is_file() and path.parent.name != "signal"]
    assert own and not own & set(others), "no other part holds the key"


@pytest.mark.parametrize(
    ("posture", "rule"),
    [
        (changed("disk_encryption", volumes=[{"mount": "/", "encrypted": False, "method": None}]), "disk-encrypted"),
        (changed("host_firewall", enabled=False), "firewall-on"),
        (changed("host_firewall", inbound="allow"), "inbound-denied"),
        (changed("endpoint_protection", products=[]), "edr-running"),
        (changed("patching", last_patched="2026-09-01T00:00:00Z"), "patched"),
        (changed("patching", pending_security=3), "no-security-update-pending"),
        (changed("operating_system", supported_until="2026-06-30T00:00:00Z"), "supported"),
        (changed("session_lock", enforced=False), "session-locked"),
    ],
)
def test_a_device_that_is_seen_not_to_be_so_is_not_compliant_and_says_why(
    fleet: Running, secret: str, posture: dict[str, Any], rule: str
) -> None:
    if rule == "edr-running":
        posture["endpoint_protection"]["missing"] = {}
    found = verdict(fleet, told(fleet, posture).id, secret)

    assert found["verdict"] == "not_compliant"
    assert rules_of(found) == {rule: "fail"}
    assert found["reasons"][0]["says"]["en"].startswith("Not so: ")
    assert found["reasons"][0]["says"]["zh-TW"].startswith("不符合：")
    assert found["reasons"][0]["section"] in posture


@pytest.mark.parametrize("name", ["disk_encryption", "host_firewall", "endpoint_protection", "patching"])
@pytest.mark.parametrize("status", ["absent", "denied", "unsupported", "error"])
def test_what_the_agent_could_not_see_is_unknown_and_never_passes(
    fleet: Running, secret: str, name: str, status: str
) -> None:
    posture = good_posture()
    if status == "absent":
        del posture[name]
    else:
        posture[name] |= {"status": status, "values": {}, "missing": {}}
    found = verdict(fleet, told(fleet, posture).id, secret)

    assert found["verdict"] == "unknown"
    assert {reason["section"] for reason in found["reasons"]} == {name}
    assert set(rules_of(found).values()) == {"unknown"}


def test_words_of_a_host_stand_in_no_reason(fleet: Running, secret: str) -> None:
    posture = good_posture()
    posture["patching"] |= {"status": "error", "detail": "<script>{says}{0}</script>", "values": {}}
    found = verdict(fleet, told(fleet, posture).id, secret)

    assert "script" not in json.dumps(found)


def test_an_agent_that_told_nothing_yet_is_unknown(fleet: Running, secret: str) -> None:
    found = verdict(fleet, enrolled(fleet).id, secret)

    assert (found["verdict"], rules_of(found), found["confirmed"]) == ("unknown", {"never_told": "unknown"}, "")


def test_a_suspected_clone_is_unknown_whatever_it_told(fleet: Running, secret: str) -> None:
    agent = told(fleet)
    assert verdict(fleet, agent.id, secret)["verdict"] == "compliant"
    assert agent.send(wire.BEAT, agent.beat(seq=agent.seq, boot_id="another")).word == "clone_suspected"
    found = verdict(fleet, agent.id, secret)

    assert (found["verdict"], rules_of(found)) == ("unknown", {"clone_suspected": "unknown"})


def test_two_of_one_hardware_are_unknown_both(fleet: Running, secret: str) -> None:
    one, two = told(fleet, serial="TWIN-1"), told(fleet, serial="TWIN-1")

    for agent in (one, two):
        found = verdict(fleet, agent.id, secret)
        assert (found["verdict"], rules_of(found)) == ("unknown", {"identity_collision": "unknown"})


def test_a_banned_agent_is_not_compliant_and_an_evicted_one_unknown(fleet: Running, secret: str) -> None:
    one, two = told(fleet), told(fleet)
    with fleet.database() as database:
        operations.ban(database, one.id, "lost", fleet.ms)
        operations.evict(database, two.id, "gone", fleet.ms)

    assert verdict(fleet, one.id, secret)["verdict"] == "not_compliant"
    assert rules_of(verdict(fleet, two.id, secret)) == {"evicted": "unknown"}


def test_a_posture_that_changed_is_judged_anew_at_once_and_an_unchanged_one_is_not_signed_again(
    fleet: Running, secret: str
) -> None:
    agent = told(fleet)
    path = f"/v1/posture/{agent.id}"
    first, again = ask(fleet, path, secret), ask(fleet, path, secret)
    assert first.says == again.says and first.headers["etag"] == again.headers["etag"]

    agent.send(wire.REPORT, agent.report(changed("host_firewall", enabled=False), send=["host_firewall"]))
    assert verdict(fleet, agent.id, secret)["verdict"] == "not_compliant"


def test_an_answer_may_be_kept_no_longer_than_the_verdict_is_good(fleet: Running, secret: str) -> None:
    path = f"/v1/posture/{told(fleet).id}"
    reply = ask(fleet, path, secret)
    kept = int(reply.headers["cache-control"].removeprefix("private, max-age="))

    assert fleet.clock() + kept <= reply.says["claims"]["exp"] + 1
    assert ask(fleet, path, secret, if_none_match=reply.headers["etag"]).status == 304
    assert ask(fleet, path, secret, if_none_match='"x", W/' + reply.headers["etag"]).status == 304
    assert ask(fleet, path, secret, if_none_match='"x"').status == 200


def test_a_silent_agent_is_unknown_and_no_verdict_outlives_its_silence(tmp_path: Path) -> None:
    fleet = signalling(tmp_path / "server", "life = 3600")
    secret, agent = caller(fleet, life_s=30 * 86_400), told(fleet)
    found = verdict(fleet, agent.id, secret)
    confirmed = datetime.fromisoformat(found["confirmed"])
    assert datetime.fromisoformat(found["expires"]) <= confirmed + timedelta(seconds=601)

    fleet.clock.now += 601
    found = verdict(fleet, agent.id, secret)
    assert (found["verdict"], set(rules_of(found))) == ("unknown", {"silent", "stale"})
    assert agent.send(wire.BEAT, agent.beat()).status == 200
    assert verdict(fleet, agent.id, secret)["verdict"] == "compliant"

    agent.send(wire.BEAT, agent.beat(root="e" * 64))
    fleet.clock.now += 500
    agent.send(wire.BEAT, agent.beat(root="e" * 64))
    fleet.clock.now += 200
    assert rules_of(verdict(fleet, agent.id, secret)) == {"stale": "unknown"}, "it speaks, but of another posture"
    fleet.clock.pass_days(31)
    assert ask(fleet, f"/v1/posture/{agent.id}", secret).word == "caller_expired"
    fleet.end()


def test_time_alone_ends_a_verdict_when_a_rule_will_no_longer_hold(fleet: Running) -> None:
    agent = told(fleet, changed("patching", last_patched="2026-10-24T00:01:40Z"))
    with fleet.reader() as reader:
        seen = reader.agent(agent.id)
        assert seen is not None
        sections = reader.sections(seen)
    standing = fleet.server.standing
    assert standing is not None
    found = judge(seen, sections, standing, seen.confirmed)
    assert found.verdict == "compliant" and found.expires == "2026-11-23T00:01:40Z"

    swapped = [SectionSeen(**{**each.__dict__, "digest": "0" * 64}) for each in sections]
    assert [each.rule for each in judge(seen, swapped, standing, seen.confirmed).reasons] == ["inconsistent"]


def test_devices_are_listed_by_pages(fleet: Running, secret: str) -> None:
    made = [told(fleet).id for _ in range(3)]
    found: list[str] = []
    after = ""
    while True:
        reply = ask(fleet, f"/v1/posture?limit=5&after={after}", secret)
        assert reply.status == 200 and len(reply.says["verdicts"]) <= 5
        found += [each["claims"]["agent"] for each in reply.says["verdicts"]]
        after = reply.says["next"]
        if not after:
            break

    assert found[-3:] == made and len(found) == len(set(found)) == fleet.counted("SELECT COUNT(*) FROM agent")
    assert reply.headers["cache-control"].startswith("private, max-age=")


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "limit=-1", "after=x", "surplus=1", "limit=%00"])
def test_a_listing_that_is_asked_for_wrongly_is_refused(fleet: Running, secret: str, query: str) -> None:
    assert ask(fleet, f"/v1/posture?{query}", secret).word == "bad_message"


def test_a_page_after_nobody_is_refused(fleet: Running, secret: str) -> None:
    nobody = "01920000-0000-7000-8000-000000000000"

    assert ask(fleet, f"/v1/posture?after={nobody}", secret).word == "bad_message"
    for name in (nobody, "x", "..", "%00", "a" * 5000):
        assert ask(fleet, f"/v1/posture/{name}", secret).status == 404


def test_only_a_callers_token_reads_and_it_opens_nothing_else(tmp_path: Path) -> None:
    fleet = signalling(tmp_path / "server")
    agent, good = told(fleet), caller(fleet)
    elsewhere, ended = caller(fleet, networks=["10.0.0.0/8"]), caller(fleet, life_s=1)
    path = f"/v1/posture/{agent.id}"
    fleet.clock.now += 2

    assert ask(fleet, path).word == "caller_unknown"
    assert ask(fleet, path).headers["www-authenticate"] == "Bearer"
    for wrong in ("x", good[:-1] + ("A" if good[-1] != "A" else "B"), fleet.token(), good + "A", "zp1." + "é" * 4):
        assert ask(fleet, path, wrong.encode("latin-1").decode("latin-1")).word == "caller_unknown"
    assert ask(fleet, path, elsewhere).word == "caller_elsewhere"
    assert ask(fleet, path, ended).word == "caller_expired"
    assert ask(fleet, path, good).status == 200
    assert ask(fleet, path, good, "POST").status == 405
    assert agent.__class__(fleet).enrol(good).word == "token_unknown"

    with fleet.database() as database:
        handle = database.rows("SELECT handle FROM caller ORDER BY made")[0][0]
        shut_out(database, handle, fleet.ms)
        stored = b"".join(bytes(row[0]) for row in database.rows("SELECT digest FROM caller"))
    assert ask(fleet, path, good).word == "caller_expired", "at once"
    assert good.encode() not in stored + (fleet.folder / "fleet.db").read_bytes()
    while ask(fleet, path, "x").status == 401:
        pass
    assert ask(fleet, path, "x").word == "too_often"
    fleet.end()


def test_callers_are_held_to_their_rate_and_set_down(tmp_path: Path) -> None:
    fleet = signalling(tmp_path / "server", "per_minute = 3")
    agent, secret = told(fleet), caller(fleet, "gateway-9")
    replies = [ask(fleet, f"/v1/posture/{agent.id}", secret) for _ in range(4)]

    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert replies[-1].headers["retry-after"] == "5" and replies[-1].headers["cache-control"] == "no-store"
    ask(fleet, f"/v1/posture/{agent.id}", "wrong")
    fleet.clock.now += 601
    assert ask(fleet, f"/v1/posture/{agent.id}", secret).status == 200
    assert 'ztgrade_fleet_verdicts_total{caller="gateway-9"} 4' in fleet.get("/metrics")[1]
    fleet.end()
    with fleet.database() as database:
        says = [entry.says for entry in journal.entries(database, "audit") if "posture" in entry.says["event"]]
        journal.verify(database, "audit")
    assert [each["event"] for each in says] == ["posture_read", "posture_refused", "posture_read"]
    assert says[0]["name"] == "gateway-9" and says[0]["address"] == "127.0.0.1"
    assert (says[2]["before"], says[2]["agents"]) == (3, [agent.id])


def test_it_is_off_until_it_is_switched_on(tmp_path: Path) -> None:
    fleet = Running(make_fleet(tmp_path / "server"))
    paths = ("/v1/posture", "/v1/posture/01920000-0000-7000-8000-000000000000", "/v1/posture-keys")
    assert [ask(fleet, path, caller(fleet)).status for path in paths] == [404, 404, 404]
    fleet.end()

    settings = fleet.folder / "fleet.toml"
    settings.write_text(settings.read_text() + "\n[signal]\nenabled = true\n")
    with pytest.raises(ConfigurationError, match="fleet signal key --new"):
        Running(fleet.folder)


def test_an_own_file_of_rules_is_used_and_conditions_choose_devices(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    text = """
version = 1
[rules.lock]
field = "session_lock.enforced"
operator = "is"
value = true
when = { field = "session_lock.desktop", operator = "is_not", value = "none" }
says.zh-TW = "閒置時鎖定"
says.en = "Idle sessions are locked"
"""
    (tmp_path / "rules.toml").write_text(text)
    fleet = signalling(folder, 'rules = "../rules.toml"')
    secret = caller(fleet)

    def of(lock: dict[str, Any]) -> dict[str, Any]:
        return verdict(fleet, told(fleet, {"session_lock": lock}).id, secret)

    assert of(section("session_lock", desktop="gnome", enforced=True))["verdict"] == "compliant"
    assert of(section("session_lock", desktop="gnome", enforced=False))["verdict"] == "not_compliant"
    assert of(section("session_lock", desktop=None, enforced=True))["verdict"] == "unknown"
    none = of(section("session_lock", desktop="none", enforced=None))
    assert (none["verdict"], rules_of(none)) == ("unknown", {"no_rule": "unknown"}), "no rule is no compliance"
    fleet.end()


def test_no_collector_and_no_check_reads_verdicts() -> None:
    """A verdict of our own is never evidence: nothing on the way of evidence may know of it."""
    wrong = []
    for package in ("agent", "collectors", "checks", "reports", "scanner"):
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name.startswith(("scanner/fleet/", "scanner/commands/fleet")):
                continue
            text = path.read_text(encoding="utf-8")
            if "fleet.signal" in text or "fleet import signal" in text or "/v1/posture" in text:
                wrong.append(name)

    assert wrong == []


def test_a_verdict_is_judged_fast_enough_to_be_asked_for_at_each_access(fleet: Running) -> None:
    agent = told(fleet)
    with fleet.reader() as reader:
        seen = reader.agent(agent.id)
        assert seen is not None and fleet.server.standing is not None
        begun = time.process_time()
        for _ in range(50):
            judge(seen, reader.sections(seen), fleet.server.standing, seen.confirmed)
        assert (time.process_time() - begun) / 50 < 0.01


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["fleet", "signal", *arguments])
    return result.exit_code, result.output


def test_operators_make_keys_and_tokens_and_look_at_verdicts(tmp_path: Path) -> None:
    folder = make_fleet(tmp_path / "server")
    at = ("--folder", str(folder))

    assert run("key", *at)[0] == 2
    assert run("key", "--new", *at)[0] == 0
    code, text = run("key", "--new", *at)
    assert code == 0 and len(json.loads(text.splitlines()[-1])["keys"]) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder / "signal").iterdir())
    code, secret = run("token", *at, "--name", "gateway", "--network", "10.0.0.0/8")
    assert code == 0 and secret.startswith("zp1.")
    ((handle, name),) = [
        (each["handle"], each["name"]) for each in json.loads(run("token", *at, "--list", "--json")[1])
    ]
    assert name == "gateway" and secret.strip() not in run("token", *at, "--list")[1]
    assert run("token", *at, "--revoke", handle)[0] == 0
    assert "revoked" in run("token", *at, "--list")[1]
    assert len(run("rules", *at)[1].splitlines()) == 9
    assert run("show", *at) == (0, "")
    for wrong in (["--name", "A B"], ["--name", "a", "--life", "2"], ["--name", "a", "--life", "9999d"], []):
        assert run("token", *at, *wrong)[0] == 2
    assert run("token", *at, "--name", "a", "--network", "x")[0] == 2
    assert run("token", *at, "--revoke", "x")[0] == 2


def test_operators_see_the_verdict_that_callers_get(fleet: Running) -> None:
    agent = told(fleet, changed("host_firewall", enabled=False))
    code, text = run("show", "--folder", str(fleet.folder), agent.id)

    assert code == 0 and text.startswith(agent.id)
    assert run("show", "--folder", str(fleet.folder), "nobody")[0] == 2


def test_a_token_that_is_made_is_set_down(fleet: Running) -> None:
    with fleet.database() as database:
        let_in(database, "audited", 60, (), fleet.ms)

    assert fleet.events()[-1] == "caller_let_in"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_no_verdict_comes_from_tables_that_a_newer_server_has_changed(tmp_path: Path) -> None:
    server = signalling(tmp_path / "server")
    agent, secret = told(server), caller(server)
    assert ask(server, f"/v1/posture/{agent.id}", secret).status == 200
    with server.database() as database:
        database.run("UPDATE meta SET value = ? WHERE name = 'version'", (b"3000",))

    replies = [ask(server, path, secret) for path in (f"/v1/posture/{agent.id}", "/v1/posture")]
    assert [(reply.status, reply.word) for reply in replies] == [(503, "store")] * 2
    server.end()
