"""Rows for 3-1: borders that deny and neighbours kept apart, or lines on a diagram."""

from __future__ import annotations

from checks.network.segmentation import (
    border_denies_by_default,
    no_rule_admits_everything,
    peers_are_restricted,
    rules_carry_traffic,
)
from scanner.model import Outcome
from tests.checks.world import Case, Row, ago, expected, verdicts


def rules(*listed: Row) -> dict[str, object]:
    return {"SegmentPolicy.rules": list(listed)}


def test_border_denies_what_nobody_listed() -> None:
    sound = {"SegmentPolicy.applied": True, "SegmentPolicy.default_action": "deny"}
    cases: dict[str, Case] = {
        "applied, denying": (Outcome.PASS, sound),
        "defined, not applied": (Outcome.FAIL, sound | {"SegmentPolicy.applied": False}),
        "allowing by default": (Outcome.FAIL, sound | {"SegmentPolicy.default_action": "allow"}),
        "binding not seen": (Outcome.UNKNOWN, {"SegmentPolicy.default_action": "deny"}),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(border_denies_by_default, cases) == expected(cases)


def test_no_rule_opens_the_border() -> None:
    narrow = {"any_source": False, "any_service": False}
    cases: dict[str, Case] = {
        "named sources and services": (Outcome.PASS, rules(narrow, narrow)),
        "nothing permitted": (Outcome.PASS, rules()),
        "any source and any service": (Outcome.FAIL, rules(narrow, {"any_source": True, "any_service": True})),
        "any source": (Outcome.FAIL, rules(narrow | {"any_source": True})),
        "any service": (Outcome.FAIL, rules(narrow | {"any_service": True})),
        "source not read": (Outcome.UNKNOWN, rules(narrow, {"any_service": False})),
        "rules not seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(no_rule_admits_everything, cases) == expected(cases)


def test_rules_that_carry_nothing_are_gone() -> None:
    used = {"ever_hit": True, "last_hit": ago(days=3)}
    cases: dict[str, Case] = {
        "all used": (Outcome.PASS, rules(used, used)),
        "nothing permitted": (Outcome.PASS, rules()),
        "one unused for half a year": (Outcome.FAIL, rules(used, {"ever_hit": True, "last_hit": ago(days=181)})),
        "one never used": (Outcome.FAIL, rules(used, {"ever_hit": False})),
        "counters not read": (Outcome.UNKNOWN, rules(used, {})),
        "rules not seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(rules_carry_traffic, cases, days=180) == expected(cases)


def test_neighbours_are_kept_apart() -> None:
    cases: dict[str, Case] = {
        "isolated": (Outcome.PASS, {"PeerIsolation.peers": "isolated"}),
        "restricted": (Outcome.PASS, {"PeerIsolation.peers": "restricted"}),
        "subnet without a limit inside": (Outcome.FAIL, {"PeerIsolation.peers": "open"}),
        "not seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(peers_are_restricted, cases) == expected(cases)
