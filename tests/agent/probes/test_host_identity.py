from __future__ import annotations

import pytest

from agent.probes import host_identity, observe
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, MACOS, NOT_ROOT, WINDOWS


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
    assert set(section.missing) == {"category", "serial"}


def test_other_systems_are_known_by_their_own_identifiers() -> None:
    assert observe(host_identity.PROBE, WINDOWS).values["machine_id"] == "d6a1a6f0-4b6e-4a53-9e2d-0b2c3d4e5f60"
    mac = observe(host_identity.PROBE, MACOS).values
    assert (mac["machine_id"], mac["category"]) == ("0a1b2c3d-0000-1111-2222-333344445555", "laptop")
