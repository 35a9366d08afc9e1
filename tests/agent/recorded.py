"""Hosts played from recordings, written by hand from the documented shapes of files and commands."""

from __future__ import annotations

import errno
import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.host import BoundSocket, Process, Ran
from tests.agent import recorded_macos, recorded_rpm, recorded_windows
from tests.agent.recorded_tpm import CERTIFICATE, tpm

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
STARTED = datetime.fromtimestamp(1_795_000_000, UTC)
GUID = "8be4df61-93ca-11d2-aa0d-00e098032b8c"


@dataclass(frozen=True)
class RecordedHost:
    """A host whose every answer is given; what is not given is absent, and paths in ``hidden`` are refused."""

    system: str = "linux"
    root: bool = True
    files: Mapping[str, bytes | str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()
    commands: Mapping[tuple[str, ...], Ran | Exception] = field(default_factory=dict)
    values: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    service_states: Mapping[str, bool] = field(default_factory=dict)
    bound: tuple[BoundSocket, ...] = ()
    clock: int = 0x2000
    numbers: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, datetime] = field(default_factory=dict)
    account: str | Exception = ""
    devices: Mapping[str, Callable[[bytes], bytes]] = field(default_factory=dict)

    def changed(self, **changes: Any) -> RecordedHost:
        """The same host with some answers replaced; mappings are merged, and a value of None removes its key."""
        merged: dict[str, Any] = {}
        for name, change in changes.items():
            old = getattr(self, name)
            if isinstance(change, Mapping):
                both = {**old, **change}
                change = {key: value for key, value in both.items() if value is not None}
            merged[name] = change
        return replace(self, **merged)

    def _seen(self, path: str) -> str:
        if path in self.hidden:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return path

    def now(self) -> datetime:
        return NOW

    def privileged(self) -> bool:
        return self.root

    def read_file(self, path: str) -> bytes:
        content = self.files.get(self._seen(path))
        if content is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return content.encode() if isinstance(content, str) else content

    def read_end(self, path: str, size: int) -> bytes:
        return self.read_file(path)[-size:]

    def lines(self, path: str) -> Iterator[str]:
        yield from self.read_file(path).decode().splitlines(keepends=True)

    def fingerprint(self, path: str) -> str:
        if path in self.folders or path not in self.files:
            return "\0".join(self.listdir(path))
        return repr(self.read_file(path))

    def listdir(self, path: str) -> list[str]:
        base = self._seen(path).rstrip("/") + "/"
        known = [*self.files, *self.folders, *self.links]
        found = {name[len(base) :].split("/", 1)[0] for name in known if name.startswith(base)}
        if not found and path not in self.folders:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return sorted(found)

    def exists(self, path: str) -> bool:
        known = [*self.files, *self.folders]
        return self._seen(path) in known or any(name.startswith(f"{path}/") for name in known)

    def readlink(self, path: str) -> str:
        if path not in self.links:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return self.links[self._seen(path)]

    def modified(self, path: str) -> datetime:
        return self.written.get(path, NOW)

    def device_number(self, path: str) -> str:
        return self.numbers[path]

    def same_file(self, one: str, other: str) -> bool:
        if not self.root:
            raise PermissionError(errno.EACCES, "Permission denied", other)
        return True

    def run(self, argv: Sequence[str]) -> Ran:
        answer = self.commands.get(tuple(argv))
        if answer is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", argv[0])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def run_lines(self, argv: Sequence[str]) -> Iterator[str]:
        ran = self.run(argv)
        yield from ran.output.splitlines(keepends=True)
        if ran.status:
            raise OSError(f"{argv[0]} ended with status {ran.status}")

    def registry(self, key: str, name: str) -> Any:
        if (key, name) not in self.values:
            raise FileNotFoundError(errno.ENOENT, "no such value", key)
        return self.values[key, name]

    def subkeys(self, key: str) -> list[str]:
        base = f"{key}\\"
        found = {name[len(base) :].split("\\", 1)[0] for name, _ in self.values if name.startswith(base)}
        if not found and not any(name == key for name, _ in self.values):
            raise FileNotFoundError(errno.ENOENT, "no such key", key)
        return sorted(found)

    def machine_account(self) -> str:
        if isinstance(self.account, Exception):
            raise self.account
        return self.account

    def talk(self, device: str, message: bytes) -> bytes:
        answer = self.devices.get(self._seen(device))
        if answer is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", device)
        return answer(message)

    def host_name(self) -> str:
        return "ws-17"

    def addresses(self) -> list[str]:
        return ["10.1.4.17"]

    def networks(self) -> list[str]:
        return ["10.1.4.0/24"]

    def processes(self) -> list[Process]:
        return [Process(number, name) for number, name in enumerate(self.names, start=1)]

    def running(self, names: frozenset[str]) -> frozenset[str]:
        return names & {name[:15] if self.system == "linux" else name for name in self.names}

    def services(self) -> Mapping[str, bool]:
        return self.service_states

    def sockets(self) -> list[BoundSocket]:
        if self.system == "linux" and not self.bound:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", "sock_diag")
        return list(self.bound)

    def clock_status(self) -> int:
        return self.clock

    def local_time(self, naive: datetime) -> datetime:
        return (naive - timedelta(hours=8)).replace(tzinfo=UTC)

    def passed(self, when: datetime) -> bool:
        return self.now() > when

    def started(self) -> datetime:
        return STARTED


def ruleset(*entries: Mapping[str, Any]) -> Ran:
    """What ``nft -j list ruleset`` prints."""
    return Ran(0, json.dumps({"nftables": [{"metainfo": {"version": "1.0.6"}}, *entries]}), "")


def chain(policy: str, **changes: Any) -> dict[str, Any]:
    """A base chain on the input hook."""
    return {
        "chain": {
            "family": "inet",
            "table": "filter",
            "name": "input",
            "handle": 1,
            "type": "filter",
            "hook": "input",
            "prio": 0,
            "policy": policy,
        }
        | changes
    }


PACKAGES = """\
Package: openssl
Version: 3.0.11-1~deb12u2
Architecture: amd64

Package: bash
Version: 5.2.15-2+b7
Architecture: amd64
"""

NFT = ("/usr/sbin/nft", "-j", "list", "ruleset")
SECURITY = "deb.debian.org_debian-security_dists_bookworm-security"
HELPER = "/usr/lib/apt/apt-helper"
INDEX = f"/var/lib/apt/lists/{SECURITY}_main_binary-amd64_Packages.lz4"

DPKG_QUERY = (
    "/usr/bin/dpkg-query",
    "-W",
    "-f",
    r"${db:Status-Status}\t${Package}\t${Version}\t${source:Package}\t${source:Version}\t${Maintainer}\n",
)
XFRM = ("/usr/sbin/ip", "xfrm", "state", "count")

DEBIAN_LAPTOP = RecordedHost(
    files={
        "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "/proc/1/comm": "systemd\n",
        "/proc/1/environ": b"HOME=/\0",
        "/proc/1/cgroup": "0::/init.scope\n",
        "/proc/sys/kernel/osrelease": "6.1.0-28-amd64\n",
        "/proc/modules": "nf_tables 311296 35 nft_compat, Live 0x0\n",
        "/proc/net/if_inet6": "00000000000000000000000000000001 01 80 10 80 lo\n",
        "/sys/class/dmi/id/chassis_type": "10\n",
        "/sys/class/dmi/id/product_serial": "PF3ABCDE\n",
        "/sys/class/dmi/id/product_uuid": "4C4C4544-0042-3510-8052-B4C04F564432\n",
        "/etc/os-release": 'NAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n',
        "/usr/share/distro-info/debian.csv": (
            "version,codename,series,created,release,eol,eol-lts,eol-elts\n"
            "12,Bookworm,bookworm,2021-08-14,2023-06-10,2026-07-11,2028-06-30,2033-06-30\n"
        ),
        "/var/lib/dpkg/status": (
            "Package: openssl\nStatus: install ok installed\nVersion: 3.0.11-1~deb12u1\nArchitecture: amd64\n\n"
            "Package: bash\nStatus: install ok installed\nVersion: 5.2.15-2+b7\nArchitecture: amd64\n"
        ),
        "/var/log/dpkg.log": "2026-11-18 09:30:00 upgrade libc6:amd64 2.36-9 2.36-9+deb12u8\n2026-11-19 status x\n",
        f"/var/lib/apt/lists/{SECURITY}_InRelease": (
            "Suite: stable-security\nCodename: bookworm-security\nDate: Thu, 19 Nov 2026 20:11:02 UTC\n"
        ),
        INDEX: b"lz4",
        "/etc/kernel/postinst.d/unattended-upgrades": "#!/bin/sh\n",
        "/proc/self/mountinfo": (
            "22 1 253:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw\n"
            "23 22 259:2 / /boot rw,relatime shared:2 - ext4 /dev/nvme0n1p2 rw\n"
            "24 22 259:1 / /boot/efi rw,relatime shared:3 - vfat /dev/nvme0n1p1 rw\n"
            "25 22 0:22 / /proc rw,nosuid shared:4 - proc proc rw\n"
            "26 22 7:0 / /snap/core/1 ro shared:5 - squashfs /dev/loop0 ro\n"
        ),
        "/proc/swaps": "Filename\tType\tSize\tUsed\tPriority\n/dev/dm-2 partition 999420 0 -2\n",
        "/sys/dev/block/253:1/dm/uuid": "LVM-abcdef\n",
        "/sys/dev/block/253:1/slaves/dm-0": "",
        "/sys/class/block/dm-0/dev": "253:0\n",
        "/sys/dev/block/253:0/dm/uuid": "CRYPT-LUKS2-0f0f-nvme0n1p3_crypt\n",
        "/sys/dev/block/253:2/dm/uuid": "LVM-fedcba\n",
        "/sys/dev/block/253:2/slaves/dm-0": "",
        f"/sys/firmware/efi/efivars/SecureBoot-{GUID}": b"\x06\0\0\0\x01",
        f"/sys/firmware/efi/efivars/SetupMode-{GUID}": b"\x06\0\0\0\x00",
        "/sys/class/tpm/tpm0/tpm_version_major": "2\n",
        "/etc/passwd": (
            "root:x:0:0:root:/root:/bin/bash\n"
            "daemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n"
            "wang:x:1000:1000:Wang,,,:/home/wang:/bin/bash\n"
        ),
        "/etc/group": "root:x:0:\nsudo:x:27:wang\nadm:x:4:\n",
        "/etc/shadow": "root:!:19000:0:99999:7:::\nwang:$y$j9T$x:19000:0:99999:7:::\n",
        "/etc/sudoers": "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%sudo\tALL=(ALL:ALL) ALL\n",
        "/etc/nsswitch.conf": "passwd: files systemd\ngroup: files systemd\n",
        "/proc/net/tcp": (
            "  sl  local_address rem_address   st\n"
            "   0: 00000000:0016 00000000:0000 0A 00000000:00000000\n"
            "   1: 0100007F:0277 00000000:0000 0A 00000000:00000000\n"
            "   2: 1104010A:C350 08080808:01BB 01 00000000:00000000\n"
        ),
        "/proc/net/tcp6": (
            "  sl  local_address rem_address   st\n"
            "   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0\n"
            "   1: 00000000000000000000000001000000:0277 00000000000000000000000000000000:0000 0A 0\n"
        ),
        "/proc/net/udp": "  sl\n   0: 1104010A:0044 00000000:0000 07 0\n",
        "/etc/rsyslog.conf": (
            'global(DefaultNetstreamDriver="gtls")\n'
            '*.* action(type="omfwd" target="siem.bank.example" port="6514" protocol="tcp"\n'
            '    StreamDriverMode="1")\n'
            "*.* /var/log/syslog\n"
        ),
        "/opt/CrowdStrike/falconctl": b"",
        "/etc/sssd/sssd.conf": (
            "[sssd]\ndomains = bank.example\nservices = nss, pam\n\n"
            "[domain/bank.example]\nid_provider = ad\nad_domain = Bank.Example\n"
        ),
        "/etc/krb5.keytab": b"\x05\x02",
        "/opt/puppetlabs/puppet/bin/puppet": b"",
        "/etc/pam.d/passwd": "@include common-password\n",
        "/etc/pam.d/common-password": (
            "password requisite pam_pwquality.so retry=3\n"
            "password required pam_pwhistory.so remember=12 use_authtok\n"
            "password [success=1 default=ignore] pam_unix.so obscure use_authtok yescrypt\n"
            "password requisite pam_deny.so\n"
        ),
        "/etc/pam.d/login": "auth optional pam_faildelay.so delay=3000000\n@include common-auth\n",
        "/etc/pam.d/common-auth": (
            "auth required pam_faillock.so preauth\n"
            "auth [success=1 default=ignore] pam_unix.so nullok\n"
            "auth [default=die] pam_faillock.so authfail\n"
        ),
        "/etc/security/pwquality.conf": "# minlen = 8\nminlen = 14\nminclass = 3\n",
        "/etc/security/faillock.conf": "deny = 5\nunlock_time = 900\n",
        "/etc/login.defs": "PASS_MAX_DAYS\t90\nPASS_MIN_DAYS\t1\n",
        "/usr/share/wayland-sessions/gnome-wayland.desktop": "[Desktop Entry]\n",
        "/etc/dconf/profile/user": "user-db:user\nsystem-db:local\n",
        "/etc/dconf/db/local": b"GVariant",
        "/etc/dconf/db/local.d/10-lock": (
            "[org/gnome/desktop/session]\nidle-delay=uint32 600\n\n"
            "[org/gnome/desktop/screensaver]\nlock-enabled=true\nlock-delay=uint32 30\n"
        ),
        "/etc/dconf/db/local.d/locks/lock": (
            "/org/gnome/desktop/session/idle-delay\n"
            "/org/gnome/desktop/screensaver/lock-enabled\n"
            "/org/gnome/desktop/screensaver/lock-delay\n"
        ),
        "/lib/modules/6.1.0-28-amd64/modules.dep": "kernel/drivers/usb/storage/usb-storage.ko: kernel/x.ko\n",
        "/lib/modules/6.1.0-28-amd64/modules.builtin": "kernel/fs/ext4/ext4.ko\n",
        "/etc/modprobe.d/usb.conf": "install usb-storage /bin/false\n",
        "/sys/class/net/lo/flags": "0x9\n",
        "/sys/class/net/lo/type": "772\n",
        "/sys/class/net/lo/uevent": "INTERFACE=lo\nIFINDEX=1\n",
        "/sys/class/net/wg0/flags": "0x10091\n",
        "/sys/class/net/wg0/type": "65534\n",
        "/sys/class/net/wg0/uevent": "DEVTYPE=wireguard\nINTERFACE=wg0\nIFINDEX=7\n",
        "/etc/systemd/system/multi-user.target.wants/wg-quick@wg0.service": "",
    },
    links={
        "/proc/self/ns/pid": "pid:[4026531836]",
        "/proc/1/ns/pid": "pid:[4026531836]",
        "/proc/self/ns/user": "user:[4026531837]",
        "/proc/self/ns/net": "net:[4026531840]",
        "/proc/1/ns/net": "net:[4026531840]",
    },
    folders=("/proc/net", "/sys/firmware"),
    commands={
        NFT: ruleset(chain("drop")),
        (HELPER, "cat-file", INDEX): Ran(0, PACKAGES, ""),
        DPKG_QUERY: Ran(
            0,
            "installed\tbash\t5.2.15-2+b7\tbash\t5.2.15-2\tMatthias Klose <doko@debian.org>\n"
            "installed\tgcc\t4:12.2.0-3\tgcc-defaults\t1.203\tDebian GCC Maintainers <x@debian.org>\n"
            "installed\tlibssl3\t3.0.11-1~deb12u1\topenssl\t3.0.11-1~deb12u1\tDebian OpenSSL Team <x@debian.org>\n"
            "installed\topenssl\t3.0.11-1~deb12u1\topenssl\t3.0.11-1~deb12u1\tDebian OpenSSL Team <x@debian.org>\n"
            "config-files\tnano\t7.2-1\tnano\t7.2-1\tJordi Mallach <jordi@debian.org>\n",
            "",
        ),
        XFRM: Ran(0, "\t SAD count 0\n", ""),
        ("/usr/bin/timedatectl", "show-timesync", "--property=ServerName", "--value"): Ran(
            0, "time.stdtime.gov.tw\n", ""
        ),
    },
    names=("systemd", "falcon-sensor-b", "rsyslogd", "systemd-timesyn", "sshd"),
    numbers={"/dev/dm-2": "253:2"},
    devices={"/dev/tpmrm0": tpm({0x01C00002: CERTIFICATE})},
)
"""A laptop with Debian 12: LUKS below LVM, nftables, CrowdStrike Falcon, rsyslog over TLS, a domain, GNOME."""

NOT_ROOT = DEBIAN_LAPTOP.changed(
    root=False,
    hidden=frozenset(
        {
            "/etc/shadow",
            "/etc/sudoers",
            "/etc/sssd/sssd.conf",
            "/sys/class/dmi/id/product_serial",
            "/sys/class/dmi/id/product_uuid",
            "/proc/1/environ",
            "/dev/tpmrm0",
        }
    ),
)
"""The same laptop, looked at by an ordinary user."""

FEDORA = DEBIAN_LAPTOP.changed(
    files={
        "/etc/os-release": 'NAME="Fedora Linux"\nVERSION_ID=42\nID=fedora\nSUPPORT_END=2027-05-13\n',
        "/var/lib/dpkg/status": None,
        "/usr/bin/rpm": b"",
        "/usr/bin/dnf": b"",
        "/usr/bin/dnf5": b"",
        "/var/cache/libdnf5/updates-0123456789abcdef/repodata/repomd.xml": "",
        "/var/cache/libdnf5/updates-0123456789abcdef/repodata/9f-updateinfo.xml.zst": b"",
        "/var/cache/libdnf5/copr-0123456789abcdef/repodata/repomd.xml": "",
    },
    commands=recorded_rpm.COMMANDS,
)
"""The same laptop with Fedora: dnf5, a repository with security advisories and one without."""

CONTAINER = DEBIAN_LAPTOP.changed(
    files={"/.dockerenv": "", "/proc/1/comm": "python3\n", "/opt/CrowdStrike/falconctl": None},
    links={"/proc/self/ns/pid": "pid:[4026532201]"},
    names=("python3",),
)
"""A container with root's rights and nothing of the host to see."""

KERNEL_WITHOUT_NFTABLES = gzip.compress(b"CONFIG_NET=y\n# CONFIG_NF_TABLES is not set\n")

_NT = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_WALL = r"SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
WINDOWS = RecordedHost(
    system="windows",
    account=recorded_windows.ACCOUNT,
    values={
        (r"SOFTWARE\Microsoft\Cryptography", "MachineGuid"): "D6A1A6F0-4B6E-4A53-9E2D-0B2C3D4E5F60",
        (_NT, "InstallationType"): "Client",
        (_NT, "ProductName"): "Windows 10 Enterprise",
        (_NT, "CurrentBuildNumber"): "22631",
        (_NT, "UBR"): 4460,
        (rf"{_WALL}\DomainProfile", "EnableFirewall"): 1,
        (rf"{_WALL}\StandardProfile", "EnableFirewall"): 1,
        (rf"{_WALL}\PublicProfile", "EnableFirewall"): 1,
        (r"SYSTEM\CurrentControlSet\Control\SecureBoot\State", "UEFISecureBootEnabled"): 1,
    }
    | recorded_windows.VALUES,
    commands=recorded_windows.COMMANDS,
    service_states={"mpssvc": True, "w32time": True, "winrm": True, "windefend": True, "sense": True, "spooler": True},
    bound=(BoundSocket("tcp", "0.0.0.0", 445), BoundSocket("udp", "::1", 1900)),
)
"""A Windows 11 client with Defender for Endpoint."""

MACOS = RecordedHost(
    system="macos",
    files={
        "/System/Library/CoreServices/SystemVersion.plist": (
            '<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict>'
            "<key>ProductName</key><string>macOS</string><key>ProductVersion</key><string>15.1</string>"
            "<key>ProductBuildVersion</key><string>24B83</string></dict></plist>"
        )
    }
    | recorded_macos.FILES,
    commands={
        ("/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice"): Ran(
            0,
            '    "IOPlatformSerialNumber" = "C02XYZ"\n    "IOPlatformUUID" = "0A1B2C3D-0000-1111-2222-333344445555"\n',
            "",
        ),
        ("/usr/sbin/sysctl", "-n", "hw.model"): Ran(0, "MacBookPro18,3\n", ""),
        ("/usr/bin/fdesetup", "status"): Ran(0, "FileVault is On.\n", ""),
        ("/usr/libexec/ApplicationFirewall/socketfilterfw", "--getglobalstate"): Ran(
            0, "Firewall is enabled. (State = 1)\n", ""
        ),
    }
    | recorded_macos.COMMANDS,
)
"""A MacBook with FileVault."""


class Renamed:
    """The laptop by another name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(DEBIAN_LAPTOP, name)

    def host_name(self) -> str:
        return self.name
