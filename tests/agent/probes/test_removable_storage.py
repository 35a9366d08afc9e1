from __future__ import annotations

import plistlib
from typing import Any

import pytest

from agent.probes import observe, removable_storage
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, MACOS, WINDOWS, RecordedHost
from tests.agent.recorded_macos import MEDIA

MODULES = "/lib/modules/6.1.0-28-amd64"
OPEN = DEBIAN_LAPTOP.changed(files={"/etc/modprobe.d/usb.conf": None})
GUARD = "/etc/usbguard"


def seen(host: RecordedHost) -> tuple[Any, Any]:
    section = observe(removable_storage.PROBE, host)
    assert section.status == "seen", section.detail
    return section.values["mode"], section.values["means"]


def test_a_driver_that_is_never_loaded_blocks_and_nothing_allows() -> None:
    assert seen(DEBIAN_LAPTOP) == ("blocked", ["modprobe"])
    assert seen(OPEN) == ("allowed", [])


@pytest.mark.parametrize(
    ("rules", "mode"),
    [
        ("blacklist usb-storage\n", "allowed"),
        ("blacklist usb-storage\nblacklist uas\n", "blocked"),
        ("install usb_storage /usr/bin/true # no sticks\n", "blocked"),
        ("install usb-storage /sbin/modprobe --ignore-install usb-storage\n", "allowed"),
        ("#install usb-storage /bin/false\n", "allowed"),
        ("options usb-storage quirks=1\n", "allowed"),
    ],
)
def test_rules_of_modprobe_count_as_modprobe_takes_them(rules: str, mode: str) -> None:
    """By modprobe.d(5): blacklist holds back aliases only, and not what another module depends on, as uas does."""
    assert seen(OPEN.changed(files={"/etc/modprobe.d/bank.conf": rules}))[0] == mode


def test_a_rule_comes_too_late_for_a_driver_that_is_loaded_or_built_in() -> None:
    assert seen(DEBIAN_LAPTOP.changed(files={"/proc/modules": "usb_storage 81920 1 uas, Live 0x0\n"}))[0] == "allowed"
    built_in = {f"{MODULES}/modules.builtin": "kernel/drivers/usb/storage/usb-storage.ko\n"}
    assert seen(DEBIAN_LAPTOP.changed(files=built_in))[0] == "allowed"
    assert seen(DEBIAN_LAPTOP.changed(folders=("/sys/bus/usb/drivers/usb-storage",)))[0] == "allowed"


def test_a_kernel_without_the_driver_says_so_only_by_its_list() -> None:
    assert seen(OPEN.changed(files={f"{MODULES}/modules.dep": "kernel/a.ko:\n"})) == ("blocked", ["no_driver"])
    unlisted = OPEN.changed(files={f"{MODULES}/modules.dep": None, f"{MODULES}/modules.builtin": None})
    section = observe(removable_storage.PROBE, unlisted)
    assert (section.values["mode"], section.missing["mode"].status) == (None, "unsupported")


def test_buses_that_authorize_nothing_by_themselves_block() -> None:
    closed = {f"/sys/bus/usb/devices/usb{bus}/authorized_default": "0\n" for bus in (1, 2)}
    assert seen(OPEN.changed(files=closed)) == ("blocked", ["usb_authorization"])
    one = closed | {"/sys/bus/usb/devices/usb2/authorized_default": "1\n"}
    assert seen(OPEN.changed(files=one))[0] == "allowed"


@pytest.mark.parametrize(
    ("rules", "mode"),
    [
        ("", "blocked"),
        ('allow id 046d:c52b serial "" name "Receiver" hash "x/" with-interface { 03:01:01 03:01:02 }\n', "blocked"),
        ("allow with-interface equals { 03:*:* }\n", "blocked"),
        ("allow with-interface one-of { 08:*:* }\n", "allowed"),
        ("block with-interface one-of { 08:*:* }\nallow\n", "blocked"),
        ("allow\n", "allowed"),
        ("allow with-interface 08:06:50 if !rule-applies\n", None),
        ("allow id *:*\n", None),
    ],
)
def test_rules_of_usbguard_are_followed_in_their_order(rules: str, mode: str | None) -> None:
    """By usbguard-rules.conf(5) and usbguard-daemon.conf(5)."""
    files = {f"{GUARD}/usbguard-daemon.conf": "ImplicitPolicyTarget=block\n", f"{GUARD}/rules.conf": rules}
    host = OPEN.changed(files=files, names=("systemd", "usbguard-daemon"))
    section = observe(removable_storage.PROBE, host)
    assert section.values["mode"] == mode
    assert (mode is None) == ("mode" in section.missing)


def test_usbguard_guards_only_where_it_runs_and_its_rules_are_for_root() -> None:
    files = {f"{GUARD}/usbguard-daemon.conf": "ImplicitPolicyTarget=block\n"}
    assert seen(OPEN.changed(files=files))[0] == "allowed"
    user = OPEN.changed(files=files, names=("usbguard-daemon",), root=False)
    assert observe(removable_storage.PROBE, user).status == "denied"
    assert observe(removable_storage.PROBE, OPEN.changed(files=files, root=False)).status == "denied"
    lets_in = {f"{GUARD}/usbguard-daemon.conf": "ImplicitPolicyTarget=allow\n"}
    assert seen(OPEN.changed(files=lets_in, names=("usbguard-daemon",)))[0] == "allowed"


@pytest.mark.parametrize(
    ("rule", "mode"),
    [
        ('ACTION=="add", SUBSYSTEM=="usb", ATTR{bInterfaceClass}=="08", ATTR{../authorized}="0"\n', "blocked"),
        ('SUBSYSTEM=="block", ENV{ID_USB_DRIVER}=="usb-storage", ATTR{ro}="1"\n', "read_only"),
        ('SUBSYSTEM=="block", ENV{ID_BUS}=="usb", RUN{program}+="/sbin/blockdev --setro /dev/%k"\n', "read_only"),
        ('SUBSYSTEM=="block", ENV{ID_BUS}=="usb", RUN+="/usr/local/bin/what %k"\n', None),
        ('#SUBSYSTEM=="usb", ATTR{bInterfaceClass}=="08", ATTR{authorized}="0"\n', "allowed"),
    ],
)
def test_plain_rules_of_udev_count_and_others_leave_it_open(rule: str, mode: str | None) -> None:
    """By udev(7)."""
    section = observe(removable_storage.PROBE, OPEN.changed(files={"/etc/udev/rules.d/99-usb.rules": rule}))
    assert section.values["mode"] == mode


def test_a_container_does_not_speak_of_the_host() -> None:
    assert observe(removable_storage.PROBE, CONTAINER).status == "unsupported"


POLICIES = r"SOFTWARE\Policies\Microsoft\Windows\RemovableStorageDevices"
DISKS = POLICIES + r"\{53f5630d-b6bf-11d0-94f2-00a0c91efb8b}"
SERVICES = r"SYSTEM\CurrentControlSet\Services"


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ({}, "allowed"),
        ({(POLICIES, "Deny_All"): 1}, "blocked"),
        ({(DISKS, "Deny_Read"): 1, (DISKS, "Deny_Write"): 1}, "blocked"),
        ({(DISKS, "Deny_Write"): 1}, "read_only"),
        ({(DISKS, "Deny_Read"): 1}, "allowed"),
        ({(r"SYSTEM\CurrentControlSet\Control\StorageDevicePolicies", "WriteProtect"): 1}, "read_only"),
        ({(rf"{SERVICES}\USBSTOR", "Start"): 4}, "blocked"),
        ({(rf"{SERVICES}\USBSTOR", "Start"): 4, (rf"{SERVICES}\UASPStor", "Start"): 3}, "allowed"),
        ({(r"SOFTWARE\Policies\Microsoft\Windows\DeviceInstall\Restrictions", "DenyUnspecified"): 1}, None),
    ],
)
def test_windows_says_it_in_keys_of_policies_and_drivers(given: dict[tuple[str, str], int], mode: str | None) -> None:
    """By "Policy CSP - ADMX_RemovableStorage", which names keys and values, and "Policy CSP - DeviceInstallation"."""
    section = observe(removable_storage.PROBE, WINDOWS.changed(values=given))
    assert section.values["mode"] == mode
    assert (mode is None) == ("mode" in section.missing)


def test_a_mac_is_never_said_to_block() -> None:
    """By "SystemUIServer" of Apple's device management reference: mount-controls, deprecated in macOS 11."""
    bare = observe(removable_storage.PROBE, MACOS)
    assert (bare.values["mode"], bare.missing["mode"].status) == (None, "unsupported")
    denied = plistlib.dumps({"mount-controls": {"harddisk-external": ["deny", "eject"]}})
    profile = observe(removable_storage.PROBE, MACOS.changed(files={MEDIA: denied}))
    assert (profile.values["mode"], profile.values["means"]) == (None, ["mount_controls"])
    assert observe(removable_storage.PROBE, MACOS.changed(files={MEDIA: b"no plist"})).status == "error"


def test_a_file_of_modprobe_hides_its_namesakes_in_later_folders() -> None:
    """By modprobe.d(5), and the same of udev(7)."""
    hidden = {"/lib/modprobe.d/usb.conf": "install usb-storage /bin/false\n", "/etc/modprobe.d/usb.conf": "# none\n"}
    assert seen(OPEN.changed(files=hidden))[0] == "allowed"
    assert seen(OPEN.changed(files=hidden | {"/etc/modprobe.d/usb.conf": None}))[0] == "blocked"


SETTINGS = {f"{GUARD}/usbguard-daemon.conf": "RuleFile=/srv/rules.conf\n"}
GUARDED = OPEN.changed(names=("usbguard-daemon",), files=SETTINGS)


@pytest.mark.parametrize(
    ("rules", "mode"),
    [
        ("allow\n", "allowed"),
        ("block with-interface 08:*:*\nallow\n", "blocked"),
        ("reject with-interface one-of { 08:*:* 03:*:* }\nallow\n", "blocked"),
        ("block with-interface none-of { 08:*:* }\nallow\n", "allowed"),
        ("block with-interface equals { 08:*:* 03:*:* }\nallow\n", "allowed"),
        ("block with-interface 08:06:50\nallow\n", "allowed"),
        ("block with-interface 08:*:* if !allowed-matches(id 1:2)\nallow\n", "allowed"),
        ("block id 0781:*\nallow\n", "allowed"),
        ("block\n", "blocked"),
    ],
)
def test_a_rule_of_usbguard_blocks_what_it_names_and_stands_where_the_settings_say(rules: str, mode: str) -> None:
    """By usbguard-rules.conf(5) and usbguard-daemon.conf(5), RuleFile."""
    assert seen(GUARDED.changed(files={"/srv/rules.conf": rules}))[0] == mode


@pytest.mark.parametrize(
    "more",
    [
        'ATTRS{idVendor}=="0781", ',
        'ENV{ID_SERIAL_SHORT}!="4C53", ',
        'KERNEL!="sda", ',
    ],
)
def test_a_rule_of_udev_for_some_sticks_blocks_not_all(more: str) -> None:
    line = f'ACTION=="add", SUBSYSTEMS=="usb", {more}ATTR{{bInterfaceClass}}=="08", ATTR{{authorized}}="0"\n'
    path = "/etc/udev/rules.d/99-usb.rules"
    assert seen(OPEN.changed(files={path: line}))[0] == "allowed"
    assert seen(OPEN.changed(files={path: line.replace(more, "")}))[0] == "blocked"
