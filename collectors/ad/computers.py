"""Computers joined to the domain: devices, what they say they run, their accounts, and where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from collectors.ad import decode, logon, users
from collectors.ad.attributes import CURRENT_LAPS, LEGACY_LAPS
from collectors.ad.groups import GroupTable
from collectors.ad.lifecycle import Lifecycle
from collectors.ad.view import Domain, Seen, View
from scanner.facts import Device, MachineAccount, OperatingSystem
from scanner.model import Fact, GapWhy

DOMAIN_CONTROLLER = 0x2000
_FAMILIES = (
    ("windows", r"^windows\b"),
    ("macos", r"^(mac ?os|os x)\b"),
    ("linux", r"\b(linux|ubuntu|debian|red hat|rhel|suse|sles|centos|rocky|alma)\b"),
)
_OF_CONTROL = ("MachineAccount.enabled", "MachineAccount.delegation")
_UNTIL = "OperatingSystem.supported_until"
_OF_VERSION = ("OperatingSystem.version", _UNTIL)
_OF_LAPS = ("MachineAccount.local_password", "MachineAccount.local_password_due")
Family = Literal["windows", "macos", "linux"]


def facts(view: View, domain: Domain, table: GroupTable, lifecycle: Lifecycle) -> Iterator[Fact]:
    """The facts of one computer; that it lies under an external unit makes it another institution's."""
    at = domain.observed_at
    control = view.one("userAccountControl", decode.flags, "Device.category", *_OF_CONTROL)
    system = view.one(
        "operatingSystem",
        decode.text,
        "OperatingSystem.name",
        "OperatingSystem.family",
        "Device.category",
        _UNTIL,
    )
    name = _host_name(view)
    server = bool(control.value is not None and control.value & DOMAIN_CONTROLLER)
    server = server or bool(system.value and re.search(r"^windows.*\bserver\b", system.value, re.IGNORECASE))
    external = None
    if domain.external_units is not None:
        external = any(decode.under(view.entry.dn, unit) for unit in domain.external_units)
    yield Device(
        asset=view.asset,
        observed_at=at,
        category="server" if server else None,
        external=external,
        host_name=name,
    )
    version = view.one("operatingSystemVersion", decode.text, *_OF_VERSION)
    yield OperatingSystem(
        asset=view.asset,
        observed_at=at,
        family=_family(system.value),
        name=system.value or ("none" if system.shown else None),
        version=version.value,
        supported_until=_supported_until(view, system, version, lifecycle),
    )
    yield _account(view, domain, control)
    membership = users.membership_of(view, domain, table, "Placement.groups")
    yield users.placed(view, domain, membership, host_name=name)


def _account(view: View, domain: Domain, control: Seen[int]) -> MachineAccount:
    """The account; of LAPS only when a password ends is asked for, never the password."""
    activity = users.activity(view, domain, "MachineAccount")
    kept: Literal["none", "legacy", "current"] | None = None
    current = view.one(CURRENT_LAPS, decode.filetime, *_OF_LAPS)
    due = current.value
    if due is not None:
        kept = "current"
    elif current.shown:
        legacy = view.one(LEGACY_LAPS, decode.filetime, *_OF_LAPS)
        due = legacy.value
        kept = "legacy" if due is not None else "none" if legacy.shown else None
    return MachineAccount(
        asset=view.asset,
        observed_at=domain.observed_at,
        enabled=None if control.value is None else not control.value & users.DISABLED,
        ever_signed_in=activity.ever_signed_in,
        idle_since=activity.idle_since,
        delegation=logon.delegation(view, control.value, "MachineAccount.delegation"),
        local_password=kept,
        local_password_due=due,
    )


def _supported_until(view: View, system: Seen[str], version: Seen[str], lifecycle: Lifecycle) -> datetime | None:
    if system.value is None or not version.shown:
        if system.shown and version.shown:
            view.lose(GapWhy.UNSUPPORTED, "the computer does not say what it runs", (_UNTIL,))
        return None
    until = lifecycle.until(system.value, version.value)
    if isinstance(until, str):
        view.lose(GapWhy.UNSUPPORTED, until, (_UNTIL,))
        return None
    return until


def _family(name: str | None) -> Family | None:
    found = (family for family, pattern in _FAMILIES if name and re.search(pattern, name, re.IGNORECASE))
    return next(found, None)  # type: ignore[arg-type]


def _host_name(view: View) -> str | None:
    served = ("Device.host_name", "Placement.host_name")
    dns = view.one("dNSHostName", decode.text, *served)
    if dns.value or not dns.shown:
        return dns.value
    short = view.one("sAMAccountName", decode.text, *served).value
    if short is None:
        view.lose(GapWhy.DENIED, "neither dNSHostName nor sAMAccountName is shown", served)
        return None
    return short.rstrip("$")
