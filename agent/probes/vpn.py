"""Tunnels that are up now, and whether one is set to come up with the system.

The Windows and macOS branches were never run on Windows or macOS; they follow the documents that the tests name.
"""

from __future__ import annotations

import re

from agent import keyfile
from agent.confinement import refuse_foreign_namespaces
from agent.host import Host
from agent.powershell import answers, question
from agent.section import DENIED, UNSUPPORTED, Missing, NotSupported, Probe, Seen, by_system

_NET = "/sys/class/net"
_UP = 1
"""IFF_UP of netdevice(7)."""
_PPP = "512"
"""ARPHRD_PPP of if_arp.h, as /sys/class/net/*/type has it."""
_KINDS = {"wireguard": "wireguard", "vti": "ipsec", "xfrm": "ipsec"}
"""DEVTYPE and kinds of devices that are tunnels by themselves."""
_STATES = ("/usr/sbin/ip", "xfrm", "state", "count")
"""Counts, and never prints the keys as ``ip xfrm state`` does."""
_WANTS = "/etc/systemd/system/multi-user.target.wants"
_UNITS = re.compile(r"(wg-quick@|openvpn(-client)?@|strongswan|ipsec|tailscaled|openfortivpn@|netbird|cloudflare-warp)")
_KEPT = "/etc/NetworkManager/system-connections"
ADAPTERS = question("Get-NetAdapter -IncludeHidden | Where-Object Status -eq 'Up' | Select-Object InterfaceDescription")
CONNECTIONS = question(
    "Get-VpnConnection -AllUserConnection | Select-Object ConnectionStatus,@{n='Kind';e={[string]$_.TunnelType}}"
)
_BY_ADAPTER = {
    "wireguard": "wireguard",
    "wintun": "tun",
    "tap-windows": "openvpn",
    "openvpn": "openvpn",
    "anyconnect": "anyconnect",
    "cisco secure client": "anyconnect",
    "pangp": "globalprotect",
    "fortinet": "forticlient",
    "fortissl": "forticlient",
    "juniper": "ivanti",
    "pulse secure": "ivanti",
    "zscaler": "zscaler",
    "check point": "checkpoint",
}
"""Words in the descriptions of adapters that clients of tunnels install."""
_SERVICES = ("/usr/sbin/scutil", "--nc", "list")
_INTERFACES = ("/sbin/ifconfig", "-a")


def look(host: Host) -> Seen:
    """``tunnels``: the kinds that are up, one entry each; ``always_on``: one is set to come up with the system.

    A tunnel of a program that keeps the traffic to itself, such as a browser or ssh, is not seen.
    """
    return by_system(host, "tunnels are not looked at on", linux=_linux, windows=_windows, macos=_macos)(host)


def _linux(host: Host) -> Seen:
    refuse_foreign_namespaces(host, "interfaces", ("net",))
    missing: dict[str, Missing] = {}
    found = [kind for name in host.listdir(_NET) if (kind := _kind(host, name))]
    try:
        ran = host.run(_STATES)
        count = re.search(r"SAD count (\d+)", ran.output)
        if count and int(count[1]) and "ipsec" not in found:
            found.append("ipsec")
        if not count:
            missing["tunnels"] = Missing(UNSUPPORTED, "ip xfrm did not count the associations of IPsec")
    except FileNotFoundError:
        missing["tunnels"] = Missing(UNSUPPORTED, "without iproute2, associations of IPsec are not seen")
    if not host.privileged():
        missing["tunnels"] = Missing(DENIED, "only root may count the associations of IPsec")
    always = _always_on(host, missing)
    tunnels = [{"kind": kind} for kind in sorted(found)]
    # None of those that can be seen is not none.
    return Seen({"tunnels": None if missing.get("tunnels") and not tunnels else tunnels, "always_on": always}, missing)


def _kind(host: Host, name: str) -> str:
    base = f"{_NET}/{name}"
    try:
        if not int(host.read_file(f"{base}/flags"), 16) & _UP:
            return ""
        if host.exists(f"{base}/tun_flags"):
            # A bridge of virtual machines also uses such devices; those belong to a bridge, and a VPN's do not.
            return "" if host.exists(f"{base}/master") else "tun"
        if host.read_file(f"{base}/type").strip() == _PPP.encode():
            return "ppp"
        device = re.search(rb"^DEVTYPE=(\w+)", host.read_file(f"{base}/uevent"), re.MULTILINE)
        if device and device[1].decode() in _KINDS:
            return _KINDS[device[1].decode()]
        return "ipsec" if re.match(r"(ipsec|vti|xfrm)\d+$", name) else ""
    except FileNotFoundError:
        # An interface that went while it was looked at, or a file such as bonding_masters.
        return ""


def _always_on(host: Host, missing: dict[str, Missing]) -> bool | None:
    if any(_UNITS.match(name) for name in _names(host, _WANTS)):
        return True
    try:
        for name in _names(host, _KEPT):
            connection = keyfile.read(host, f"{_KEPT}/{name}").get("connection", {})
            itself = connection.get("type") == "wireguard"
            if connection.get("autoconnect", "true") == "true" and itself:
                return True
            if any(key == "secondaries" and value.strip(";") for key, value in connection.items()):
                return True
    except PermissionError:
        missing["always_on"] = Missing(DENIED, "only root may read the connections of NetworkManager")
        return None
    return False


def _names(host: Host, folder: str) -> list[str]:
    try:
        return host.listdir(folder)
    except FileNotFoundError:
        return []


def _windows(host: Host) -> Seen:
    found = []
    for row in answers(host, ADAPTERS, "its network adapters"):
        words = str(row.get("InterfaceDescription", "")).lower()
        found += sorted({kind for word, kind in _BY_ADAPTER.items() if word in words})[:1]
    for row in answers(host, CONNECTIONS, "its connections"):
        if row.get("ConnectionStatus") == "Connected":
            found.append(str(row.get("Kind", "")).lower() or "other")
    why = "connections of single users, and whether one is always on, are told to the system account alone"
    missing = {"always_on": Missing(UNSUPPORTED, why)}
    return Seen({"tunnels": [{"kind": kind} for kind in sorted(found)], "always_on": None}, missing)


def _macos(host: Host) -> Seen:
    """Services of the network settings, and devices utun with an address of IPv4; macOS keeps some without one."""
    found = []
    listed, interfaces = host.run(_SERVICES), host.run(_INTERFACES)
    if listed.status != 0 or interfaces.status != 0 or not interfaces.output.strip():
        raise NotSupported("scutil and ifconfig did not tell the services and interfaces of the network")
    for line in listed.output.splitlines():
        match = re.match(r"\*\s+\(Connected\)\s+\S+\s+(\w+)", line)
        if match:
            found.append({"ppp": "ppp", "ipsec": "ipsec"}.get(match[1].lower(), "vpn"))
    blocks = re.split(r"\n(?=\S)", interfaces.output)
    found += ["utun" for block in blocks if block.startswith("utun") and re.search(r"^\s+inet \d", block, re.MULTILINE)]
    missing = {"always_on": Missing(UNSUPPORTED, "connections on demand are set by profiles, which are not read")}
    return Seen({"tunnels": [{"kind": kind} for kind in sorted(found)], "always_on": None}, missing)


PROBE = Probe(
    name="vpn",
    schema_version=1,
    reads=(
        f"{_NET}/*: flags, type, uevent, tun_flags",
        " ".join(_STATES),
        _WANTS,
        f"{_KEPT}/*: type, autoconnect and secondaries, never the secrets",
        " ".join(ADAPTERS),
        " ".join(CONNECTIONS),
        " ".join(_SERVICES),
        " ".join(_INTERFACES),
    ),
    look=look,
)
