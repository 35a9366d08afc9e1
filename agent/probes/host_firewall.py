"""The host's own packet filter and what it does with unlisted inbound traffic."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from typing import Any

from agent.confinement import refuse_foreign_namespaces
from agent.host import Host
from agent.section import UNSUPPORTED, Denied, Missing, NotSupported, Probe, Seen, by_system

_NFT = ("/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft")
_LEGACY = {
    "ip": ("/usr/sbin/iptables-legacy", "/usr/sbin/iptables", "/sbin/iptables"),
    "ip6": ("/usr/sbin/ip6tables-legacy", "/usr/sbin/ip6tables", "/sbin/ip6tables"),
}
_PROFILES = ("DomainProfile", "StandardProfile", "PublicProfile")
_LOCAL = r"SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
_POLICY = r"SOFTWARE\Policies\Microsoft\WindowsFirewall"
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
    denies = {family: _nft_denies(tables, family) for family in families}
    active = any(_inputs(tables, family) for family in families)
    product = "nftables" if active else "none"
    for family in families:
        listed = _legacy(host, family)
        if listed is not None:
            active, product = True, "iptables" if product == "none" else product
            denies[family] = denies[family] or listed
    return Seen({"enabled": active, "inbound": "deny" if all(denies.values()) else "allow", "product": product})


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


def _inputs(entries: list[dict[str, Any]], family: str) -> list[dict[str, Any]]:
    chains = [entry["chain"] for entry in entries if "chain" in entry]
    return [
        chain
        for chain in chains
        if chain.get("hook") == "input" and chain.get("type") == "filter" and chain.get("family") in {family, "inet"}
    ]


def _nft_denies(entries: list[dict[str, Any]], family: str) -> bool:
    for chain in _inputs(entries, family):
        rules: dict[str, list[tuple[str, str]]] = {}
        for entry in entries:
            rule = entry.get("rule")
            if rule and (rule["family"], rule["table"]) == (chain["family"], chain["table"]):
                rules.setdefault(rule["chain"], []).extend(_unconditional(rule.get("expr", [])))
        if (_end(rules, chain["name"]) or chain.get("policy")) in {"drop", "reject"}:
            return True
    return False


def _unconditional(words: list[Any]) -> list[tuple[str, str]]:
    """The verdict of a rule that matches everything, and where it leads; nothing for a rule with conditions."""
    acting = [word for word in words if isinstance(word, dict) and not {"counter", "log", "comment"} & word.keys()]
    if len(acting) != 1:
        return []
    ((verdict, more),) = acting[0].items()
    return [(verdict, more["target"] if isinstance(more, dict) and "target" in more else "")]


def _end(rules: dict[str, list[tuple[str, str]]], chain: str, depth: int = 0) -> str:
    """How traffic that meets no condition ends in a chain: accept, drop, reject; empty where it is left open."""
    if depth > 16:
        return ""
    for verdict, target in rules.get(chain, []):
        if verdict in {"accept", "drop", "reject"}:
            return verdict
        if verdict in {"jump", "goto"}:
            end = _end(rules, target, depth + 1)
            if end or verdict == "goto":
                return end
        if verdict == "return":
            return ""
    return ""


def _legacy(host: Host, family: str) -> bool | None:
    """Whether iptables denies by default; None where the kernel lists no filter table of this family."""
    try:
        names = host.read_file(f"/proc/net/{family}_tables_names").decode("ascii", "replace").split()
    except FileNotFoundError:
        return None
    if "filter" not in names:
        return None
    for path in _LEGACY[family]:
        try:
            ran = host.run([path, "-S"])
        except FileNotFoundError:
            continue
        if ran.status == 0:
            return _listed_denies(ran.output)
    raise NotSupported(f"the kernel holds {family} filter rules, and no iptables is installed to list them")


def _listed_denies(listing: str) -> bool:
    """Whether ``iptables -S`` shows that traffic meeting no condition in INPUT ends in a refusal."""
    rules: dict[str, list[tuple[str, str]]] = {}
    for match in re.finditer(r"^-A (\S+) -([jg]) (\S+)(?: --reject-with \S+)?$", listing, re.MULTILINE):
        chain, how, target = match.groups()
        verdict = (
            target.lower() if target in {"ACCEPT", "DROP", "REJECT", "RETURN"} else {"j": "jump", "g": "goto"}[how]
        )
        rules.setdefault(chain, []).append((verdict, target))
    policy = "drop" if re.search(r"^-P INPUT DROP$", listing, re.MULTILINE) else "accept"
    return (_end(rules, "INPUT") or policy) in {"drop", "reject"}


def _windows(host: Host) -> Seen:
    states = []
    for profile in _PROFILES:
        enabled = _setting(host, profile, "EnableFirewall")
        # Without a setting, Windows blocks inbound connections that no rule allows.
        inbound = _setting(host, profile, "DefaultInboundAction")
        states.append((enabled == 1, inbound != 0))
    enabled, deny = all(on for on, _ in states), all(on and blocks for on, blocks in states)
    return Seen({"enabled": enabled, "inbound": "deny" if deny else "allow", "product": "windows"})


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
        "/usr/sbin/iptables -S",
        "/usr/sbin/ip6tables -S",
        "/proc/net/ip_tables_names",
        "/proc/net/ip6_tables_names",
        "/proc/config.gz",
        "/proc/modules",
        rf"HKLM\{_POLICY}",
        rf"HKLM\{_LOCAL}",
        f"{_MAC} --getglobalstate",
    ),
    look=look,
)
