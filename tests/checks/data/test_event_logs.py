"""Rows for 5-7: events that name who read what, or only who administered."""

from __future__ import annotations

from checks.data.event_logs import data_events_are_judged, data_events_arrive, data_events_carry_access
from scanner.model import Outcome
from tests.checks.world import Case, ago, expected, verdicts

SENSITIVE = {"DataStore.sensitive": True}
HARMLESS = {"DataStore.sensitive": False}
STREAM = {"LogSource.pillar": "data"}


def test_each_sensitive_store_was_heard_lately() -> None:
    heard = SENSITIVE | {"LogDelivery.ever_arrived": True}
    cases: dict[str, Case] = {
        "an hour ago": (Outcome.PASS, heard | {"LogDelivery.last_arrived": ago(hours=1)}),
        "fell silent": (Outcome.FAIL, heard | {"LogDelivery.last_arrived": ago(days=2)}),
        "audit on, not shipped": (Outcome.FAIL, SENSITIVE | {"LogDelivery.ever_arrived": False}),
        "not seen": (Outcome.UNKNOWN, SENSITIVE),
        "harmless store": (Outcome.NA, HARMLESS | {"LogDelivery.ever_arrived": False}),
    }
    assert verdicts(data_events_arrive, cases, hours=24) == expected(cases)


def test_events_name_who_read_what() -> None:
    cases: dict[str, Case] = {
        "reader and data": (Outcome.PASS, SENSITIVE | {"LogDelivery.carries": ["data_access", "when", "who"]}),
        "control plane only": (Outcome.FAIL, SENSITIVE | {"LogDelivery.carries": ["what", "when", "who"]}),
        "access without the reader": (Outcome.FAIL, SENSITIVE | {"LogDelivery.carries": ["data_access"]}),
        "not seen": (Outcome.UNKNOWN, SENSITIVE),
        "harmless store": (Outcome.NA, HARMLESS | {"LogDelivery.carries": []}),
    }
    assert verdicts(data_events_carry_access, cases, carries=["who", "data_access"]) == expected(cases)


def test_data_events_are_read_by_rules_and_people() -> None:
    judged = STREAM | {"Detection.rules_enabled": 1, "Detection.alerts_reach": "security_operations"}
    cases: dict[str, Case] = {
        "rules and security operations": (Outcome.PASS, judged),
        "stored, no rule": (Outcome.FAIL, judged | {"Detection.rules_enabled": 0}),
        "alerts reach nobody": (Outcome.FAIL, judged | {"Detection.alerts_reach": "nobody"}),
        "not seen": (Outcome.UNKNOWN, STREAM),
        "stream of another pillar": (Outcome.NA, {"LogSource.pillar": "identity", "Detection.rules_enabled": 0}),
    }
    assert verdicts(data_events_are_judged, cases, rules=1) == expected(cases)
