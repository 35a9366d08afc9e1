"""Rows for 4-5: changes by pipeline alone, or by pipeline and by hand."""

from __future__ import annotations

from checks.application.delivery import changes_are_reviewed, changes_go_through_pipeline
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

OWN = {"Application.maker": "in_house"}
SERVICE = {"Application.maker": "saas"}


def test_no_change_goes_around_the_pipeline() -> None:
    sound = OWN | {
        "Delivery.pipeline": True,
        "Delivery.manual_changes": 0,
        "Delivery.developers_hold_production": False,
    }
    cases: dict[str, Case] = {
        "pipeline alone": (Outcome.PASS, sound),
        "vendor's application, same way": (Outcome.PASS, sound | {"Application.maker": "vendor"}),
        "no pipeline": (Outcome.FAIL, sound | {"Delivery.pipeline": False}),
        "pipeline exists, hotfix by hand": (Outcome.FAIL, sound | {"Delivery.manual_changes": 1}),
        "developers write to production": (Outcome.FAIL, sound | {"Delivery.developers_hold_production": True}),
        "changes by hand not counted": (Outcome.UNKNOWN, sound | {"Delivery.manual_changes": None}),
        "maker not seen": (Outcome.UNKNOWN, sound | {"Application.maker": None}),
        "software as a service": (Outcome.NA, SERVICE | {"Delivery.pipeline": False}),
    }
    assert verdicts(changes_go_through_pipeline, cases) == expected(cases)


def test_nobody_merges_alone() -> None:
    cases: dict[str, Case] = {
        "required": (Outcome.PASS, OWN | {"Delivery.review": "required"}),
        "optional": (Outcome.FAIL, OWN | {"Delivery.review": "optional"}),
        "none": (Outcome.FAIL, OWN | {"Delivery.review": "none"}),
        "not seen": (Outcome.UNKNOWN, OWN),
        "software as a service": (Outcome.NA, SERVICE | {"Delivery.review": "none"}),
    }
    assert verdicts(changes_are_reviewed, cases) == expected(cases)
