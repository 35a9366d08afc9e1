"""Who this host is: its machine identifier, names, addresses, form, and attributes of its hardware.

The attributes (``serial``, ``smbios_uuid``, ``tpm_ek_sha256``) help people to recognise a host and never name it:
copies of virtual machines share them. The Windows and macOS branches were never run on Windows or macOS; they follow
the documents that the tests name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from agent import tpm
from agent.confinement import container
from agent.host import Host
from agent.powershell import answers, question
from agent.section import DENIED, UNSUPPORTED, CannotLook, Missing, Probe, Seen, by_system

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
_ATTRIBUTES = ("category", "serial", "smbios_uuid", "tpm_ek_sha256")
_NO_UUIDS = {"03000200-0400-0500-0006-000700080009", "00020003-0004-0005-0006-000700080009"}
"""Left in by makers of boards who set none."""
HARDWARE = question(
    "[pscustomobject]@{Uuid=(Get-CimInstance Win32_ComputerSystemProduct).UUID;"
    "Serial=(Get-CimInstance Win32_BIOS).SerialNumber;"
    "Forms=@((Get-CimInstance Win32_SystemEnclosure).ChassisTypes);"
    "Endorsement=(Get-TpmEndorsementKeyInfo -HashAlgorithm Sha256 -ErrorAction SilentlyContinue).PublicKeyHash}"
)
_NO_SERIAL = {"", "none", "not specified", "default string", "to be filled by o.e.m.", "system serial number", "0"}
_MODEL = ("/usr/sbin/sysctl", "-n", "hw.model")
_SOLD_AS = ("/usr/sbin/system_profiler", "-json", "SPHardwareDataType")
_WINDOWS = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"


def look(host: Host) -> Seen:
    """``machine_id``, ``host_name``, ``addresses``, and `_ATTRIBUTES`; NotSupported on unknown systems."""
    missing: dict[str, Missing] = {}
    otherwise = "the agent knows no machine identifier on"
    marks = by_system(host, otherwise, linux=_linux, windows=_windows, macos=_macos)
    machine, attributes = marks(host, missing)
    values = {
        "machine_id": machine,
        "host_name": host.host_name(),
        "addresses": host.addresses(),
    }
    return Seen(values | dict(zip(_ATTRIBUTES, attributes, strict=True)), missing)


def _linux(host: Host, missing: dict[str, Missing]) -> tuple[str | None, Iterable[str | None]]:
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
        for name in _ATTRIBUTES:
            missing[name] = Missing(UNSUPPORTED, f"in a container ({sign}), the machine below cannot be seen")
        return machine, [None] * len(_ATTRIBUTES)
    serial = _firmware(host, "serial", "product_serial", missing)
    uuid = _firmware(host, "smbios_uuid", "product_uuid", missing)
    key = _endorsement_key(host, missing)
    return machine, (_form(host, missing), _stated("serial", serial, missing), _uuid(uuid, missing), key)


def _form(host: Host, missing: dict[str, Missing]) -> str | None:
    """By the firmware; what a person wrote down counts where that states none, and never against it."""
    noted = _noted_form(host)
    try:
        chassis = int(host.read_file("/sys/class/dmi/id/chassis_type"))
    except (FileNotFoundError, ValueError):
        chassis = 0
    stated = _CHASSIS.get(chassis)
    if noted and stated and noted != stated:
        detail = f"the firmware states a {stated}, and CHASSIS= in /etc/machine-info a {noted}"
    elif noted or stated:
        return noted or stated
    elif chassis:
        detail = f"the firmware states form {chassis}, as virtual machines do; CHASSIS= in /etc/machine-info may say"
    else:
        detail = "the firmware states no form; CHASSIS= in /etc/machine-info may"
    missing["category"] = Missing(UNSUPPORTED, detail)
    return None


def _noted_form(host: Host) -> str | None:
    try:
        lines = host.read_file("/etc/machine-info").decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return None
    pairs = (line.partition("=") for line in lines)
    noted = [value.strip(" \"'") for key, _, value in pairs if key.strip() == "CHASSIS"]
    return _MACHINE_INFO.get(noted[-1]) if noted else None


def _firmware(host: Host, name: str, file: str, missing: dict[str, Missing]) -> str | None:
    """What a file of the firmware's table says, empty where there is none; None where it may not be read."""
    try:
        return host.read_file(f"/sys/class/dmi/id/{file}").decode("utf-8", "replace").strip()
    except PermissionError:
        missing[name] = Missing(DENIED, f"only root may read {file}")
        return None
    except FileNotFoundError:
        return ""


def _stated(name: str, serial: str | None, missing: dict[str, Missing]) -> str | None:
    if serial is not None and serial.lower() in _NO_SERIAL:
        missing[name] = Missing(UNSUPPORTED, "the firmware states no serial number")
        return None
    return serial


def _uuid(text: str | None, missing: dict[str, Missing]) -> str | None:
    if text is None:
        return None
    uuid = text.lower()
    real = re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", uuid) and len(set(uuid) - {"-"}) > 1
    if not real or uuid in _NO_UUIDS:
        missing["smbios_uuid"] = Missing(UNSUPPORTED, "the firmware states no UUID of this one machine")
        return None
    return uuid


def _endorsement_key(host: Host, missing: dict[str, Missing]) -> str | None:
    try:
        digest = tpm.endorsement_key_digest(host)
        why = Missing(UNSUPPORTED, "the TPM holds no certificate of its maker")
    except PermissionError:
        digest, why = None, Missing(DENIED, f"only root may ask {tpm.DEVICE}")
    except FileNotFoundError:
        digest, why = None, Missing(UNSUPPORTED, f"there is no {tpm.DEVICE}, which a TPM 2.0 has")
    except (OSError, ValueError) as error:
        digest, why = None, Missing(UNSUPPORTED, f"the TPM did not answer: {error}"[:200])
    if digest is None:
        missing["tpm_ek_sha256"] = why
    return digest


def _windows(host: Host, missing: dict[str, Missing]) -> tuple[str | None, Iterable[str | None]]:
    machine = str(host.registry(r"SOFTWARE\Microsoft\Cryptography", "MachineGuid")).lower()
    try:
        told: dict[str, Any] = next(iter(answers(host, HARDWARE, "its hardware")), {})
    except (OSError, CannotLook) as error:
        told = {}
        for name in ("serial", "smbios_uuid", "tpm_ek_sha256"):
            missing[name] = Missing(UNSUPPORTED, f"Windows did not answer: {error}"[:200])
    forms = {_CHASSIS[form] for form in told.get("Forms") or () if form in _CHASSIS}
    category = "server" if str(host.registry(_WINDOWS, "InstallationType")).startswith("Server") else None
    category = category or (forms.pop() if len(forms) == 1 else None)
    if category is None:
        missing["category"] = Missing(UNSUPPORTED, "the firmware states no form that tells a laptop from a desktop")
    if not told:
        return machine, (category, None, None, None)
    key = str(told.get("Endorsement") or "").lower()
    if not re.fullmatch("[0-9a-f]{64}", key):
        detail = "Windows does not tell the endorsement key of a TPM"
        missing["tpm_ek_sha256"] = Missing(UNSUPPORTED if host.privileged() else DENIED, detail)
        key = ""
    serial = _stated("serial", str(told.get("Serial") or "").strip(), missing)
    return machine, (category, serial, _uuid(str(told.get("Uuid") or ""), missing), key or None)


def _macos(host: Host, missing: dict[str, Missing]) -> tuple[str | None, Iterable[str | None]]:
    tree = host.run(["/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice"]).output
    found = dict(re.findall(r'"(IOPlatformUUID|IOPlatformSerialNumber)" = "([^"]+)"', tree))
    uuid = found.get("IOPlatformUUID", "").lower() or None
    if uuid is None:
        missing["machine_id"] = missing["smbios_uuid"] = Missing(UNSUPPORTED, "ioreg shows no IOPlatformUUID")
    category = _mac_form(host)
    if category is None:
        missing["category"] = Missing(UNSUPPORTED, "neither model nor name of the machine tells the form")
    if "IOPlatformSerialNumber" not in found:
        missing["serial"] = Missing(UNSUPPORTED, "ioreg shows no serial number")
    missing["tpm_ek_sha256"] = Missing(UNSUPPORTED, "a Mac has no TPM")
    return uuid, (category, found.get("IOPlatformSerialNumber"), uuid, None)


def _mac_form(host: Host) -> str | None:
    """By the model and, since those of later Macs are all called Mac, by the name under which it is sold."""
    model = host.run(_MODEL).output.strip()
    if re.match(r"Mac\d", model):
        try:
            told = json.loads(host.run(_SOLD_AS).output)["SPHardwareDataType"][0]
            model = str(told.get("machine_name", "")).replace(" ", "")
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None
    if model.startswith("MacBook"):
        return "laptop"
    return "desktop" if model.lower().startswith(("imac", "macmini", "macpro", "macstudio")) else None


PROBE = Probe(
    name="host_identity",
    schema_version=1,
    reads=(
        "/etc/machine-id",
        "/etc/machine-info",
        "/sys/class/dmi/id/chassis_type",
        "/sys/class/dmi/id/product_serial",
        "/sys/class/dmi/id/product_uuid",
        f"{tpm.DEVICE}: the maker's certificate",
        "network interfaces",
        r"HKLM\SOFTWARE\Microsoft\Cryptography",
        " ".join(HARDWARE),
        "/usr/sbin/ioreg -rd1 -c IOPlatformExpertDevice",
        " ".join(_MODEL),
        " ".join(_SOLD_AS),
    ),
    look=look,
)
