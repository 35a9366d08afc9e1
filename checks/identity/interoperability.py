"""1-4 Interoperability: where several ways to prove an identity meet, one standard of assurance holds."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Application, ApplicationSignIn


@check(over=Application)
def application_demands_assurance(application: Subject) -> Claim:
    """The application takes federated sign-in alone and checks the assurance that the token claims."""
    sign_in = application[ApplicationSignIn]
    return Claim(
        applies=True,
        holds=(sign_in.method == "federated") & sign_in.checks_assurance,
        shows={"method": sign_in.method, "checks_assurance": sign_in.checks_assurance},
    )
