"""Enrolment, heartbeats and reports over TLS: what is accepted, and what is answered."""

from __future__ import annotations

import pytest
from cryptography import x509

from agent import wire
from tests.scanner.fleet.lab import POSTURE, Pretended, Running, enrolled, section


def test_an_enrolled_host_gets_an_id_a_certificate_and_a_nonce(fleet: Running) -> None:
    agent = Pretended(fleet, "web-1")
    reply = agent.enrol()

    assert reply.status == 200
    assert reply.says["agent"][14] == "7", "a UUID of version 7"
    leaf = x509.load_pem_x509_certificate(reply.says["certificate"].encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        f"spiffe://lab.example/agent/{reply.says['agent']}"
    ]
    assert [use.dotted_string for use in leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value] == [
        "1.3.6.1.5.5.7.3.2"
    ]
    issuing, root = x509.load_pem_x509_certificates(reply.says["chain"].encode())
    leaf.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(root)
    assert set(reply.says) == {"v", "agent", "certificate", "chain", "interval", "nonce", "time"}


def test_heartbeats_of_an_unknown_posture_ask_for_all_of_it_and_known_ones_for_nothing(fleet: Running) -> None:
    agent = enrolled(fleet)

    assert agent.send(wire.BEAT, agent.beat(root="a" * 64)).says["need"] == [wire.WHOLE]
    assert agent.send(wire.REPORT, agent.report(POSTURE)).says["need"] == []
    reply = agent.send(wire.BEAT, agent.beat())

    assert reply.status == 200
    assert (reply.says["seq"], reply.says["need"], reply.says["renew"]) == (3, [], False)
    assert set(reply.says) == {"v", "seq", "nonce", "interval", "time", "need", "renew"}


def test_a_report_is_read_as_it_was_sent_and_as_long_as_it_was_so(fleet: Running) -> None:
    agent = enrolled(fleet)
    agent.send(wire.REPORT, agent.report(POSTURE))
    changed = POSTURE | {"firewall": section("firewall", enabled=False, product="關閉 ⚠")}
    agent.send(wire.REPORT, agent.report(changed, send=["firewall"]))

    with fleet.reader() as reader:
        found = reader.agent(agent.id)
        assert found is not None
        sections = reader.sections(found, past=True)

    assert [(each.name, each.until is None) for each in sections] == [
        ("disk", True),
        ("firewall", False),
        ("firewall", True),
        ("os", True),
    ]
    assert sections[2].content["values"] == {"enabled": False, "product": "關閉 ⚠"}
    assert sections[1].until == sections[2].since
    assert found.trusted and found.root == agent.root and found.host["hostname"] == "host-1"


def test_a_report_without_all_its_sections_is_asked_for_the_rest_and_counts_only_then(fleet: Running) -> None:
    agent = enrolled(fleet)

    first = agent.send(wire.REPORT, agent.report(POSTURE, send=["os"]))
    assert sorted(first.says["need"]) == ["disk", "firewall"]
    with fleet.reader() as reader:
        found = reader.agent(agent.id)
        assert found is not None and reader.sections(found) == [] and not found.trusted

    assert agent.send(wire.REPORT, agent.report(POSTURE, send=["disk", "firewall"])).says["need"] == []
    with fleet.reader() as reader:
        found = reader.agent(agent.id)
        assert found is not None and len(reader.sections(found)) == 3


def test_the_same_posture_again_stores_nothing_but_when_it_was_looked_at(fleet: Running) -> None:
    agent = enrolled(fleet)
    agent.send(wire.REPORT, agent.report(POSTURE))
    tables = ("envelope", "agent_section", "section", "journal")
    before = [fleet.counted(f"SELECT COUNT(*) FROM {table}") for table in tables]

    later = {name: each | {"observed_at": "2026-11-24T00:00:00Z"} for name, each in POSTURE.items()}
    assert agent.send(wire.REPORT, agent.report(later)).says["need"] == []

    assert [fleet.counted(f"SELECT COUNT(*) FROM {table}") for table in tables] == before
    with fleet.reader() as reader:
        found = reader.agent(agent.id)
        assert found is not None
        assert {each.observed_at for each in reader.sections(found)} == {"2026-11-24T00:00:00Z"}


@pytest.mark.parametrize("days", [-1, 1])
def test_a_wrong_clock_is_set_down_and_no_reason_to_refuse(fleet: Running, days: int) -> None:
    agent = enrolled(fleet)
    agent.offset = days * 86_400

    assert agent.send(wire.BEAT, agent.beat()).status == 200
    with fleet.reader() as reader:
        found = reader.agent(agent.id)
        assert found is not None and abs(found.clock_skew_ms + days * 86_400_000) < 5_000


def test_an_agent_that_says_nothing_for_two_intervals_is_silent(fleet: Running) -> None:
    agent = enrolled(fleet)
    agent.send(wire.BEAT, agent.beat())

    with fleet.reader() as reader:
        found = reader.agent(agent.id)
        assert found is not None
        assert found.silent_since(found.last_seen + 599_000, reader.interval_s) is None
        assert found.silent_since(found.last_seen + 601_000, reader.interval_s) == found.last_seen
