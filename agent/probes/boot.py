"""Secure Boot and the TPM, in the firmware's own words.

The Windows and macOS branches were never run on Windows or macOS; they follow the documents that the tests name.
"""

from __future__ import annotations

import json

from agent.confinement import refuse_container
from agent.host import Host
from agent.powershell import answers, question
from agent.section import DENIED, UNSUPPORTED, CannotLook, Missing, NotSupported, Probe, Seen, by_system

_VARIABLES = "/sys/firmware/efi/efivars"
_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
"""EFI_GLOBAL_VARIABLE of the UEFI specification, under which SecureBoot and SetupMode stand."""
_SHIM = "605dab50-e046-4300-abb6-3dd810dd8b23"
"""Variables of shim; MokSBStateRT is 1 where mokutil has told it to check nothing, as the kernel itself reads it."""
_WINDOWS = r"SYSTEM\CurrentControlSet\Control\SecureBoot\State"
WIN32_TPM = question(
    "Get-CimInstance -Namespace root/cimv2/Security/MicrosoftTpm -ClassName Win32_Tpm | "
    "Select-Object IsEnabled_InitialValue,IsActivated_InitialValue,SpecVersion"
)
BRIDGE = ("/usr/sbin/system_profiler", "-json", "SPiBridgeDataType")
INTEGRITY = ("/usr/bin/csrutil", "status")
T2_POLICY = ("/usr/sbin/nvram", "94b73556-2197-4702-82a8-3e1337dafbfb:AppleSecureBootPolicy")
PROCESSOR = ("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string")
_LEVELS = {
    "Full Security": "enabled",
    "%02": "enabled",
    "Permissive Security": "disabled",
    "No Security": "disabled",
    "%00": "disabled",
}
"""What System Information and, on Macs with a T2, the variable call the policy; levels between these are neither."""


def look(host: Host) -> Seen:
    """``secure_boot`` enabled, disabled or unsupported; ``tpm`` absent, disabled or ready; ``tpm_version`` 1.2, 2.0."""
    missing: dict[str, Missing] = {}
    look = by_system(host, "firmware is not looked at on", linux=_linux, windows=_windows, macos=_macos)
    secure, (tpm, version) = look(host, missing)
    if version is None:
        missing["tpm_version"] = missing.get("tpm", Missing(UNSUPPORTED, "no TPM states its version"))
    return Seen({"secure_boot": secure, "tpm": tpm, "tpm_version": version}, missing)


State = tuple[str | None, tuple[str | None, str | None]]
"""``secure_boot``; ``tpm`` and its version."""


def _linux(host: Host, missing: dict[str, Missing]) -> State:
    refuse_container(host, "the firmware")
    return _secure_boot(host, missing), _tpm(host, missing)


def _secure_boot(host: Host, missing: dict[str, Missing]) -> str | None:
    if not host.exists("/sys/firmware"):
        missing["secure_boot"] = Missing(UNSUPPORTED, "/sys is not mounted")
        return None
    if not host.exists("/sys/firmware/efi"):
        return "unsupported"
    try:
        enabled = host.read_file(f"{_VARIABLES}/SecureBoot-{_GLOBAL}")
        setup = host.read_file(f"{_VARIABLES}/SetupMode-{_GLOBAL}")
    except PermissionError:
        missing["secure_boot"] = Missing(DENIED, "the firmware variables may not be read")
        return None
    except FileNotFoundError:
        missing["secure_boot"] = Missing(UNSUPPORTED, "the firmware shows no variables SecureBoot and SetupMode")
        return None
    if len(enabled) != 5 or len(setup) != 5:
        raise ValueError("the variables SecureBoot and SetupMode must have four attribute bytes and one value byte")
    try:
        unchecked = host.read_file(f"{_VARIABLES}/MokSBStateRT-{_SHIM}")[4:] == b"\x01"
    except FileNotFoundError:
        unchecked = False
    except PermissionError:
        missing["secure_boot"] = Missing(DENIED, "the variables of shim may not be read")
        return None
    return "enabled" if enabled[4] == 1 and setup[4] == 0 and not unchecked else "disabled"


def _tpm(host: Host, missing: dict[str, Missing]) -> tuple[str | None, str | None]:
    try:
        devices = host.listdir("/sys/class/tpm")
    except FileNotFoundError:
        missing["tpm"] = Missing(UNSUPPORTED, "the kernel has no support for TPMs loaded")
        return None, None
    if not devices:
        for table in ("TPM2", "TCPA"):
            if host.exists(f"/sys/firmware/acpi/tables/{table}"):
                missing["tpm"] = Missing(UNSUPPORTED, "the firmware announces a TPM that the kernel cannot use")
                return None, None
        return "absent", None
    base = f"/sys/class/tpm/{devices[0]}"
    try:
        if host.read_file(f"{base}/tpm_version_major").strip() == b"2":
            return "ready", "2.0"
    except FileNotFoundError:
        pass
    try:
        states = [host.read_file(f"{base}/device/{name}").strip() for name in ("enabled", "active")]
    except FileNotFoundError:
        missing["tpm"] = Missing(UNSUPPORTED, "the kernel does not state whether the TPM is enabled")
        return None, None
    # Only TPMs of version 1.2 have these files.
    return "ready" if states == [b"1", b"1"] else "disabled", "1.2"


def _windows_tpm(host: Host, missing: dict[str, Missing]) -> tuple[str | None, str | None]:
    """Win32_Tpm, of which there is no instance where there is no TPM, nor for those who may not look."""
    if not host.privileged():
        missing["tpm"] = Missing(DENIED, "only an administrator may ask for the TPM")
        return None, None
    try:
        rows = answers(host, WIN32_TPM, "its TPM")
    except (OSError, CannotLook) as error:
        missing["tpm"] = Missing(UNSUPPORTED, f"Windows did not answer: {error}"[:200])
        return None, None
    if not rows:
        return "absent", None
    ready = rows[0]["IsEnabled_InitialValue"] is True and rows[0]["IsActivated_InitialValue"] is True
    return "ready" if ready else "disabled", str(rows[0]["SpecVersion"]).split(",", 1)[0].strip() or None


def _windows(host: Host, missing: dict[str, Missing]) -> State:
    return _windows_secure_boot(host, missing), _windows_tpm(host, missing)


def _windows_secure_boot(host: Host, missing: dict[str, Missing]) -> str | None:
    try:
        return "enabled" if int(host.registry(_WINDOWS, "UEFISecureBootEnabled")) == 1 else "disabled"
    except FileNotFoundError:
        missing["secure_boot"] = Missing(UNSUPPORTED, "the registry does not state UEFISecureBootEnabled")
        return None


def _macos(host: Host, missing: dict[str, Missing]) -> State:
    """A Mac has no TPM; its Secure Enclave keeps keys, and nothing on the host proves which."""
    secure = None
    try:
        secure = _macos_secure_boot(host)
    except (CannotLook, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        told = str(error) if isinstance(error, CannotLook) else f"macOS did not answer: {type(error).__name__}: {error}"
        missing["secure_boot"] = Missing(UNSUPPORTED, told[:200])
    return secure, ("absent", None)


def _macos_secure_boot(host: Host) -> str:
    """By the policy of the firmware and, since without it anything is let into the kernel, the system's integrity."""
    rows = json.loads(_output(host, BRIDGE))["SPiBridgeDataType"]
    level = str(rows[0].get("ibridge_secure_boot", "")) if rows else ""
    if not level:
        # Macs with a T2 keep the policy in a variable; those before it have none.
        try:
            level = _output(host, T2_POLICY).split()[-1]
        except NotSupported:
            if not rows and _output(host, PROCESSOR).startswith("Intel"):
                return "unsupported"
            raise
    if level not in _LEVELS:
        # In another language, or a level that also starts what Apple has withdrawn.
        raise NotSupported(f"the policy is {level[:40]}, which neither is full security nor none")
    integrity = _output(host, INTEGRITY).strip()
    if not integrity.startswith("System Integrity Protection status: "):
        raise NotSupported("csrutil does not state the integrity of the system")
    return _LEVELS[level] if integrity == "System Integrity Protection status: enabled." else "disabled"


def _output(host: Host, command: tuple[str, ...]) -> str:
    ran = host.run(command)
    if ran.status != 0 or not ran.output.strip():
        raise NotSupported(f"{command[0]} ended with status {ran.status} and told nothing")
    return ran.output


PROBE = Probe(
    name="boot",
    schema_version=1,
    reads=(
        f"{_VARIABLES}/SecureBoot-*",
        f"{_VARIABLES}/SetupMode-*",
        "/sys/class/tpm",
        "/sys/firmware/acpi/tables",
        rf"HKLM\{_WINDOWS}",
        " ".join(WIN32_TPM),
        f"{_VARIABLES}/MokSBStateRT-{_SHIM}",
        *(" ".join(command) for command in (BRIDGE, INTEGRITY, T2_POLICY, PROCESSOR)),
    ),
    look=look,
)
