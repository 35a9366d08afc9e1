"""Facts about whom a device obeys and what it lets its users do, in its own words."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from scanner.facts.field import internal, public
from scanner.model import Fact


class Manager(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One program on a device through which it is managed."""

    product: Annotated[str | None, internal("Name in the list of known products.")] = None
    running: Annotated[bool | None, internal("It runs.")] = None


class Membership(Fact, frozen=True, kw_only=True):
    """Which directory and which management the device says it belongs to; `Enrolment` is what those say of it."""

    kind: ClassVar[str] = "device"

    directory: Annotated[
        Literal["none", "active_directory", "entra", "hybrid", "ipa", "ldap"] | None,
        internal("Directory that it has joined; hybrid is Active Directory and Entra at once."),
    ] = None
    domain: Annotated[str | None, internal("Name of that domain or tenant, in small letters.")] = None
    enrolled: Annotated[
        bool | None, internal("The system's own management protocol has a server; Linux has no such protocol.")
    ] = None
    server: Annotated[str | None, internal("Name of that server.")] = None
    managers: Annotated[
        list[Manager] | None, internal("Management programs seen; empty means none of the known list.")
    ] = None
    known_list: Annotated[str | None, public("Version of the list of known products that was looked for.")] = None


class LocalPasswordPolicy(Fact, frozen=True, kw_only=True):
    """The most lenient rules for passwords that apply to any account of the device itself."""

    kind: ClassVar[str] = "device"

    min_length: Annotated[int | None, internal("Fewest characters; 0 means that none are demanded.")] = None
    complexity: Annotated[bool | None, internal("Several kinds of characters are demanded.")] = None
    remembered: Annotated[int | None, internal("Former passwords that may not come back.")] = None
    lockout_attempts: Annotated[int | None, internal("Wrong attempts until an account is locked; 0 means never.")] = (
        None
    )
    lockout_minutes: Annotated[
        int | None, internal("How long it stays locked; 0 means until an administrator unlocks it.")
    ] = None
    max_age_days: Annotated[int | None, internal("Days until a password must be changed; 0 means never.")] = None


class UserSessionLock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the session of one user is locked, without the user's name."""

    required: Annotated[bool | None, internal("It is locked when idle.")] = None
    idle_seconds: Annotated[int | None, internal("Seconds until then; 0 means never.")] = None


class SessionLock(Fact, frozen=True, kw_only=True):
    """Whether sessions that their owners have left are locked."""

    kind: ClassVar[str] = "device"

    desktop: Annotated[
        Literal["none", "gnome", "kde", "several", "other", "windows", "macos"] | None,
        internal("Whose rules were looked at; none means that no desktop is installed."),
    ] = None
    enforced: Annotated[bool | None, internal("A rule of the machine locks them, and no user can loosen it.")] = None
    idle_seconds: Annotated[
        int | None, internal("Seconds without input until the machine's rule has locked a session; 0 means never.")
    ] = None
    required_on_wake: Annotated[bool | None, internal("The machine's rule demands proof after sleep.")] = None
    users: Annotated[list[UserSessionLock] | None, internal("What holds for the users whose settings can be read.")] = (
        None
    )


class RemovableStorage(Fact, frozen=True, kw_only=True):
    """What the system itself does with a USB stick that nobody has listed; protection products may do more."""

    kind: ClassVar[str] = "device"

    mode: Annotated[Literal["blocked", "read_only", "allowed"] | None, internal("What can be done with it.")] = None
    means: Annotated[list[str] | None, internal("What brings that about; empty where nothing does.")] = None


class Tunnel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tunnel that is up."""

    kind: Annotated[str | None, internal("By what: wireguard, openvpn, ipsec, ppp, tun and others.")] = None


class Tunnels(Fact, frozen=True, kw_only=True):
    """Tunnels of the device to other networks."""

    kind: ClassVar[str] = "device"

    tunnels: Annotated[list[Tunnel] | None, internal("Those that are up; empty means none that the host shows.")] = None
    always_on: Annotated[bool | None, internal("One is set to come up with the system.")] = None
