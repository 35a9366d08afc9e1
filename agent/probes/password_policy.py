"""The rules for passwords of local accounts: the most lenient that applies to any of them.

The Windows and macOS branches were never run on Windows or macOS; they follow the documents that the tests name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from agent import pam, plist
from agent.confinement import refuse_foreign_namespaces
from agent.host import Host
from agent.section import DENIED, UNSUPPORTED, Missing, NotSupported, Probe, Seen, by_system

_SIGN_INS = ("login", "sshd", "gdm-password", "sddm", "lightdm")
"""Services of PAM by which people sign in to a host."""
_SHORTEST_OF_UNIX = 6
"""pam_unix(8), ``minlen``."""
_SHORTEST_OF_QUALITY = 8
"""pwquality.conf(5), ``minlen``."""
_LOWEST_OF_QUALITY = 6
_KEPT_BY_HISTORY = 10
"""pam_pwhistory(8), ``remember``."""
_TRIES_OF_FAILLOCK, _SECONDS_OF_FAILLOCK = 3, 600
"""faillock.conf(5), ``deny`` and ``unlock_time``."""
_NEVER = 99999
"""Days that shadow(5) and login.defs(5) use for a password that does not age."""
_CREDITS = ("dcredit", "ucredit", "lcredit", "ocredit")
_NET = (r"C:\Windows\System32\net.exe", "accounts")
_PWPOLICY = ("/usr/bin/pwpolicy", "-n", "/Local/Default", "-getaccountpolicies")


def look(host: Host) -> Seen:
    """``min_length``, ``complexity``, ``remembered``, ``lockout_attempts``, ``lockout_minutes``, ``max_age_days``.

    0 means none, never or, for ``lockout_minutes``, until an administrator unlocks the account.
    """
    return by_system(host, "password rules are not looked at on", linux=_linux, windows=_windows, macos=_macos)(host)


def _linux(host: Host) -> Seen:
    refuse_foreign_namespaces(host, "the password rules", ())
    missing: dict[str, Missing] = {}
    steps = [step for step in pam.stack(host, "passwd", "password") if step.binding]
    length, complexity = _quality(host, steps, missing)
    if length is not None and _somebody_has_none(host):
        length, complexity = 0, False
    attempts, minutes = _lockout(host)
    values = {
        "min_length": length,
        "complexity": complexity,
        "remembered": _remembered(host, steps),
        "lockout_attempts": attempts,
        "lockout_minutes": minutes,
        "max_age_days": _oldest(host, missing),
    }
    if minutes is None:
        missing["lockout_minutes"] = Missing(UNSUPPORTED, "no account is ever locked")
    return Seen(values, missing)


def _somebody_has_none(host: Host) -> bool:
    """Whether an account signs in without a password, by an empty place for it in shadow(5) and pam_unix(8) nullok."""
    try:
        lines = host.read_file("/etc/shadow").decode("utf-8", "replace").splitlines()
    except (FileNotFoundError, PermissionError):
        # What the rules ask of new passwords can be told all the same.
        return False
    if not any(":" in line and not line.split(":")[1] for line in lines):
        return False
    services = [service for service in _SIGN_INS if pam.has(host, service)] or ["other"]
    steps = (step for service in services for step in pam.stack(host, service, "auth"))
    return any(step.module == "pam_unix.so" and {"nullok", "nullok_secure"} & step.arguments.keys() for step in steps)


def _settings(host: Host, path: str) -> dict[str, str]:
    """Keys of a file of libpwquality or pam_faillock, where a word without a value switches something on."""
    try:
        text = host.read_file(path).decode("utf-8", "replace")
    except FileNotFoundError:
        return {}
    lines = (line.split("#", 1)[0].partition("=") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in lines if key.strip()}


def _quality(host: Host, steps: list[pam.Step], missing: dict[str, Missing]) -> tuple[int | None, bool | None]:
    shortest, several = 0, False
    for step in steps:
        if step.module == "pam_passwdqc.so":
            for name in ("min_length", "complexity"):
                missing[name] = Missing(UNSUPPORTED, "pam_passwdqc weighs length against kinds of characters")
            return None, None
        if step.module == "pam_unix.so":
            shortest = max(shortest, int(step.arguments.get("minlen", _SHORTEST_OF_UNIX)))
        elif step.module in {"pam_pwquality.so", "pam_cracklib.so"} and step.refuses:
            rules: dict[str, str] = {}
            if step.module == "pam_pwquality.so":
                for name in _confs(host, "/etc/security/pwquality.conf.d"):
                    rules |= _settings(host, name)
                rules |= _settings(host, "/etc/security/pwquality.conf")
            rules |= step.arguments
            if rules.get("enforcing") == "0":
                continue
            credits = [int(rules.get(name, 0)) for name in _CREDITS]
            least = int(rules.get("minlen", _SHORTEST_OF_QUALITY)) - sum(credit for credit in credits if credit > 0)
            shortest = max(shortest, least, _LOWEST_OF_QUALITY)
            kinds = sum(credit < 0 for credit in credits)
            several = several or max(kinds, int(rules.get("minclass", 0))) >= 2
    return shortest, several


def _confs(host: Host, folder: str) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in host.listdir(folder) if name.endswith(".conf")]
    except FileNotFoundError:
        return []


def _remembered(host: Host, steps: list[pam.Step]) -> int:
    kept = [0]
    for step in steps:
        if step.module == "pam_pwhistory.so" and step.refuses:
            rules = _settings(host, "/etc/security/pwhistory.conf") | step.arguments
            kept.append(int(rules.get("remember", _KEPT_BY_HISTORY)))
        elif step.module == "pam_unix.so":
            kept.append(int(step.arguments.get("remember", 0)))
    return max(kept)


def _lockout(host: Host) -> tuple[int, int | None]:
    """Attempts and minutes of the service that locks last; 0 attempts where one never does."""
    services = [service for service in _SIGN_INS if pam.has(host, service)] or ["other"]
    found = [_lock(host, pam.stack(host, service, "auth")) for service in services]
    attempts = _most_lenient(attempts for attempts, _ in found)
    seconds = [seconds for _, seconds in found]
    # A lock that only an administrator lifts (0) is the strictest.
    return attempts, -(-min(seconds, key=lambda one: (one == 0, one)) // 60) if attempts else None


def _lock(host: Host, steps: list[pam.Step]) -> tuple[int, int]:
    counts = any(step.module == "pam_faillock.so" and "authfail" in step.arguments for step in steps)
    for step in steps:
        # It locks only where one line counts the failures and another one refuses before the password is asked for.
        if step.module == "pam_faillock.so" and "preauth" in step.arguments and step.refuses and counts:
            path = step.arguments.get("conf", "/etc/security/faillock.conf")
            rules = _settings(host, path) | step.arguments
            seconds = rules.get("unlock_time", str(_SECONDS_OF_FAILLOCK))
            return int(rules.get("deny", _TRIES_OF_FAILLOCK)), 0 if seconds == "never" else int(seconds)
        if step.module in {"pam_tally2.so", "pam_tally.so"} and step.binding:
            return int(step.arguments.get("deny", 0)), int(step.arguments.get("unlock_time", 0))
    return 0, 0


def _most_lenient(limits: Iterable[int]) -> int:
    known = list(limits)
    return 0 if 0 in known else max(known)


def _oldest(host: Host, missing: dict[str, Missing]) -> int | None:
    """The longest age allowed: by login.defs for new accounts, and by shadow for those that have a password."""
    try:
        shadow = host.read_file("/etc/shadow").decode("utf-8", "replace").splitlines()
        text = host.read_file("/etc/login.defs").decode("utf-8", "replace")
    except PermissionError:
        missing["max_age_days"] = Missing(DENIED, "only root may read the ages of passwords")
        return None
    except FileNotFoundError as error:
        missing["max_age_days"] = Missing(UNSUPPORTED, f"there is no {error.filename}")
        return None
    stated = re.search(r"^\s*PASS_MAX_DAYS\s+(-?\d+)", text, re.MULTILINE)
    days = [int(stated[1]) if stated else -1]
    for cells in (line.split(":") for line in shadow):
        if len(cells) > 4 and not cells[1].startswith(("!", "*")):
            days.append(int(cells[4] or -1))
    return _most_lenient(0 if day < 0 or day >= _NEVER else day for day in days)


def _windows(host: Host) -> Seen:
    """``net accounts``: the values by their places, since the words before them are those of the language."""
    ran = host.run(_NET)
    if ran.status != 0:
        raise NotSupported("net accounts did not answer")
    words = [line.split()[-1] for line in ran.output.splitlines() if line.strip()]
    if len(words) < 9 or not all(words[place].isdecimal() for place in (1, 3, 6, 7)):
        raise NotSupported("net accounts did not print its nine lines in their order")
    _, _, age, length, remembered, attempts, minutes = (int(word) if word.isdecimal() else 0 for word in words[:7])
    values: dict[str, Any] = {
        "min_length": length,
        "complexity": None,
        "remembered": remembered,
        "lockout_attempts": attempts,
        "lockout_minutes": minutes if attempts else None,
        "max_age_days": age,
    }
    detail = "net accounts does not tell it, and an export by secedit would write to the disk"
    missing = {"complexity": Missing(UNSUPPORTED, detail)}
    if not attempts:
        missing["lockout_minutes"] = Missing(UNSUPPORTED, "no account is ever locked")
    return Seen(values, missing)


def _macos(host: Host) -> Seen:
    ran = host.run(_PWPOLICY)
    start = ran.output.find("<?xml")
    if ran.status != 0:
        raise NotSupported("pwpolicy did not answer")
    rules: list[dict[str, Any]] = []
    if start >= 0:
        whole = plist.keys(ran.output[start:].encode(), "what pwpolicy printed")
        rules = [rule for category in whole.values() for rule in category]
    parameters: dict[str, int] = {}
    contents = [str(rule.get("policyContent", "")) for rule in rules]
    for rule in rules:
        given = rule.get("policyParameters", {})
        parameters |= {key: int(value) for key, value in given.items() if isinstance(value, int)}
    lengths = [int(least) for text in contents for least in re.findall(r"matches '\^?\.\{(\d+),\d*\}[+$]*'", text)]
    attempts = parameters.get("policyAttributeMaximumFailedAuthentications", 0)
    kinds = sum(bool(re.search(r"\[(?:0-9|A-Z|a-z)\]|\[\^a-zA-Z0-9\]", text)) for text in contents)
    values: dict[str, Any] = {
        "min_length": max([parameters.get("minimumLength", 0), *lengths]),
        "complexity": kinds >= 2,
        "remembered": parameters.get("policyAttributePasswordHistoryDepth", 0),
        "lockout_attempts": attempts,
        "lockout_minutes": parameters.get("autoEnableInSeconds", 0) // 60 if attempts else None,
        "max_age_days": parameters.get("policyAttributeExpiresEveryNDays", 0),
    }
    missing = {} if attempts else {"lockout_minutes": Missing(UNSUPPORTED, "no account is ever locked")}
    if rules and not values["min_length"]:
        values["min_length"] = None
        missing["min_length"] = Missing(UNSUPPORTED, "no rule of pwpolicy states a length in a form known here")
    return Seen(values, missing)


PROBE = Probe(
    name="password_policy",
    schema_version=1,
    reads=(
        "/etc/pam.d",
        "/etc/security/pwquality.conf",
        "/etc/security/pwquality.conf.d/*.conf",
        "/etc/security/pwhistory.conf",
        "/etc/security/faillock.conf",
        "/etc/login.defs",
        "/etc/shadow (ages of passwords, never what is stored of them)",
        " ".join(_NET),
        " ".join(_PWPOLICY),
    ),
    look=look,
)
