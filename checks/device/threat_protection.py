"""2-5 Threat protection: what attacks a device is stopped there and then."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Device, EndpointProtection


@check(over=Device)
def detection_blocks_and_cannot_be_stopped(device: Subject) -> Claim:
    """A sensor for detection and response runs, blocks what it detects, and no local administrator can stop it."""
    return Claim(
        applies=~device.external & (device.category != "mobile"),
        holds=device[EndpointProtection].products.any(
            lambda product: (
                (product.category == "edr") & product.running & (product.mode == "block") & product.tamper_protection
            )
        ),
    )
