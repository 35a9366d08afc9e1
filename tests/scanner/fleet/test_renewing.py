"""Certificates: renewed at half their life or when asked, after a long sleep too; old keys are good for nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from cryptography import x509

from agent import wire
from scanner.fleet import operations
from scanner.fleet.authority import make_issuing
from tests.scanner.fleet.lab import Pretended, Running, enrolled, make_fleet, new_key


@pytest.fixture
def asleep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of its own, whose time may be moved."""
    running = Running(make_fleet(tmp_path_factory.mktemp("fleet") / "server"))
    yield running
    running.end()


def test_half_way_through_its_certificate_an_agent_is_asked_to_renew(asleep: Running) -> None:
    agent = enrolled(asleep)
    assert agent.send(wire.BEAT, agent.beat()).says["renew"] is False

    asleep.clock.pass_days(15.1)
    assert agent.send(wire.BEAT, agent.beat()).says["renew"] is True

    key = new_key()
    assert agent.renew(agent.renewal(key), key).status == 200
    assert agent.send(wire.BEAT, agent.beat()).says["renew"] is False


def test_after_45_days_asleep_only_a_renewal_is_taken_and_then_everything(asleep: Running) -> None:
    agent = enrolled(asleep)
    agent.send(wire.BEAT, agent.beat())
    asleep.clock.pass_days(45)

    assert agent.send(wire.BEAT, agent.beat()).word == "certificate_expired"
    key = new_key()
    assert agent.renew(agent.renewal(key), key).status == 200
    assert agent.send(wire.BEAT, agent.beat()).status == 200


def test_ninety_days_after_its_end_a_certificate_proves_nothing(asleep: Running) -> None:
    agent = enrolled(asleep)
    asleep.clock.pass_days(121)
    key = new_key()

    assert agent.renew(agent.renewal(key), key).word == "expired_too_long"


def test_a_lost_answer_to_a_renewal_costs_nothing(asleep: Running) -> None:
    agent = enrolled(asleep)
    agent.send(wire.BEAT, agent.beat())
    key = new_key()
    body = agent.renewal(key)
    first = asleep.post(wire.RENEW, body, agent.signed(wire.RENEW, body))

    assert agent.renew(body, key).says["certificate"] == first.says["certificate"]
    assert agent.send(wire.BEAT, agent.beat()).status == 200


def test_a_renewal_counts_when_the_answer_before_it_was_lost(asleep: Running) -> None:
    agent = enrolled(asleep)
    body = agent.beat()
    asleep.post(wire.BEAT, body, agent.signed(wire.BEAT, body))  # the agent never learns of its receipt
    key = new_key()

    assert agent.renew(agent.renewal(key), key).status == 200
    assert agent.send(wire.BEAT, body).status == 200, "signed anew, the same bytes get their receipt"


def test_the_old_key_is_good_for_nothing_and_a_second_renewal_by_it_is_a_clone(asleep: Running) -> None:
    agent = enrolled(asleep)
    twin = copy.copy(agent)
    key, other = new_key(), new_key()
    agent.renew(agent.renewal(key), key)

    assert twin.send(wire.BEAT, twin.beat()).word == "key_replaced"
    assert twin.renew(twin.renewal(other), other).word == "clone_suspected"


@pytest.mark.parametrize("status", ["banned", "evicted"])
def test_nobody_renews_out_of_a_ban_or_an_eviction(asleep: Running, status: str) -> None:
    agent = enrolled(asleep)
    with asleep.database() as database:
        (operations.ban if status == "banned" else operations.evict)(database, agent.id, "gone", asleep.ms)
    key = new_key()

    assert agent.renew(agent.renewal(key), key).word == status


def test_a_renewal_needs_a_new_key_and_the_right_signature(asleep: Running) -> None:
    agent = enrolled(asleep)
    body = agent.renewal(agent.key)
    assert asleep.post(wire.RENEW, body, agent.signed(wire.RENEW, body)).word == "key_known"

    key = new_key()
    body = agent.renewal(key)
    assert asleep.post(wire.RENEW, body, agent.signed(wire.RENEW, body, key)).word == "bad_signature"


def test_every_agent_is_asked_for_a_new_key_at_once(asleep: Running) -> None:
    agents = [enrolled(asleep, f"host-{number}") for number in range(3)]
    with asleep.database() as database:
        assert operations.ask_for_keys(database, None, asleep.ms) == 3

    assert [agent.send(wire.BEAT, agent.beat()).says["renew"] for agent in agents] == [True] * 3
    key = new_key()
    agents[0].renew(agents[0].renewal(key), key)
    assert agents[0].send(wire.BEAT, agents[0].beat()).says["renew"] is False


def test_the_issuing_authority_is_rotated_with_both_alive(asleep: Running) -> None:
    old = enrolled(asleep, "old")
    pin = asleep.pin()
    moment = datetime.fromtimestamp(asleep.clock(), UTC)
    make_issuing(asleep.folder, asleep.folder.parent / "root", moment)
    operations.note_issuing(asleep.folder, asleep.ms)
    asleep.server.certificates.look()

    new = enrolled(asleep, "new")

    first, second = (x509.load_pem_x509_certificates(agent.chain.encode()) for agent in (old, new))
    assert first[0] != second[0] and first[1] == second[1]
    x509.load_pem_x509_certificate(new.certificate.encode()).verify_directly_issued_by(second[0])
    assert old.send(wire.BEAT, old.beat()).status == 200
    assert new.send(wire.BEAT, new.beat()).status == 200
    assert asleep.pin() == pin, "agents pinned the root, which stays"


def test_the_server_renews_its_own_certificate_while_it_runs(asleep: Running) -> None:
    before = (asleep.folder / "server.pem").read_bytes()
    asleep.clock.pass_days(70)

    asleep.server.certificates.look()

    assert (asleep.folder / "server.pem").read_bytes() != before
    assert asleep.get("/healthz") == (200, json.dumps({"status": "ok"}, separators=(",", ":")))


def test_an_expired_issuing_authority_stops_enrolment_and_nothing_else(asleep: Running) -> None:
    agent = enrolled(asleep)
    asleep.clock.pass_days(340)
    key = new_key()
    with asleep.database() as database:
        database.run("UPDATE agent SET not_after = not_after + ?", (400 * 86_400_000,))
    asleep.clock.pass_days(30)

    assert Pretended(asleep).enrol().word == "store"
    assert agent.renew(agent.renewal(key), key).word == "store"
    assert agent.send(wire.BEAT, agent.beat()).status == 200
