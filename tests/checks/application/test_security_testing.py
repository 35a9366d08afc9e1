"""Rows for 4-4: the build that runs was tested and mended, or another one, once."""

from __future__ import annotations

from checks.application.security_testing import deployed_build_was_tested, no_high_finding_is_open_or_waived
from scanner.model import Outcome
from tests.checks.world import Case, ago, expected, verdicts


def test_the_build_that_runs_was_tested() -> None:
    sound = {
        "SecurityTesting.ever_tested": True,
        "SecurityTesting.tested_at": ago(days=100),
        "SecurityTesting.tested_build": "sha256:a1",
        "SecurityTesting.deployed_build": "sha256:a1",
    }
    cases: dict[str, Case] = {
        "same build, this year": (Outcome.PASS, sound),
        "branch differs from production": (Outcome.FAIL, sound | {"SecurityTesting.deployed_build": "sha256:b2"}),
        "tested once, long ago": (Outcome.FAIL, sound | {"SecurityTesting.tested_at": ago(days=366)}),
        "never tested": (Outcome.FAIL, {"SecurityTesting.ever_tested": False}),
        "deployed build not seen": (Outcome.UNKNOWN, sound | {"SecurityTesting.deployed_build": None}),
        "neither build seen": (
            Outcome.UNKNOWN,
            sound | {"SecurityTesting.deployed_build": None, "SecurityTesting.tested_build": None},
        ),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(deployed_build_was_tested, cases, days=365) == expected(cases)


def test_high_findings_are_mended_not_waived() -> None:
    cases: dict[str, Case] = {
        "none": (Outcome.PASS, {"SecurityTesting.open_high": 0, "SecurityTesting.waived_high": 0}),
        "one open": (Outcome.FAIL, {"SecurityTesting.open_high": 1, "SecurityTesting.waived_high": 0}),
        "high ones waived": (Outcome.FAIL, {"SecurityTesting.open_high": 0, "SecurityTesting.waived_high": 2}),
        "waivers not seen": (Outcome.UNKNOWN, {"SecurityTesting.open_high": 0}),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(no_high_finding_is_open_or_waived, cases) == expected(cases)
