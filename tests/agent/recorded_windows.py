"""What documented commands and keys of Windows answer, written by hand; none of it was recorded on Windows."""

from __future__ import annotations

import json
from typing import Any

from agent.host import Ran
from agent.probes import administrators, boot, endpoint_protection, host_identity, patching, vpn

REG = r"C:\Windows\System32\reg.exe"
DSREGCMD = (r"C:\Windows\System32\dsregcmd.exe", "/status")
NET = (r"C:\Windows\System32\net.exe", "accounts")
PERSON = "S-1-5-21-1004336348-1177238915-682003330-1104"
ACCOUNT = "S-1-5-21-1004336348-1177238915-682003330-2104"
ENTRA_DEVICE = "96fa76d0-2b5c-4c1e-9d57-3a1b0c9e8f21"
OWN = rf"HKU\{PERSON}\Control Panel\Desktop"
POLICY = rf"HKU\{PERSON}\Software\Policies\Microsoft\Windows\Control Panel\Desktop"
ENROLMENT = r"SOFTWARE\Microsoft\Enrollments\6F9619FF-8B86-D011-B42D-00C04FC964FF"
UNINSTALL = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"
WALL = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules"
W32TM = (r"C:\Windows\System32\w32tm.exe", "/query", "/status")
MANAGERS = r"SOFTWARE\Policies\Microsoft\Windows\EventLog\EventForwarding\SubscriptionManager"
INACTIVITY = (r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System", "InactivityTimeoutSecs")
_UPDATE = r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update"
_SERVICING = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing"


def objects(*rows: dict[str, Any]) -> Ran:
    """What ConvertTo-Json -Compress prints for these objects."""
    return Ran(0, json.dumps(rows[0] if len(rows) == 1 else rows) + "\r\n" if rows else "", "")


def device_state(entra: str, domain: str, name: str = "") -> Ran:
    """The head of ``dsregcmd /status``, as "Troubleshoot devices by using the dsregcmd command" prints it."""
    bar = "+----------------------------------------------------------------------+"
    lines = [bar, "| Device State                                                         |", bar, ""]
    lines += [f"             AzureAdJoined : {entra}", "          EnterpriseJoined : NO"]
    lines += [f"              DomainJoined : {domain}"] + ([f"                DomainName : {name}"] if name else [])
    if entra == "YES":
        lines += ["", bar, "| Device Details                                                       |", bar, ""]
        lines += [f"                  DeviceId : {ENTRA_DEVICE}"]
        lines += ["                Thumbprint : D3B0A4E1F2C5968778695A4B3C2D1E0FA1B2C3D4"]
    lines += ["", bar, "| Tenant Details                                                       |", bar, ""]
    lines += ["                TenantName : Example Bank"]
    lines += ["                    MdmUrl : https://enrollment.manage.example/enrollmentserver/discovery.svc", ""]
    return Ran(0, "\r\n".join(lines), "")


ACCOUNTS = """\
Force user logoff how long after time expires?:       Never
Minimum password age (days):                          1
Maximum password age (days):                          42
Minimum password length:                              14
Length of password history maintained:                24
Lockout threshold:                                    5
Lockout duration (minutes):                           30
Lockout observation window (minutes):                 30
Computer role:                                        WORKSTATION
The command completed successfully.

"""
HIVES = f"""
HKEY_USERS\\.DEFAULT
HKEY_USERS\\S-1-5-18
HKEY_USERS\\{PERSON}
HKEY_USERS\\{PERSON}_Classes
"""


def saver(key: str, active: int, secure: int, seconds: int) -> Ran:
    """What ``reg query`` prints of a desktop's settings."""
    name = key.replace("HKU", "HKEY_USERS")
    rows = (("ScreenSaveActive", active), ("ScreenSaverIsSecure", secure), ("ScreenSaveTimeOut", seconds))
    return Ran(0, f"\n{name}\n" + "".join(f"    {key}    REG_SZ    {value}\n" for key, value in rows) + "\n", "")


def clock(
    leap: str = "0(no warning)",
    stratum: str = "3 (secondary reference - syncd by (S)NTP)",
    reference: str = "0x0A010203 (source IP:  10.1.2.3)",
    source: str = "time.bank.example,0x8",
) -> Ran:
    """What ``w32tm /query /status`` prints."""
    lines = [f"Leap Indicator: {leap}", f"Stratum: {stratum}", "Precision: -23 (119.209ns per tick)"]
    lines += ["Root Delay: 0.0440359s", "Root Dispersion: 7.7943166s", f"ReferenceId: {reference}"]
    lines += ["Last Successful Sync Time: 11/20/2026 8:20:37 AM", f"Source: {source} ", "Poll Interval: 10 (1024s)", ""]
    return Ran(0, "\r\n".join(lines), "")


def wall(*rules: str) -> Ran:
    """What ``reg query`` prints of rules of the firewall, in the form of [MS-GPFAS] 2.2.2."""
    rows = (f"    {{{number:032X}}}    REG_SZ    v2.31|{rule}|" for number, rule in enumerate(rules))
    return Ran(0, f"\n{WALL}\n" + "\n".join(rows) + "\n", "")


VALUES: dict[tuple[str, str], Any] = {
    (MANAGERS, "1"): "Server=https://wec.bank.example:5986/wsman/SubscriptionManager/WEC,Refresh=60,IssuerCA=00",
    (ENROLMENT, "EnrollmentState"): 1,
    (ENROLMENT, "ProviderID"): "MS DM Server",
    (ENROLMENT, "DiscoveryServiceFullURL"): "https://enrollment.manage.example/enrollmentserver/discovery.svc",
    (rf"{UNINSTALL}\7-Zip", "DisplayName"): "7-Zip 24.08 (x64)",
    (rf"{UNINSTALL}\7-Zip", "DisplayVersion"): "24.08",
    (rf"{UNINSTALL}\7-Zip", "Publisher"): "Igor Pavlov",
    (rf"{UNINSTALL}\Part", "DisplayName"): "A part of Windows",
    (rf"{UNINSTALL}\Part", "SystemComponent"): 1,
    (rf"{UNINSTALL}\Nameless", "DisplayVersion"): "1",
    (r"SYSTEM\CurrentControlSet\Services\USBSTOR", "Start"): 3,
    INACTIVITY: 900,
    (rf"{_UPDATE}\Results", "x"): 1,
    (rf"{_SERVICING}\Packages", "x"): 1,
}
COMMANDS: dict[tuple[str, ...], Ran | Exception] = {
    host_identity.HARDWARE: objects(
        {
            "Uuid": "4C4C4544-0042-3510-8052-B4C04F564432",
            "Serial": "PF3ABCDE",
            "Forms": [10],
            "Endorsement": "ab" * 32,
        }
    ),
    boot.WIN32_TPM: objects(
        {"IsEnabled_InitialValue": True, "IsActivated_InitialValue": True, "SpecVersion": "2.0, 0, 1.59"}
    ),
    patching.HOTFIXES: objects({"HotFixID": "KB5046633", "On": "2026-11-12"}, {"HotFixID": "KB5045935", "On": ""}),
    (REG, "query", WALL): wall(
        "Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=3389|App=System|Name=Remote Desktop",
        "Action=Allow|Active=TRUE|Dir=In|Protocol=17|LPort=5353|Svc=dnscache|Name=mDNS",
        "Action=Allow|Active=TRUE|Dir=In|Protocol=1|ICMP4=8:*|Name=Echo",
        "Action=Allow|Active=FALSE|Dir=In|Name=Everything",
        "Action=Allow|Active=TRUE|Dir=Out|Name=Everything",
        "Action=Block|Active=TRUE|Dir=In|Name=Everything",
    ),
    (REG, "query", r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall\FirewallRules"): Ran(1, "", "ERROR: not found"),
    (REG, "query", WALL.replace("FirewallRules", r"Mdm\FirewallRules")): Ran(1, "", "ERROR: not found"),
    W32TM: clock(),
    administrators.MEMBERS: objects(
        {"Name": r"WS-17\Administrator", "Sid": "S-1-5-21-1004336348-1177238915-682003330-500", "Enabled": False},
        {"Name": r"WS-17\wang", "Sid": "S-1-5-21-1004336348-1177238915-682003330-1001", "Enabled": True},
        {"Name": r"BANK\Domain Admins", "Sid": "S-1-5-21-3623811015-3361044348-30300820-512", "Enabled": None},
    ),
    endpoint_protection.MP_STATUS: objects(
        {
            "AMRunningMode": "Normal",
            "RealTimeProtectionEnabled": True,
            "IsTamperProtected": True,
            "SignaturesAt": "2026-11-19T22:10:05Z",
        }
    ),
    DSREGCMD: device_state("YES", "YES", "BANK"),
    NET: Ran(0, ACCOUNTS, ""),
    (REG, "query", "HKU"): Ran(0, HIVES, ""),
    (REG, "query", OWN): saver(OWN, 1, 0, 600),
    (REG, "query", POLICY): Ran(1, "", "ERROR: The system was unable to find the specified registry key or value."),
    vpn.ADAPTERS: objects(
        {"InterfaceDescription": "Intel(R) Wi-Fi 6E AX211"}, {"InterfaceDescription": "WireGuard Tunnel"}
    ),
    vpn.CONNECTIONS: objects(),
}
