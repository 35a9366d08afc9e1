"""4-3 Threat protection: bad requests are stopped, and abnormal operation loses its authority."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Application, ThreatResponse, WebProtection


@check(over=Application)
def requests_are_filtered_at_every_entry(application: Subject) -> Claim:
    """A filter that blocks stands before every entry of the application."""
    protection = application[WebProtection]
    every = (protection.entries >= 1) & (protection.protected_entries >= protection.entries)
    return Claim(
        applies=True,
        holds=(protection.mode == "block") & every,
        shows={
            "mode": protection.mode,
            "entries": protection.entries,
            "protected_entries": protection.protected_entries,
        },
    )


@check(over=Application)
def abnormal_operation_revokes(application: Subject) -> Claim:
    """Abnormal operation ends the session's authority instead of only raising an alert."""
    response = application[ThreatResponse]
    return Claim(
        applies=True,
        holds=response.on_abnormal == "revoke",
        shows={"on_abnormal": response.on_abnormal},
    )
