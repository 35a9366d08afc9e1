"""When updates were last installed, which security updates are known and not installed, and whether a restart is due.

The Windows branch was never run on Windows; it follows the documents that the tests name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from agent.debian import installed, repaired
from agent.host import Host
from agent.powershell import answers, question
from agent.section import UNSUPPORTED, CannotLook, Missing, NotSupported, Probe, Seen, moment

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
_HOOKS = ("/etc/kernel/postinst.d/update-notifier", "/etc/kernel/postinst.d/unattended-upgrades")
"""Hooks that leave /run/reboot-required behind; without one, its absence says nothing."""


def look(host: Host) -> Seen:
    """``ever_patched``, ``last_patched``, ``pending_security``, ``restart_pending``; Windows and hosts with apt."""
    if host.system == "windows":
        return _windows(host)
    if host.system != "linux" or not host.exists("/var/lib/dpkg/status"):
        raise NotSupported("updates are looked at only on Windows and on hosts with dpkg")
    missing: dict[str, Missing] = {}
    last = _last_upgrade(host)
    if last is None:
        detail = "the package logs that are still kept show no upgrade"
        missing["last_patched"] = missing["ever_patched"] = Missing(UNSUPPORTED, detail)
    try:
        pending = _pending(host)
    except NotSupported as reason:
        pending = None
        missing["pending_security"] = Missing(UNSUPPORTED, str(reason))
    restart = _restart(host)
    if restart is None:
        missing["restart_pending"] = Missing(UNSUPPORTED, "nothing on this host would note that a restart is needed")
    values = {
        "ever_patched": True if last else None,
        "last_patched": moment(last) if last else None,
        "pending_security": pending,
        "restart_pending": restart,
    }
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
    present = installed(host.lines("/var/lib/dpkg/status"))
    found: set[str] = set()
    for release in releases:
        _refuse_old(host, release)
        stem = release.removesuffix("_InRelease")
        indexes = [name for name in names if name.startswith(f"{stem}_") and re.search(r"_Packages(\.\w+)?$", name)]
        if not indexes:
            raise NotSupported(f"apt holds no packages of {stem}")
        for name in indexes:
            found |= repaired(_index(host, f"{_LISTS}/{name}"), present)
    return len(found)


def _refuse_old(host: Host, release: str) -> None:
    dates = (_DATE.match(line) for line in host.lines(f"{_LISTS}/{release}"))
    match = next(filter(None, dates), None)
    if match is None:
        raise NotSupported(f"{release} states no date")
    made = datetime.strptime(match.group(1), "%d %b %Y %H:%M:%S").replace(tzinfo=UTC)
    if host.passed(made + _FRESH):
        raise NotSupported(f"the list of security updates is of {made:%Y-%m-%d}; apt-get update renews it")


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
    values = {
        "ever_patched": True if last else None,
        "last_patched": moment(last) if last else None,
        "pending_security": None,
        "restart_pending": restart,
    }
    return Seen(values, missing)


PROBE = Probe(
    name="patching",
    schema_version=1,
    reads=(
        *_LOGS,
        "/var/lib/dpkg/status",
        f"{_LISTS}/*-security_*",
        f"{_HELPER} cat-file {_LISTS}/*-security_*_Packages.*",
        "/run/reboot-required",
        " ".join(HOTFIXES),
        *(rf"HKLM\{key}\{name}" for key, name in _WAITING.items()),
    ),
    look=look,
)
