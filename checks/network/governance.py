"""3-7 Governance: network settings follow their written source by themselves."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Configuration, NetworkDevice


@check(over=NetworkDevice)
def running_configuration_follows_repository(device: Subject) -> Claim:
    """What runs equals what the repository says, and a pipeline made the last change."""
    configuration = device[Configuration]
    equal = (configuration.source == "repository") & (configuration.drift == "none")
    return Claim(
        applies=True,
        holds=equal & (configuration.last_changed_by == "pipeline"),
        shows={
            "source": configuration.source,
            "drift": configuration.drift,
            "last_changed_by": configuration.last_changed_by,
        },
    )
