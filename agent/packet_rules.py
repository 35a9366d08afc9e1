"""How traffic fares in chains of packet-filter rules, whatever program has written them.

Asked is for a new connection from the network: from an address and to a port that no rule names, or from some senders
to some ports, as `agent.traffic` says. A condition that names anything else never holds for it; one that tells a whole
interface, or all of TCP, holds for some of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.traffic import UNLISTED, Traffic, networks_of, within

ALWAYS, PERHAPS, UNCLEAR, NEVER = "always", "perhaps", "unclear", "never"
"""Whether a condition holds for such traffic: all of it, some of it, that cannot be told, none of it."""
ACCEPT, REFUSE, RETURN, JUMP, GOTO, OPEN = "accept", "refuse", "return", "jump", "goto", "open"
"""Verdicts, of which ``unclear`` is one, too; ``open`` leaves traffic to what comes after the chain."""
_WIDE = 4096
"""Ports, or senders of one condition; more lists nothing."""
_MULTICAST = tuple(networks_of(("224.0.0.0/4", "255.255.255.255/32", "ff00::/8")))
_CARRIERS = frozenset({"tcp", "udp", "udplite", "sctp", "dccp", "all", "6", "17", "136", "132", "33", "0"})
"""Protocols by which services are reached, by name and number; the others carry no ports."""


@dataclass(frozen=True)
class Rule:
    """One rule: whether its conditions hold, its verdict, and where a jump leads."""

    holds: str
    verdict: str
    target: str = ""


def together(conditions: Iterable[str]) -> str:
    """Whether all of several conditions hold at once."""
    found = set(conditions)
    return next((word for word in (NEVER, UNCLEAR, PERHAPS) if word in found), ALWAYS)


def opposite(condition: str) -> str:
    """Whether the opposite of a condition holds."""
    return {ALWAYS: NEVER, NEVER: ALWAYS}.get(condition, condition)


def ends(rules: Mapping[str, list[Rule]], chain: str, known: dict[str, frozenset[str]] | None = None) -> frozenset[str]:
    """Every verdict with which such traffic may leave a chain."""
    known = {} if known is None else known
    if chain in known:
        return known[chain]
    # A chain that leads back to itself, which the kernel refuses, decides nothing.
    known[chain] = frozenset({OPEN})
    found: set[str] = set()
    for rule in rules.get(chain, ()):
        if rule.holds == NEVER:
            continue
        outcome = {OPEN} if rule.verdict == RETURN else {rule.verdict}
        goes_on = rule.holds != ALWAYS
        if rule.verdict in {JUMP, GOTO}:
            outcome = set(ends(rules, rule.target, known))
            if rule.verdict == JUMP and OPEN in outcome:
                goes_on = True
                outcome.discard(OPEN)
        if rule.holds == UNCLEAR and ACCEPT in outcome:
            outcome = outcome - {ACCEPT} | {UNCLEAR}
        found |= outcome
        if not goes_on:
            break
    else:
        found.add(OPEN)
    known[chain] = frozenset(found)
    return known[chain]


def denied(chains: Iterable[tuple[frozenset[str], str]]) -> bool | None:
    """Whether such traffic is refused by chains through which all of it goes, each with its policy; None if unclear."""
    found = [{policy if verdict == OPEN else verdict for verdict in outcome} for outcome, policy in chains]
    if any(outcome == {REFUSE} for outcome in found):
        return True
    return None if any(ACCEPT not in outcome for outcome in found) else False


def of_ports(traffic: Traffic, ports: Iterable[tuple[int, int] | None]) -> str:
    """Whether the port is among ranges that somebody listed; None is one port that only a name tells."""
    listed = list(ports)
    if traffic.sender != UNLISTED:
        named = any(first <= port <= last for first, last in filter(None, listed) for port in traffic.ports)
        return PERHAPS if named or None in listed else NEVER
    return PERHAPS if sum(last - first + 1 for first, last in filter(None, listed)) > _WIDE else NEVER


def of_sources(traffic: Traffic, networks: Iterable[str]) -> str:
    """Whether a sender is among networks that somebody listed."""
    listed = list(networks)
    if traffic.sender != UNLISTED and len(listed) > _WIDE:
        return PERHAPS  # as lists of whole countries: nobody is named, and to take them apart is dear
    return PERHAPS if traffic.comes_from(networks_of(listed)) else NEVER


def listing(traffic: Traffic) -> str:
    """Whether a condition holds that names senders or ports in a way that is not followed."""
    return NEVER if traffic.sender == UNLISTED else UNCLEAR


def of_redirection(traffic: Traffic) -> str:
    """Whether traffic was sent to another address or port before it came to the filter."""
    return UNCLEAR if traffic.redirected else NEVER


def of_receivers(networks: Iterable[str]) -> str:
    """Whether traffic to this host goes to one of these networks: its own address is no listing."""
    return NEVER if all(any(within(one, many) for many in _MULTICAST) for one in networks_of(networks)) else PERHAPS


def of_protocols(names: Iterable[str]) -> str:
    """Whether services are reached by one of these protocols."""
    return PERHAPS if _CARRIERS & {name.lower() for name in names} else NEVER


def of_states(traffic: Traffic, names: Iterable[str]) -> str:
    """Whether a new connection is in one of these states of connection tracking."""
    told = {name.lower() for name in names}
    # Which connections are not tracked, other rules say.
    return ALWAYS if "new" in told else listing(traffic) if "untracked" in told else NEVER


def of_interfaces(names: Iterable[str]) -> str:
    """Whether traffic from the network comes in by one of these interfaces."""
    return NEVER if set(names) <= {"lo"} else PERHAPS


def of_kinds(names: Iterable[str]) -> str:
    """Whether traffic to this host goes to an address of one of these kinds: local, unicast, broadcast and so on."""
    return ALWAYS if {"local", "unicast", "host"} & {name.lower() for name in names} else NEVER
