from __future__ import annotations

import json

from agent.host import Ran
from agent.probes import disk_encryption, observe
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, MACOS, WINDOWS

MOUNTS = DEBIAN_LAPTOP.files["/proc/self/mountinfo"]


def volumes(host: object) -> dict[str, tuple[bool | None, str | None]]:
    section = observe(disk_encryption.PROBE, host)  # type: ignore[arg-type]
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
    host = WINDOWS.changed(commands={disk_encryption._POWERSHELL: Ran(0, json.dumps(rows), "")})
    assert volumes(host) == {"C:": (True, "bitlocker"), "D:": (False, "none")}
    assert observe(disk_encryption.PROBE, host.changed(root=False)).status == "denied"


def test_filevault_under_way_is_not_yet_encryption() -> None:
    assert volumes(MACOS) == {"/": (True, "filevault")}
    text = "FileVault is On.\nEncryption in progress: Percent completed = 12\n"
    under_way = MACOS.changed(commands={("/usr/bin/fdesetup", "status"): Ran(0, text, "")})
    assert volumes(under_way) == {"/": (False, "none")}
