"""The host's own packet filter: what it does with unlisted inbound traffic, and whom it lets reach administration."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

from agent import iptables, nftables, traffic, windows_rules
from agent.confinement import refuse_foreign_namespaces
from agent.host import Host
from agent.section import UNSUPPORTED, Denied, Missing, NotSupported, Probe, Seen, by_system
from agent.traffic import Traffic

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
_BY_MANAGEMENT = rf"{_LOCAL}\Mdm"
_SERVICE = "mpssvc"
"""Without which the settings stand there and nothing is filtered."""
_REG = r"C:\Windows\System32\reg.exe"
_UNCLEAR = "rules let in traffic by conditions that are not understood here"
_MAC = "/usr/libexec/ApplicationFirewall/socketfilterfw"


def look(host: Host) -> Seen:
    """``enabled``, ``inbound`` deny or allow, ``product``, ``administration`` closed, listed or open.

    Filters in eBPF or in the cloud are not seen.
    """
    return by_system(host, "packet filters are not looked at on", linux=_linux, windows=_windows, macos=_macos)(host)


def _linux(host: Host) -> Seen:
    if not host.privileged():
        raise Denied("only root may list the packet filter")
    refuse_foreign_namespaces(host, "the packet filter", ("net",))
    families = ("ip", "ip6") if host.exists("/proc/net/if_inet6") else ("ip",)
    tables = _nftables(host)
    active = any(nftables.inputs(tables, family) for family in families)
    product, redirected = "nftables" if active else "none", nftables.redirects(tables)
    filters: list[list[_Denies]] = []
    for family in families:
        found: list[_Denies] = []
        own = tables
        if (rest := nftables.translated(tables, family)) is not None:
            found, own = [partial(iptables.denies, iptables.lines(_translated(host, family)))], rest
        if nftables.inputs(own, family):
            found.append(partial(nftables.denies, own, family))
        names = _legacy_tables(host, family)
        redirected |= "nat" in names
        if "filter" in names:
            active, product = True, "iptables" if product == "none" else product
            listing = _listing(host, _LEGACY[family], f"the kernel holds {family} filter rules")
            found.append(partial(iptables.denies, iptables.lines(listing)))
        filters.append(found)
    verdicts = [_refused(found, Traffic()) for found in filters]
    inbound = "allow" if False in verdicts else None if None in verdicts else "deny"
    near = traffic.near(host.networks())
    return _seen(active, inbound, product, _administration(filters, near, redirected))


_Denies = Callable[[Traffic], bool | None]


def _refused(filters: list[_Denies], asked: Traffic) -> bool | None:
    # What one of them refuses does not come in.
    found = [denies(asked) for denies in filters]
    return True if True in found else None if None in found else False


def _administration(filters: list[list[_Denies]], near: tuple[traffic.Network, ...], redirected: bool) -> str | None:
    """Whom the filters, by family, let reach administration."""
    ports = traffic.ADMINISTRATION
    neighbours = [_refused(found, Traffic(traffic.NEIGHBOUR, ports, near, redirected)) for found in filters]
    if False in neighbours:
        return "open"
    if None in neighbours:
        return None
    closed = all(_refused(found, Traffic(traffic.ANYBODY, ports, near, redirected)) for found in filters)
    return "closed" if closed else "listed"


def _seen(enabled: bool, inbound: str | None, product: str, administration: str | None, why: str = _UNCLEAR) -> Seen:
    values = {"enabled": enabled, "inbound": inbound, "product": product, "administration": administration}
    return Seen(values, {name: Missing(UNSUPPORTED, why) for name, value in values.items() if value is None})


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


def _legacy_tables(host: Host, family: str) -> list[str]:
    """Tables of iptables that the kernel lists of this family."""
    try:
        return host.read_file(f"/proc/net/{family}_tables_names").decode("ascii", "replace").split()
    except FileNotFoundError:
        return []


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
    if not deny:
        return _seen(enabled, "allow", "windows", "open")
    try:
        rules = [rule for key in (_LOCAL, _POLICY, _BY_MANAGEMENT) for rule in _rules(host, key)]
    except ValueError as error:
        return _seen(enabled, None, "windows", None, str(error))
    told = windows_rules.administration(rules, traffic.near(host.networks()))
    wide = any(map(windows_rules.lets_all_in, rules))
    administration = None if told == windows_rules.UNCLEAR else told
    return _seen(enabled, "allow" if wide else "deny", "windows", administration)


def _rules(host: Host, key: str) -> list[windows_rules.Rule]:
    """The rules below a key; only those of policy and management may be missing. ValueError where they are not told."""
    place = rf"{key}\FirewallRules"
    ran = host.run((_REG, "query", rf"HKLM\{place}"))
    if ran.status == 0:
        return windows_rules.rules_of(ran.output)
    if key != _LOCAL:
        try:
            host.subkeys(place)
        except FileNotFoundError:
            return []
    raise ValueError("reg.exe does not tell the rules of the firewall")


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
        return _seen(False, "allow", "application firewall", "open")
    if "State = 2" in output:
        return _seen(True, "deny", "application firewall", "closed")
    if "State = 1" not in output:
        raise NotSupported("socketfilterfw did not state whether the firewall is on")
    detail = "the application firewall admits signed programs, whatever the port; what is left cannot be told"
    return _seen(True, None, "application firewall", None, detail)


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
        "networks of its interfaces",
        f"whether the service {_SERVICE} runs",
        rf"HKLM\{_POLICY}",
        rf"HKLM\{_LOCAL}",
        f"{_MAC} --getglobalstate",
    ),
    look=look,
)
