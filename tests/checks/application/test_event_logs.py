"""Rows for 4-6: events of applications that tell the whole act, or only the request."""

from __future__ import annotations

from checks.application.event_logs import (
    application_events_are_judged,
    application_events_arrive,
    application_events_carry_decisions,
)
from scanner.model import Outcome
from tests.checks.world import Case, ago, expected, verdicts

STREAM = {"LogSource.pillar": "application"}
WHOLE = ["policy_decision", "privileged_operations", "result", "what", "when", "who"]


def test_each_application_was_heard_lately() -> None:
    cases: dict[str, Case] = {
        "an hour ago": (Outcome.PASS, {"LogDelivery.ever_arrived": True, "LogDelivery.last_arrived": ago(hours=1)}),
        "fell silent": (Outcome.FAIL, {"LogDelivery.ever_arrived": True, "LogDelivery.last_arrived": ago(days=2)}),
        "never heard": (Outcome.FAIL, {"LogDelivery.ever_arrived": False}),
        "not seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(application_events_arrive, cases, hours=24) == expected(cases)


def test_events_tell_the_whole_act() -> None:
    cases: dict[str, Case] = {
        "whole": (Outcome.PASS, {"LogDelivery.carries": WHOLE}),
        "web access log only": (Outcome.FAIL, {"LogDelivery.carries": ["result", "what", "when"]}),
        "no privileged operations": (
            Outcome.FAIL,
            {"LogDelivery.carries": [word for word in WHOLE if word != "privileged_operations"]},
        ),
        "not seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(application_events_carry_decisions, cases, carries=WHOLE) == expected(cases)


def test_application_events_are_read_by_rules_and_people() -> None:
    judged = STREAM | {"Detection.rules_enabled": 1, "Detection.alerts_reach": "security_operations"}
    cases: dict[str, Case] = {
        "rules and security operations": (Outcome.PASS, judged),
        "stored, no rule": (Outcome.FAIL, judged | {"Detection.rules_enabled": 0}),
        "alerts reach nobody": (Outcome.FAIL, judged | {"Detection.alerts_reach": "nobody"}),
        "not seen": (Outcome.UNKNOWN, STREAM),
        "stream of another pillar": (Outcome.NA, {"LogSource.pillar": "data", "Detection.rules_enabled": 0}),
    }
    assert verdicts(application_events_are_judged, cases, rules=1) == expected(cases)
