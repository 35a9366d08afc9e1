"""Whether the mounted fixed volumes and the swap areas lie on encrypted blocks.

The Windows and macOS branches were never run on Windows or macOS; they follow the documents that the tests name.
"""

from __future__ import annotations

import re
from typing import Any

from agent import plist
from agent.confinement import refuse_foreign_namespaces
from agent.host import Host
from agent.powershell import answers, question
from agent.section import UNSUPPORTED, CannotLook, Denied, Missing, NotSupported, Probe, Seen, by_system

_BOOT = frozenset({"/boot", "/boot/efi", "/efi"})
"""Mounts that firmware or boot loader must read before any key is there; they hold no data of the user."""
_IMAGES = frozenset({"squashfs", "iso9660", "erofs", "cramfs"})
"""Read-only images, such as snaps; what they hold is public."""
_METHODS = {"LUKS2": "luks2", "LUKS1": "luks1", "PLAIN": "dm-crypt", "LOOPAES": "dm-crypt"} | {
    "TCRYPT": "tcrypt",
    "BITLK": "bitlocker",
    "FVAULT2": "filevault",
}
"""Second words of the device-mapper UUID that cryptsetup sets; CRYPT-VERITY and CRYPT-INTEGRITY encrypt nothing."""
_PLUGGED_IN = ("/media/", "/run/media/", "/mnt/")
"""Where removable media are mounted; one that is mounted elsewhere is part of the system."""
_ZVOL = "230:"
"""Major number that zfs gives its volumes, below which nothing is shown."""
BITLOCKER = question("Get-BitLockerVolume | Select-Object MountPoint,VolumeStatus,ProtectionStatus")
_FILEVAULT = ("/usr/bin/fdesetup", "status")
_APFS = ("/usr/sbin/diskutil", "apfs", "list", "-plist")
_DISKS = ("/usr/sbin/diskutil", "list", "-plist", "internal")
_FULLY_ENCRYPTED, _PROTECTED = 1, 1
"""VolumeStatus and ProtectionStatus of Get-BitLockerVolume as numbers."""


def look(host: Host) -> Seen:
    """``volumes``: mount, encrypted, method; removable ones, images and boot partitions are left out."""
    return by_system(host, "volumes are not looked at on", linux=_linux, windows=_windows, macos=_macos)(host)


def _linux(host: Host) -> Seen:
    refuse_foreign_namespaces(host, "volumes", ())
    volumes: dict[str, dict[str, Any]] = {}
    missing: dict[str, Missing] = {}
    for number, mount, kind, source in [*_mounts(host), *_swaps(host)]:
        if number in volumes or mount in _BOOT or kind in _IMAGES:
            continue
        if number.startswith("0:"):
            # File systems over several disks, and all that lie on none, have no block device of their own.
            if kind not in {"zfs", "btrfs", "bcachefs"}:
                continue
            method, encrypted = _btrfs(host, source) if kind == "btrfs" else (None, None)
        elif mount.startswith(_PLUGGED_IN) and _removable(host, number):
            continue
        else:
            method, encrypted = _blocks(host, number)
        if encrypted is None:
            missing["volumes"] = Missing(UNSUPPORTED, f"{mount}: what lies below {kind} could not be followed")
        volumes[number] = {"mount": mount, "encrypted": encrypted, "method": method}
    if not volumes:
        raise NotSupported("no mounted volume of a fixed disk was found")
    return Seen({"volumes": sorted(volumes.values(), key=lambda one: str(one["mount"]))}, missing)


def _mounts(host: Host) -> list[tuple[str, str, str, str]]:
    """(major:minor, mount point, kind of file system, source) of proc(5) mountinfo."""
    found = []
    for line in host.read_file("/proc/self/mountinfo").decode("utf-8", "replace").splitlines():
        left, _, right = line.partition(" - ")
        cells, tail = left.split(), right.split()
        mount = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), cells[4])
        found.append((cells[2], mount, tail[0], tail[1] if len(tail) > 1 else ""))
    return found


def _swaps(host: Host) -> list[tuple[str, str, str, str]]:
    found = []
    try:
        lines = host.read_file("/proc/swaps").decode("utf-8", "replace").splitlines()[1:]
    except FileNotFoundError:
        return []
    for line in lines:
        cells = line.split()
        # A swap file lies on a mounted volume, and zram in memory.
        if cells[1] == "partition" and not cells[0].startswith("/dev/zram"):
            found.append((host.device_number(cells[0]), f"[swap {cells[0]}]", "swap", cells[0]))
    return found


def _base(number: str) -> str:
    return f"/sys/dev/block/{number}"


def _removable(host: Host, number: str) -> bool:
    for path in (f"{_base(number)}/removable", f"{_base(number)}/../removable"):
        try:
            return host.read_file(path).strip() == b"1"
        except OSError:
            continue
    return False


def _blocks(host: Host, number: str, depth: int = 0) -> tuple[str | None, bool | None]:
    """Method and whether every way down to a disk passes through encryption; (None, None) where it cannot be told."""
    base = _base(number)
    if depth > 8 or not host.exists(base):
        return None, None
    try:
        identity = host.read_file(f"{base}/dm/uuid").decode("ascii", "replace").strip()
    except FileNotFoundError:
        identity = ""
    word, _, rest = identity.partition("-")
    if word == "CRYPT" and (method := _METHODS.get(rest.partition("-")[0])):
        return method, True
    if host.exists(f"{base}/loop") or number.startswith(_ZVOL):
        return None, None
    try:
        below = host.listdir(f"{base}/slaves")
    except FileNotFoundError:
        below = []
    if not below:
        return "none", False
    found = [
        _blocks(host, host.read_file(f"/sys/class/block/{name}/dev").decode().strip(), depth + 1) for name in below
    ]
    return _together(found)


def _together(found: list[tuple[str | None, bool | None]]) -> tuple[str | None, bool | None]:
    if any(encrypted is False for _, encrypted in found):
        return "none", False
    if any(encrypted is None for _, encrypted in found):
        return None, None
    return found[0]


def _btrfs(host: Host, source: str) -> tuple[str | None, bool | None]:
    """Every device of the file system that holds ``source`` must be encrypted; /sys/fs/btrfs names them."""
    wanted = host.device_number(source)
    for identity in host.listdir("/sys/fs/btrfs"):
        try:
            names = host.listdir(f"/sys/fs/btrfs/{identity}/devices")
        except OSError:
            continue
        numbers = [host.read_file(f"/sys/class/block/{name}/dev").decode().strip() for name in names]
        if wanted in numbers:
            return _together([_blocks(host, number) for number in numbers])
    return None, None


def _windows(host: Host) -> Seen:
    if not host.privileged():
        raise Denied("only an administrator may read the state of BitLocker")
    volumes = []
    for volume in answers(host, BITLOCKER, "its volumes"):
        encrypted = volume["VolumeStatus"] == _FULLY_ENCRYPTED and volume["ProtectionStatus"] == _PROTECTED
        method = "bitlocker" if encrypted else "none"
        volumes.append({"mount": str(volume["MountPoint"]), "encrypted": encrypted, "method": method})
    if not volumes:
        raise NotSupported("Get-BitLockerVolume lists no volume")
    return Seen({"volumes": volumes})


def _macos(host: Host) -> Seen:
    output = host.run(_FILEVAULT).output
    if not output.startswith(("FileVault is Off", "FileVault is On")):
        raise NotSupported("fdesetup did not state whether FileVault is on")
    on = output.startswith("FileVault is On") and "in progress" not in output
    volumes: list[dict[str, Any]] = [{"mount": "/", "encrypted": on, "method": "filevault" if on else "none"}]
    missing: dict[str, Missing] = {}
    try:
        volumes += _others(host)
    except (OSError, CannotLook, ValueError, LookupError, TypeError, AttributeError) as error:
        # FileVault speaks of the volume that was started alone.
        volumes.append({"mount": "other volumes", "encrypted": None, "method": None})
        missing["volumes"] = Missing(UNSUPPORTED, f"volumes beside the system's own cannot be seen: {error}"[:200])
    return Seen({"volumes": volumes}, missing)


def _others(host: Host) -> list[dict[str, Any]]:
    """Volumes of internal disks that are no part of the system that runs."""
    ran = [host.run(command) for command in (_APFS, _DISKS)]
    if any(one.status != 0 for one in ran):
        raise NotSupported("diskutil did not answer")
    containers, disks = (plist.keys(one.output.encode(), "what diskutil printed") for one in ran)
    apfs = {
        volume["DeviceIdentifier"]: volume for container in containers["Containers"] for volume in container["Volumes"]
    }
    found = []
    for disk in disks["AllDisksAndPartitions"]:
        for volume in disk.get("APFSVolumes", []):
            known = apfs[volume["DeviceIdentifier"]]
            mount = str(volume.get("MountPoint") or "")
            # The system that runs, of which FileVault speaks, and parts of any that hold no data of a user.
            if mount == "/" or mount.startswith("/System/Volumes/") or set(known["Roles"]) - {"Data", "User"}:
                continue
            encrypted = known["FileVault"] is True or (known["Encryption"] is True and known["Locked"] is True)
            encrypted = encrypted and not known["CryptoMigrationOn"]
            found.append(
                {
                    "mount": mount or str(known["Name"]),
                    "encrypted": encrypted,
                    "method": "filevault" if encrypted else "none",
                }
            )
        for partition in (disk, *disk.get("Partitions", [])):
            mount = str(partition.get("MountPoint") or "/")
            if mount != "/":
                found.append({"mount": mount, "encrypted": False, "method": "none"})
    return found


PROBE = Probe(
    name="disk_encryption",
    schema_version=1,
    reads=(
        "/proc/self/mountinfo",
        "/proc/swaps",
        "/sys/dev/block",
        "/sys/class/block",
        "/sys/fs/btrfs",
        " ".join(BITLOCKER),
        *(" ".join(command) for command in (_FILEVAULT, _APFS, _DISKS)),
    ),
    look=look,
)
