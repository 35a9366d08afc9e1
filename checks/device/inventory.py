"""2-1 Inventory: every device has an identity of its own, is managed, and nothing unknown gets onto a port."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import AccessPorts, Device, EndpointAgent, Enrolment, HardwareIdentity, NetworkDevice


@check(over=Device)
def device_has_hardware_identity(device: Subject, *, anchors: list[str]) -> Claim:
    """The key that identifies the device lives in hardware."""
    identity = device[HardwareIdentity]
    return Claim(
        applies=~device.external,
        holds=identity.anchor.is_in(anchors),
        shows={"anchor": identity.anchor},
    )


@check(over=Device)
def device_identity_is_its_own(device: Subject) -> Claim:
    """No second device speaks under the identity of this one or gives the same hardware as its own."""
    agent = device[EndpointAgent]
    return Claim(
        applies=~device.external,  # whatever its form, which of a copied host is not known
        holds=~agent.clone_suspected & ~agent.identity_collision,
        shows={"clone_suspected": agent.clone_suspected, "identity_collision": agent.identity_collision},
    )


@check(over=Device)
def device_is_managed(device: Subject, *, days: int) -> Claim:
    """A management system controls the device and heard from it within the last days."""
    enrolment = device[Enrolment]
    return Claim(
        applies=~device.external,
        holds=enrolment.managed & device.clock.within(enrolment.last_contact, days=days),
        shows={"managed": enrolment.managed, "last_contact": enrolment.last_contact},
    )


@check(over=NetworkDevice)
def access_ports_demand_dot1x(device: Subject) -> Claim:
    """No access port talks to a device that has not authenticated by 802.1X."""
    return Claim(
        applies=device.category.is_in(["switch", "access_point"]),
        holds=device[AccessPorts].ports.all(lambda port: port.control == "dot1x", empty=True),
    )
