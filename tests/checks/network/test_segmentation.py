"""Rows for 3-1: borders that deny and neighbours kept apart, or lines on a diagram."""

from __future__ import annotations

from checks.network.segmentation import (
    administration_is_closed_to_peers,
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


def test_hosts_close_their_administration_to_neighbours() -> None:
    def waits(*sockets: Row) -> dict[str, object]:
        return {"Listeners.sockets": [{"transport": "tcp", **socket} for socket in sockets]}

    host = {"Device.external": False, "Device.category": "server"}
    denying = host | {"HostFirewall.enabled": True, "HostFirewall.inbound": "deny"}
    smb, rdp = {"port": 445, "reach": "any"}, {"port": 3389, "reach": "address"}
    listed = {"HostFirewall.administration": "listed"}
    cases: dict[str, Case] = {
        "nothing waits": (Outcome.PASS, denying | waits()),
        "only its business waits": (Outcome.PASS, denying | waits({"port": 443, "reach": "any"})),
        "waits on loopback": (Outcome.PASS, denying | waits(smb | {"reach": "loopback"})),
        "waits, for listed addresses": (Outcome.PASS, denying | waits(smb, rdp) | listed),
        "waits, for anybody": (Outcome.FAIL, denying | waits(rdp) | {"HostFirewall.administration": "open"}),
        "waits, for whom is not seen": (Outcome.UNKNOWN, denying | waits({"port": 443, "reach": "any"}, smb)),
        "who waits is not seen": (Outcome.UNKNOWN, denying),
        "on, and allowing": (Outcome.FAIL, denying | waits() | listed | {"HostFirewall.inbound": "allow"}),
        "off for one network profile": (Outcome.FAIL, denying | waits() | listed | {"HostFirewall.enabled": False}),
        "filter not seen": (Outcome.UNKNOWN, host | waits()),
        "nothing seen": (Outcome.UNKNOWN, host),
        "foreign": (Outcome.NA, denying | {"Device.external": True}),
        "phone": (Outcome.NA, denying | {"Device.category": "mobile"}),
    }
    assert verdicts(administration_is_closed_to_peers, cases, ports=[445, 3389]) == expected(cases)
