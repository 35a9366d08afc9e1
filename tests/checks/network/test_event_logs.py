"""Rows for 3-6: network devices that are heard, in true time, by somebody."""

from __future__ import annotations

from checks.network.event_logs import (
    clock_is_synchronised,
    network_events_are_judged,
    network_events_arrive,
    network_events_carry_decisions,
)
from scanner.model import Outcome
from tests.checks.world import Case, ago, expected, verdicts

STREAM = {"LogSource.pillar": "network"}
OTHER = {"LogSource.pillar": "identity"}


def test_each_network_device_was_heard_lately() -> None:
    cases: dict[str, Case] = {
        "an hour ago": (Outcome.PASS, {"LogDelivery.ever_arrived": True, "LogDelivery.last_arrived": ago(hours=1)}),
        "fell silent": (Outcome.FAIL, {"LogDelivery.ever_arrived": True, "LogDelivery.last_arrived": ago(days=2)}),
        "set to send, lost on the way": (Outcome.FAIL, {"LogDelivery.ever_arrived": False}),
        "not seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(network_events_arrive, cases, hours=24) == expected(cases)


def test_clock_follows_a_source() -> None:
    cases: dict[str, Case] = {
        "follows": (Outcome.PASS, {"TimeSync.synchronised": True}),
        "configured, not reached": (Outcome.FAIL, {"TimeSync.synchronised": False}),
        "not seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(clock_is_synchronised, cases) == expected(cases)


def test_network_events_are_read_by_rules_and_people() -> None:
    judged = STREAM | {"Detection.rules_enabled": 1, "Detection.alerts_reach": "security_operations"}
    cases: dict[str, Case] = {
        "rules and security operations": (Outcome.PASS, judged),
        "stored, no rule": (Outcome.FAIL, judged | {"Detection.rules_enabled": 0}),
        "alerts end in a mailbox": (Outcome.FAIL, judged | {"Detection.alerts_reach": "mailbox"}),
        "not seen": (Outcome.UNKNOWN, STREAM),
        "stream of another pillar": (Outcome.NA, OTHER | {"Detection.rules_enabled": 0}),
    }
    assert verdicts(network_events_are_judged, cases, rules=1) == expected(cases)


def test_network_events_carry_what_policy_decided() -> None:
    cases: dict[str, Case] = {
        "decisions and attributes": (
            Outcome.PASS,
            STREAM | {"LogDelivery.carries": ["dynamic_attributes", "policy_decision", "what"]},
        ),
        "deny lines without a decision's grounds": (
            Outcome.FAIL,
            STREAM | {"LogDelivery.carries": ["policy_decision", "what"]},
        ),
        "not seen": (Outcome.UNKNOWN, STREAM),
        "stream of another pillar": (Outcome.NA, OTHER),
    }
    told = verdicts(network_events_carry_decisions, cases, carries=["policy_decision", "dynamic_attributes"])
    assert told == expected(cases)
