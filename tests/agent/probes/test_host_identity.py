from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from agent.host import Ran
from agent.probes import host_identity, observe
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, MACOS, NOT_ROOT, WINDOWS
from tests.agent.recorded_tpm import PUBLIC_KEY
from tests.agent.recorded_windows import objects

MODEL = ("/usr/sbin/sysctl", "-n", "hw.model")


def test_a_laptop_is_known_by_machine_id_and_chassis() -> None:
    section = observe(host_identity.PROBE, DEBIAN_LAPTOP)
    assert section.values["machine_id"] == "0123456789abcdef0123456789abcdef"
    assert section.values["category"] == "laptop"
    assert section.missing == {}


@pytest.mark.parametrize("content", [None, "", "uninitialized\n", "0" * 32])
def test_without_a_real_machine_id_none_is_made_up(content: str | None) -> None:
    section = observe(host_identity.PROBE, DEBIAN_LAPTOP.changed(files={"/etc/machine-id": content}))
    assert section.values["machine_id"] is None
    assert section.missing["machine_id"].status == "unsupported"


def test_a_virtual_machine_has_no_form_unless_its_owner_states_one() -> None:
    machine = DEBIAN_LAPTOP.changed(files={"/sys/class/dmi/id/chassis_type": "1\n"})
    assert observe(host_identity.PROBE, machine).missing["category"].status == "unsupported"
    stated = machine.changed(files={"/etc/machine-info": 'CHASSIS="server"\n'})
    assert observe(host_identity.PROBE, stated).values["category"] == "server"


def test_the_serial_number_is_denied_to_others_than_root() -> None:
    section = observe(host_identity.PROBE, NOT_ROOT)
    assert section.values["serial"] is None
    assert section.missing["serial"].status == "denied"


def test_in_a_container_the_machine_below_is_not_described() -> None:
    section = observe(host_identity.PROBE, CONTAINER)
    assert (section.values["category"], section.values["serial"]) == (None, None)
    assert set(section.missing) == {"category", "serial", "smbios_uuid", "tpm_ek_sha256"}


def test_other_systems_are_known_by_their_own_identifiers() -> None:
    assert observe(host_identity.PROBE, WINDOWS).values["machine_id"] == "d6a1a6f0-4b6e-4a53-9e2d-0b2c3d4e5f60"
    mac = observe(host_identity.PROBE, MACOS).values
    assert (mac["machine_id"], mac["category"]) == ("0a1b2c3d-0000-1111-2222-333344445555", "laptop")


def test_attributes_of_the_hardware_stand_beside_the_identity() -> None:
    values = observe(host_identity.PROBE, DEBIAN_LAPTOP).values
    assert values["smbios_uuid"] == "4c4c4544-0042-3510-8052-b4c04f564432"
    assert values["tpm_ek_sha256"] == hashlib.sha256(PUBLIC_KEY).hexdigest()
    assert values["machine_id"] not in {values["smbios_uuid"], values["serial"]}


@pytest.mark.parametrize(
    "text", ["", "Not Settable", "0" * 8 + "-0000-0000-0000-" + "0" * 12, "03000200-0400-0500-0006-000700080009"]
)
def test_a_uuid_that_many_boards_share_is_none(text: str) -> None:
    section = observe(host_identity.PROBE, DEBIAN_LAPTOP.changed(files={"/sys/class/dmi/id/product_uuid": text}))
    assert section.values["smbios_uuid"] is None
    assert section.missing["smbios_uuid"].status == "unsupported"


def test_what_others_than_root_may_not_read_of_the_hardware_is_denied() -> None:
    missing = observe(host_identity.PROBE, NOT_ROOT).missing
    assert {missing[name].status for name in ("serial", "smbios_uuid", "tpm_ek_sha256")} == {"denied"}


@pytest.mark.parametrize("device", [None, lambda message: b"", lambda message: b"\x80\x01\0\0\0\x0a\0\0\x01\x01"])
def test_a_tpm_that_is_not_there_or_is_odd_has_no_key(device: Any) -> None:
    section = observe(host_identity.PROBE, DEBIAN_LAPTOP.changed(devices={"/dev/tpmrm0": device}))
    assert section.values["tpm_ek_sha256"] is None
    assert section.missing["tpm_ek_sha256"].status == "unsupported"


def test_windows_tells_its_hardware_in_one_answer() -> None:
    """By "Win32_ComputerSystemProduct", "Win32_BIOS", "Win32_SystemEnclosure" and "Get-TpmEndorsementKeyInfo"."""
    values = observe(host_identity.PROBE, WINDOWS).values
    assert (values["category"], values["serial"]) == ("laptop", "PF3ABCDE")
    assert values["smbios_uuid"] == "4c4c4544-0042-3510-8052-b4c04f564432"
    assert values["tpm_ek_sha256"] == "ab" * 32


def test_windows_without_an_answer_keeps_its_identity() -> None:
    section = observe(host_identity.PROBE, WINDOWS.changed(commands={host_identity.HARDWARE: TimeoutError("slow")}))
    assert section.values["machine_id"]
    assert set(section.missing) == {"category", "serial", "smbios_uuid", "tpm_ek_sha256"}
    plain = {"Uuid": "4C4C4544-0042-3510-8052-B4C04F564432", "Serial": "None", "Forms": [1], "Endorsement": None}
    user = WINDOWS.changed(root=False, commands={host_identity.HARDWARE: objects(plain)})
    missing = observe(host_identity.PROBE, user).missing
    assert (missing["serial"].status, missing["tpm_ek_sha256"].status) == ("unsupported", "denied")


def test_a_mac_has_one_uuid_and_no_tpm() -> None:
    """By ioreg(8), class IOPlatformExpertDevice."""
    section = observe(host_identity.PROBE, MACOS)
    assert (section.values["serial"], section.values["smbios_uuid"]) == ("C02XYZ", section.values["machine_id"])
    assert section.missing["tpm_ek_sha256"].status == "unsupported"


@pytest.mark.parametrize(
    ("noted", "chassis", "form"),
    [
        ("server", "10", None),
        ("laptop", "10", "laptop"),
        ("server", "1", "server"),
        ("server", None, "server"),
        ("vm", "10", "laptop"),
        ("vm", "1", None),
    ],
)
def test_what_is_written_down_does_not_stand_against_the_firmware(
    noted: str, chassis: str | None, form: str | None
) -> None:
    """A laptop that is noted as a server would be excused from what laptops are asked for."""
    files = {"/etc/machine-info": f'CHASSIS="{noted}"\n', "/sys/class/dmi/id/chassis_type": chassis}
    section = observe(host_identity.PROBE, DEBIAN_LAPTOP.changed(files=files))
    assert section.values["category"] == form
    assert (form is None) == ("category" in section.missing)


@pytest.mark.parametrize(
    ("name", "form"), [("MacBook Air", "laptop"), ("Mac mini", "desktop"), ("Mac Studio", "desktop"), ("Virtual", None)]
)
def test_a_mac_of_today_is_known_by_the_name_under_which_it_is_sold(name: str, form: str | None) -> None:
    """By system_profiler(8), SPHardwareDataType: models are called Mac14,2 and so on whatever their form is."""
    told = Ran(0, json.dumps({"SPHardwareDataType": [{"machine_model": "Mac14,2", "machine_name": name}]}), "")
    answers = {MODEL: Ran(0, "Mac14,2\n", ""), ("/usr/sbin/system_profiler", "-json", "SPHardwareDataType"): told}
    assert observe(host_identity.PROBE, MACOS.changed(commands=answers)).values["category"] == form
    silent = MACOS.changed(commands={MODEL: Ran(0, "Mac14,2\n", "")})
    assert observe(host_identity.PROBE, silent).missing["category"].status == "unsupported"
