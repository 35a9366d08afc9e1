"""4-5 Delivery: changes reach production by a pipeline and fewer human hands."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Application, Delivery


@check(over=Application)
def changes_go_through_pipeline(application: Subject) -> Claim:
    """A pipeline deploys, nobody changed production by hand, and developers cannot write to it."""
    delivery = application[Delivery]
    return Claim(
        applies=application.maker != "saas",
        holds=delivery.pipeline & (delivery.manual_changes == 0) & ~delivery.developers_hold_production,
        shows={
            "pipeline": delivery.pipeline,
            "manual_changes": delivery.manual_changes,
            "developers_hold_production": delivery.developers_hold_production,
        },
    )


@check(over=Application)
def changes_are_reviewed(application: Subject) -> Claim:
    """A change cannot be merged before somebody else reviewed it."""
    delivery = application[Delivery]
    return Claim(
        applies=application.maker != "saas",
        holds=delivery.review == "required",
        shows={"review": delivery.review},
    )
