"""What a SECURITY_STATUS of a key storage provider of Windows means, and what to do about it (winerror.h)."""

from __future__ import annotations

from agent.sealed_key import ENROL_AGAIN

TPM = "Microsoft Platform Crypto Provider"
SOFTWARE = "Microsoft Software Key Storage Provider"

_INSTEAD = f'set key = "file" and enrol: {ENROL_AGAIN}'
_UNKNOWN = (
    "{store} does not know the key: it was cleared or replaced, or the state folder comes from another machine; "
    f"enrol again: {ENROL_AGAIN}"
)
_DENIED = "{store} may not be used; run the agent as its service does (LocalSystem) or as an administrator"
_ABSENT = "there is no {word} that Windows can use; a TPM may be off in the settings of the firmware"
_OFF = f"the TPM or Windows' service for it (TBS) is switched off; switch it on, see Get-Tpm, or {_INSTEAD}"
_NOT_READY = "the TPM is not ready for use; see Get-Tpm, then Initialize-Tpm or start the system again"
_LOCKED = (
    "the TPM is locked because wrong passwords were tried on it; wait as long as Get-Tpm says (LockoutHealTime), the "
    "agent asks again"
)
_BUSY = "the TPM is busy; the agent asks again"
_UNABLE = f"{{store}} makes no keys on P-256, which no TPM 1.2 does; {_INSTEAD}"
_ASKS = (
    "{store} wants to ask a person before it uses a key, as a policy of strong key protection has it, and a service "
    f"has none to ask; take that policy off, or {_INSTEAD}"
)
_REASONS = {
    0x80090016: _UNKNOWN,  # NTE_BAD_KEYSET
    0x8009000D: _UNKNOWN,  # NTE_NO_KEY
    0x80090011: _UNKNOWN,  # NTE_NOT_FOUND
    0x8028009F: _UNKNOWN,  # TPM_20_E_INTEGRITY
    0x8029040E: _UNKNOWN,  # TPM_E_PCP_WRONG_PARENT
    0x80090010: _DENIED,  # NTE_PERM
    0x80070005: _DENIED,  # E_ACCESSDENIED
    0x80284012: _DENIED,  # TBS_E_ACCESS_DENIED
    0x80090013: _ABSENT,  # NTE_BAD_PROVIDER
    0x8009001E: _ABSENT,  # NTE_PROV_DLL_NOT_FOUND
    0x80090035: _ABSENT,  # NTE_DEVICE_NOT_FOUND
    0x8028400F: _ABSENT,  # TBS_E_TPM_NOT_FOUND
    0xC0000225: _ABSENT,  # STATUS_NOT_FOUND
    0x80280006: _OFF,  # TPM_E_DEACTIVATED
    0x80280007: _OFF,  # TPM_E_DISABLED
    0x80280120: _OFF,  # TPM_20_E_DISABLED
    0x80284008: _OFF,  # TBS_E_SERVICE_NOT_RUNNING
    0x80284010: _OFF,  # TBS_E_SERVICE_DISABLED
    0x80090030: _NOT_READY,  # NTE_DEVICE_NOT_READY
    0x80284016: _NOT_READY,  # TBS_E_PROVISIONING_INCOMPLETE
    0x80290401: _NOT_READY,  # TPM_E_PCP_DEVICE_NOT_READY
    0x80290600: _NOT_READY,  # TPM_E_PROVISIONING_INCOMPLETE
    0x80280803: _LOCKED,  # TPM_E_DEFEND_LOCK_RUNNING
    0x80280921: _LOCKED,  # TPM_20_E_LOCKOUT
    0x80290409: _LOCKED,  # TPM_E_PCP_AUTHENTICATION_IGNORED
    0x8029041B: _LOCKED,  # TPM_E_LOCKED_OUT
    0x80280800: _BUSY,  # TPM_E_RETRY
    0x8028090A: _BUSY,  # TPM_20_E_TESTING
    0x80280922: _BUSY,  # TPM_20_E_RETRY
    0x80284009: _BUSY,  # TBS_E_TOO_MANY_TBS_CONTEXTS
    0x8028400B: _BUSY,  # TBS_E_SERVICE_START_PENDING
    0x80090008: _UNABLE,  # NTE_BAD_ALGID
    0x80090029: _UNABLE,  # NTE_NOT_SUPPORTED
    0x80280081: _UNABLE,  # TPM_20_E_ASYMMETRIC
    0x802800A6: _UNABLE,  # TPM_20_E_CURVE
    0x80280123: _UNABLE,  # TPM_20_E_ECC_CURVE
    0x80290405: _UNABLE,  # TPM_E_PCP_NOT_SUPPORTED
    0x80090022: _ASKS,  # NTE_SILENT_CONTEXT
    0x8009002E: _ASKS,  # NTE_UI_REQUIRED
}


def why(provider: str, function: str, status: int) -> str:
    """Why a function of a provider did not do what it should, and what to do; an unknown status is told as it is."""
    word = "TPM" if provider == TPM else "keystore"
    store = "this TPM" if provider == TPM else "the keystore of Windows"
    text = _reason(status)
    if not text:
        return f"{provider}: {function} failed with 0x{status:08X}"
    return f"{text.format(store=store, word=word)} ({function}: 0x{status:08X})"


def unknown(status: int) -> bool:
    """Whether it says that there is no such key, or none that this TPM could ever use."""
    return _reason(status) == _UNKNOWN


def _reason(status: int) -> str:
    return _REASONS.get(status) or _REASONS.get(_plain(status), "")


def _plain(status: int) -> int:
    """A code of a TPM 2.0 without the number of the handle, session or parameter that it is about (TPM 2.0 Library,
    Part 2, 6.6.3)."""
    about = status & 0xFFFF
    return 0x80280000 | about & 0xBF if status >> 16 == 0x8028 and about < 0x1000 and about & 0x80 else status
