"""What documented commands and files of macOS answer, written by hand; none of it was recorded on macOS."""

from __future__ import annotations

import json
import plistlib
from datetime import datetime
from typing import Any

from agent.host import Ran
from agent.probes import administrators, boot

PWPOLICY = ("/usr/bin/pwpolicy", "-n", "/Local/Default", "-getaccountpolicies")
PROFILES = ("/usr/bin/profiles", "status", "-type", "enrollment")
DSCONFIGAD = ("/usr/sbin/dsconfigad", "-show")
SCUTIL = ("/usr/sbin/scutil", "--nc", "list")
IFCONFIG = ("/sbin/ifconfig", "-a")
LOCK = "/Library/Managed Preferences/com.apple.screensaver.plist"
MEDIA = "/Library/Managed Preferences/com.apple.systemuiserver.plist"

HISTORY = "/Library/Receipts/InstallHistory.plist"
UPDATES = "/Library/Preferences/com.apple.SoftwareUpdate.plist"


NETWORK_TIME = ("/usr/sbin/systemsetup", "-getusingnetworktime")
TIME_SERVER = ("/usr/sbin/systemsetup", "-getnetworktimeserver")


def record(**values: list[str]) -> dict[str, list[str]]:
    """One record as ``dscl -plist`` tells it."""
    return {f"dsAttrTypeStandard:{name}": value for name, value in values.items()}


def listed(content: Any) -> Ran:
    """A command that prints a property list."""
    return Ran(0, plistlib.dumps(content).decode(), "")


PEOPLE = [
    record(RecordName=["root", "BUILTIN\\Local System"], UniqueID=["0"]),
    record(RecordName=["_mbsetupuser"], UniqueID=["248"]),
    record(RecordName=["wang"], UniqueID=["501"], AuthenticationAuthority=[";ShadowHash;HASHLIST:<SALTED-SHA512>"]),
    record(RecordName=["lin"], UniqueID=["502"], AuthenticationAuthority=[";ShadowHash;", ";DisabledUser;;ShadowHash"]),
    record(RecordName=["chen"], UniqueID=["503"], AuthenticationAuthority=[";ShadowHash;"]),
]


def bridge(**changes: str) -> Ran:
    """What ``system_profiler -json SPiBridgeDataType`` prints on a Mac with an Apple chip; none without a change."""
    entry = {
        "ibridge_boot_uuid": "A904AC62-589E-450B-8829-96ADA16DE3DC",
        "ibridge_build": "mBoot-18000.120.36",
        "ibridge_model_identifier_top": "Mac16,5",
        "ibridge_sb_other_kext": "No",
        "ibridge_sb_sip": "Enabled",
        "ibridge_sb_ssv": "Enabled",
        "ibridge_secure_boot": "Full Security",
    }
    return Ran(0, json.dumps({"SPiBridgeDataType": [entry | changes]}), "")


DISKUTIL_APFS = ("/usr/sbin/diskutil", "apfs", "list", "-plist")
DISKUTIL_LIST = ("/usr/sbin/diskutil", "list", "-plist", "internal")


def volume(identifier: str, name: str, *roles: str, **changes: bool) -> dict[str, Any]:
    """One volume as ``diskutil apfs list -plist`` tells it."""
    told = {"CryptoMigrationOn": False, "Encryption": True, "FileVault": True, "Locked": False}
    return {"DeviceIdentifier": identifier, "Name": name, "Roles": list(roles)} | told | changes


def disks(*others: dict[str, Any], plain: tuple[str, ...] = ()) -> dict[tuple[str, ...], Ran | Exception]:
    """What diskutil(8) prints of internal disks: the system's own volumes, others, and partitions without APFS."""
    own = [
        volume("disk3s1", "Macintosh HD", "System"),
        volume("disk3s5", "Data", "Data"),
        volume("disk3s6", "VM", "VM"),
    ]
    mounts = {"disk3s1": "/", "disk3s5": "/System/Volumes/Data"} | {
        one["DeviceIdentifier"]: f"/Volumes/{one['Name']}" for one in others
    }
    told = [
        {"DeviceIdentifier": one["DeviceIdentifier"], "VolumeName": one["Name"]}
        | ({"MountPoint": mounts[one["DeviceIdentifier"]]} if one["DeviceIdentifier"] in mounts else {})
        for one in (*own, *others)
    ]
    partitions = [{"Content": "Apple_HFS", "MountPoint": mount} for mount in plain]
    listed = [
        {"Content": "GUID_partition_scheme", "Partitions": [{"Content": "Apple_APFS"}, *partitions]},
        {"Content": "EF57347C-0000-11AA-AA11-00306543ECAC", "APFSVolumes": told},
    ]
    return {
        DISKUTIL_APFS: Ran(0, plistlib.dumps({"Containers": [{"Volumes": [*own, *others]}]}).decode(), ""),
        DISKUTIL_LIST: Ran(0, plistlib.dumps({"AllDisksAndPartitions": listed}).decode(), ""),
    }


def history(*rows: tuple[str, str, datetime]) -> bytes:
    """InstallHistory.plist: the name, the program that installed it, and when, in UTC."""
    keys = ("displayName", "processName", "date")
    return plistlib.dumps([dict(zip(keys, row, strict=True)) | {"displayVersion": "1"} for row in rows])


def policies(**categories: list[dict[str, Any]]) -> Ran:
    """What ``pwpolicy -getaccountpolicies`` prints."""
    return Ran(0, "Getting account policies for database /Local/Default\n" + plistlib.dumps(categories).decode(), "")


COMMANDS: dict[tuple[str, ...], Ran | Exception] = {
    **disks(),
    NETWORK_TIME: Ran(0, "Network Time: On\n", ""),
    TIME_SERVER: Ran(0, "Network Time Server: time.apple.com\n", ""),
    administrators.GROUP: listed(record(GroupMembership=["root", "wang", "lin", "_mbsetupuser"])),
    administrators.USERS: listed(PEOPLE),
    boot.BRIDGE: bridge(),
    boot.INTEGRITY: Ran(0, "System Integrity Protection status: enabled.\n", ""),
    PWPOLICY: policies(
        policyCategoryAuthentication=[
            {
                "policyContent": "policyAttributeFailedAuthentications < policyAttributeMaximumFailedAuthentications",
                "policyParameters": {"policyAttributeMaximumFailedAuthentications": 5, "autoEnableInSeconds": 900},
            }
        ],
        policyCategoryPasswordChange=[
            {
                "policyContent": "policyAttributeCurrentTime > policyAttributeLastPasswordChangeTime + "
                "(policyAttributeExpiresEveryNDays * 24 * 60 * 60)",
                "policyParameters": {"policyAttributeExpiresEveryNDays": 90},
            }
        ],
        policyCategoryPasswordContent=[
            {"policyContent": "policyAttributePassword matches '.{12,}+'", "policyIdentifier": "length"},
            {"policyContent": "policyAttributePassword matches '.*[0-9].*'"},
            {"policyContent": "policyAttributePassword matches '.*[A-Z].*'"},
            {
                "policyContent": "none policyAttributePasswordHashes in policyAttributePasswordHistory",
                "policyParameters": {"policyAttributePasswordHistoryDepth": 10},
            },
        ],
    ),
    PROFILES: Ran(
        0,
        "Enrolled via DEP: Yes\nMDM enrollment: Yes (User Approved)\nMDM server: https://mdm.bank.example/mdm/connect\n",
        "",
    ),
    DSCONFIGAD: Ran(0, "", ""),
    SCUTIL: Ran(
        0,
        "Available network connection services in the current set (*=enabled):\n"
        '* (Disconnected)   0A1B2C3D-0000-1111-2222-333344445555 PPP --> L2TP   "Old"   [PPP:L2TP]\n'
        '* (Connected)      5A1B2C3D-0000-1111-2222-333344445555 VPN (com.cisco.anyconnect) "Bank"  [VPN:x]\n',
        "",
    ),
    IFCONFIG: Ran(
        0,
        "lo0: flags=8049<UP,LOOPBACK> mtu 16384\n\tinet 127.0.0.1 netmask 0xff000000\n"
        "utun0: flags=8051<UP,POINTOPOINT> mtu 1380\n\tinet6 fe80::1%utun0 prefixlen 64\n"
        "utun4: flags=8051<UP,POINTOPOINT> mtu 1400\n\tinet 10.9.0.2 --> 10.9.0.2 netmask 0xffffffff\n",
        "",
    ),
}
FILES: dict[str, bytes | str] = {
    "/etc/sudoers": "root ALL = (ALL) ALL\n%admin ALL = (ALL) ALL\n#includedir /private/etc/sudoers.d\n",
    HISTORY: history(
        ("macOS 15.1", "softwareupdated", datetime(2026, 11, 4, 2, 30)),
        ("XProtectPlistConfigData", "softwareupdated", datetime(2026, 11, 18, 2, 30)),
        ("Slack", "Installer", datetime(2026, 11, 19, 2, 30)),
    ),
    UPDATES: plistlib.dumps(
        {
            "LastFullSuccessfulDate": datetime(2026, 11, 19, 3, 0),
            "LastRecommendedUpdatesAvailable": 1,
            "RecommendedUpdates": [{"Display Name": "macOS Sequoia 15.1.1", "Product Key": "MSU_UPDATE_24B91"}],
        }
    ),
    LOCK: plistlib.dumps({"askForPassword": True, "askForPasswordDelay": 5, "idleTime": 600}),
    "/Applications/Firefox.app/Contents/Info.plist": plistlib.dumps(
        {"CFBundleIdentifier": "org.mozilla.firefox", "CFBundleShortVersionString": "132.0.2"}
    ),
    "/var/db/receipts/com.bank.agent.plist": plistlib.dumps(
        {"PackageIdentifier": "com.bank.agent", "PackageVersion": "1.4"}
    ),
}
