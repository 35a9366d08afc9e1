"""Rows for 3-5: networks that react to what they measure, and pairs that wait for a death."""

from __future__ import annotations

from checks.network.resilience import failover_follows_measured_state
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

ROUTER = {"NetworkDevice.category": "router"}


def test_path_moves_on_measured_state() -> None:
    cases: dict[str, Case] = {
        "tracked": (Outcome.PASS, ROUTER | {"Redundancy.failover": "tracked"}),
        "static pair": (Outcome.FAIL, ROUTER | {"Redundancy.failover": "static_pair"}),
        "moved by hand": (Outcome.FAIL, ROUTER | {"Redundancy.failover": "none"}),
        "not seen": (Outcome.UNKNOWN, ROUTER),
        "switch": (Outcome.NA, {"NetworkDevice.category": "switch", "Redundancy.failover": "none"}),
    }
    assert verdicts(failover_follows_measured_state, cases) == expected(cases)
