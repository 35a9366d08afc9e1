"""Rows for 1-4: one standard of assurance at each application, or only a common sign-in page."""

from __future__ import annotations

from checks.identity.interoperability import application_demands_assurance
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts


def test_application_checks_what_the_token_claims() -> None:
    sound = {"ApplicationSignIn.method": "federated", "ApplicationSignIn.checks_assurance": True}
    cases: dict[str, Case] = {
        "federated and checked": (Outcome.PASS, sound),
        "token accepted without checking its assurance": (
            Outcome.FAIL,
            sound | {"ApplicationSignIn.checks_assurance": False},
        ),
        "local password remains": (Outcome.FAIL, sound | {"ApplicationSignIn.method": "both"}),
        "local password only": (Outcome.FAIL, {"ApplicationSignIn.method": "local"}),
        "check not seen": (Outcome.UNKNOWN, {"ApplicationSignIn.method": "federated"}),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(application_demands_assurance, cases) == expected(cases)
