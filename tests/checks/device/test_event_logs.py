"""Rows for 2-6: devices whose events reach somebody."""

from __future__ import annotations

from checks.device.event_logs import (
    device_events_are_judged,
    device_events_arrive,
    device_events_carry_decisions,
)
from scanner.model import Outcome
from tests.checks.world import Case, ago, expected, verdicts

OWN = {"Device.external": False}
STREAM = {"LogSource.pillar": "device"}
OTHER = {"LogSource.pillar": "data"}


def test_each_device_was_heard_lately() -> None:
    cases: dict[str, Case] = {
        "an hour ago": (
            Outcome.PASS,
            OWN | {"LogDelivery.ever_arrived": True, "LogDelivery.last_arrived": ago(hours=1)},
        ),
        "laptop silent off the network": (
            Outcome.FAIL,
            OWN | {"LogDelivery.ever_arrived": True, "LogDelivery.last_arrived": ago(days=5)},
        ),
        "never heard": (Outcome.FAIL, OWN | {"LogDelivery.ever_arrived": False}),
        "not seen": (Outcome.UNKNOWN, OWN),
        "foreign device": (Outcome.NA, {"Device.external": True, "LogDelivery.ever_arrived": False}),
    }
    assert verdicts(device_events_arrive, cases, hours=24) == expected(cases)


def test_device_events_are_read_by_rules_and_people() -> None:
    judged = STREAM | {"Detection.rules_enabled": 3, "Detection.alerts_reach": "security_operations"}
    cases: dict[str, Case] = {
        "rules and security operations": (Outcome.PASS, judged),
        "console only, nobody looks": (Outcome.FAIL, judged | {"Detection.alerts_reach": "nobody"}),
        "no rule": (Outcome.FAIL, judged | {"Detection.rules_enabled": 0}),
        "not seen": (Outcome.UNKNOWN, STREAM),
        "stream of another pillar": (Outcome.NA, OTHER | {"Detection.rules_enabled": 0}),
    }
    assert verdicts(device_events_are_judged, cases, rules=1) == expected(cases)


def test_device_events_carry_what_policy_decided() -> None:
    cases: dict[str, Case] = {
        "decisions and attributes": (
            Outcome.PASS,
            STREAM | {"LogDelivery.carries": ["dynamic_attributes", "policy_decision"]},
        ),
        "no decision": (Outcome.FAIL, STREAM | {"LogDelivery.carries": ["dynamic_attributes"]}),
        "not seen": (Outcome.UNKNOWN, STREAM),
        "stream of another pillar": (Outcome.NA, OTHER),
    }
    told = verdicts(device_events_carry_decisions, cases, carries=["policy_decision", "dynamic_attributes"])
    assert told == expected(cases)
