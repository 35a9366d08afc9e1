"""Protection products of the known list that are installed or run on this host.

The Windows and macOS branches were never run on Windows or macOS; they follow the documents that the tests name.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from agent.confinement import refuse_foreign_namespaces
from agent.host import Host
from agent.powershell import answers, question
from agent.products import Product, known_products, running, running_names
from agent.section import UNSUPPORTED, CannotLook, Denied, Missing, NotSupported, Probe, Seen, moment

_MDATP = {"linux": "/usr/bin/mdatp", "macos": "/usr/local/bin/mdatp"}
MP_STATUS = question(
    "Get-MpComputerStatus | Select-Object AMRunningMode,RealTimeProtectionEnabled,IsTamperProtected,"
    "@{n='SignaturesAt';e={$_.AntivirusSignatureLastUpdated.ToUniversalTime()"
    ".ToString('yyyy-MM-ddTHH:mm:ssZ',[cultureinfo]::InvariantCulture)}}"
)
_LONGEST_MINUTES = 5 * 366 * 24 * 60
"""``mdatp health`` has been seen to count the minutes since 1970; nothing that old is the age of signatures."""


def look(host: Host) -> Seen:
    """``products``: product, category, running, mode, tamper_protection, signatures_at; and ``known_list``.

    An empty list means none of the known list, so it is said only with full rights and in the host's own namespaces.
    """
    if host.system not in {"linux", "windows", "macos"}:
        raise NotSupported(f"protection products are not known on {host.system}")
    if not host.privileged():
        raise Denied("only root or an administrator sees every product, so what is not seen proves nothing")
    refuse_foreign_namespaces(host, "protection products", ("pid",))
    known = known_products(host.system)
    names = running_names(host, known)
    installed = set(host.services()) if host.system == "windows" else set()
    found = []
    for product in known.protection:
        runs = running(host, product, names)
        if runs is not False or product.running_as & installed or any(host.exists(path) for path in product.paths):
            found.append(_described(host, product, runs))
    missing = {}
    for name in ("running", "mode", "tamper_protection", "signatures_at"):
        silent = [one["product"] for one in found if one[name] is None]
        if silent:
            missing["products"] = Missing(UNSUPPORTED, f"{', '.join(silent)}: {name} and more is not told on the host")
            break
    return Seen({"products": found, "known_list": known.version}, missing)


def _described(host: Host, product: Product, runs: bool | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "product": product.name,
        "category": product.category,
        "running": runs,
        "mode": None,
        "tamper_protection": None,
        "signatures_at": None,
    }
    written = [host.modified(path) for path in product.signatures if host.exists(path)]
    if written:
        entry["signatures_at"] = moment(max(written))
    if product.name == "Microsoft Defender for Endpoint" and host.system in _MDATP and runs:
        entry |= _defender(host)
    if product.name == "Microsoft Defender Antivirus" and host.system == "windows" and runs:
        entry |= _windows_defender(host)
    return entry


def _windows_defender(host: Host) -> dict[str, Any]:
    """What ``Get-MpComputerStatus`` says of the antivirus; its service runs in passive mode, too."""
    try:
        status = answers(host, MP_STATUS, "its protection")[0]
    except (OSError, CannotLook, ValueError, LookupError):
        return {}
    told: dict[str, Any] = {}
    mode, guards, tamper = (
        status.get(key) for key in ("AMRunningMode", "RealTimeProtectionEnabled", "IsTamperProtected")
    )
    if mode == "Normal" and guards is True:
        told["mode"] = "block"
    elif mode in {"Passive", "Passive Mode", "SxS Passive Mode", "EDR Block", "EDR Block Mode"}:
        told["mode"] = "passive"
    if isinstance(tamper, bool):
        told["tamper_protection"] = tamper
    written = str(status.get("SignaturesAt"))
    if re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", written):
        told["signatures_at"] = written
    return told


def _defender(host: Host) -> dict[str, Any]:
    """What ``mdatp health`` says, line by line as ``name : value``; tamper protection only macOS has."""
    try:
        ran = host.run([_MDATP[host.system], "health"])
    except OSError:
        return {}
    pairs = (line.partition(":") for line in ran.output.splitlines() if ":" in line)
    health = {name.strip(): value.split("[", 1)[0].strip().strip('"') for name, _, value in pairs}
    told: dict[str, Any] = {}
    if health.get("passive_mode_enabled") == "true":
        told["mode"] = "passive"
    elif health.get("real_time_protection_enabled") == health.get("real_time_protection_available") == "true":
        told["mode"] = "block"
    tamper = health.get("tamper_protection")
    if tamper in {"block", "audit", "disabled"}:
        told["tamper_protection"] = tamper == "block"
    minutes = health.get("definitions_updated_minutes_ago", "")
    if minutes.isdecimal() and int(minutes) < _LONGEST_MINUTES:
        told["signatures_at"] = moment(host.now() - timedelta(minutes=int(minutes)))
    return told


PROBE = Probe(
    name="endpoint_protection",
    schema_version=1,
    reads=(
        "names of processes or services",
        "paths in products.toml",
        *(f"{path} health" for path in _MDATP.values()),
        " ".join(MP_STATUS),
    ),
    look=look,
)
