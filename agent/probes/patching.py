"""When updates were last installed, which security updates are known and not installed, and whether a restart is due.

The Windows and macOS branches were never run on Windows or macOS; they follow the documents that the tests name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from agent import plist, rpm
from agent.confinement import container
from agent.debian import installed, repaired
from agent.host import Host
from agent.powershell import answers, question
from agent.probes.operating_system import release
from agent.section import UNSUPPORTED, CannotLook, Missing, NotSupported, Probe, Seen, by_system, moment

_LISTS = "/var/lib/apt/lists"
_DATE = re.compile(r"Date: \w{3}, (\d{1,2} \w{3} \d{4} \d{2}:\d{2}:\d{2}) (?:UTC|GMT|\+0000)")
_FRESH = timedelta(days=7)
"""Debian's security archive signs each index for seven days (Valid-Until)."""
_LOGS = ("/var/log/dpkg.log", "/var/log/dpkg.log.1")
_LOG_ENDS = (64 * 1024, 2 * 1024 * 1024)
_UPGRADE = re.compile(rb"^(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}) upgrade ", re.MULTILINE)
_HELPER = "/usr/lib/apt/apt-helper"
HOTFIXES = question(
    "Get-HotFix | Where-Object InstalledOn | Select-Object HotFixID,"
    "@{n='On';e={$_.InstalledOn.ToString('yyyy-MM-dd',[cultureinfo]::InvariantCulture)}}"
)
"""The invariant culture, since that of Taiwan may count its years from 1912."""
_WAITING = {
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update": "RebootRequired",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing": "RebootPending",
}
"""Keys that are there only while a restart is due, and the keys in which they stand."""
_WITH_EVERY_SYSTEM = ("glibc", "systemd", "openssl-libs", "libopenssl3", "kernel-core", "kernel-default", "sudo")
"""Packages that nobody adds later: where one is younger than the system, it was updated when it came."""
_NEEDS_RESTART = (
    *("kernel", "kernel-core", "kernel-default", "kernel-rt", "kernel-rt-core", "linux-firmware", "microcode_ctl"),
    *("glibc", "systemd", "dbus", "dbus-broker", "dbus-daemon"),
)
"""Packages whose update asks for a restart, as dnf-needs-restarting(8) has them from Red Hat's solution 27943."""
_INSTALLING = 86_400
"""Seconds that installing a system may take; what is younger than its oldest package by more was not part of it."""
_OSTREE = ("/usr/bin/rpm-ostree", "status", "--json")
_HISTORY = "/Library/Receipts/InstallHistory.plist"
_UPDATES = "/Library/Preferences/com.apple.SoftwareUpdate.plist"
_RESTRICTIONS = "/Library/Managed Preferences/com.apple.applicationaccess.plist"
_OF_THE_SYSTEM = re.compile(r"macOS\b|OS X\b|Security Update\b|Rapid Security Response\b|Safari\b")
"""Updates of macOS by name; lists of malware, which come each week, say nothing of holes that are closed."""
_HOOKS = ("/etc/kernel/postinst.d/update-notifier", "/etc/kernel/postinst.d/unattended-upgrades")
"""Hooks that leave /run/reboot-required behind; without one, its absence says nothing."""


def look(host: Host) -> Seen:
    """``ever_patched``, ``last_patched``, ``pending_security``, ``restart_pending``."""
    return by_system(host, "updates are not looked at on", linux=_linux, windows=_windows, macos=_macos)(host)


def _seen(last: datetime | None, pending: int | None, restart: bool | None, missing: dict[str, Missing]) -> Seen:
    values = {
        "ever_patched": True if last else None,
        "last_patched": moment(last) if last else None,
        "pending_security": pending,
        "restart_pending": restart,
    }
    return Seen(values, missing)


def _linux(host: Host) -> Seen:
    if host.exists("/run/ostree-booted"):
        return _ostree(host)
    if host.exists("/var/lib/dpkg/status"):
        last, why_not = _last_upgrade(host), "the package logs that are still kept show no upgrade"
        restart, silent = _restart(host), "nothing on this host would note that a restart is needed"
        waiting = _pending
    elif host.exists(rpm.PROGRAM):
        times = rpm.times(host)
        last, why_not = _last_of_rpm(times), "no package that comes with every system is younger than this one"
        restart, silent = _restart_of_rpm(host, times), "in a container, only the host's own start counts"
        waiting = rpm.pending
    else:
        raise NotSupported("updates are looked at only on hosts with dpkg or rpm")
    missing: dict[str, Missing] = {}
    if last is None:
        missing["last_patched"] = missing["ever_patched"] = Missing(UNSUPPORTED, why_not)
    if restart is None:
        missing["restart_pending"] = Missing(UNSUPPORTED, silent)
    try:
        pending = waiting(host)
    except (CannotLook, TimeoutError) as reason:
        pending = None
        missing["pending_security"] = Missing(UNSUPPORTED, str(reason)[:200])
    return _seen(last, pending, restart, missing)


def _last_of_rpm(times: Mapping[str, list[int]]) -> datetime | None:
    """Not when any package came, since one that is added closes no hole of those that were there."""
    began = min(min(each) for each in times.values())
    newest = max((max(times[name]) for name in _WITH_EVERY_SYSTEM if name in times), default=began)
    return datetime.fromtimestamp(newest, UTC) if newest - began > _INSTALLING else None


def _restart_of_rpm(host: Host, times: Mapping[str, list[int]]) -> bool | None:
    if container(host):
        return None
    started = host.started().timestamp()
    return any(max(times[name]) > started for name in _NEEDS_RESTART if name in times)


def _ostree(host: Host) -> Seen:
    """An image as a whole: its own date is the least that can be said, since it was put here later."""
    ran = host.run(_OSTREE)
    if ran.status != 0:
        raise NotSupported(f"rpm-ostree ended with status {ran.status}")
    deployments = json.loads(ran.output)["deployments"]
    booted = next((one for one in deployments if one["booted"]), None)
    if booted is None:
        raise NotSupported("rpm-ostree names no image that runs")
    why = Missing(UNSUPPORTED, "rpm-ostree tells what waits only after it has asked its server")
    values = {
        "ever_patched": True if len(deployments) > 1 else None,
        "last_patched": moment(datetime.fromtimestamp(int(booted["timestamp"]), UTC)),
        "pending_security": None,
        "restart_pending": deployments[0] is not booted,
    }
    missing = {"pending_security": why}
    if values["ever_patched"] is None:
        missing["ever_patched"] = Missing(UNSUPPORTED, "there is one image, which may be the first")
    return Seen(values, missing)


def _last_upgrade(host: Host) -> datetime | None:
    """The newest line ``DATE TIME upgrade ...`` of dpkg's logs, which are in local time."""
    for path in _LOGS:
        for size in _LOG_ENDS:
            try:
                # Not line by line, which would take ten times the memory of the log.
                found = _UPGRADE.findall(host.read_end(path, size))
            except FileNotFoundError:
                break
            if found:
                return host.local_time(datetime.strptime(found[-1].decode(), "%Y-%m-%d %H:%M:%S"))  # noqa: DTZ007
    return None


def _pending(host: Host) -> int:
    try:
        names = host.listdir(_LISTS)
    except FileNotFoundError:
        names = []
    releases = [name for name in names if name.endswith("-security_InRelease")]
    if not releases:
        raise NotSupported("apt knows no security archive")
    codename = release(host).get("VERSION_CODENAME", "")
    present = installed(host.lines("/var/lib/dpkg/status"))
    found: set[str] = set()
    own = False
    for name in releases:
        own |= _refuse_old(host, name) == codename
        stem = name.removesuffix("_InRelease")
        indexes = [name for name in names if name.startswith(f"{stem}_") and re.search(r"_Packages(\.\w+)?$", name)]
        if not indexes:
            raise NotSupported(f"apt holds no packages of {stem}")
        for index in indexes:
            found |= repaired(_index(host, f"{_LISTS}/{index}"), present)
    if not own:
        raise NotSupported(f"apt knows no security archive of this system's own release {codename}".rstrip())
    return len(found)


def _refuse_old(host: Host, name: str) -> str:
    """The codename of a release whose index is not older than a week."""
    codename, made = "", None
    for line in host.lines(f"{_LISTS}/{name}"):
        if match := _DATE.match(line):
            made = datetime.strptime(match[1], "%d %b %Y %H:%M:%S").replace(tzinfo=UTC)
        elif line.startswith("Codename:"):
            codename = line.partition(":")[2].strip().removesuffix("-security")
    if made is None:
        raise NotSupported(f"{name} states no date")
    if host.passed(made + _FRESH):
        raise NotSupported(f"the list of security updates is of {made:%Y-%m-%d}; apt-get update renews it")
    if not host.passed(made - timedelta(days=1)):
        raise NotSupported(f"the list of security updates is of {made:%Y-%m-%d}, which is to come by this host's clock")
    return codename


def _index(host: Host, path: str) -> Iterator[str]:
    if path.endswith("_Packages"):
        yield from host.lines(path)
        return
    try:
        yield from host.run_lines([_HELPER, "cat-file", path])
    except OSError as error:
        raise NotSupported(f"the package lists could not be read: {error}") from error


def _restart(host: Host) -> bool | None:
    if host.exists("/run/reboot-required"):
        return True
    return False if any(host.exists(path) for path in _HOOKS) else None


def _windows(host: Host) -> Seen:
    detail = "Windows tells which updates are due only after it has asked its server"
    missing = {"pending_security": Missing(UNSUPPORTED, detail)}
    last = None
    try:
        days = [str(row.get("On", "")) for row in answers(host, HOTFIXES, "its updates")]
        dated = [day for day in days if re.fullmatch(r"\d{4}-\d{2}-\d{2}", day)]
        if dated:
            last = host.local_time(datetime.strptime(max(dated), "%Y-%m-%d"))  # noqa: DTZ007
        detail = "Get-HotFix lists no update with a day"
    except (OSError, CannotLook) as error:
        detail = f"Windows did not answer: {error}"[:200]
    if last is None:
        missing["last_patched"] = missing["ever_patched"] = Missing(UNSUPPORTED, detail)
    restart = None
    try:
        restart = any(name in host.subkeys(key) for key, name in _WAITING.items())
    except FileNotFoundError as error:
        missing["restart_pending"] = Missing(UNSUPPORTED, f"the registry lacks {error.filename}")
    return _seen(last, None, restart, missing)


def _macos(host: Host) -> Seen:
    missing = {"restart_pending": Missing(UNSUPPORTED, "macOS leaves no sign that a restart is due")}
    last = None
    try:
        rows = plist.parsed(host.read_file(_HISTORY), _HISTORY)
        dates = [row["date"] for row in rows if _OF_THE_SYSTEM.match(str(row.get("displayName", "")))]
        last = max(dates, default=None)
        detail = f"{_HISTORY} names no update of macOS"
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        detail = f"{_HISTORY} cannot be read: {type(error).__name__}"
    if last is None:
        missing["last_patched"] = missing["ever_patched"] = Missing(UNSUPPORTED, detail)
    pending = None
    try:
        pending = _offered(host)
    except (OSError, CannotLook, ValueError) as error:
        missing["pending_security"] = Missing(UNSUPPORTED, str(error)[:200])
    return _seen(last.replace(tzinfo=UTC) if last else None, pending, None, missing)


def _offered(host: Host) -> int:
    """Updates that the last search found, security or not: Apple does not say which is which."""
    try:
        if plist.read(host, _RESTRICTIONS).get("forceDelayedSoftwareUpdates") is True:
            raise NotSupported("a profile hides updates for a time, so what is not offered may be due")
    except FileNotFoundError:
        pass
    settings = plist.read(host, _UPDATES)
    searched = settings.get("LastFullSuccessfulDate") or settings.get("LastSuccessfulDate")
    if not isinstance(searched, datetime):
        raise NotSupported("macOS does not say when it last searched for updates")
    if host.passed(searched.replace(tzinfo=UTC) + _FRESH):
        raise NotSupported(f"macOS last searched for updates on {searched:%Y-%m-%d}")
    offered = settings.get("RecommendedUpdates")
    if isinstance(offered, list):
        return len(offered)
    if settings.get("LastRecommendedUpdatesAvailable") == 0:
        return 0
    raise NotSupported("macOS does not say which updates its last search found")


PROBE = Probe(
    name="patching",
    schema_version=1,
    reads=(
        *_LOGS,
        "/var/lib/dpkg/status",
        f"{_LISTS}/*-security_*",
        f"{_HELPER} cat-file {_LISTS}/*-security_*_Packages.*",
        "/run/reboot-required",
        " ".join(rpm.TIMES),
        *(" ".join(one.command) for one in rpm.MANAGERS),
        *(f"{one.cache}/*/repodata" for one in rpm.MANAGERS),
        "/proc/stat",
        " ".join(_OSTREE),
        " ".join(HOTFIXES),
        *(rf"HKLM\{key}\{name}" for key, name in _WAITING.items()),
        _HISTORY,
        _UPDATES,
        _RESTRICTIONS,
    ),
    look=look,
)
