"""The host's own packet filter and what it does with unlisted inbound traffic."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from typing import Any

from agent import iptables, nftables
from agent.confinement import refuse_foreign_namespaces
from agent.host import Host
from agent.section import UNSUPPORTED, Denied, Missing, NotSupported, Probe, Seen, by_system

_NFT = ("/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft")
_LEGACY = {
    "ip": ("/usr/sbin/iptables-legacy", "/usr/sbin/iptables", "/sbin/iptables"),
    "ip6": ("/usr/sbin/ip6tables-legacy", "/usr/sbin/ip6tables", "/sbin/ip6tables"),
}
_TRANSLATING = {
    "ip": ("/usr/sbin/iptables-nft", "/usr/sbin/iptables", "/sbin/iptables"),
    "ip6": ("/usr/sbin/ip6tables-nft", "/usr/sbin/ip6tables", "/sbin/ip6tables"),
}
_PROFILES = ("DomainProfile", "StandardProfile", "PublicProfile")
_LOCAL = r"SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
_POLICY = r"SOFTWARE\Policies\Microsoft\WindowsFirewall"
_SERVICE = "mpssvc"
"""Without which the settings stand there and nothing is filtered."""
_REG = r"C:\Windows\System32\reg.exe"
_NARROW = frozenset({"App", "Svc", "RA4", "RA6", "RMAuth", "RUAuth", "PFN", "ICMP4", "ICMP6", "LUOwn", "AppPkgId"})
"""Parts of a rule by which it names programs, senders or what is neither TCP nor UDP."""
_CARRYING = ("6", "17", "256")
"""TCP, UDP, any."""
_MAC = "/usr/libexec/ApplicationFirewall/socketfilterfw"


def look(host: Host) -> Seen:
    """``enabled``, ``inbound`` deny or allow, ``product``; filters in eBPF or in the cloud are not seen."""
    return by_system(host, "packet filters are not looked at on", linux=_linux, windows=_windows, macos=_macos)(host)


def _linux(host: Host) -> Seen:
    if not host.privileged():
        raise Denied("only root may list the packet filter")
    refuse_foreign_namespaces(host, "the packet filter", ("net",))
    families = ("ip", "ip6") if host.exists("/proc/net/if_inet6") else ("ip",)
    tables = _nftables(host)
    active = any(nftables.inputs(tables, family) for family in families)
    product = "nftables" if active else "none"
    denies = []
    for family in families:
        found, own = [], tables
        if (rest := nftables.translated(tables, family)) is not None:
            found, own = [iptables.denies(_translated(host, family))], rest
        if nftables.inputs(own, family):
            found.append(nftables.denies(own, family))
        listing = _legacy(host, family)
        if listing:
            active, product = True, "iptables" if product == "none" else product
            found.append(iptables.denies(listing))
        # What one of them refuses does not come in.
        denies.append(True if True in found else None if None in found else False)
    if False in denies or None not in denies:
        return Seen({"enabled": active, "inbound": "allow" if False in denies else "deny", "product": product})
    why = Missing(UNSUPPORTED, "rules let in traffic by conditions that are not understood here")
    return Seen({"enabled": active, "inbound": None, "product": product}, {"inbound": why})


def _nftables(host: Host) -> list[dict[str, Any]]:
    for path in _NFT:
        try:
            ran = host.run([path, "-j", "list", "ruleset"])
        except FileNotFoundError:
            continue
        if ran.status != 0:
            raise NotSupported(f"nft ended with status {ran.status}: {ran.errors.strip()[:120]}")
        entries = json.loads(ran.output)["nftables"] if ran.output.strip() else []
        return [entry for entry in entries if isinstance(entry, dict)]
    if _without_nftables(host):
        return []
    raise NotSupported("nft is not installed, and nothing proves that the kernel has no nftables")


def _without_nftables(host: Host) -> bool:
    """Whether the kernel proves that it has no nftables: its configuration, or its lists of modules."""
    try:
        words = gzip.decompress(host.read_file("/proc/config.gz"))
        return b"CONFIG_NF_TABLES=" not in words or b"\n# CONFIG_NF_TABLES is not set" in words
    except (OSError, EOFError, zlib.error):
        pass
    try:
        loaded = host.read_file("/proc/modules").split(b"\n")
        release = host.read_file("/proc/sys/kernel/osrelease").decode().strip()
        built_in = host.read_file(f"/lib/modules/{release}/modules.builtin")
    except OSError:
        return False
    return b"/nf_tables.ko" not in built_in and not any(line.startswith(b"nf_tables ") for line in loaded)


def _translated(host: Host, family: str) -> str:
    return _listing(host, _TRANSLATING[family], f"nft does not tell what iptables asks for in {family} filter")


def _legacy(host: Host, family: str) -> str:
    """What iptables lists; empty where the kernel lists no filter table of this family."""
    try:
        names = host.read_file(f"/proc/net/{family}_tables_names").decode("ascii", "replace").split()
    except FileNotFoundError:
        return ""
    if "filter" not in names:
        return ""
    return _listing(host, _LEGACY[family], f"the kernel holds {family} filter rules")


def _listing(host: Host, paths: tuple[str, ...], why: str) -> str:
    for path in paths:
        try:
            ran = host.run([path, "-S"])
        except FileNotFoundError:
            continue
        if ran.status == 0:
            return ran.output
    raise NotSupported(f"{why}, and no iptables is installed to list them")


def _windows(host: Host) -> Seen:
    service = host.services().get(_SERVICE)
    if service is None:
        raise NotSupported("Windows does not list the service of its firewall")
    states = []
    for profile in _PROFILES:
        enabled = _setting(host, profile, "EnableFirewall")
        # Without a setting, Windows blocks inbound connections that no rule allows.
        inbound = _setting(host, profile, "DefaultInboundAction")
        states.append((service and enabled == 1, inbound != 0))
    enabled, deny = all(on for on, _ in states), all(on and blocks for on, blocks in states)
    if deny:
        rules = host.run((_REG, "query", rf"HKLM\{_LOCAL}\FirewallRules"))
        if rules.status != 0:
            why = {"inbound": Missing(UNSUPPORTED, "reg.exe does not tell the rules of the firewall")}
            return Seen({"enabled": enabled, "inbound": None, "product": "windows"}, why)
        by_policy = host.run((_REG, "query", rf"HKLM\{_POLICY}\FirewallRules"))
        deny = not any(map(_lets_all_in, (rules.output + by_policy.output).splitlines()))
    return Seen({"enabled": enabled, "inbound": "deny" if deny else "allow", "product": "windows"})


def _lets_all_in(line: str) -> bool:
    """Whether a rule, in the form of [MS-GPFAS] 2.2.2, allows what comes in, whoever sends it, to whatever program."""
    pairs = [part.partition("=")[::2] for part in line.partition("REG_SZ")[2].split("|")]
    told = dict(pairs)
    allows = (told.get("Action"), told.get("Active"), told.get("Dir")) == ("Allow", "TRUE", "In")
    ports = [value for name, value in pairs if name.startswith("LPort")]
    wide = any(re.fullmatch(r"[01]-65535", value) for value in ports)
    narrow = _NARROW & told.keys() or (ports and not wide) or told.get("Protocol", "6") not in _CARRYING
    return allows and not narrow


def _setting(host: Host, profile: str, name: str) -> int | None:
    """Group policy first, then the local setting."""
    for key in (rf"{_POLICY}\{profile}", rf"{_LOCAL}\{profile}"):
        try:
            return int(host.registry(key, name))
        except FileNotFoundError:
            continue
    return None


def _macos(host: Host) -> Seen:
    output = host.run([_MAC, "--getglobalstate"]).output
    if "State = 0" in output:
        return Seen({"enabled": False, "inbound": "allow", "product": "application firewall"})
    if "State = 2" in output:
        return Seen({"enabled": True, "inbound": "deny", "product": "application firewall"})
    if "State = 1" not in output:
        raise NotSupported("socketfilterfw did not state whether the firewall is on")
    detail = "the application firewall admits signed programs; what is left cannot be told"
    values = {"enabled": True, "inbound": None, "product": "application firewall"}
    return Seen(values, {"inbound": Missing(UNSUPPORTED, detail)})


PROBE = Probe(
    name="host_firewall",
    schema_version=1,
    reads=(
        "/usr/sbin/nft -j list ruleset",
        *(f"{path} -S" for paths in (*_LEGACY.values(), *_TRANSLATING.values()) for path in paths[:2]),
        "/proc/net/ip_tables_names",
        "/proc/net/ip6_tables_names",
        "/proc/config.gz",
        "/proc/modules",
        f"whether the service {_SERVICE} runs",
        rf"HKLM\{_POLICY}",
        rf"HKLM\{_LOCAL}",
        f"{_MAC} --getglobalstate",
    ),
    look=look,
)
