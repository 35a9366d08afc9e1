"""The one mapping from posture sections to facts and gaps, for this host and for a fleet of agents alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from agent.section import SEEN, Section
from scanner.facts import (
    Device,
    DiskEncryption,
    EndpointProtection,
    HardwareIdentity,
    HostFirewall,
    Listeners,
    LocalAdministrators,
    LocalPasswordPolicy,
    LogForwarding,
    Membership,
    OperatingSystem,
    Patching,
    Placement,
    RemovableStorage,
    SecureBoot,
    SessionLock,
    TimeSync,
    Tunnels,
)
from scanner.model import Fact, Gap, GapWhy, utc

Values = Mapping[str, Any]


@dataclass(frozen=True)
class _Mapped:
    """How one fact comes from one section: which value fills which field, and fields that no section can tell."""

    fact: type[Fact]
    section: str
    fields: Mapping[str, str]
    untold: Mapping[str, str]


def _mapped(fact: type[Fact], section: str, *same: str, untold: Values | None = None, **renamed: str) -> _Mapped:
    return _Mapped(fact, section, {name: name for name in same} | renamed, dict(untold or {}))


MAPPING: tuple[_Mapped, ...] = (
    _mapped(Device, "host_identity", "category", "host_name"),
    _mapped(
        HardwareIdentity,
        "boot",
        "tpm",
        "tpm_version",
        untold={"anchor": "no key of this source identifies the device"},
    ),
    _mapped(OperatingSystem, "operating_system", "family", "name", "version", "supported_until"),
    _mapped(Patching, "patching", "ever_patched", "last_patched", "pending_security", "restart_pending"),
    _mapped(DiskEncryption, "disk_encryption", "volumes"),
    _mapped(HostFirewall, "host_firewall", "enabled", "inbound", "product", "administration"),
    _mapped(EndpointProtection, "endpoint_protection", "products", "known_list"),
    _mapped(SecureBoot, "boot", state="secure_boot"),
    _mapped(LocalAdministrators, "administrators", "members", "names"),
    _mapped(Listeners, "listeners", "sockets"),
    _mapped(Membership, "management", "directory", "domain", "enrolled", "server", "managers", "known_list"),
    _mapped(
        LocalPasswordPolicy,
        "password_policy",
        "min_length",
        "complexity",
        "remembered",
        "lockout_attempts",
        "lockout_minutes",
        "max_age_days",
    ),
    _mapped(SessionLock, "session_lock", "desktop", "enforced", "idle_seconds", "required_on_wake", "users"),
    _mapped(RemovableStorage, "removable_storage", "mode", "means"),
    _mapped(Tunnels, "vpn", "tunnels", "always_on"),
    _mapped(TimeSync, "time_sync", "synchronised", "source"),
    _mapped(LogForwarding, "log_forwarding", "destinations", "encrypted"),
    _mapped(Placement, "host_identity", "addresses", "host_name"),
)
"""Every fact that the sections of one host can yield, in the order of the vocabulary."""

PROMISED = frozenset(mapped.fact.__name__ for mapped in MAPPING)
SCHEMA_VERSIONS: Mapping[str, tuple[int, ...]] = {"software": (1, 2)}
"""Versions of a section that are understood; of every other the first."""
_ATTRIBUTES = {"serial": "serial", "firmware_uuid": "smbios_uuid", "endorsement_key": "tpm_ek_sha256"}
"""Fields of HardwareIdentity that stand in the section host_identity."""
_MACHINE = re.compile(r"[0-9a-f-]{8,64}")


def asset_key(sections: Mapping[str, Section], source: str) -> tuple[str | None, GapWhy, str]:
    """``device:<source>:<machine identifier>``; or None, with why there is no key and the detail."""
    section = sections.get("host_identity")
    if section is None:
        return None, GapWhy.UNSEEN, "the section host_identity is not there"
    if section.status != SEEN:
        return None, _why(section.status), section.detail or section.status
    machine = section.values.get("machine_id")
    if isinstance(machine, str) and _MACHINE.fullmatch(machine):
        return f"device:{source}:{machine}", GapWhy.UNSEEN, ""
    why = section.missing.get("machine_id")
    if why:
        return None, _why(why.status), why.detail
    return None, GapWhy.MALFORMED, "the section host_identity states no usable machine_id"


def not_understood(section: Section) -> str:
    """Why what a section says is not taken; empty where its version is known."""
    if section.schema_version in SCHEMA_VERSIONS.get(section.name, (1,)):
        return ""
    return f"version {section.schema_version} of the section {section.name} is not understood"


def facts_and_gaps(
    sections: Mapping[str, Section], asset: str, *, external: bool | None = None
) -> Iterator[Fact | Gap]:
    """For each fact of `MAPPING`, the fact with a gap per field that could not be seen, or one gap for the whole.

    ``external`` is what the owner of the source says of the device; a host cannot know whose it is.
    """
    for mapped in MAPPING:
        name = mapped.fact.__name__
        section = sections.get(mapped.section)
        if section is None:
            detail = f"the section {mapped.section} is not there"
            yield Gap(fact=name, why=GapWhy.UNSEEN, detail=detail, asset=asset)
        elif section.status != SEEN:
            yield Gap(fact=name, why=_why(section.status), detail=section.detail or section.status, asset=asset)
        elif detail := not_understood(section):
            yield Gap(fact=name, why=GapWhy.UNSUPPORTED, detail=detail, asset=asset)
        else:
            yield from _one(mapped, section, sections, asset, external)


def _one(
    mapped: _Mapped, section: Section, sections: Mapping[str, Section], asset: str, external: bool | None
) -> Iterator[Fact | Gap]:
    name = mapped.fact.__name__
    values = {field: section.values.get(source) for field, source in mapped.fields.items()}
    gaps = [
        Gap(fact=name, why=_why(why.status), detail=why.detail, asset=asset, field=field)
        for field, source in mapped.fields.items()
        if (why := section.missing.get(source))
    ]
    untold = dict(mapped.untold)
    for field, source in mapped.fields.items():
        if source not in section.values and source not in section.missing:
            untold[field] = f"this version of the agent does not tell {section.name}.{source}"
    if mapped.fact is Device:
        values["external"] = external
        if external is None:
            untold["external"] = "a host cannot know whose it is; options.external of the target may say"
    if mapped.fact is HardwareIdentity:
        identity = sections.get("host_identity")
        told = identity.values if identity and identity.status == SEEN else {}
        values |= {field: told.get(source) for field, source in _ATTRIBUTES.items()}
        gaps += [
            Gap(fact=name, why=_why(why.status), detail=why.detail, asset=asset, field=field)
            for field, source in _ATTRIBUTES.items()
            if identity and identity.status == SEEN and (why := identity.missing.get(source))
        ]
    gaps += [
        Gap(fact=name, why=GapWhy.UNSUPPORTED, detail=detail, asset=asset, field=field)
        for field, detail in untold.items()
    ]
    plain = {field: value for field, value in values.items() if value is not None}
    try:
        fact = msgspec.convert(plain | {"asset": asset, "observed_at": section.observed_at}, mapped.fact, strict=True)
    except msgspec.ValidationError as error:
        detail = f"section {section.name}: {error}"
        yield Gap(fact=name, why=GapWhy.MALFORMED, detail=detail, asset=asset)
        return
    yield fact
    yield from gaps


class Installed(NamedTuple):
    """One package as the section software tells it, with its source, which bears the package's name if it has none."""

    name: str
    version: str
    source: str
    source_version: str


def installed(software: Values) -> list[Installed]:
    """The packages of a section software, in the form of each version of it; raises ValueError for other forms."""
    found = []
    try:
        if "builds" in software:
            for build in (build for builds in software["builds"] for build in builds):
                if not isinstance(build, list):
                    raise ValueError("a build is a list of texts")
                source, source_version, version, *names = build
                if not names:
                    raise ValueError("a build names no package")
                found += [
                    Installed(name or source, version or source_version, source, source_version) for name in names
                ]
        else:
            # The first form of the section, without versions of sources.
            for publisher in software["publishers"]:
                lists = (publisher[key] for key in ("names", "versions", "sources"))
                for name, version, source in zip(*lists, strict=True):
                    found.append(Installed(name, version, source or name, version))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"section software: {type(error).__name__}: {error}") from error
    if not all(isinstance(text, str) for one in found for text in one):
        raise ValueError("section software: a package is told by texts")
    return found


def observed(sections: Mapping[str, Section]) -> datetime | None:
    """The earliest moment at which any of the sections was looked at, in UTC; None where none states a moment."""
    moments = []
    for section in sections.values():
        try:
            moments.append(utc(datetime.fromisoformat(section.observed_at)))
        except ValueError:
            continue
    return min(moments, default=None)


def redacted(section: Section) -> Section:
    """The section without what names a person or one piece of hardware: administrators become their number."""
    values = dict(section.values)
    if section.name == "administrators" and "names" in values:
        names = values.pop("names")
        values["names_count"] = len(names) if isinstance(names, list) else 0
    if section.name == "host_identity":
        values |= {name: "(redacted)" for name in _ATTRIBUTES.values() if values.get(name) is not None}
    return replace(section, values=values)


_WHY: Mapping[str, GapWhy] = {
    "denied": GapWhy.DENIED,
    "unsupported": GapWhy.UNSUPPORTED,
    "error": GapWhy.ERROR,
}


def _why(status: str) -> GapWhy:
    return _WHY.get(status, GapWhy.ERROR)
