"""Who administers this host: accounts with user number 0, members of the groups that may do everything, sudo rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from agent.host import Host
from agent.section import UNSUPPORTED, Denied, Missing, NotSupported, Probe, Seen

_GROUPS = ("sudo", "wheel", "admin")
"""Groups that distributions let do everything; a sudo rule may name more."""
_NO_LOGIN = ("/nologin", "/false", "/sync", "/shutdown", "/halt")
_REMOTE = frozenset({"sss", "ldap", "winbind", "nis"})
_TAGS = re.compile(r"^\s*(?:\([^)]*\)\s*)?(?:[A-Z_]+\s*:\s*)*")
_INCLUDE = re.compile(r"^[@#]include(?:dir)?\s+(\S+)")
_FOLDER = "/etc/sudoers.d"


@dataclass(frozen=True)
class _Account:
    name: str
    number: int
    group: int
    home: str
    shell: str


def look(host: Host) -> Seen:
    """``members``: category and enabled of each; ``names`` in the same order. Linux only, and only as root."""
    if host.system != "linux":
        raise NotSupported(f"administrators are not looked at on {host.system}")
    if not host.privileged():
        raise Denied("only root may read the sudo rules and who may sign in")
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
    missing: dict[str, Missing] = {}
    lowest = _lowest_person(host)
    shadow = _shadow(host)
    for name in sorted(people):
        account = accounts.get(name)
        entries[name] = {
            "category": _category(account, lowest),
            "enabled": _enabled(host, account, shadow, remote) if account else None,
        }
    if any(entry["category"] is None for entry in entries.values()):
        missing["members"] = Missing(UNSUPPORTED, "the host does not tell a personal account from a shared one")
    elif any(entry["enabled"] is None for entry in entries.values()):
        missing["members"] = Missing(UNSUPPORTED, "a directory decides whether an account may sign in")
    return Seen({"members": list(entries.values()), "names": list(entries)}, missing)


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
            if line.startswith(("User_Alias", "Cmnd_Alias")) or (include and include.group(1) != _FOLDER):
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
    commands = [_TAGS.sub("", command).strip() for command in right.split("#", 1)[0].split(",")]
    words = left.rsplit(None, 1)
    if not equals or "ALL" not in commands or len(words) != 2:
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
        "/etc/nsswitch.conf",
        "/etc/login.defs",
        "~/.ssh/authorized_keys (only whether it is empty)",
    ),
    look=look,
)
