from __future__ import annotations

import json

import pytest

from agent.host import Host, Ran
from agent.probes import disk_encryption, observe
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, MACOS, WINDOWS
from tests.agent.recorded_macos import DISKUTIL_APFS, DISKUTIL_LIST, disks, volume

MOUNTS = DEBIAN_LAPTOP.read_file("/proc/self/mountinfo").decode()


def volumes(host: Host) -> dict[str, tuple[bool | None, str | None]]:
    section = observe(disk_encryption.PROBE, host)
    assert section.status == "seen", section.detail
    return {one["mount"]: (one["encrypted"], one["method"]) for one in section.values["volumes"]}


def test_luks_below_lvm_is_found_and_boot_partitions_are_left_out() -> None:
    assert volumes(DEBIAN_LAPTOP) == {"/": (True, "luks2"), "[swap /dev/dm-2]": (True, "luks2")}


def test_a_bare_partition_is_not_encrypted() -> None:
    host = DEBIAN_LAPTOP.changed(
        files={
            "/proc/self/mountinfo": f"{MOUNTS}27 22 8:1 / /srv\\040data rw - ext4 /dev/sda1 rw\n",
            "/sys/dev/block/8:1/partition": "1\n",
        }
    )
    assert volumes(host)["/srv data"] == (False, "none")


def test_one_bare_disk_below_a_mirror_makes_it_unencrypted() -> None:
    host = DEBIAN_LAPTOP.changed(
        files={
            "/proc/self/mountinfo": "22 1 9:0 / / rw - ext4 /dev/md0 rw\n",
            "/proc/swaps": "Filename\n",
            "/sys/dev/block/9:0/slaves/dm-0": "",
            "/sys/dev/block/9:0/slaves/sdb": "",
            "/sys/class/block/sdb/dev": "8:16\n",
            "/sys/dev/block/8:16/size": "1\n",
        }
    )
    assert volumes(host) == {"/": (False, "none")}


def test_removable_media_are_left_out() -> None:
    host = DEBIAN_LAPTOP.changed(
        files={
            "/proc/self/mountinfo": f"{MOUNTS}27 22 8:17 / /media/key rw - vfat /dev/sdb1 rw\n",
            "/sys/dev/block/8:17/../removable": "1\n",
        }
    )
    assert "/media/key" not in volumes(host)


def test_what_cannot_be_followed_is_not_said_to_be_encrypted_or_not() -> None:
    host = DEBIAN_LAPTOP.changed(files={"/proc/self/mountinfo": f"{MOUNTS}27 22 0:40 / /tank rw - zfs tank rw\n"})
    section = observe(disk_encryption.PROBE, host)
    assert {"mount": "/tank", "encrypted": None, "method": None} in section.values["volumes"]
    assert section.missing["volumes"].status == "unsupported"


def test_btrfs_is_as_encrypted_as_its_devices() -> None:
    host = DEBIAN_LAPTOP.changed(
        files={
            "/proc/self/mountinfo": "22 1 0:25 /@ / rw - btrfs /dev/mapper/crypt rw\n",
            "/proc/swaps": "Filename\n",
            "/sys/fs/btrfs/0f0f/devices/dm-0": "",
        },
        numbers={"/dev/mapper/crypt": "253:0"},
    )
    assert volumes(host) == {"/": (True, "luks2")}


def test_a_host_without_visible_volumes_is_not_one_without_volumes() -> None:
    host = DEBIAN_LAPTOP.changed(
        files={"/proc/self/mountinfo": "22 1 0:30 / / rw - overlay overlay rw\n", "/proc/swaps": None}
    )
    assert observe(disk_encryption.PROBE, host).status == "unsupported"


def test_a_container_does_not_speak_of_the_disks_below_it() -> None:
    assert observe(disk_encryption.PROBE, CONTAINER).status == "unsupported"


def test_bitlocker_counts_only_fully_encrypted_and_protected() -> None:
    rows = [
        {"MountPoint": "C:", "VolumeStatus": 1, "ProtectionStatus": 1},
        {"MountPoint": "D:", "VolumeStatus": 1, "ProtectionStatus": 0},
    ]
    host = WINDOWS.changed(commands={disk_encryption.BITLOCKER: Ran(0, json.dumps(rows), "")})
    assert volumes(host) == {"C:": (True, "bitlocker"), "D:": (False, "none")}
    assert observe(disk_encryption.PROBE, host.changed(root=False)).status == "denied"


def test_filevault_under_way_is_not_yet_encryption() -> None:
    assert volumes(MACOS) == {"/": (True, "filevault")}
    text = "FileVault is On.\nEncryption in progress: Percent completed = 12\n"
    under_way = MACOS.changed(commands={("/usr/bin/fdesetup", "status"): Ran(0, text, "")})
    assert volumes(under_way) == {"/": (False, "none")}


@pytest.mark.parametrize("word", ["VERITY", "INTEGRITY", "SUBDEV", "UNKNOWN"])
def test_a_device_that_only_guards_its_content_encrypts_nothing(word: str) -> None:
    """By libcryptsetup, whose veritysetup and integritysetup name their devices CRYPT-... as well."""
    guarded = {"/sys/dev/block/253:0/dm/uuid": f"CRYPT-{word}-0f0f-root\n"}
    assert volumes(DEBIAN_LAPTOP.changed(files=guarded))["/"] == (False, "none")
    above = guarded | {
        "/sys/dev/block/253:0/slaves/dm-9": "",
        "/sys/class/block/dm-9/dev": "253:9\n",
        "/sys/dev/block/253:9/dm/uuid": "CRYPT-LUKS2-0f0f-x\n",
    }
    assert volumes(DEBIAN_LAPTOP.changed(files=above))["/"] == (True, "luks2")


def test_a_system_on_a_medium_that_can_be_pulled_out_is_not_left_out() -> None:
    host = DEBIAN_LAPTOP.changed(
        files={
            "/proc/self/mountinfo": f"{MOUNTS}27 22 8:17 / /home rw - ext4 /dev/sdb1 rw\n",
            "/sys/dev/block/8:17/removable": "1\n",
        }
    )
    assert volumes(host)["/home"] == (False, "none")


def test_what_lies_below_a_volume_of_zfs_is_not_known() -> None:
    host = DEBIAN_LAPTOP.changed(
        files={
            "/proc/self/mountinfo": f"{MOUNTS}27 22 230:0 / /srv rw - ext4 /dev/zd0 rw\n",
            "/sys/dev/block/230:0/size": "1\n",
        }
    )
    assert volumes(host)["/srv"] == (None, None)


@pytest.mark.parametrize("output", ["", "[]", "\r\n"])
def test_windows_without_a_volume_has_not_told_its_volumes(output: str) -> None:
    host = WINDOWS.changed(commands={disk_encryption.BITLOCKER: Ran(0, output, "")})
    assert observe(disk_encryption.PROBE, host).status == "unsupported"


def test_filevault_does_not_speak_of_other_volumes_of_a_mac() -> None:
    """By diskutil(8), ``apfs list -plist`` and ``list -plist internal``."""
    others = disks(
        volume("disk3s7", "Safe"), volume("disk4s1", "Open", "Data", FileVault=False), plain=("/Volumes/Old",)
    )
    assert volumes(MACOS.changed(commands=others)) == {
        "/": (True, "filevault"),
        "/Volumes/Safe": (True, "filevault"),
        "/Volumes/Open": (False, "none"),
        "/Volumes/Old": (False, "none"),
    }
    moving = disks(volume("disk3s7", "Moving", CryptoMigrationOn=True))
    assert volumes(MACOS.changed(commands=moving))["/Volumes/Moving"] == (False, "none")


@pytest.mark.parametrize("answer", [None, Ran(1, "", ""), Ran(0, "", ""), Ran(0, "<?xml version='1.0'?><plist>", "")])
@pytest.mark.parametrize("command", [DISKUTIL_APFS, DISKUTIL_LIST])
def test_volumes_of_a_mac_that_are_not_listed_are_not_known(command: tuple[str, ...], answer: Ran | None) -> None:
    host = MACOS.changed(commands={command: answer})
    assert volumes(host) == {"/": (True, "filevault"), "other volumes": (None, None)}
    assert "volumes" in observe(disk_encryption.PROBE, host).missing
