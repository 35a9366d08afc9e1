"""Whether the clock follows a source, in the system's own words, and which.

The Windows and macOS branches were never run on Windows or macOS; they follow the documents that the tests name.
"""

from __future__ import annotations

import re

from agent.confinement import container
from agent.host import Host
from agent.products import cut
from agent.section import DENIED, UNSUPPORTED, Denied, Missing, NotSupported, Probe, Seen, by_system

_UNSYNCHRONISED = 0x40
"""STA_UNSYNC of adjtimex(2): no program disciplines the clock."""
_DAEMONS = ("chronyd", "systemd-timesyncd", "ntpd", "ptp4l", "openntpd")

_NOT_FOLLOWING = 3
"""Leap indicator of a clock that is not synchronised, RFC 5905."""
_SERVICE = "w32time"
_W32TM = (r"C:\Windows\System32\w32tm.exe", "/query", "/status")
_OWN_CLOCK = "0x4C4F434C"
"""The reference LOCL: the clock of the host itself."""
_SETUP = "/usr/sbin/systemsetup"
_USED, _SERVER = (_SETUP, "-getusingnetworktime"), (_SETUP, "-getnetworktimeserver")


def look(host: Host) -> Seen:
    """``synchronised``, and ``source``: the server, or ``none`` where no program sets the clock."""
    return by_system(host, "the clock is not looked at on", linux=_linux, windows=_windows, macos=_macos)(host)


def _linux(host: Host) -> Seen:
    synchronised = not host.clock_status() & _UNSYNCHRONISED
    sign = container(host)
    if sign:
        detail = f"in a container ({sign}), the program that sets the clock cannot be seen"
        return Seen({"synchronised": synchronised, "source": None}, {"source": Missing(UNSUPPORTED, detail)})
    names = host.running(frozenset(cut(name, host.system) for name in _DAEMONS))
    daemon = next((name for name in _DAEMONS if cut(name, host.system) in names), None)
    if daemon is None and not synchronised:
        if host.privileged():
            return Seen({"synchronised": False, "source": "none"})
        detail = "only root sees every process, so what is not seen proves nothing"
        return Seen({"synchronised": False, "source": None}, {"source": Missing(DENIED, detail)})
    source = _server(host, daemon)
    missing = {}
    if source is None:
        detail = f"{daemon or 'what sets the clock'} does not say which server it follows"
        missing["source"] = Missing(UNSUPPORTED, detail)
    return Seen({"synchronised": synchronised, "source": source}, missing)


def _server(host: Host, daemon: str | None) -> str | None:
    try:
        if daemon == "chronyd":
            ran = host.run(["/usr/bin/chronyc", "-n", "-c", "tracking"])
            cells = ran.output.strip().split(",")
            return cells[1] if ran.status == 0 and len(cells) > 2 and cells[1] else None
        if daemon == "systemd-timesyncd":
            ran = host.run(["/usr/bin/timedatectl", "show-timesync", "--property=ServerName", "--value"])
            return ran.output.strip() or None if ran.status == 0 else None
    except OSError:
        return None
    return None


def _windows(host: Host) -> Seen:
    """``w32tm /query /status``: the values by their places, since the words before them are those of the language."""
    if host.services().get(_SERVICE) is not True:
        raise NotSupported("the service Windows Time does not run, and whether another one sets the clock is not known")
    ran = host.run(_W32TM)
    values = [line.partition(":")[2].strip() for line in ran.output.splitlines() if line.strip()]
    leap, stratum = (re.match(r"\d+", value) for value in [*values, "", ""][:2])
    if ran.status != 0 or len(values) < 9 or not leap or not stratum or not values[5].startswith("0x"):
        raise NotSupported("w32tm did not print its nine lines in their order")
    if int(leap[0]) == _NOT_FOLLOWING or not 0 < int(stratum[0]) < 16 or values[5].startswith(_OWN_CLOCK):
        return Seen({"synchronised": False, "source": "none"})
    return Seen({"synchronised": True, "source": values[7].split(",")[0].strip()})


def _macos(host: Host) -> Seen:
    if not host.privileged():
        raise Denied("only root may ask how macOS sets its clock")
    used, server = host.run(_USED).output.strip(), host.run(_SERVER).output.strip()
    if used == "Network Time: Off":
        return Seen({"synchronised": False, "source": "none"})
    told = re.fullmatch(r"Network Time Server: (\S+)", server)
    if used != "Network Time: On" or told is None:
        raise NotSupported("systemsetup did not state whether the clock follows a server")
    why = Missing(UNSUPPORTED, "macOS tells which server it follows, not whether it reaches it")
    return Seen({"synchronised": None, "source": told[1]}, {"synchronised": why})


PROBE = Probe(
    name="time_sync",
    schema_version=1,
    reads=(
        "adjtimex(2)",
        "names of processes",
        "/usr/bin/chronyc -n -c tracking",
        "/usr/bin/timedatectl show-timesync --property=ServerName --value",
        f"whether the service {_SERVICE} runs",
        *(" ".join(command) for command in (_W32TM, _USED, _SERVER)),
    ),
    look=look,
)
