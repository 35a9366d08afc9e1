"""Whether a USB stick can be used, by the system's own means; what a protection product blocks is not seen here.

The Windows and macOS branches were never run on Windows or macOS; they follow the documents that the tests name.
"""

from __future__ import annotations

import re

from agent import plist
from agent.confinement import refuse_foreign_namespaces
from agent.host import Host
from agent.section import UNSUPPORTED, Denied, Missing, Probe, Seen, by_system

BLOCKED, READ_ONLY, ALLOWED = "blocked", "read_only", "allowed"
_CONFS = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
_RULES = ("/etc/udev/rules.d", "/run/udev/rules.d")
"""Where an administrator's rules stand; those of the distribution block nothing."""
_OF_ANY_STICK = frozenset({"ACTION", "SUBSYSTEM", "SUBSYSTEMS", "KERNEL", "DRIVERS", "DRIVER", "ENV{DEVTYPE}"}) | {
    "ENV{ID_BUS}",
    "ENV{ID_USB_DRIVER}",
    "ATTR{bInterfaceClass}",
    "ATTRS{bInterfaceClass}",
    "ENV{ID_USB_BUS}",
}
"""What a rule of udev may ask for and still mean every stick."""
_GUARD = "/etc/usbguard"
_NOTHING = ("/bin/true", "/bin/false", "/usr/bin/true", "/usr/bin/false", "/sbin/nologin")
_POLICIES = r"SOFTWARE\Policies\Microsoft\Windows\RemovableStorageDevices"
_DISKS = rf"{_POLICIES}\{{53f5630d-b6bf-11d0-94f2-00a0c91efb8b}}"
_WRITE_PROTECT = r"SYSTEM\CurrentControlSet\Control\StorageDevicePolicies"
_RESTRICTIONS = r"SOFTWARE\Policies\Microsoft\Windows\DeviceInstall\Restrictions"
_SERVICES = r"SYSTEM\CurrentControlSet\Services"
_DISABLED = 4
_MANAGED = "/Library/Managed Preferences/com.apple.systemuiserver.plist"


def look(host: Host) -> Seen:
    """``mode`` blocked, read_only or allowed, for a stick that nobody has listed; ``means``, what brings that about."""
    return by_system(host, "removable storage is not looked at on", linux=_linux, windows=_windows, macos=_macos)(host)


def _linux(host: Host) -> Seen:
    refuse_foreign_namespaces(host, "the drivers", ())
    means, unclear = [], []
    driver = _driver(host)
    if driver is None:
        unclear.append("the kernel's modules are not there, so whether it has a driver cannot be told")
    elif driver:
        means.append(driver)
    if _ports_closed(host):
        means.append("usb_authorization")
    guard = _guard(host)
    if guard is None:
        unclear.append("rules of USBGuard that let some devices in cannot be followed")
    elif guard:
        means.append("usbguard")
    rules = _rules(host)
    if rules is None:
        unclear.append("rules of udev speak of USB storage in a way that cannot be followed")
    elif rules != ALLOWED:
        means.append("udev" if rules == BLOCKED else "udev_read_only")
    if set(means) - {"udev_read_only"}:
        return Seen({"mode": BLOCKED, "means": means})
    if unclear:
        return Seen({"mode": None, "means": means}, {"mode": Missing(UNSUPPORTED, "; ".join(unclear))})
    return Seen({"mode": READ_ONLY if means else ALLOWED, "means": means})


def _modules(host: Host) -> str:
    release = host.read_file("/proc/sys/kernel/osrelease").decode("utf-8", "replace").strip()
    return f"/lib/modules/{release}"


def _listed(host: Host, path: str) -> bool:
    return any(re.search(r"/usb-storage\.ko", line.split(":", 1)[0]) for line in host.lines(path))


def _driver(host: Host) -> str | None:
    """What keeps the driver away, empty where it is there or may be loaded; None where that cannot be told."""
    if host.exists("/sys/bus/usb/drivers/usb-storage"):
        return ""
    try:
        base = _modules(host)
        built_in = _listed(host, f"{base}/modules.builtin")
        if not built_in and not _listed(host, f"{base}/modules.dep"):
            return "no_driver"
    except FileNotFoundError:
        return None
    return "modprobe" if not built_in and _driver_blocked(host) else ""


def _driver_blocked(host: Host) -> bool:
    loaded = host.read_file("/proc/modules").decode("utf-8", "replace")
    if re.search(r"^usb_storage ", loaded, re.MULTILINE):
        return False
    rules = set()
    taken: set[str] = set()
    for folder in _CONFS:
        for name in _names(host, folder, ".conf"):
            if name in taken:
                # A file hides those of the same name in later folders.
                continue
            taken.add(name)
            for line in host.read_file(f"{folder}/{name}").decode("utf-8", "replace").splitlines():
                words = line.split("#", 1)[0].split()
                if len(words) >= 2:
                    module = words[1].replace("-", "_")
                    rules.add((words[0], module, words[2] if len(words) > 2 else ""))
    if any(word == "install" and module == "usb_storage" and what in _NOTHING for word, module, what in rules):
        return True
    # uas draws usb-storage in as what it depends on, and blacklist does not apply to that.
    return {"usb_storage", "uas"} <= {module for word, module, _ in rules if word == "blacklist"}


def _names(host: Host, folder: str, ending: str) -> list[str]:
    try:
        return [name for name in host.listdir(folder) if name.endswith(ending)]
    except FileNotFoundError:
        return []


def _ports_closed(host: Host) -> bool:
    """Whether every USB bus refuses new devices until somebody authorizes them."""
    found = []
    for name in _names(host, "/sys/bus/usb/devices", ""):
        if re.fullmatch(r"usb\d+", name):
            found.append(host.read_file(f"/sys/bus/usb/devices/{name}/authorized_default").strip())
    return bool(found) and all(state == b"0" for state in found)


def _guard(host: Host) -> bool | None:
    """Whether USBGuard runs and refuses a stick that no rule names; None where its rules cannot be followed."""
    if not host.exists(_GUARD):
        # Without settings the daemon does not start, and going through all processes is dear.
        return False
    if not host.running(frozenset({"usbguard-daemon"})):
        if not host.privileged():
            raise Denied("USBGuard is there, and whether it runs may be hidden from others than root")
        return False
    if not host.privileged():
        raise Denied("only root may read the rules of USBGuard, which runs here")
    settings = host.read_file(f"{_GUARD}/usbguard-daemon.conf").decode("utf-8", "replace")
    stated = re.search(r"^\s*ImplicitPolicyTarget\s*=\s*(\w+)", settings, re.MULTILINE)
    places = dict(re.findall(r"^\s*(RuleFile|RuleFolder)\s*=\s*(\S+)", settings, re.MULTILINE))
    folder = places.get("RuleFolder", f"{_GUARD}/rules.d").rstrip("/")
    paths = [places.get("RuleFile", f"{_GUARD}/rules.conf"), *(f"{folder}/{name}" for name in _names(host, folder, ""))]
    for path in paths:
        if not host.exists(path):
            continue
        for line in host.read_file(path).decode("utf-8", "replace").splitlines():
            target, _, condition = line.strip().partition(" ")
            if target not in {"allow", "block", "reject"}:
                continue
            applies = _applies(condition) if target == "allow" else _stops(condition)
            if applies is None:
                return None
            if applies:
                return target != "allow"
    return (stated[1] if stated else "block") in {"block", "reject"}


def _applies(condition: str) -> bool | None:
    """Whether a rule holds for any stick; False where it names one device, None where that cannot be told."""
    if re.search(r"\b(hash|serial)\s+[^\s]*\"", condition):
        return False
    interface = re.search(r"with-interface\s+(.*)", condition)
    named = re.search(r"\b(id|name|via-port|parent-hash|if|label)\b", condition)
    if interface:
        for_storage = bool(re.search(r"\b08:|\*:\*:\*", interface[1]))
        return for_storage if not for_storage or not named else None
    return None if named else True


def _stops(condition: str) -> bool:
    """Whether a rule that blocks does so for every stick: those of a further condition, or of other devices, do not."""
    if not condition.strip():
        return True
    plain = re.fullmatch(r"with-interface\s+(?:one-of\s*\{([^}]*)\}|(\S+))\s*", condition)
    return plain is not None and bool({"08:*:*", "*:*:*"} & set((plain[1] or plain[2] or "").split()))


def _rules(host: Host) -> str | None:
    """What an administrator's rules of udev do to USB storage, where they are of a plain form."""
    found = ALLOWED
    taken: set[str] = set()
    for folder in _RULES:
        for name in _names(host, folder, ".rules"):
            if name in taken:
                continue
            taken.add(name)
            text = host.read_file(f"{folder}/{name}").decode("utf-8", "replace").replace("\\\n", " ")
            for line in text.splitlines():
                line = line.strip()
                usb = re.search(
                    r'SUBSYSTEMS?=="usb"|ID_(?:USB_)?BUS\}=="usb"|ID_USB_DRIVER\}=="(?:usb-storage|uas)"', line
                )
                storage = re.search(r'bInterfaceClass\}=="08"|SUBSYSTEM=="block"|KERNEL=="sd', line)
                if line.startswith("#") or not usb or not storage:
                    continue
                if set(re.findall(r"([A-Z]+(?:\{[^}]*\})?)[!=]=", line)) - _OF_ANY_STICK or "!=" in line:
                    # A further condition stops some sticks, and lets in others.
                    continue
                if re.search(r'ATTR\{(?:\.\./)?authorized\}="0"', line):
                    found = BLOCKED
                elif re.search(r'ATTR\{ro\}="1"|blockdev --setro', line):
                    found = READ_ONLY if found == ALLOWED else found
                elif re.search(r"RUN\+?=|authorized", line):
                    return None
    return found


def _value(host: Host, key: str, name: str) -> int:
    try:
        return int(host.registry(key, name))
    except FileNotFoundError:
        return 0


def _windows(host: Host) -> Seen:
    means = []
    if _value(host, _POLICIES, "Deny_All") or (
        _value(host, _DISKS, "Deny_Read") and _value(host, _DISKS, "Deny_Write")
    ):
        means.append("group_policy")
    starts = {name: _value(host, rf"{_SERVICES}\{name}", "Start") for name in ("USBSTOR", "UASPStor")}
    if starts["USBSTOR"] == _DISABLED and starts["UASPStor"] in {0, _DISABLED}:
        means.append("driver_disabled")
    if means:
        return Seen({"mode": BLOCKED, "means": means})
    if any(_value(host, _RESTRICTIONS, name) for name in ("DenyUnspecified", "DenyDeviceClasses", "DenyDeviceIDs")):
        detail = "restrictions of device installation are set, and whom they stop cannot be followed"
        return Seen({"mode": None, "means": ["device_installation"]}, {"mode": Missing(UNSUPPORTED, detail)})
    if _value(host, _DISKS, "Deny_Write"):
        means.append("group_policy")
    if _value(host, _WRITE_PROTECT, "WriteProtect"):
        means.append("write_protect")
    return Seen({"mode": READ_ONLY if means else ALLOWED, "means": means})


def _macos(host: Host) -> Seen:
    means: list[str] = []
    try:
        settings = plist.read(host, _MANAGED)
    except FileNotFoundError:
        detail = "no profile speaks of it, and declarations of device management cannot be read on the host"
    else:
        detail = "mount-controls, which Apple has deprecated since macOS 11, do not prove that a stick is refused"
        actions = settings.get("mount-controls", {}).get("harddisk-external", [])
        if actions:
            means.append("mount_controls")
    return Seen({"mode": None, "means": means}, {"mode": Missing(UNSUPPORTED, detail)})


PROBE = Probe(
    name="removable_storage",
    schema_version=1,
    reads=(
        "/sys/bus/usb/drivers",
        "/lib/modules/*/modules.dep",
        "/lib/modules/*/modules.builtin",
        "/proc/modules",
        *(f"{folder}/*.conf" for folder in _CONFS),
        "/sys/bus/usb/devices/usb*/authorized_default",
        *(f"{folder}/*.rules" for folder in _RULES),
        f"{_GUARD}/usbguard-daemon.conf",
        f"{_GUARD}/rules.conf",
        f"{_GUARD}/rules.d",
        rf"HKLM\{_POLICIES}",
        rf"HKLM\{_WRITE_PROTECT}",
        rf"HKLM\{_RESTRICTIONS}",
        rf"HKLM\{_SERVICES}\USBSTOR and UASPStor, Start",
        _MANAGED,
    ),
    look=look,
)
