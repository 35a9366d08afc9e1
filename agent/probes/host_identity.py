"""Who this host is: its machine identifier, names, addresses and form."""

from __future__ import annotations

import re

from agent.confinement import container
from agent.host import Host
from agent.section import DENIED, UNSUPPORTED, Missing, NotSupported, Probe, Seen

_CHASSIS = {
    **dict.fromkeys((8, 9, 10, 14, 30, 31, 32), "laptop"),
    **dict.fromkeys((3, 4, 5, 6, 7, 13, 15, 16, 35, 36), "desktop"),
    **dict.fromkeys((17, 23, 28, 29), "server"),
    11: "mobile",
}
"""Chassis types of SMBIOS 3.7, table 17."""
_MACHINE_INFO = {"laptop": "laptop", "convertible": "laptop", "tablet": "laptop", "desktop": "desktop"} | {
    "server": "server",
    "handset": "mobile",
}
"""Words of CHASSIS= in machine-info(5)."""
_NO_SERIAL = {"", "none", "not specified", "default string", "to be filled by o.e.m.", "system serial number", "0"}
_WINDOWS = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"


def look(host: Host) -> Seen:
    """``machine_id``, ``host_name``, ``addresses``, ``category``, ``serial``; NotSupported on unknown systems."""
    missing: dict[str, Missing] = {}
    match host.system:
        case "linux":
            machine, category, serial = _linux(host, missing)
        case "windows":
            machine, category, serial = _windows(host, missing)
        case "macos":
            machine, category, serial = _macos(host, missing)
        case other:
            raise NotSupported(f"the agent knows no machine identifier on {other}")
    values = {
        "machine_id": machine,
        "host_name": host.host_name(),
        "addresses": host.addresses(),
        "category": category,
        "serial": serial,
    }
    return Seen(values, missing)


def _linux(host: Host, missing: dict[str, Missing]) -> tuple[str | None, str | None, str | None]:
    machine = None
    try:
        text = host.read_file("/etc/machine-id").decode("ascii", "replace").strip().lower()
        if re.fullmatch(r"[0-9a-f]{32}", text) and text.strip("0"):
            machine = text
        else:
            missing["machine_id"] = Missing(UNSUPPORTED, "/etc/machine-id holds no identifier")
    except FileNotFoundError:
        missing["machine_id"] = Missing(UNSUPPORTED, "there is no /etc/machine-id")
    sign = container(host)
    if sign:
        for name in ("category", "serial"):
            missing[name] = Missing(UNSUPPORTED, f"in a container ({sign}), the machine below cannot be seen")
        return machine, None, None
    return machine, _form(host, missing), _serial(host, missing)


def _form(host: Host, missing: dict[str, Missing]) -> str | None:
    try:
        for line in host.read_file("/etc/machine-info").decode("utf-8", "replace").splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "CHASSIS" and value.strip(" \"'") in _MACHINE_INFO:
                return _MACHINE_INFO[value.strip(" \"'")]
    except FileNotFoundError:
        pass
    try:
        chassis = int(host.read_file("/sys/class/dmi/id/chassis_type"))
    except (FileNotFoundError, ValueError):
        missing["category"] = Missing(UNSUPPORTED, "the firmware states no form; CHASSIS= in /etc/machine-info may")
        return None
    if chassis not in _CHASSIS:
        detail = f"the firmware states form {chassis}, as virtual machines do; CHASSIS= in /etc/machine-info may say"
        missing["category"] = Missing(UNSUPPORTED, detail)
    return _CHASSIS.get(chassis)


def _serial(host: Host, missing: dict[str, Missing]) -> str | None:
    try:
        serial = host.read_file("/sys/class/dmi/id/product_serial").decode("utf-8", "replace").strip()
    except PermissionError:
        missing["serial"] = Missing(DENIED, "only root may read the serial number")
        return None
    except FileNotFoundError:
        serial = ""
    if serial.lower() in _NO_SERIAL:
        missing["serial"] = Missing(UNSUPPORTED, "the firmware states no serial number")
        return None
    return serial


def _windows(host: Host, missing: dict[str, Missing]) -> tuple[str | None, str | None, str | None]:
    machine = str(host.registry(r"SOFTWARE\Microsoft\Cryptography", "MachineGuid")).lower()
    category = None
    if str(host.registry(_WINDOWS, "InstallationType")).startswith("Server"):
        category = "server"
    else:
        missing["category"] = Missing(UNSUPPORTED, "the registry does not tell a laptop from a desktop")
    missing["serial"] = Missing(UNSUPPORTED, "not read on Windows")
    return machine, category, None


def _macos(host: Host, missing: dict[str, Missing]) -> tuple[str | None, str | None, str | None]:
    tree = host.run(["/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice"]).output
    found = dict(re.findall(r'"(IOPlatformUUID|IOPlatformSerialNumber)" = "([^"]+)"', tree))
    if "IOPlatformUUID" not in found:
        missing["machine_id"] = Missing(UNSUPPORTED, "ioreg shows no IOPlatformUUID")
    model = host.run(["/usr/sbin/sysctl", "-n", "hw.model"]).output
    category = None
    if model.startswith("MacBook"):
        category = "laptop"
    elif model.startswith(("iMac", "Macmini", "MacPro")):
        category = "desktop"
    else:
        missing["category"] = Missing(UNSUPPORTED, "the model name does not tell the form")
    if "IOPlatformSerialNumber" not in found:
        missing["serial"] = Missing(UNSUPPORTED, "ioreg shows no serial number")
    return found.get("IOPlatformUUID", "").lower() or None, category, found.get("IOPlatformSerialNumber")


PROBE = Probe(
    name="host_identity",
    schema_version=1,
    reads=(
        "/etc/machine-id",
        "/etc/machine-info",
        "/sys/class/dmi/id/chassis_type",
        "/sys/class/dmi/id/product_serial",
        "network interfaces",
        r"HKLM\SOFTWARE\Microsoft\Cryptography",
        "/usr/sbin/ioreg -rd1 -c IOPlatformExpertDevice",
        "/usr/sbin/sysctl -n hw.model",
    ),
    look=look,
)
