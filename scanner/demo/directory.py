"""A domain of the lab bank as an administrator would set it up: units, groups, accounts, trusts, and what is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scanner.demo.description import Description
from scanner.demo.expansion import Lines

CATEGORIES = {"person": "People", "service": "Services", "shared": "Shared", "break_glass": "Emergency"}
"""Name of the unit that holds the accounts of each category."""
ADMINISTRATORS = "Domain Admins"
UNSHOWN = "zone-guests"
"""A group whose members are hidden, there where it is not known of somebody to which groups he belongs."""
EXTERNAL = " External"
"""Ends the name of a unit whose accounts belong to others."""
PATRONS = "OU=Groups"


@dataclass(frozen=True)
class DomainAccount:
    """One account; a moment is RFC 3339 text."""

    key: str
    """Of the asset, in the description."""
    name: str
    display_name: str
    unit: str
    """Distinguished name of the unit that holds it."""
    enabled: bool
    expires_at: str | None
    last_sign_in: str | None
    groups: tuple[str, ...]
    marked: bool
    """It bears the mark of those who hold a privilege, or once held one."""
    hidden: tuple[str, ...]
    """Attributes that nobody but administrators may read."""

    @property
    def dn(self) -> str:
        """Its distinguished name."""
        return f"CN={self.name},{self.unit}"


@dataclass(frozen=True)
class DomainTrust:
    """One trust; ``direction`` and ``flags`` as the directory keeps them, None where they are hidden."""

    partner: str
    direction: int | None
    flags: int | None


@dataclass(frozen=True)
class Domain:
    """One domain."""

    target: str
    key: str
    """Of the asset, in the description."""
    dns: str
    observed_at: str
    accounts: tuple[DomainAccount, ...]
    trusts: tuple[DomainTrust, ...]

    @property
    def base(self) -> str:
        """Its distinguished name."""
        return ",".join(f"DC={part}" for part in self.dns.split("."))

    @property
    def units(self) -> list[str]:
        """Units by distinguished name, each after the one that holds it."""
        found = {f"{PATRONS},{self.base}": None}
        for account in self.accounts:
            unit = account.unit
            while unit != self.base:
                found[unit] = None
                unit = unit.partition(",")[2]
        return sorted(found, key=lambda unit: (unit.count(","), unit))

    @property
    def groups(self) -> list[str]:
        """Groups that are not there from the start."""
        named = {group for account in self.accounts for group in account.groups} - {ADMINISTRATORS}
        if any("memberOf" in account.hidden for account in self.accounts):
            named.add(UNSHOWN)
        return sorted(named)

    @property
    def options(self) -> Mapping[str, list[str]]:
        """What the estate says of its units."""
        units = [unit for unit in self.units if unit.partition(",")[2] != self.base]
        own = {unit: unit.partition(",")[0].removeprefix("OU=") for unit in units}
        options = {
            f"{category}_units": [unit for unit in units if own[unit].removesuffix(EXTERNAL) == name]
            for category, name in CATEGORIES.items()
        }
        options["external_units"] = [unit for unit in units if own[unit].endswith(EXTERNAL)]
        return {name: sorted(found) for name, found in options.items() if found or name == "external_units"}


def domain_of(description: Description, target: str, lines: Lines) -> Domain:
    """The domain that a target of the bank stands for."""
    rows = lines.rows
    ((key, directory),) = [(asset, row) for (fact, asset), row in rows.items() if fact == "Directory"]
    dns = str(directory["name"])
    base = ",".join(f"DC={part}" for part in dns.split("."))
    accounts = [_account(rows, asset, base) for fact, asset in sorted(rows) if fact == "User"]
    trusts = rows.get(("Trusts", key))
    # A trust that shows nothing of itself may lead to other domains of the forest, so that no privilege is ruled out.
    hidden = [DomainTrust("hidden." + dns.partition(".")[2], None, None)]
    shown = hidden if trusts is None else [_trust(trust) for trust in trusts["trusts"]]
    return Domain(target, key, dns, description.observed_at, tuple(accounts), tuple(shown))


def _account(rows: Mapping[tuple[str, str], Mapping[str, Any]], asset: str, base: str) -> DomainAccount:
    def row(fact: str) -> Mapping[str, Any]:
        return rows.get((fact, asset), {})

    user, placed, activity, expiry = row("User"), row("Placement"), row("Activity"), row("AccountExpiry")
    name = asset.split(":", 2)[2]
    unit = CATEGORIES[user["category"]] + (EXTERNAL if user["external"] else "")
    groups = list(placed.get("groups", ()))
    privilege = row("Privilege")
    if privilege.get("privileged"):
        groups.append(ADMINISTRATORS)
    known = {
        "lastLogonTimestamp": "idle_since" in activity,
        "accountExpires": "expires" in expiry,
        "memberOf": "groups" in placed,
        "adminCount": "residual" in privilege,
        "userAccountControl": "enabled" in user,
    }
    return DomainAccount(
        key=asset,
        name=name,
        display_name=str(user["display_name"]),
        unit=f"OU={unit},{placed.get('organizational_unit', f'OU=Unsorted,{base}')}",
        enabled=bool(user.get("enabled")),
        expires_at=expiry.get("expires_at"),
        last_sign_in=activity.get("idle_since"),
        groups=tuple(groups),
        marked=bool(privilege.get("privileged") or privilege.get("residual")),
        hidden=tuple(sorted(attribute for attribute, shown in known.items() if not shown)),
    )


def _trust(trust: Mapping[str, Any]) -> DomainTrust:
    """Direction and flags of MS-ADTS 6.1.6.7.9 and .12: users of the partner come in where the trust leads outward."""
    flags = (0x4 if trust["sid_filtering"] else 0) | (0x10 if trust["selective_authentication"] else 0)
    return DomainTrust(str(trust["partner"]), 2 if trust["inbound_users"] else 1, flags)


def filetime(moment: str) -> int:
    """100 ns steps since 1601 of RFC 3339 text."""
    return int((datetime.fromisoformat(moment) - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000
