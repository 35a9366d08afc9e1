"""Who administers this host: accounts with user number 0, members of the groups that may do everything, sudo rules.

The Windows and macOS branches were never run on Windows or macOS; they follow the documents that the tests name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from agent import plist
from agent.host import Host
from agent.powershell import answers, question
from agent.section import UNSUPPORTED, Denied, Missing, NotSupported, Probe, Seen, by_system

_GROUPS = ("sudo", "wheel", "admin", "docker", "lxd", "incus-admin")
"""Groups that distributions let do everything; a sudo rule may name more.

Who may start containers may start one that holds the host's disk, as the documents of Docker and LXD say.
"""
_NO_LOGIN = ("/nologin", "/false", "/sync", "/shutdown", "/halt")
_REMOTE = frozenset({"sss", "ldap", "winbind", "nis"})
_INCLUDE = re.compile(r"^[@#]include(?:dir)?\s+(\S+)")
_FOLDER = "/etc/sudoers.d"
_FOLDERS = (_FOLDER, f"/private{_FOLDER}")
_DOAS = ("/etc/doas.conf", "/usr/local/etc/doas.conf")
MEMBERS = question(
    "$u=@{};Get-LocalUser|ForEach-Object{$u[$_.SID.Value]=[bool]$_.Enabled};"
    "Get-LocalGroupMember -SID S-1-5-32-544 | Select-Object Name,@{n='Sid';e={$_.SID.Value}},"
    "@{n='Enabled';e={$u[$_.SID.Value]}}"
)
"""The group by its number, and whom it holds by theirs, since their names and kinds are those of the language."""
_GROUP_NUMBERS = ("512", "519")
"""Last part of the numbers of Domain Admins and Enterprise Admins."""
GROUP = ("/usr/bin/dscl", "-plist", ".", "-read", "/Groups/admin", "GroupMembership", "NestedGroups")
USERS = ("/usr/bin/dscl", "-plist", ".", "-readall", "/Users", "RecordName", "UniqueID", "AuthenticationAuthority")
_FIRST_PERSON = 500
"""Of the user numbers of macOS."""


@dataclass(frozen=True)
class _Account:
    name: str
    number: int
    group: int
    home: str
    shell: str


def look(host: Host) -> Seen:
    """``members``: category and enabled of each; ``names`` in the same order. Only as root or administrator."""
    otherwise = "administrators are not looked at on"
    found = by_system(host, otherwise, linux=_linux, windows=_windows, macos=_macos)
    if not host.privileged():
        raise Denied("only root may read the sudo rules and who may sign in")
    return found(host)


def _seen(entries: dict[str, dict[str, Any]]) -> Seen:
    missing: dict[str, Missing] = {}
    if any(entry["category"] is None for entry in entries.values()):
        missing["members"] = Missing(UNSUPPORTED, "the host does not tell a personal account from a shared one")
    elif any(entry["enabled"] is None for entry in entries.values()):
        missing["members"] = Missing(UNSUPPORTED, "a directory decides whether an account may sign in")
    return Seen({"members": list(entries.values()), "names": list(entries)}, missing)


def _windows(host: Host) -> Seen:
    """Members of Administrators; those that are not local accounts are known by name and number alone."""
    rows = answers(host, MEMBERS, "its administrators")
    if not rows:
        # Windows does not let its last administrator go, so an empty list is none.
        raise NotSupported("Windows lists no administrator")
    entries: dict[str, dict[str, Any]] = {}
    for row in rows:
        number, enabled = str(row["Sid"]).rpartition("-")[2], row["Enabled"]
        local = isinstance(enabled, bool)
        category = "built_in" if local and number == "500" else "group" if number in _GROUP_NUMBERS else None
        entries[str(row["Name"])] = {"category": category, "enabled": enabled if local else category == "group" or None}
    return _seen(entries)


def _macos(host: Host) -> Seen:
    """Members of the group admin, root, and whom sudo rules name; groups within it are told as groups."""
    group = plist.keys(_output(host, GROUP), "what dscl told of the group admin")
    names = set(map(str, group["dsAttrTypeStandard:GroupMembership"]))
    users = {}
    for user in plist.parsed(_output(host, USERS), "what dscl told of the users"):
        users[str(user["dsAttrTypeStandard:RecordName"][0])] = user
    sudoers, groups = _sudo_rules(host)
    names |= {"root"} | sudoers | {name for name, user in users.items() if _number(user) == 0}
    entries: dict[str, dict[str, Any]] = {
        f"%{name}": {"category": "group", "enabled": True}
        for name in sorted({*map(str, group.get("dsAttrTypeStandard:NestedGroups", [])), *groups} - {"admin"})
    }
    for name in sorted(names):
        user = users.get(name)
        category = None
        if name == "root":
            category = "built_in"
        elif user and (name.startswith("_") or _number(user) < _FIRST_PERSON):
            category = "service"
        entries[name] = {"category": category, "enabled": _may_sign_in(user) if user else None}
    return _seen(entries)


def _output(host: Host, command: tuple[str, ...]) -> bytes:
    ran = host.run(command)
    if ran.status != 0:
        raise NotSupported(f"dscl ended with status {ran.status}")
    return ran.output.encode()


def _number(user: dict[str, Any]) -> int:
    return int(user["dsAttrTypeStandard:UniqueID"][0])


def _may_sign_in(user: dict[str, Any]) -> bool:
    """Whether it has a way to prove itself that is not switched off."""
    ways = [str(way) for way in user.get("dsAttrTypeStandard:AuthenticationAuthority", [])]
    return bool(ways) and not any("DisabledUser" in way for way in ways)


def _linux(host: Host) -> Seen:
    for path in _DOAS:
        if host.exists(path):
            raise NotSupported(f"{path} lets others act as root, and its rules are not read")
    switch = _name_services(host)
    if _REMOTE & switch.get("sudoers", set()):
        raise NotSupported("sudo rules stand in a directory (sudoers in /etc/nsswitch.conf), and are not read there")
    remote = bool(_REMOTE & (switch.get("passwd", set()) | switch.get("group", set())))
    accounts = _accounts(host)
    groups = _groups(host)
    users, named_groups = _sudo_rules(host)
    people = {one.name for one in accounts.values() if one.number == 0} | users
    entries: dict[str, dict[str, Any]] = {}
    for group in (*_GROUPS, *sorted(named_groups)):
        if group not in groups:
            if group in named_groups:
                entries[f"%{group}"] = {"category": "group", "enabled": True}
            continue
        number, members = groups[group]
        people |= members | {one.name for one in accounts.values() if one.group == number}
        if remote and group in named_groups:
            entries[f"%{group}"] = {"category": "group", "enabled": True}
    lowest = _lowest_person(host)
    shadow = _shadow(host)
    for name in sorted(people):
        account = accounts.get(name)
        entries[name] = {
            "category": _category(account, lowest),
            "enabled": _enabled(host, account, shadow, remote) if account else None,
        }
    return _seen(entries)


def _lines(host: Host, path: str) -> list[list[str]]:
    text = host.read_file(path).decode("utf-8", "replace")
    return [line.split(":") for line in text.splitlines() if line.strip() and not line.startswith(("#", "+", "-"))]


def _accounts(host: Host) -> dict[str, _Account]:
    found = {}
    for cells in _lines(host, "/etc/passwd"):
        found[cells[0]] = _Account(cells[0], int(cells[2]), int(cells[3]), cells[5], cells[6])
    return found


def _groups(host: Host) -> dict[str, tuple[int, set[str]]]:
    return {
        cells[0]: (int(cells[2]), {name for name in cells[3].split(",") if name})
        for cells in _lines(host, "/etc/group")
    }


def _shadow(host: Host) -> dict[str, list[str]]:
    return {cells[0]: cells for cells in _lines(host, "/etc/shadow")}


def _name_services(host: Host) -> dict[str, set[str]]:
    try:
        text = host.read_file("/etc/nsswitch.conf").decode("utf-8", "replace")
    except FileNotFoundError:
        return {}
    found = {}
    for line in text.splitlines():
        name, colon, words = line.partition("#")[0].partition(":")
        if colon:
            found[name.strip()] = set(words.split())
    return found


def _sudo_rules(host: Host) -> tuple[set[str], set[str]]:
    """Users and groups that some rule lets run everything; what could hide one of them raises NotSupported."""
    paths = ["/etc/sudoers"]
    if not host.exists("/etc/sudoers"):
        return set(), set()
    if host.exists(_FOLDER):
        names = [name for name in host.listdir(_FOLDER) if "." not in name and name[-1] != "~"]
        paths += [f"{_FOLDER}/{name}" for name in names]
    users: set[str] = set()
    groups: set[str] = set()
    for path in paths:
        text = host.read_file(path).decode("utf-8", "replace").replace("\\\n", " ")
        for line in map(str.strip, text.splitlines()):
            include = _INCLUDE.match(line)
            if line.startswith(("User_Alias", "Cmnd_Alias")) or (include and include.group(1) not in _FOLDERS):
                raise NotSupported(f"{path} uses aliases or other files, which are not followed")
            for who in _may_do_all(line):
                name = who.lstrip("%+").replace("\\ ", " ")
                (groups if who[0] in "%+" else users).add(name)
    return users, groups


def _may_do_all(line: str) -> list[str]:
    """Whom a line of sudoers(5) lets run every command: names of users, or of groups after ``%`` or ``+``."""
    if line.startswith(("@", "Defaults", "Host_Alias", "Runas_Alias")) or re.match(r"#(?!\d)", line):
        return []
    left, equals, right = line.partition("=")
    # Tags, options and further hosts may stand before a command, and whose rights it gets in parentheses.
    commands = re.split(r"[,:]", re.sub(r"\([^)]*\)", " ", right.split("#", 1)[0]))
    words = left.rsplit(None, 1)
    if not equals or not any(command.split()[-1:] == ["ALL"] for command in commands) or len(words) != 2:
        return []
    return [who for who in re.split(r"\s*,\s*", words[0].strip()) if who and not who.startswith("!")]


def _lowest_person(host: Host) -> int:
    try:
        match = re.search(rb"^UID_MIN\s+(\d+)", host.read_file("/etc/login.defs"), re.MULTILINE)
    except FileNotFoundError:
        match = None
    return int(match.group(1)) if match else 1000


def _category(account: _Account | None, lowest: int) -> str | None:
    if account is None:
        return None
    if account.name == "root":
        return "built_in"
    return "service" if 0 < account.number < lowest else None


def _enabled(host: Host, account: _Account, shadow: dict[str, list[str]], remote: bool) -> bool | None:
    """Whether it may sign in: a usable password or a key, a shell, and no past end of the account."""
    if account.shell.endswith(_NO_LOGIN):
        return False
    cells = shadow.get(account.name)
    if cells is None:
        return None
    if len(cells) > 7 and cells[7].isdigit() and int(cells[7]) * 86400 < int(host.now().timestamp()):
        return False
    if not cells[1].startswith(("!", "*")):
        return True
    for name in ("authorized_keys", "authorized_keys2"):
        path = f"{account.home.rstrip('/')}/.ssh/{name}"
        if host.exists(path) and host.read_file(path).strip():
            return True
    return None if remote else False


PROBE = Probe(
    name="administrators",
    schema_version=1,
    reads=(
        "/etc/passwd",
        "/etc/group",
        "/etc/shadow (only whether a password can be used)",
        "/etc/sudoers",
        "/etc/sudoers.d",
        *(f"whether {path} is there" for path in _DOAS),
        *(" ".join(command) for command in (MEMBERS, GROUP, USERS)),
        "/etc/nsswitch.conf",
        "/etc/login.defs",
        "~/.ssh/authorized_keys (only whether it is empty)",
    ),
    look=look,
)
