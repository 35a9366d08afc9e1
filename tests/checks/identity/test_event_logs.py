"""Rows for 1-6: events that arrive, are judged and carry decisions, or are merely stored."""

from __future__ import annotations

from checks.identity.event_logs import (
    identity_events_are_judged,
    identity_events_arrive,
    identity_events_carry_decisions,
)
from scanner.model import Outcome
from tests.checks.world import Case, ago, expected, verdicts

STREAM = {"LogSource.pillar": "identity"}
OTHER = {"LogSource.pillar": "network"}


def test_identity_events_arrived_lately() -> None:
    cases: dict[str, Case] = {
        "an hour ago": (
            Outcome.PASS,
            STREAM | {"LogDelivery.ever_arrived": True, "LogDelivery.last_arrived": ago(hours=1)},
        ),
        "a day ago": (
            Outcome.PASS,
            STREAM | {"LogDelivery.ever_arrived": True, "LogDelivery.last_arrived": ago(hours=24)},
        ),
        "source fell silent": (
            Outcome.FAIL,
            STREAM | {"LogDelivery.ever_arrived": True, "LogDelivery.last_arrived": ago(hours=25)},
        ),
        "newest event lies in the future": (
            Outcome.FAIL,
            STREAM | {"LogDelivery.ever_arrived": True, "LogDelivery.last_arrived": ago(hours=-1)},
        ),
        "set to send, never arrived": (Outcome.FAIL, STREAM | {"LogDelivery.ever_arrived": False}),
        "time not seen": (Outcome.UNKNOWN, STREAM | {"LogDelivery.ever_arrived": True}),
        "not seen": (Outcome.UNKNOWN, STREAM),
        "stream of another pillar": (Outcome.NA, OTHER | {"LogDelivery.ever_arrived": False}),
    }
    assert verdicts(identity_events_arrive, cases, hours=24) == expected(cases)


def test_identity_events_are_read_by_rules_and_people() -> None:
    judged = STREAM | {"Detection.rules_enabled": 1, "Detection.alerts_reach": "security_operations"}
    cases: dict[str, Case] = {
        "one rule, security operations": (Outcome.PASS, judged),
        "stored, no rule": (Outcome.FAIL, judged | {"Detection.rules_enabled": 0}),
        "alerts reach nobody": (Outcome.FAIL, judged | {"Detection.alerts_reach": "nobody"}),
        "alerts end in a mailbox": (Outcome.FAIL, judged | {"Detection.alerts_reach": "mailbox"}),
        "readers not seen": (Outcome.UNKNOWN, STREAM | {"Detection.rules_enabled": 5}),
        "pillar not seen": (Outcome.UNKNOWN, {"Detection.rules_enabled": 0}),
        "stream of another pillar": (Outcome.NA, OTHER | {"Detection.rules_enabled": 0}),
    }
    assert verdicts(identity_events_are_judged, cases, rules=1) == expected(cases)


def test_identity_events_carry_what_policy_decided() -> None:
    cases: dict[str, Case] = {
        "decisions and attributes": (
            Outcome.PASS,
            STREAM | {"LogDelivery.carries": ["dynamic_attributes", "policy_decision", "who"]},
        ),
        "decisions without attributes": (Outcome.FAIL, STREAM | {"LogDelivery.carries": ["policy_decision", "who"]}),
        "sign-ins only": (Outcome.FAIL, STREAM | {"LogDelivery.carries": ["result", "who"]}),
        "nothing": (Outcome.FAIL, STREAM | {"LogDelivery.carries": []}),
        "not seen": (Outcome.UNKNOWN, STREAM),
        "stream of another pillar": (Outcome.NA, OTHER),
    }
    told = verdicts(identity_events_carry_decisions, cases, carries=["policy_decision", "dynamic_attributes"])
    assert told == expected(cases)
