"""What the agent would send of this host: every section that is not switched off, and what each is for."""

from __future__ import annotations

import hashlib
import pkgutil
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psutil

from agent import __version__, wire
from agent.host import Host
from agent.probes import PROBES, RUN_ON, observe
from agent.section import DENIED, ERROR, SEEN, Missing, Probe, Section, moment
from agent.settings import USER_NAMES
from agent.spool import Posture

LONGEST_TEXT = 16_384
LONGEST_KEY = 512
MOST_DETAIL = 2_000
GREATEST = 2**53 - 1
"""Bounds of what a server takes in a section: characters, and the greatest number that every JSON reader holds."""

OFF = "switched off by agent.toml"
AGENT = "agent"
"""The section in which the agent tells of itself."""

PERSONAL = (("administrators", "names"),)
"""Section and value that name people; ``user_names`` in ``switched_off`` keeps them back."""


def section_names() -> frozenset[str]:
    """Those that may be switched off."""
    return frozenset(probe.name for probe in PROBES)


def look(
    host: Host,
    switched_off: frozenset[str],
    *,
    degraded: bool = False,
    downgraded: bool = False,
    key: tuple[str, str] = ("none", ""),
    probes: Sequence[Probe] = PROBES,
) -> list[Section]:
    """Every section as it would be sent, in order, that of the agent itself last; never raises.

    ``key`` is where the agent's key lies and why not in the TPM, by the agent's own word: nothing proves it to others.
    """
    found = [section_of(probe, host, switched_off) for probe in probes]
    return [*found, of_the_agent(host, switched_off, degraded=degraded, downgraded=downgraded, key=key)]


def section_of(probe: Probe, host: Host, switched_off: frozenset[str]) -> Section:
    """One section as it would be sent; one that is switched off is not looked at."""
    if probe.name in switched_off:
        return Section(probe.name, probe.schema_version, DENIED, OFF, moment(host.now()))
    return _sendable(_without_names(observe(probe, host), switched_off))


def of_the_agent(
    host: Host, switched_off: frozenset[str], *, degraded: bool, downgraded: bool, key: tuple[str, str]
) -> Section:
    """The section in which the agent tells of itself; see `look`."""
    values = {
        "version": __version__,
        "downgraded": downgraded,
        "spool_degraded": degraded,
        "key_kind": key[0],
        "key_fallback": key[1],
        "switched_off": sorted(switched_off),
        "never_run_here": host.system not in RUN_ON,
    }
    return Section(AGENT, 1, SEEN, "", moment(host.now()), values)


def as_posture(sections: Sequence[Section]) -> Posture:
    """The sections as they are spooled and sent."""
    return Posture({section.name: section.to_dict() for section in sections})


def purposes() -> Mapping[str, str]:
    """What each section is for, in a sentence for those whose host it is."""
    # Not by importlib.resources, which would take half a megabyte of the resident process.
    found = tomllib.loads((pkgutil.get_data("agent", "purposes.toml") or b"").decode("utf-8"))
    return {name: str(text) for name, text in found.items()}


def bearings(host: Host, switched_off: frozenset[str], sections: Sequence[Section]) -> dict[str, str]:
    """What enrolment tells of the host: attributes by which people recognise it, never its identity."""
    values = {section.name: section.values for section in sections}
    identity, system = values.get("host_identity", {}), values.get("operating_system", {})
    words = [system.get("name"), system.get("version")]
    told = {
        "hostname": identity.get("host_name") or (host.host_name() if "host_identity" not in switched_off else None),
        "os": " ".join(str(word) for word in words if word) or host.system,
        "machine_id": identity.get("machine_id"),
        "smbios_uuid": identity.get("smbios_uuid"),
        "serial": identity.get("serial"),
        "tpm_ek_sha256": identity.get("tpm_ek_sha256"),
    }
    return {"hostname": ""} | {
        name: "".join(filter(str.isprintable, value))[:256]
        for name, value in told.items()
        if isinstance(value, str) and value
    }


def boot_id(host: Host) -> str:
    """An identifier that changes with each start of the system."""
    try:
        found = host.read_file("/proc/sys/kernel/random/boot_id").decode("ascii", "replace").strip().lower()
    except OSError:
        found = ""
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", found):
        return found
    return hashlib.sha256(f"boot {int(psutil.boot_time())}".encode()).hexdigest()[:32]


def _without_names(section: Section, switched_off: frozenset[str]) -> Section:
    if USER_NAMES not in switched_off:
        return section
    for name, value in PERSONAL:
        if section.name == name and value in section.values:
            values, missing = dict(section.values), dict(section.missing)
            values[value], missing[value] = None, Missing(DENIED, OFF)
            section = replace(section, values=values, missing=missing)
    return section


def _sendable(section: Section) -> Section:
    """The section, or one that says why it cannot be told: a server refuses the whole report for one odd value."""
    missing = {name: replace(why, detail=why.detail[:MOST_DETAIL]) for name, why in section.missing.items()}
    section = replace(section, missing=missing)
    size = len(wire.section_bytes(section.to_dict()))
    odd = _odd(section.values)
    if size > wire.MAX_SECTION:
        odd = f"it has {size} bytes, and at most {wire.MAX_SECTION} are sent"
    if not odd:
        return section
    detail = f"the section cannot be told: {odd}"
    return Section(section.name, section.schema_version, ERROR, detail, section.observed_at)


def _odd(value: Any) -> str:
    """What of a value a server would not take; empty where it takes all."""
    if isinstance(value, str):
        return f"a text has {len(value)} characters" if len(value) > LONGEST_TEXT else ""
    if isinstance(value, int):
        return "a number is too great" if abs(value) > GREATEST else ""
    if isinstance(value, Mapping):
        long = [f"a key has {len(key)} characters" for key in value if len(key) > LONGEST_KEY]
        return next(filter(None, (*long, *map(_odd, value.values()))), "")
    if isinstance(value, (list, tuple)):
        return next(filter(None, map(_odd, value)), "")
    return ""
