"""Rules of the firewall of Windows as the registry holds them, [MS-GPFAS] 2.2.2, and whom they let in."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping

from agent.traffic import ADMINISTRATION, Network, narrow

CLOSED, LISTED, UNCLEAR, OPEN = "closed", "listed", "unclear", "open"
"""Whom rules let reach administration: nobody, named senders, that cannot be told, others as well."""
Rule = Mapping[str, list[str]]
"""What a rule says, by lower-case name; of ports, profiles and senders it may say several."""
_PORT, _SENDER = re.compile(r"lport\d*(_\d+)*"), re.compile(r"ra[46]\d*(_\d+)*")
_CARRYING = frozenset({"6", "17", "256"})
"""TCP, UDP, any."""
_NAMED_PORTS = {"rpc-epmap": 135}
_OTHER_PORTS = frozenset({"rpc", "teredo", "iphttpsin", "ply2disc", "mdns"})
"""Names of ports that the system gives to other things; RPC stands for those that it hands out above 49,151."""
_EVERYBODY = ("localsubnet", "intranet", "rmtintranet", "internet")
_PACKAGED = ("apppkgid", "pfn")
"""A rule for an app in a container lets nobody reach a service of the system."""
_WHOSE = ("app", "svc", "luown", "luauth")
_OTHER_SERVICES = frozenset(
    {"ajrouter", "cdpsvc", "dhcp", "dnscache", "fdphost", "fdrespub", "qwave", "ssdpsrv", "upnphost"}
)
_OTHER_PROGRAMS = re.compile(
    r"(%systemroot%|c:\\windows)\\system32\\(castsrv|dashost|mdeserver|proximityuxhost|wudfhost)\.exe"
)
"""Services and programs of Windows that wait on no port of administration."""
_BY_IDENTITY = ("rmauth", "ruauth")
_NARROW = frozenset({*_WHOSE, *_PACKAGED, *_BY_IDENTITY, "ra4", "ra6", "icmp4", "icmp6"} - {"luauth"})
"""Parts of a rule by which it names programs, senders or what is neither TCP nor UDP."""
_WIDE = re.compile(r"[01]-65535")


def rules_of(listing: str) -> list[Rule]:
    """The rules that ``reg query`` tells; ValueError where its output, or one of them, is cut."""
    if not listing.endswith("\n"):
        raise ValueError("the list of rules is cut")
    return [_parsed(line) for line in listing.splitlines() if "REG_SZ" in line]


def lets_all_in(rule: Rule) -> bool:
    """Whether a rule allows what comes in, whoever sends it, to whatever program."""
    allows = (_first(rule, "action"), _first(rule, "active"), _first(rule, "dir")) == ("allow", "true", "in")
    ports = [value for _, value in _told(rule, _PORT)]
    carries = "protocol" not in rule or bool(_CARRYING & {*rule["protocol"]})
    return allows and carries and not _NARROW & rule.keys() and (not ports or any(map(_WIDE.fullmatch, ports)))


def administration(rules: Iterable[Rule], near: tuple[Network, ...]) -> str:
    """Whom the rules together let reach `ADMINISTRATION`; rules that block are not counted."""
    found = {_lets_in(rule, near) for rule in rules}
    return next((word for word in (OPEN, UNCLEAR, LISTED) if word in found), CLOSED)


def _parsed(line: str) -> Rule:
    text = line.partition("REG_SZ")[2].strip()
    if not text.endswith("|"):
        raise ValueError("a rule is cut")
    told: dict[str, list[str]] = {}
    for part in text.split("|"):
        name, equals, value = part.partition("=")
        if equals:
            told.setdefault(name.strip().lower(), []).append(value.strip())
    return told


def _lets_in(rule: Rule, near: tuple[Network, ...]) -> str:
    admits = _first(rule, "action") in {"allow", "bypass"} and _first(rule, "dir") == "in"
    carries = "protocol" not in rule or bool(_CARRYING & {*rule["protocol"]})
    if not admits or _first(rule, "active") == "false" or not carries or any(name in rule for name in _PACKAGED):
        return CLOSED
    reached = _reaches(rule)
    if reached is False:
        return CLOSED
    senders = _senders(rule, near)
    return UNCLEAR if senders == OPEN and (reached is None or any(name in rule for name in _BY_IDENTITY)) else senders


def _first(rule: Rule, name: str) -> str:
    return rule.get(name, [""])[0].lower()


def _told(rule: Rule, names: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    return ((name, value.lower()) for name, values in rule.items() if names.fullmatch(name) for value in values)


def _reaches(rule: Rule) -> bool | None:
    """Whether the rule is for such a port; None where it may be."""
    found = [_is_asked(port) for _, value in _told(rule, _PORT) for port in value.split(",")]
    if found:
        return True if True in found else None if None in found else False
    if not any(name in rule for name in _WHOSE):
        return True
    # What listens is the program's choice, but for services that are known.
    known = _first(rule, "svc") in _OTHER_SERVICES or _OTHER_PROGRAMS.fullmatch(_first(rule, "app"))
    return False if known else None


def _is_asked(port: str) -> bool | None:
    if port in _OTHER_PORTS:
        return False
    first, dash, last = port.partition("-")
    try:
        low = _NAMED_PORTS.get(port) or int(first)
        high = int(last) if dash and port not in _NAMED_PORTS else low
    except ValueError:
        return None
    return any(low <= each <= high for each in ADMINISTRATION)


def _senders(rule: Rule, near: tuple[Network, ...]) -> str:
    told = [value for _, values in _told(rule, _SENDER) for value in values.split(",")]
    if not told or any(value.startswith(_EVERYBODY) for value in told):
        return OPEN
    try:
        networks = [network for value in told for network in _networks(value)]
    except ValueError:
        return UNCLEAR
    return LISTED if narrow(networks, near) else OPEN


def _networks(text: str) -> Iterator[Network]:
    first, dash, last = text.partition("-")
    if dash:
        low, high = ipaddress.ip_address(first), ipaddress.ip_address(last)
        if isinstance(low, ipaddress.IPv4Address) and isinstance(high, ipaddress.IPv4Address):
            return iter(ipaddress.summarize_address_range(low, high))
        if isinstance(low, ipaddress.IPv6Address) and isinstance(high, ipaddress.IPv6Address):
            return iter(ipaddress.summarize_address_range(low, high))
        raise ValueError("a range of addresses of two versions")
    return iter([ipaddress.ip_network(text, strict=False)])
