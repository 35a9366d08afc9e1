"""Rows for 3-7: settings that follow their source, or are merely copied somewhere."""

from __future__ import annotations

from checks.network.governance import running_configuration_follows_repository
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts


def test_what_runs_is_what_the_repository_says() -> None:
    sound = {
        "Configuration.source": "repository",
        "Configuration.drift": "none",
        "Configuration.last_changed_by": "pipeline",
    }
    cases: dict[str, Case] = {
        "follows": (Outcome.PASS, sound),
        "backup tool called automation": (Outcome.FAIL, sound | {"Configuration.source": "backup"}),
        "drift": (Outcome.FAIL, sound | {"Configuration.drift": "present"}),
        "edited by a person": (Outcome.FAIL, sound | {"Configuration.last_changed_by": "person"}),
        "last change not seen": (Outcome.UNKNOWN, sound | {"Configuration.last_changed_by": None}),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(running_configuration_follows_repository, cases) == expected(cases)
