"""2-2 Compliance: internal devices are repaired, supported, protected and held to a policy."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import (
    Advisories,
    Device,
    DiskEncryption,
    EndpointAgent,
    EndpointProtection,
    Enrolment,
    HostFirewall,
    LeakPrevention,
    OperatingSystem,
    Patching,
    RemovableStorage,
    SecureBoot,
    SessionLock,
)


@check(over=Device)
def security_updates_are_installed(device: Subject, *, days: int) -> Claim:
    """No known security update is missing and the last one was installed within the last days."""
    patching = device[Patching]
    recent = device.clock.within(patching.last_patched, days=days)
    return Claim(
        applies=~device.external,
        holds=patching.ever_patched & (patching.pending_security == 0) & recent,
        shows={
            "ever_patched": patching.ever_patched,
            "pending_security": patching.pending_security,
            "last_patched": patching.last_patched,
        },
    )


@check(over=Device)
def published_flaws_are_repaired_in_time(device: Subject, *, severities: list[str], days: int) -> Claim:
    """No grave flaw of what is installed was published before the last days and has a repair."""
    known = device[Advisories]
    return Claim(
        applies=~device.external & (device.category != "mobile"),
        holds=known.unrepaired.all(
            lambda flaw: (
                ~flaw.repairable | ~flaw.severity.is_in(severities) | flaw.clock.within(flaw.published, days=days)
            ),
            empty=True,
        ),
        shows={"feed_at": known.feed_at},
    )


@check(over=Device)
def state_is_reported_without_silence(device: Subject) -> Claim:
    """The agent of the device is enrolled, tells its state, and was heard within two of its intervals."""
    agent = device[EndpointAgent]
    return Claim(
        applies=~device.external,
        holds=(agent.state == "enrolled") & agent.ever_reported & ~agent.silent,
        shows={"state": agent.state, "ever_reported": agent.ever_reported, "silent": agent.silent},
    )


@check(over=Device)
def operating_system_is_supported(device: Subject) -> Claim:
    """The maker of the operating system still repairs its security flaws."""
    system = device[OperatingSystem]
    return Claim(
        applies=~device.external,
        holds=~device.clock.past(system.supported_until),
        shows={"name": system.name, "version": system.version, "supported_until": system.supported_until},
    )


@check(over=Device)
def compliance_policy_is_assigned_and_met(device: Subject) -> Claim:
    """A compliance policy is assigned to the device and the device meets it."""
    enrolment = device[Enrolment]
    return Claim(
        applies=~device.external,
        holds=enrolment.policy_assigned & enrolment.compliant,
        shows={"policy_assigned": enrolment.policy_assigned, "compliant": enrolment.compliant},
    )


@check(over=Device)
def fixed_volumes_are_encrypted(device: Subject) -> Claim:
    """Every fixed volume of the laptop or desktop is encrypted."""
    return Claim(
        applies=~device.external & device.category.is_in(["laptop", "desktop"]),
        holds=device[DiskEncryption].volumes.all(lambda volume: volume.encrypted),
    )


@check(over=Device)
def host_firewall_denies_inbound(device: Subject) -> Claim:
    """The host's own packet filter is active and denies what nobody listed."""
    firewall = device[HostFirewall]
    return Claim(
        applies=~device.external & (device.category != "mobile"),
        holds=firewall.enabled & (firewall.inbound == "deny"),
        shows={"product": firewall.product, "enabled": firewall.enabled, "inbound": firewall.inbound},
    )


@check(over=Device)
def secure_boot_is_enabled(device: Subject) -> Claim:
    """The firmware of the laptop or desktop lets only signed code start."""
    boot = device[SecureBoot]
    return Claim(
        applies=~device.external & device.category.is_in(["laptop", "desktop"]),
        holds=boot.state == "enabled",
        shows={"state": boot.state},
    )


@check(over=Device)
def protection_signatures_are_fresh(device: Subject, *, days: int) -> Claim:
    """A protection product runs on the device with signatures from within the last days."""
    return Claim(
        applies=~device.external & (device.category != "mobile"),
        holds=device[EndpointProtection].products.any(
            lambda product: product.running & product.clock.within(product.signatures_at, days=days)
        ),
    )


@check(over=Device)
def idle_sessions_are_locked(device: Subject, *, minutes: int) -> Claim:
    """A rule that no user can loosen locks the desktop of the laptop or desktop within so many idle minutes."""
    lock = device[SessionLock]
    return Claim(
        applies=~device.external & device.category.is_in(["laptop", "desktop"]) & (lock.desktop != "none"),
        holds=lock.enforced & (lock.idle_seconds > 0) & (lock.idle_seconds <= minutes * 60),
        shows={"enforced": lock.enforced, "idle_seconds": lock.idle_seconds},
    )


@check(over=Device)
def unlisted_storage_is_refused(device: Subject) -> Claim:
    """The laptop or desktop, or leak prevention on it, lets nobody write to a stick that nobody listed."""
    storage, prevention = device[RemovableStorage], device[LeakPrevention]
    prevented = (prevention.mode == "enforce") & prevention.channels.has("removable_storage")
    return Claim(
        applies=~device.external & device.category.is_in(["laptop", "desktop"]),
        holds=storage.mode.is_in(["blocked", "read_only"]) | prevented,
        shows={"mode": storage.mode, "channels": prevention.channels},
    )
