"""4-7 Application lifecycle: what comes in is gated and what is retired is gone."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Application, Retirement


@check(over=Application)
def retired_application_is_gone(application: Subject) -> Claim:
    """The application is in service, or its name no longer resolves and nothing of it still works."""
    retirement = application[Retirement]
    gone = ~retirement.still_resolves & (retirement.live_accounts == 0)
    return Claim(
        applies=True,
        holds=(retirement.state == "in_service") | gone,
        shows={
            "state": retirement.state,
            "still_resolves": retirement.still_resolves,
            "live_accounts": retirement.live_accounts,
        },
    )


@check(over=Application)
def dependency_gate_cannot_be_skipped(application: Subject) -> Claim:
    """No build passes with components that the gate refuses."""
    retirement = application[Retirement]
    return Claim(
        applies=True,
        holds=retirement.dependency_gate == "enforced",
        shows={"dependency_gate": retirement.dependency_gate},
    )
