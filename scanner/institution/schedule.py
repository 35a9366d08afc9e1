"""Units for systemd that scan by the calendar: least rights, secrets handed over by systemd, no success when blind."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scanner.errors import UsageError
from scanner.institution.nouns import Estate
from scanner.institution.secret import credential_name

CREDENTIAL_STORE = Path("/etc/credstore")
"""Where systemd itself looks for credentials (systemd.exec(5), LoadCredential=)."""

UNABLE = {
    "env": "a service has no variables of your shell",
    "keyring": "a service has no session whose keyring is unlocked",
}
"""Schemes of secrets that a service cannot resolve as a rule, and why."""

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}")


@dataclass(frozen=True)
class Schedule:
    """What to run, when, as whom; paths are absolute."""

    command: tuple[str, ...]
    """The words that run ztgrade."""
    estate: Estate
    estate_path: Path
    store: Path
    on_calendar: str
    user: str
    baseline: str
    credentials: Path = CREDENTIAL_STORE
    delay: str = "15min"
    """Longest random delay, so that not every institution knocks at the full hour."""


def service_unit(schedule: Schedule) -> str:
    """``ztgrade.service``; raises UsageError where something cannot stand in a unit file."""
    if not _USER.fullmatch(schedule.user):
        raise UsageError(f"{schedule.user!r} is no name of a user")
    if set("\"'\\") & set(schedule.command[0]):  # "Executable name contains special characters"
        raise UsageError(f"systemd runs no program with quotation marks in its path: {schedule.command[0]}; move it")
    scan = ("scan", "--quiet", "--estate", str(schedule.estate_path), "--store", str(schedule.store))
    words = (*schedule.command, *scan, "--baseline", schedule.baseline)
    local = _reads_this_host(schedule.estate)
    families = "AF_UNIX AF_INET AF_INET6" + (" AF_NETLINK" if local else "")
    lines = [
        "# ztgrade.service: one scan, read-only but for its store.",
        "# Before its first run, as root:",
        *(f"#   {line}" for line in _preparing(schedule)),
        *(f"# Note: {note}" for note in _notes(schedule, local)),
        "",
        "[Unit]",
        f"Description=Zero-trust maturity scan of {_plain(schedule.estate.institution_id)}",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        f"User={schedule.user}",
        # A colon keeps $ in a path from being read as a variable (systemd.service(5), command lines).
        f"ExecStart=:{_words(words)}",
        "WorkingDirectory=/",
        "TimeoutStartSec=12h",
        "# No SuccessExitStatus= for 3 (below target, regression) and 4 (new gaps): the unit fails then, so that what",
        "# watches units tells somebody. The assessment is sealed all the same, and the timer runs the next scan.",
        *(_credential(name, schedule.credentials) for name in credential_names(schedule.estate)),
        "",
        "UMask=0077",
        f"ReadWritePaths={_words([str(schedule.store)])}",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "ProtectClock=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "ProtectKernelLogs=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "AmbientCapabilities=",
        "KeyringMode=private",
        "LockPersonality=yes",
        "RemoveIPC=yes",
        f"RestrictAddressFamilies={families}",
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "SystemCallErrorNumber=EPERM",
    ]
    return "\n".join(lines) + "\n"


def timer_unit(schedule: Schedule) -> str:
    """``ztgrade.timer``; raises UsageError where something cannot stand in a unit file."""
    lines = [
        "# ztgrade.timer: when to scan; a time that was missed is made up for.",
        "",
        "[Unit]",
        f"Description=Scans of {_plain(schedule.estate.institution_id)} by the calendar",
        "",
        "[Timer]",
        f"OnCalendar={_plain(schedule.on_calendar)}",
        f"RandomizedDelaySec={_plain(schedule.delay)}",
        "Persistent=true",
        "Unit=ztgrade.service",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join(lines) + "\n"


def credential_names(estate: Estate) -> list[str]:
    """Names behind the ``systemd:`` references of an estate, sorted."""
    names = {credential_name(each.reference) for each in estate.credentials.values()}
    return sorted(name for name in names if name is not None)


def _reads_this_host(estate: Estate) -> bool:
    return any(target.collector == "local" and target.captures is None for target in estate.targets.values())


def _preparing(schedule: Schedule) -> Iterable[str]:
    if schedule.user != "root":
        yield f"useradd --system --no-create-home --shell /usr/sbin/nologin {schedule.user}"
    # Somebody copies these into a root shell, so they are quoted for it.
    yield f"install -d -m 0700 -o {schedule.user} {shlex.quote(str(schedule.store))}"
    for name in credential_names(schedule.estate):
        yield f"install -D -m 0600 SECRET-FILE {shlex.quote(str(schedule.credentials / name))}"
    yield "systemctl daemon-reload && systemctl enable --now ztgrade.timer"


def _notes(schedule: Schedule, local: bool) -> Iterable[str]:
    for name, credential in sorted(schedule.estate.credentials.items()):
        scheme = credential.reference.partition(":")[0]
        if scheme in UNABLE:
            yield f"credential {name} is {scheme}:, but {UNABLE[scheme]}; use systemd:{name}"
    if local:
        yield "collector local sees little from in here, and tells the rest as gaps; scan this host by hand as root."
    for path in (schedule.estate_path, schedule.store, Path(schedule.command[0])):
        if path.is_relative_to("/tmp") or path.is_relative_to("/var/tmp"):  # noqa: S108 (told, not written to)
            yield f"{path} is out of its sight, for PrivateTmp= gives it a /tmp of its own; move it."


def _credential(name: str, folder: Path) -> str:
    # Everything behind the first colon is the path, spaces too; quotes would be part of it (systemd, load-fragment.c).
    return f"LoadCredential={name}:{_plain(str(folder / name))}"


def _plain(text: str) -> str:
    """A value that is taken as it stands: % doubled (systemd.unit(5), specifiers); no line can be smuggled in."""
    if not text or text != text.strip() or not text.isprintable() or text.endswith("\\"):
        raise UsageError(f"{text!r} cannot stand in a unit file; use printable text without a space at its ends")
    return text.replace("%", "%%")


def _words(words: Sequence[str]) -> str:
    """Words of a list or command line, each quoted where it must be (systemd.syntax(5), quoting)."""
    return " ".join(_word(word) for word in words)


def _word(word: str) -> str:
    if not word.isprintable():
        raise UsageError(f"{word!r} cannot stand in a unit file; use a path of printable characters")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    bare = word and all(letter.isalnum() or letter in "/._-+=@:,%" for letter in word)
    return escaped if bare else f'"{escaped}"'


def running_command(script: str, interpreter: str) -> tuple[str, ...]:
    """Words that run the ztgrade that is running, by absolute path; links are kept, for they may be those of pipx."""
    for place in (script, os.path.join(os.path.dirname(interpreter), "ztgrade")):
        if os.path.basename(place) == "ztgrade" and os.access(place, os.X_OK) and os.path.isfile(place):
            return (os.path.abspath(place),)
    return (os.path.abspath(interpreter), "-m", "scanner.cli")
