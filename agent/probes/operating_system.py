"""The operating system and until when its maker repairs it, as the system itself states it."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime

from agent import plist
from agent.host import Host
from agent.section import UNSUPPORTED, Missing, NotSupported, Probe, Seen, by_system, moment

_WINDOWS = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_ENDS = {"debian": ("eol-lts", "eol"), "ubuntu": ("eol",)}
"""Columns of distro-info-data that state the end of security fixes open to everybody."""


def look(host: Host) -> Seen:
    """``family``, ``name``, ``version``, ``kernel``, ``supported_until``; in a container these are the image's."""
    return by_system(host, "the agent does not know", linux=_linux, windows=_windows, macos=_macos)(host)


def release(host: Host) -> dict[str, str]:
    """Keys of os-release(5)."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            text = host.read_file(path).decode("utf-8", "replace")
        except FileNotFoundError:
            continue
        pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
        return {key.strip(): value.strip().strip("\"'") for key, value in pairs}
    raise NotSupported("there is no os-release file")


def _linux(host: Host) -> Seen:
    keys = release(host)
    version = keys.get("VERSION_ID") or keys.get("BUILD_ID")
    missing: dict[str, Missing] = {}
    if version is None:
        missing["version"] = Missing(UNSUPPORTED, "os-release states no version")
    until = _supported_until(host, keys)
    if until is None:
        detail = "neither SUPPORT_END in os-release nor the package distro-info-data states it"
        missing["supported_until"] = Missing(UNSUPPORTED, detail)
    values = {
        "family": "linux",
        "name": keys.get("NAME") or keys.get("ID"),
        "version": version,
        "kernel": host.read_file("/proc/sys/kernel/osrelease").decode("utf-8", "replace").strip(),
        "supported_until": until,
    }
    return Seen(values, missing)


def _supported_until(host: Host, keys: dict[str, str]) -> str | None:
    stated = keys.get("SUPPORT_END", "")
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", stated):
        return _end_of(stated)
    columns = _ENDS.get(keys.get("ID", ""))
    if columns is None or "VERSION_CODENAME" not in keys:
        return None
    try:
        table = host.read_file(f"/usr/share/distro-info/{keys['ID']}.csv").decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    for row in csv.DictReader(io.StringIO(table)):
        if row.get("series") == keys["VERSION_CODENAME"]:
            return next((_end_of(row[column]) for column in columns if row.get(column)), None)
    return None


def _end_of(day: str) -> str:
    when = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    return moment(when.replace(hour=23, minute=59, second=59))


def _windows(host: Host) -> Seen:
    product = str(host.registry(_WINDOWS, "ProductName"))
    build = str(host.registry(_WINDOWS, "CurrentBuildNumber"))
    if product.startswith("Windows 10") and build.isdigit() and int(build) >= 22000:
        # ProductName was never raised on Windows 11; its builds begin at 22000.
        product = product.replace("Windows 10", "Windows 11", 1)
    version = f"10.0.{build}.{int(host.registry(_WINDOWS, 'UBR'))}"
    detail = "Windows does not state the end of its support"
    values = {"family": "windows", "name": product, "version": version, "kernel": version, "supported_until": None}
    return Seen(values, {"supported_until": Missing(UNSUPPORTED, detail)})


def _macos(host: Host) -> Seen:
    keys = plist.read(host, "/System/Library/CoreServices/SystemVersion.plist")
    values = {
        "family": "macos",
        "name": str(keys["ProductName"]),
        "version": str(keys["ProductVersion"]),
        "kernel": str(keys["ProductBuildVersion"]),
        "supported_until": None,
    }
    return Seen(values, {"supported_until": Missing(UNSUPPORTED, "macOS does not state the end of its support")})


PROBE = Probe(
    name="operating_system",
    schema_version=1,
    reads=(
        "/etc/os-release",
        "/proc/sys/kernel/osrelease",
        "/usr/share/distro-info/*.csv",
        rf"HKLM\{_WINDOWS}",
        "/System/Library/CoreServices/SystemVersion.plist",
    ),
    look=look,
)
