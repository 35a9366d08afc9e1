"""Rows for 5-3: labels that follow content, or cover everything alike."""

from __future__ import annotations

from checks.data.classification import content_is_inventoried_and_owned, label_follows_content
from scanner.model import Outcome
from tests.checks.world import Case, ago, expected, verdicts


def test_label_was_chosen_for_the_content() -> None:
    cases: dict[str, Case] = {
        "by rule": (Outcome.PASS, {"Classification.label": "secret", "Classification.labelled_by": "rule"}),
        "by person": (Outcome.PASS, {"Classification.label": "secret", "Classification.labelled_by": "person"}),
        "default label on everything": (
            Outcome.FAIL,
            {"Classification.label": "internal", "Classification.labelled_by": "default"},
        ),
        "database without a label": (
            Outcome.FAIL,
            {"Classification.label": "none", "Classification.labelled_by": "nothing"},
        ),
        "origin not seen": (Outcome.UNKNOWN, {"Classification.label": "secret"}),
        "label not seen": (Outcome.UNKNOWN, {"Classification.labelled_by": "rule"}),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(label_follows_content, cases) == expected(cases)


def test_inventory_is_owned_and_fresh() -> None:
    sound = {"Classification.has_owner": True, "Classification.inventoried_at": ago(days=200)}
    cases: dict[str, Case] = {
        "owned, this year": (Outcome.PASS, sound),
        "stale list": (Outcome.FAIL, sound | {"Classification.inventoried_at": ago(days=366)}),
        "no owner": (Outcome.FAIL, sound | {"Classification.has_owner": False}),
        "time not seen": (Outcome.UNKNOWN, {"Classification.has_owner": True}),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(content_is_inventoried_and_owned, cases, days=365) == expected(cases)
