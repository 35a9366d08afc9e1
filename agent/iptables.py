"""Rules as ``iptables -S`` lists them, iptables(8) and iptables-extensions(8)."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping

from agent import packet_rules as filters
from agent.packet_rules import ACCEPT, ALWAYS, GOTO, JUMP, NEVER, PERHAPS, REFUSE, RETURN, UNCLEAR, Rule
from agent.traffic import Traffic

_VERDICTS = {"ACCEPT": ACCEPT, "DROP": REFUSE, "REJECT": REFUSE, "RETURN": RETURN, "QUEUE": UNCLEAR, "NFQUEUE": UNCLEAR}


def lines(listing: str) -> list[list[str]]:
    """The words of each line; ValueError for what is no listing, or not the whole of one."""
    found = [shlex.split(line) for line in listing.splitlines() if line.strip()]
    if not any(words[:2] == ["-P", "INPUT"] and len(words) > 2 for words in found):
        raise ValueError("the listing of iptables states no policy of INPUT")
    if not listing.endswith("\n"):
        raise ValueError("the listing of iptables is cut")
    return found


def denies(listing: list[list[str]], traffic: Traffic) -> bool | None:
    """Whether INPUT refuses such traffic; None where that cannot be told."""
    rules: dict[str, list[Rule]] = {}
    policy = ACCEPT
    chains = {words[1] for words in listing if words[0] in {"-N", "-P"}}
    for words in listing:
        if words[:2] == ["-P", "INPUT"]:
            policy = REFUSE if words[2] == "DROP" else ACCEPT
        elif words[0] == "-A":
            rule = _rule(words[2:], chains, traffic)
            if rule is not None:
                rules.setdefault(words[1], []).append(rule)
    return filters.denied([(filters.ends(rules, "INPUT"), policy)])


def _rule(words: list[str], chains: set[str], traffic: Traffic) -> Rule | None:
    """The rule of one line; None where it decides nothing, as one that writes a record does."""
    conditions: list[str] = []
    place, negated = 0, False
    while place < len(words):
        word = words[place]
        if word in _ENDS:
            target, holds = words[place + 1], filters.together(conditions)
            if target in _VERDICTS:
                return Rule(holds, _VERDICTS[target])
            return Rule(holds, JUMP if word == "-j" else GOTO, target) if target in chains else None
        if word == "!":
            negated, place = True, place + 1
            continue
        count = _ARGUMENTS.get(word, 1)
        given = words[place + 1 : place + 1 + count]
        if word != "--comment" and _ENDS & {*given}:
            given = []  # a condition without an argument that is not known here
        condition = _condition(word, given, traffic)
        if negated:
            # Who names some senders, ports or receivers by a no lets in all others.
            condition = filters.opposite(condition) if word in _EXACT or condition != NEVER else PERHAPS
        conditions.append(condition)
        place, negated = place + 1 + len(given), False
    return None


_ARGUMENTS = {"--tcp-flags": 2, "--match-set": 2, "--syn": 0, "--invert": 0, "--loose": 0, "--validmark": 0}
_ENDS = {"-j", "-g"}
_EXACT = {"-i", "--ctstate", "--state", "--dst-type"}


def _condition(word: str, given: list[str], traffic: Traffic) -> str:
    check = _CHECKS.get(word)
    return check(traffic, given[0].split(",")) if check and given else _KNOWN.get(word, UNCLEAR)


def _ports(traffic: Traffic, given: list[str]) -> str:
    return filters.of_ports(traffic, map(_range, given))


def _range(text: str) -> tuple[int, int] | None:
    first, colon, last = text.partition(":")
    first, last = first or "0", last or ("65535" if colon else first)
    # A name of /etc/services is one port.
    return (int(first), int(last)) if first.isdecimal() and last.isdecimal() else None


def _module(_: Traffic, given: list[str]) -> str:
    return UNCLEAR if _ASKING & {*given} else ALWAYS


_ASKING = {"socket", "rpfilter", "eui64", "cluster", "helper", "osf"}
"""Extensions that ask for something without an option."""
_CHECKS: Mapping[str, Callable[[Traffic, list[str]], str]] = {
    "-m": _module,
    "-i": lambda _, given: filters.of_interfaces(given),
    "-s": filters.of_sources,
    "-d": lambda _, given: filters.of_receivers(given),
    "-p": lambda _, given: filters.of_protocols(given),
    "--dport": _ports,
    "--dports": _ports,
    "--ctstate": filters.of_states,
    "--state": filters.of_states,
    "--dst-type": lambda _, given: filters.of_kinds(given),
    "--mac-source": lambda traffic, _: filters.listing(traffic),
    "--ctstatus": lambda traffic, _: filters.of_redirection(traffic),
}
_KNOWN = {"--comment": ALWAYS, "--icmp-type": NEVER, "--icmpv6-type": NEVER} | {
    **dict.fromkeys(("--sport", "--sports", "--tcp-flags", "--syn", "--limit", "--limit-burst"), PERHAPS),
}
