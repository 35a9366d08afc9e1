"""Facts about endpoints and servers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

import msgspec

from scanner.facts.field import internal, personal, public
from scanner.model import Fact, Instant


class Device(Fact, frozen=True, kw_only=True):
    """One endpoint or server, whoever manages it."""

    kind: ClassVar[str] = "device"
    population: ClassVar[bool] = True

    category: Annotated[
        Literal["laptop", "desktop", "server", "mobile", "other"] | None, internal("What form it has.")
    ] = None
    external: Annotated[bool | None, internal("It belongs to another institution or to a person.")] = None
    host_name: Annotated[str | None, internal("Name it gives itself; not an identity.")] = None
    holder: Annotated[str | None, personal("Person it was issued to.")] = None


class HardwareIdentity(Fact, frozen=True, kw_only=True):
    """What anchors the identity of the device."""

    kind: ClassVar[str] = "device"

    anchor: Annotated[
        Literal["none", "software_key", "tpm", "secure_enclave"] | None, internal("Where the identifying key lives.")
    ] = None
    tpm: Annotated[Literal["absent", "disabled", "ready"] | None, internal("State of a TPM.")] = None
    tpm_version: Annotated[str | None, internal("Version of the TPM that it states: 1.2 or 2.0.")] = None
    serial: Annotated[str | None, personal("Serial number; an attribute, not an identity.")] = None
    firmware_uuid: Annotated[
        str | None, internal("UUID that the firmware states; an attribute, which copies of machines share.")
    ] = None
    endorsement_key: Annotated[
        str | None, internal("SHA-256 of the key that the maker of the TPM put into it; an attribute.")
    ] = None


class Enrolment(Fact, frozen=True, kw_only=True):
    """How the device is managed."""

    kind: ClassVar[str] = "device"

    managed: Annotated[bool | None, internal("A management system controls it.")] = None
    policy_assigned: Annotated[bool | None, internal("A compliance policy is assigned to it.")] = None
    compliant: Annotated[bool | None, internal("The management system calls it compliant.")] = None
    last_contact: Annotated[Instant | None, internal("When it last reported there.")] = None
    repair: Annotated[
        Literal["none", "reported", "automatic"] | None, internal("What happens when settings drift.")
    ] = None


class OperatingSystem(Fact, frozen=True, kw_only=True):
    """The operating system and until when its maker repairs it."""

    kind: ClassVar[str] = "device"

    family: Annotated[
        Literal["windows", "macos", "linux", "ios", "android", "other"] | None, public("Family of systems.")
    ] = None
    name: Annotated[str | None, internal("Product name.")] = None
    version: Annotated[str | None, internal("Version or build.")] = None
    supported_until: Annotated[Instant | None, public("End of security fixes as the maker states it.")] = None


class Patching(Fact, frozen=True, kw_only=True):
    """State of security updates."""

    kind: ClassVar[str] = "device"

    ever_patched: Annotated[bool | None, internal("False means that no update was ever installed.")] = None
    last_patched: Annotated[Instant | None, internal("When an update was last installed.")] = None
    pending_security: Annotated[int | None, internal("Security updates known and not installed.")] = None
    restart_pending: Annotated[bool | None, internal("An update waits for a restart.")] = None


class Volume(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fixed volume that holds data."""

    mount: Annotated[str | None, internal("Where it is mounted.")] = None
    encrypted: Annotated[bool | None, internal("Its blocks are encrypted.")] = None
    method: Annotated[str | None, internal("By what: luks2, bitlocker, filevault, none.")] = None


class DiskEncryption(Fact, frozen=True, kw_only=True):
    """Encryption of the fixed volumes."""

    kind: ClassVar[str] = "device"

    volumes: Annotated[list[Volume] | None, internal("Fixed volumes; empty means none.")] = None


class HostFirewall(Fact, frozen=True, kw_only=True):
    """The packet filter of the host itself."""

    kind: ClassVar[str] = "device"

    enabled: Annotated[bool | None, internal("A filter is active for every network profile.")] = None
    inbound: Annotated[Literal["deny", "allow"] | None, internal("What happens to unlisted inbound traffic.")] = None
    product: Annotated[str | None, internal("Which filter: nftables, windows, pf, none.")] = None
    administration: Annotated[
        Literal["closed", "listed", "open"] | None,
        internal("Whom it lets reach administration and file sharing: nobody, listed addresses, or anybody."),
    ] = None


class Protection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One protection product on a device."""

    product: Annotated[str | None, internal("Name in the list of known products.")] = None
    category: Annotated[Literal["antivirus", "edr"] | None, internal("What it does.")] = None
    running: Annotated[bool | None, internal("Its sensor runs.")] = None
    mode: Annotated[Literal["block", "audit", "passive"] | None, internal("What it does on a detection.")] = None
    tamper_protection: Annotated[bool | None, internal("A local administrator cannot stop it.")] = None
    signatures_at: Annotated[Instant | None, internal("Age of its signatures.")] = None


class EndpointProtection(Fact, frozen=True, kw_only=True):
    """Protection products seen on the device."""

    kind: ClassVar[str] = "device"

    products: Annotated[
        list[Protection] | None, internal("Products seen; empty means none of the known list, seen with full rights.")
    ] = None
    known_list: Annotated[str | None, public("Version of the list of known products that was looked for.")] = None


class SecureBoot(Fact, frozen=True, kw_only=True):
    """Whether firmware lets only signed code start."""

    kind: ClassVar[str] = "device"

    state: Annotated[Literal["enabled", "disabled", "unsupported"] | None, internal("Firmware's own word.")] = None


class LocalAdministrator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the local administrators, without its name."""

    category: Annotated[
        Literal["built_in", "person", "shared", "service", "group"] | None, internal("Whom it serves.")
    ] = None
    enabled: Annotated[bool | None, internal("It may sign in.")] = None


class LocalAdministrators(Fact, frozen=True, kw_only=True):
    """Who administers the device itself."""

    kind: ClassVar[str] = "device"

    members: Annotated[list[LocalAdministrator] | None, internal("Entries; empty means none.")] = None
    names: Annotated[list[str] | None, personal("Their names.")] = None


class Listener(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One socket that waits for connections."""

    transport: Annotated[Literal["tcp", "udp"] | None, internal("Transport protocol.")] = None
    port: Annotated[int | None, internal("Port number.")] = None
    reach: Annotated[Literal["loopback", "address", "any"] | None, internal("From where it can be reached.")] = None


class Listeners(Fact, frozen=True, kw_only=True):
    """Sockets that wait for connections."""

    kind: ClassVar[str] = "device"

    sockets: Annotated[list[Listener] | None, internal("Listening sockets; empty means none.")] = None


class MachineAccount(Fact, frozen=True, kw_only=True):
    """The account of a computer in a directory."""

    kind: ClassVar[str] = "device"

    enabled: Annotated[bool | None, internal("The computer may sign in.")] = None
    ever_signed_in: Annotated[bool | None, internal("False means never.")] = None
    idle_since: Annotated[Instant | None, internal("Last sign-in, or creation where it never signed in.")] = None
    delegation: Annotated[
        Literal["none", "constrained", "protocol_transition", "unconstrained"] | None,
        internal("In whose name it may act: nobody's, towards named services, without their proof, or anywhere."),
    ] = None
    local_password: Annotated[
        Literal["none", "legacy", "current"] | None, internal("Which LAPS keeps its local administrator's password.")
    ] = None
    local_password_due: Annotated[Instant | None, internal("When that password is to be renewed.")] = None


class EndpointAgent(Fact, frozen=True, kw_only=True):
    """The agent that reports the state of the device, as those who receive its reports know it."""

    kind: ClassVar[str] = "device"
    absent: ClassVar[Mapping[str, str]] = MappingProxyType({"state": "absent"})

    state: Annotated[
        Literal["pending", "enrolled", "evicted", "banned", "absent"] | None,
        internal("Whether it waits for approval, may report, was removed, was shut out for ever, or is not there."),
    ] = None
    clone_suspected: Annotated[
        bool | None, internal("Two hosts speak with its key; which of them tells the truth is not known.")
    ] = None
    identity_collision: Annotated[
        bool | None, internal("Another agent gives the same hardware as its own, and nobody has told them apart.")
    ] = None
    silent: Annotated[bool | None, internal("It was not heard for longer than two of its intervals.")] = None
    last_heard: Annotated[Instant | None, internal("When it was last heard, by the clock of the receiver.")] = None
    ever_reported: Annotated[bool | None, internal("False means that it enrolled and never told its state.")] = None
    enrolled_at: Annotated[Instant | None, internal("When it got its identity.")] = None
    clock_behind_seconds: Annotated[
        int | None, internal("By how much its clock was behind the receiver's; negative where it was ahead.")
    ] = None
    version: Annotated[str | None, internal("Version that it gives itself.")] = None


class OpenAdvisory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One published flaw of a package in the version that is installed."""

    id: Annotated[str | None, internal("Its name in the feed, such as CVE-2026-1234.")] = None
    package: Annotated[str | None, internal("Package that has it.")] = None
    installed: Annotated[str | None, internal("Version that is installed.")] = None
    severity: Annotated[
        Literal["critical", "high", "medium", "low"] | None, internal("How grave the feed calls it.")
    ] = None
    published: Annotated[Instant | None, internal("When it became known, as the earliest feed says.")] = None
    repairable: Annotated[bool | None, internal("A version that repairs it is published.")] = None


class Advisories(Fact, frozen=True, kw_only=True):
    """Published flaws of the software that is installed, by feeds that speak of the device's own system."""

    kind: ClassVar[str] = "device"

    unrepaired: Annotated[
        list[OpenAdvisory] | None, internal("Flaws of installed versions; empty means none that the feeds know.")
    ] = None
    feeds: Annotated[list[str] | None, internal("Feeds that were looked in.")] = None
    feed_at: Annotated[Instant | None, internal("Until when the oldest of them knows of flaws.")] = None


class DeviceAccess(Fact, frozen=True, kw_only=True):
    """How the device gets at resources and what that depends on."""

    kind: ClassVar[str] = "device"

    entry: Annotated[Literal["direct", "relay"] | None, internal("Directly, or only through a relay gateway.")] = None
    relay_compliant: Annotated[bool | None, internal("The relay itself meets the internal baseline.")] = None
    baseline_met: Annotated[bool | None, internal("Its own posture meets the internal baseline.")] = None
    health_gate: Annotated[
        Literal["none", "alternative", "at_join", "every_session"] | None,
        internal("When device health is a condition; alternative means that a weaker grant also suffices."),
    ] = None


class LeakPrevention(Fact, frozen=True, kw_only=True):
    """Leak prevention on the device."""

    kind: ClassVar[str] = "device"

    mode: Annotated[Literal["off", "test", "enforce"] | None, internal("What its policy does.")] = None
    channels: Annotated[
        list[str] | None, internal("Channels covered: mail, web, removable_storage, print, clipboard.")
    ] = None
