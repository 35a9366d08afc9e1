from __future__ import annotations

import pytest

from agent.host import Ran
from agent.probes import boot, observe
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, GUID, MACOS, WINDOWS
from tests.agent.recorded_macos import bridge
from tests.agent.recorded_windows import objects

SECURE = f"/sys/firmware/efi/efivars/SecureBoot-{GUID}"
SETUP = f"/sys/firmware/efi/efivars/SetupMode-{GUID}"
TPM = "/sys/class/tpm/tpm0"


@pytest.mark.parametrize(
    ("secure", "setup", "state"), [(1, 0, "enabled"), (0, 0, "disabled"), (1, 1, "disabled"), (0, 1, "disabled")]
)
def test_secure_boot_needs_the_variable_and_no_setup_mode(secure: int, setup: int, state: str) -> None:
    host = DEBIAN_LAPTOP.changed(files={SECURE: bytes([6, 0, 0, 0, secure]), SETUP: bytes([6, 0, 0, 0, setup])})
    assert observe(boot.PROBE, host).values["secure_boot"] == state


def test_firmware_without_efi_cannot_do_secure_boot() -> None:
    host = DEBIAN_LAPTOP.changed(files={SECURE: None, SETUP: None})
    assert observe(boot.PROBE, host).values["secure_boot"] == "unsupported"


def test_hidden_variables_are_not_disabled_secure_boot() -> None:
    hidden = observe(boot.PROBE, DEBIAN_LAPTOP.changed(hidden=frozenset({SECURE})))
    assert (hidden.values["secure_boot"], hidden.missing["secure_boot"].status) == (None, "denied")
    lost = observe(boot.PROBE, DEBIAN_LAPTOP.changed(files={SETUP: None}))
    assert lost.missing["secure_boot"].status == "unsupported"
    assert observe(boot.PROBE, DEBIAN_LAPTOP.changed(files={SECURE: b"\x01"})).status == "error"


def test_a_tpm_is_absent_only_where_the_kernel_could_have_shown_one() -> None:
    without = DEBIAN_LAPTOP.changed(files={f"{TPM}/tpm_version_major": None})
    assert observe(boot.PROBE, without).missing["tpm"].status == "unsupported"
    looked = without.changed(folders=("/sys/firmware", "/sys/class/tpm"))
    assert observe(boot.PROBE, looked).values["tpm"] == "absent"
    announced = looked.changed(files={"/sys/firmware/acpi/tables/TPM2": b"TPM2"})
    assert observe(boot.PROBE, announced).values["tpm"] is None


def test_a_tpm_of_version_1_says_whether_it_is_enabled() -> None:
    files = {f"{TPM}/tpm_version_major": "1\n", f"{TPM}/device/enabled": "1\n", f"{TPM}/device/active": "0\n"}
    assert observe(boot.PROBE, DEBIAN_LAPTOP.changed(files=files)).values["tpm"] == "disabled"
    assert observe(boot.PROBE, DEBIAN_LAPTOP).values["tpm"] == "ready"


def test_other_systems_say_what_they_state_and_no_more() -> None:
    assert observe(boot.PROBE, CONTAINER).status == "unsupported"
    windows = observe(boot.PROBE, WINDOWS.changed(commands={boot.WIN32_TPM: None}))
    assert (windows.values["secure_boot"], windows.missing["tpm"].status) == ("enabled", "unsupported")


def test_the_version_of_a_tpm_is_told_where_it_is_stated() -> None:
    assert observe(boot.PROBE, DEBIAN_LAPTOP).values["tpm_version"] == "2.0"
    files = {f"{TPM}/tpm_version_major": None, f"{TPM}/device/enabled": "1\n", f"{TPM}/device/active": "1\n"}
    assert observe(boot.PROBE, DEBIAN_LAPTOP.changed(files=files)).values["tpm_version"] == "1.2"
    without = DEBIAN_LAPTOP.changed(files={f"{TPM}/tpm_version_major": None}, folders=("/sys/class/tpm",))
    assert observe(boot.PROBE, without).missing["tpm_version"].detail == "no TPM states its version"


@pytest.mark.parametrize(
    ("answer", "state", "version"),
    [
        (
            objects({"IsEnabled_InitialValue": True, "IsActivated_InitialValue": True, "SpecVersion": "1.2, 2, 3"}),
            1,
            "1.2",
        ),
        (
            objects({"IsEnabled_InitialValue": True, "IsActivated_InitialValue": False, "SpecVersion": "2.0, 0"}),
            0,
            "2.0",
        ),
        (objects(), None, None),
    ],
)
def test_windows_tells_its_tpm_to_administrators(answer: Ran, state: int | None, version: str | None) -> None:
    """By "Win32_Tpm class" of the Windows security provider reference; its SpecVersion is a list of numbers."""
    host = WINDOWS.changed(commands={boot.WIN32_TPM: answer})
    values = observe(boot.PROBE, host).values
    assert values["tpm"] == {1: "ready", 0: "disabled", None: "absent"}[state]
    assert values["tpm_version"] == version
    assert observe(boot.PROBE, host.changed(root=False)).missing["tpm"].status == "denied"


SHIM = "/sys/firmware/efi/efivars/MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23"


@pytest.mark.parametrize(("content", "state"), [(b"\x06\0\0\0\x01", "disabled"), (b"\x06\0\0\0\x00", "enabled")])
def test_a_shim_that_checks_nothing_is_no_secure_boot(content: bytes, state: str) -> None:
    """By mokutil(1), --disable-validation, and efi_get_secureboot of the kernel, which reads the same variable."""
    host = DEBIAN_LAPTOP.changed(files={SHIM: content})
    assert observe(boot.PROBE, host).values["secure_boot"] == state
    assert observe(boot.PROBE, host.changed(hidden=frozenset({SHIM}))).missing["secure_boot"].status == "denied"


def test_a_mac_tells_its_policy_and_that_it_has_no_tpm() -> None:
    """By "Contents of a LocalPolicy file" of Apple Platform Security, and SPiBridgeDataType of system_profiler(8)."""
    section = observe(boot.PROBE, MACOS)
    assert section.values == {"secure_boot": "enabled", "tpm": "absent", "tpm_version": None}
    assert section.missing["tpm_version"].detail == "no TPM states its version"


@pytest.mark.parametrize(
    ("level", "integrity", "state"),
    [
        ("Permissive Security", "enabled.", "disabled"),
        ("No Security", "enabled.", "disabled"),
        ("Full Security", "disabled.", "disabled"),
        ("Full Security", "enabled (Custom Configuration).\n\nConfiguration:\n\tKext Signing: disabled", "disabled"),
        ("Reduced Security", "enabled.", None),
        ("Medium Security", "enabled.", None),
        ("Sécurité maximale", "enabled.", None),
    ],
)
def test_only_full_security_with_integrity_starts_what_is_signed_alone(
    level: str, integrity: str, state: str | None
) -> None:
    """By csrutil(8), and "Startup Disk security policy" of Apple Platform Security."""
    answers = {
        boot.BRIDGE: bridge(ibridge_secure_boot=level),
        boot.INTEGRITY: Ran(0, f"System Integrity Protection status: {integrity}\n", ""),
    }
    section = observe(boot.PROBE, MACOS.changed(commands=answers))
    assert section.values["secure_boot"] == state
    assert (state is None) == ("secure_boot" in section.missing)


NO_BRIDGE = Ran(0, '{"SPiBridgeDataType" : []}', "")
INTEL, APPLE = (Ran(0, f"{name}\n", "") for name in ("Intel(R) Core(TM) i7-8850H", "Apple M1"))


@pytest.mark.parametrize(
    ("bridged", "policy", "processor", "state"),
    [
        (bridge(ibridge_secure_boot=""), Ran(0, f"{boot.T2_POLICY[1]}\t%02\n", ""), INTEL, "enabled"),
        (bridge(ibridge_secure_boot=""), Ran(0, f"{boot.T2_POLICY[1]}\t%00\n", ""), INTEL, "disabled"),
        (bridge(ibridge_secure_boot=""), Ran(0, f"{boot.T2_POLICY[1]}\t%01\n", ""), INTEL, None),
        (bridge(ibridge_secure_boot=""), Ran(1, "", "data was not found"), INTEL, None),
        (NO_BRIDGE, Ran(1, "", "data was not found"), INTEL, "unsupported"),
        (NO_BRIDGE, Ran(1, "", "data was not found"), APPLE, None),
        (NO_BRIDGE, Ran(1, "", "data was not found"), Ran(1, "", ""), None),
    ],
)
def test_a_mac_that_names_no_policy_keeps_it_elsewhere_or_is_too_old(
    bridged: Ran, policy: Ran, processor: Ran, state: str | None
) -> None:
    """By nvram(8); AppleSecureBootPolicy is 2 for full, 1 for medium and 0 for no security."""
    answers = {boot.BRIDGE: bridged, boot.T2_POLICY: policy, boot.PROCESSOR: processor}
    assert observe(boot.PROBE, MACOS.changed(commands=answers)).values["secure_boot"] == state


@pytest.mark.parametrize("command", [boot.BRIDGE, boot.INTEGRITY])
@pytest.mark.parametrize(
    "answer", [None, Ran(1, "", ""), Ran(0, "", ""), Ran(0, '{"SPiBrid', ""), TimeoutError("slow")]
)
def test_a_mac_that_does_not_answer_is_not_known(command: tuple[str, ...], answer: Ran | Exception | None) -> None:
    section = observe(boot.PROBE, MACOS.changed(commands={command: answer}))
    assert (section.values["secure_boot"], section.missing["secure_boot"].status) == (None, "unsupported")
