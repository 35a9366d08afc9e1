"""Secure Boot and the TPM, in the firmware's own words.

The Windows branch was never run on Windows; it follows the documents that the tests name.
"""

from __future__ import annotations

from agent.confinement import refuse_container
from agent.host import Host
from agent.powershell import answers, question
from agent.section import DENIED, UNSUPPORTED, CannotLook, Missing, NotSupported, Probe, Seen

_VARIABLES = "/sys/firmware/efi/efivars"
_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
"""EFI_GLOBAL_VARIABLE of the UEFI specification, under which SecureBoot and SetupMode stand."""
_WINDOWS = r"SYSTEM\CurrentControlSet\Control\SecureBoot\State"
WIN32_TPM = question(
    "Get-CimInstance -Namespace root/cimv2/Security/MicrosoftTpm -ClassName Win32_Tpm | "
    "Select-Object IsEnabled_InitialValue,IsActivated_InitialValue,SpecVersion"
)


def look(host: Host) -> Seen:
    """``secure_boot`` enabled, disabled or unsupported; ``tpm`` absent, disabled or ready; ``tpm_version`` 1.2, 2.0."""
    missing: dict[str, Missing] = {}
    match host.system:
        case "linux":
            refuse_container(host, "the firmware")
            secure, (tpm, version) = _secure_boot(host, missing), _tpm(host, missing)
        case "windows":
            secure, (tpm, version) = _windows(host, missing), _windows_tpm(host, missing)
        case other:
            raise NotSupported(f"firmware is not looked at on {other}")
    if version is None:
        missing["tpm_version"] = missing.get("tpm", Missing(UNSUPPORTED, "no TPM states its version"))
    return Seen({"secure_boot": secure, "tpm": tpm, "tpm_version": version}, missing)


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
    return "enabled" if enabled[4] == 1 and setup[4] == 0 else "disabled"


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


def _windows(host: Host, missing: dict[str, Missing]) -> str | None:
    try:
        return "enabled" if int(host.registry(_WINDOWS, "UEFISecureBootEnabled")) == 1 else "disabled"
    except FileNotFoundError:
        missing["secure_boot"] = Missing(UNSUPPORTED, "the registry does not state UEFISecureBootEnabled")
        return None


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
    ),
    look=look,
)
