"""Whether an idle session is locked until its owner proves who he is, by a rule that its owner cannot loosen.

The Windows and macOS branches were never run on Windows or macOS; they follow the documents that the tests name.
"""

from __future__ import annotations

import re
from typing import Any

from agent import keyfile, plist
from agent.confinement import refuse_foreign_namespaces
from agent.host import Host
from agent.section import UNSUPPORTED, Denied, Missing, Probe, Seen, by_system

_SESSIONS = (
    *("/usr/share/xsessions", "/usr/share/wayland-sessions"),
    *("/usr/local/share/xsessions", "/usr/local/share/wayland-sessions"),
)
_SERVERS = (
    *("/usr/bin/Xorg", "/usr/lib/xorg/Xorg", "/usr/libexec/Xorg", "/usr/bin/Xwayland"),
    *("/usr/bin/startx", "/usr/bin/sway"),
)
"""Programs by which a desktop is shown, also one that nobody has listed among the sessions."""
_GNOME = re.compile(r"(gnome|ubuntu|pop)(-(on-xorg|((classic-)?(xorg|wayland))|classic|flashback-metacity))?")
_PROFILES = ("/etc/dconf/profile/user", "/usr/share/dconf/profile/user")
_SESSION, _SAVER = "org/gnome/desktop/session", "org/gnome/desktop/screensaver"
_KDE = "/etc/xdg/kscreenlockerrc"
_KDE_MINUTES, _KDE_GRACE = 5, 5
"""Timeout and LockGrace of kscreenlocker where nothing is set."""
_SYSTEM = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System"
_WAKE = r"SOFTWARE\Policies\Microsoft\Power\PowerSettings\0e796bdb-100d-47d6-a2d5-f7d2daa51f51"
"""Power setting GUID_LOCK_CONSOLE_ON_WAKE."""
_REG = r"C:\Windows\System32\reg.exe"
_HIVES = (_REG, "query", "HKU")
_USER_POLICY = r"Software\Policies\Microsoft\Windows\Control Panel\Desktop"
_USER_OWN = r"Control Panel\Desktop"
_MANAGED = "/Library/Managed Preferences"


def look(host: Host) -> Seen:
    """``desktop``, ``enforced``, ``idle_seconds``, ``required_on_wake``, and ``users`` where each can be read.

    ``enforced``: a machine-wide rule locks idle sessions and no user can loosen it; ``idle_seconds`` is that rule's
    time until the lock holds, 0 for never. ``users`` has ``required`` and ``idle_seconds`` of each, without names.
    """
    return by_system(host, "the lock of sessions is not looked at on", linux=_linux, windows=_windows, macos=_macos)(
        host
    )


def _seen(
    desktop: str, enforced: bool | None, idle: int | None, wake: bool | None, why: dict[str, Missing], users: Any = None
) -> Seen:
    values = {"desktop": desktop, "enforced": enforced, "idle_seconds": idle, "required_on_wake": wake, "users": users}
    return Seen(values, why)


def _unseen(desktop: str, detail: str, users: Missing | None = None) -> Seen:
    """The desktop is known, and nothing of its rules."""
    why = Missing(UNSUPPORTED, detail)
    rest = dict.fromkeys(("enforced", "idle_seconds", "required_on_wake"), why)
    return _seen(desktop, None, None, None, rest | {"users": users or why})


def _linux(host: Host) -> Seen:
    refuse_foreign_namespaces(host, "desktops", ())
    sessions = sorted({name for folder in _SESSIONS for name in _names(host, folder) if name.endswith(".desktop")})
    if not sessions and any(host.exists(path) for path in _SERVERS):
        return _unseen("other", "a desktop can be shown, and no session says which one and how it is locked")
    if not sessions:
        return _unseen("none", "no desktop is installed, so there is no session that could be locked")
    kinds = {_kind(name) for name in sessions}
    if kinds == {"gnome"}:
        return _gnome(host)
    if kinds == {"kde"}:
        return _kde(host)
    desktop = "several" if len(kinds) > 1 else "other"
    return _unseen(desktop, f"how {', '.join(sessions)[:200]} lock sessions is not known here")


def _kind(name: str) -> str:
    stem = name.lower().removesuffix(".desktop")
    if _GNOME.fullmatch(stem):
        return "gnome"
    return "kde" if stem.startswith("plasma") else "other"


def _names(host: Host, folder: str) -> list[str]:
    try:
        return host.listdir(folder)
    except FileNotFoundError:
        return []


def _gnome(host: Host) -> Seen:
    """Keyfiles and locks of the system databases that the profile ``user`` names; the first of them counts most."""
    users = Missing(UNSUPPORTED, "users' own settings are kept in dconf's binary form, which is not read")
    keys: dict[str, dict[str, str]] = {}
    locks: set[str] = set()
    for name in reversed(_databases(host)):
        folder, made = f"/etc/dconf/db/{name}.d", f"/etc/dconf/db/{name}"
        files = [f"{folder}/{file}" for file in _names(host, folder) if file != "locks"]
        bars = [f"{folder}/locks/{file}" for file in _names(host, f"{folder}/locks")]
        if files and (not host.exists(made) or host.modified(made) < max(map(host.modified, [*files, *bars]))):
            return _unseen("gnome", f"{folder} is newer than what dconf update has made of it", users)
        for path in files:
            for section, values in keyfile.read(host, path).items():
                keys.setdefault(section, {}).update(values)
        for path in bars:
            locks |= {line.strip() for line in host.read_file(path).decode("utf-8", "replace").splitlines()}
    idle = _number(keys.get(_SESSION, {}).get("idle-delay"))
    delay = _number(keys.get(_SAVER, {}).get("lock-delay"))
    lock = keys.get(_SAVER, {}).get("lock-enabled")
    wanted = {f"/{_SESSION}/idle-delay", f"/{_SAVER}/lock-delay", f"/{_SAVER}/lock-enabled"}
    held = all(any(key == one or (one.endswith("/") and key.startswith(one)) for one in locks) for key in wanted)
    why_not = {"users": users}
    if idle is None or lock is None:
        detail = "no machine-wide setting of dconf states idle-delay and lock-enabled; each user's own count"
        why_not["idle_seconds"] = Missing(UNSUPPORTED, detail)
        seconds = None
    else:
        seconds = idle + (delay or 0) if idle and lock == "true" else 0
    why_not["required_on_wake"] = Missing(UNSUPPORTED, "GNOME locks on suspend by a setting of each user")
    return _seen("gnome", held and bool(seconds), seconds, None, why_not)


def _databases(host: Host) -> list[str]:
    for path in _PROFILES:
        try:
            text = host.read_file(path).decode("utf-8", "replace")
        except FileNotFoundError:
            continue
        return re.findall(r"^\s*system-db:(\S+)", text, re.MULTILINE)
    return []


def _number(text: str | None) -> int | None:
    match = re.fullmatch(r"(?:uint32\s+)?(\d+)", text or "")
    return int(match[1]) if match else None


def _kde(host: Host) -> Seen:
    """kscreenlockerrc of the machine; ``[$i]`` after a key, a group or at the head of the file makes it immutable."""
    try:
        text = host.read_file(_KDE).decode("utf-8", "replace")
    except FileNotFoundError:
        text = ""
    parsed = keyfile.parse(text)
    whole = text.lstrip().startswith("[$i]")
    group: dict[str, str] = {}
    fixed: set[str] = set()
    for section, values in parsed.items():
        if section.split("]")[0] == "Daemon":
            for key, value in values.items():
                name = key.split("[", 1)[0]
                group[name] = value
                if whole or "$i" in section or "[$i" in key:
                    fixed.add(name)
    seconds = _kde_seconds(group)
    held = {"Autolock", "Timeout", "LockGrace"} <= fixed
    users = _kde_users(host)
    why = {} if users else {"users": Missing(UNSUPPORTED, "no user's own settings could be read")}
    if not {"Autolock", "Timeout"} & set(group):
        why["idle_seconds"] = Missing(UNSUPPORTED, f"{_KDE} sets nothing; each user's own settings count")
        why["required_on_wake"] = why["idle_seconds"]
        return _seen("kde", False, None, None, why, users or None)
    on_wake = group.get("LockOnResume", "true") == "true"
    return _seen("kde", held and bool(seconds), seconds, on_wake, why, users or None)


def _kde_seconds(group: dict[str, str]) -> int:
    if group.get("Autolock", "true") != "true":
        return 0
    minutes = _number(group.get("Timeout")) if "Timeout" in group else _KDE_MINUTES
    grace = _number(group.get("LockGrace")) if "LockGrace" in group else _KDE_GRACE
    return minutes * 60 + (grace or 0) if minutes else 0


def _kde_users(host: Host) -> list[dict[str, Any]]:
    """One entry per home in which kscreenlockerrc stands; homes that may not be entered are left out."""
    found = []
    for line in host.read_file("/etc/passwd").decode("utf-8", "replace").splitlines():
        cells = line.split(":")
        if len(cells) == 7 and cells[5].startswith("/home/"):
            try:
                group = keyfile.read(host, f"{cells[5]}/.config/kscreenlockerrc").get("Daemon", {})
            except OSError:
                continue
            seconds = _kde_seconds(group)
            found.append({"required": bool(seconds), "idle_seconds": seconds})
    return sorted(found, key=lambda one: int(one["idle_seconds"]))


def _registry(host: Host, key: str, name: str) -> int | None:
    try:
        return int(host.registry(key, name))
    except FileNotFoundError:
        return None


def _windows(host: Host) -> Seen:
    if not host.privileged():
        raise Denied("only an administrator may read the settings of every signed-in user")
    limit = _registry(host, _SYSTEM, "InactivityTimeoutSecs") or 0
    wake = [_registry(host, _WAKE, name) for name in ("ACSettingIndex", "DCSettingIndex")]
    users, by_policy = [], []
    for name in host.run(_HIVES).output.split():
        match = re.fullmatch(r"HKEY_USERS\\(S-1-(?:5-21|12-1)-[\d-]+)", name)
        if match:
            policy = _saver(host, match[1], _USER_POLICY)
            own = _saver(host, match[1], _USER_OWN)
            settings = own | policy
            seconds = _saver_seconds(settings)
            times = [time for time in (limit, seconds) if time]
            users.append({"required": bool(times), "idle_seconds": min(times, default=0)})
            by_policy.append(bool(_saver_seconds(policy)))
    why: dict[str, Missing] = {}
    enforced: bool | None = bool(limit)
    if not limit and all(by_policy):
        enforced = None
        detail = "no machine-wide limit is set; policies are seen only of users who are signed in now"
        why["enforced"] = Missing(UNSUPPORTED, detail)
    if None in wake:
        why["required_on_wake"] = Missing(UNSUPPORTED, "no policy states it")
    if not users:
        why["users"] = Missing(UNSUPPORTED, "nobody is signed in, so no user's settings are loaded")
    users.sort(key=lambda one: int(one["idle_seconds"]))
    return _seen("windows", enforced, limit, None if None in wake else wake == [1, 1], why, users or None)


def _saver(host: Host, user: str, key: str) -> dict[str, str]:
    """Values of a user's key, none where there is no such key."""
    ran = host.run((_REG, "query", rf"HKU\{user}\{key}"))
    return dict(re.findall(r"^\s+(ScreenSave\w+|ScreenSaver\w+)\s+REG_SZ\s+(\d+)\s*$", ran.output, re.MULTILINE))


def _saver_seconds(values: dict[str, str]) -> int:
    if values.get("ScreenSaveActive") != "1" or values.get("ScreenSaverIsSecure") != "1":
        return 0
    return int(values.get("ScreenSaveTimeOut", 0))


def _macos(host: Host) -> Seen:
    """What profiles set, which no user can change: the payload com.apple.screensaver."""
    path = f"{_MANAGED}/com.apple.screensaver.plist"
    users = Missing(UNSUPPORTED, "users' own settings are not read on macOS")
    try:
        settings = plist.read(host, path)
    except FileNotFoundError:
        detail = "no profile for the whole machine states it; profiles for single users are not read"
        return _unseen("macos", detail, users)
    asks = settings.get("askForPassword") is True
    idle, delay = settings.get("idleTime"), settings.get("askForPasswordDelay", 0)
    missing = {"users": users}
    if not isinstance(idle, int):
        missing["idle_seconds"] = Missing(UNSUPPORTED, "the profile states no idleTime")
        if asks:
            missing["enforced"] = missing["idle_seconds"]
        return _seen("macos", None if asks else False, None, asks, missing)
    seconds = int(idle) + int(delay) if asks and idle else 0
    return _seen("macos", bool(seconds), seconds, asks, missing)


PROBE = Probe(
    name="session_lock",
    schema_version=1,
    reads=(
        *_SESSIONS,
        *(f"whether {path} is there" for path in _SERVERS),
        *_PROFILES,
        "/etc/dconf/db/*.d",
        _KDE,
        "/etc/passwd",
        "/home/*/.config/kscreenlockerrc",
        rf"HKLM\{_SYSTEM}, InactivityTimeoutSecs",
        rf"HKLM\{_WAKE}",
        f"{_REG} query HKU, and of each signed-in user ScreenSave*",
        f"{_MANAGED}/com.apple.screensaver.plist",
    ),
    look=look,
)
