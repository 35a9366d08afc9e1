"""What documented commands and files of macOS answer, written by hand; none of it was recorded on macOS."""

from __future__ import annotations

import plistlib
from typing import Any

from agent.host import Ran

PWPOLICY = ("/usr/bin/pwpolicy", "-n", "/Local/Default", "-getaccountpolicies")
PROFILES = ("/usr/bin/profiles", "status", "-type", "enrollment")
DSCONFIGAD = ("/usr/sbin/dsconfigad", "-show")
SCUTIL = ("/usr/sbin/scutil", "--nc", "list")
IFCONFIG = ("/sbin/ifconfig", "-a")
LOCK = "/Library/Managed Preferences/com.apple.screensaver.plist"
MEDIA = "/Library/Managed Preferences/com.apple.systemuiserver.plist"


def policies(**categories: list[dict[str, Any]]) -> Ran:
    """What ``pwpolicy -getaccountpolicies`` prints."""
    return Ran(0, "Getting account policies for database /Local/Default\n" + plistlib.dumps(categories).decode(), "")


COMMANDS: dict[tuple[str, ...], Ran | Exception] = {
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
    LOCK: plistlib.dumps({"askForPassword": True, "askForPasswordDelay": 5, "idleTime": 600}),
    "/Applications/Firefox.app/Contents/Info.plist": plistlib.dumps(
        {"CFBundleIdentifier": "org.mozilla.firefox", "CFBundleShortVersionString": "132.0.2"}
    ),
    "/var/db/receipts/com.bank.agent.plist": plistlib.dumps(
        {"PackageIdentifier": "com.bank.agent", "PackageVersion": "1.4"}
    ),
}
