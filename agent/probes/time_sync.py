"""Whether the clock follows a source, in the kernel's own words, and which."""

from __future__ import annotations

from agent.confinement import container
from agent.host import Host
from agent.products import cut
from agent.section import DENIED, UNSUPPORTED, Missing, NotSupported, Probe, Seen

_UNSYNCHRONISED = 0x40
"""STA_UNSYNC of adjtimex(2): no program disciplines the clock."""
_DAEMONS = ("chronyd", "systemd-timesyncd", "ntpd", "ptp4l", "openntpd")


def look(host: Host) -> Seen:
    """``synchronised``, and ``source``: the server, or ``none`` where no program sets the clock; Linux only."""
    if host.system != "linux":
        raise NotSupported(f"the clock is not looked at on {host.system}")
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


PROBE = Probe(
    name="time_sync",
    schema_version=1,
    reads=(
        "adjtimex(2)",
        "names of processes",
        "/usr/bin/chronyc -n -c tracking",
        "/usr/bin/timedatectl show-timesync --property=ServerName --value",
    ),
    look=look,
)
