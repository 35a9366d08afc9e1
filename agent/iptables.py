"""Rules as ``iptables -S`` lists them, iptables(8) and iptables-extensions(8)."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping

from agent import packet_rules as filters
from agent.packet_rules import ACCEPT, ALWAYS, GOTO, JUMP, NEVER, PERHAPS, REFUSE, RETURN, UNCLEAR, Rule

_VERDICTS = {"ACCEPT": ACCEPT, "DROP": REFUSE, "REJECT": REFUSE, "RETURN": RETURN, "QUEUE": UNCLEAR, "NFQUEUE": UNCLEAR}


def denies(listing: str) -> bool | None:
    """Whether INPUT refuses what nobody listed; None where that cannot be told. ValueError for what is no listing."""
    rules: dict[str, list[Rule]] = {}
    policy = ""
    lines = [shlex.split(line) for line in listing.splitlines() if line.strip()]
    chains = {words[1] for words in lines if words[0] in {"-N", "-P"}}
    for words in lines:
        if words[:2] == ["-P", "INPUT"]:
            policy = REFUSE if words[2] == "DROP" else ACCEPT
        elif words[0] == "-A":
            rule = _rule(words[2:], chains)
            if rule is not None:
                rules.setdefault(words[1], []).append(rule)
    if not policy:
        raise ValueError("the listing of iptables states no policy of INPUT")
    return filters.denied([(filters.ends(rules, "INPUT"), policy)])


def _rule(words: list[str], chains: set[str]) -> Rule | None:
    """The rule of one line; None where it decides nothing, as one that writes a record does."""
    conditions: list[str] = []
    place, negated = 0, False
    while place < len(words):
        word = words[place]
        if word in {"-j", "-g"}:
            target, holds = words[place + 1], filters.together(conditions)
            if target in _VERDICTS:
                return Rule(holds, _VERDICTS[target])
            return Rule(holds, JUMP if word == "-j" else GOTO, target) if target in chains else None
        if word == "!":
            negated, place = True, place + 1
            continue
        count = _ARGUMENTS.get(word, 1)
        condition = _condition(word, words[place + 1 : place + 1 + count])
        if negated:
            # Who names some senders, ports or receivers by a no lets in all others.
            condition = filters.opposite(condition) if word in _EXACT or condition != NEVER else PERHAPS
        conditions.append(condition)
        place, negated = place + 1 + count, False
    return None


_ARGUMENTS = {"--tcp-flags": 2, "--match-set": 2, "--syn": 0, "--invert": 0, "--loose": 0, "--validmark": 0}
_EXACT = {"-i", "--ctstate", "--state", "--dst-type"}


def _condition(word: str, given: list[str]) -> str:
    check = _CHECKS.get(word)
    return check(given[0].split(",")) if check and given else _KNOWN.get(word, UNCLEAR)


def _ports(given: list[str]) -> str:
    ranges = [each.partition(":") for each in given]
    numbers = [(first or "0", last or ("65535" if colon else first)) for first, colon, last in ranges]
    return filters.of_ports((_number(first), _number(last)) for first, last in numbers)


def _number(text: str) -> int:
    # A name of /etc/services is one port.
    return int(text) if text.isdecimal() else 1


_CHECKS: Mapping[str, Callable[[list[str]], str]] = {
    "-i": filters.of_interfaces,
    "-s": filters.of_sources,
    "-d": filters.of_receivers,
    "-p": filters.of_protocols,
    "--dport": _ports,
    "--dports": _ports,
    "--ctstate": filters.of_states,
    "--state": filters.of_states,
    "--dst-type": filters.of_kinds,
}
_KNOWN = {"-m": ALWAYS, "--comment": ALWAYS, "--mac-source": NEVER, "--icmp-type": NEVER, "--icmpv6-type": NEVER} | {
    "--ctstatus": NEVER,
    **dict.fromkeys(("--sport", "--sports", "--tcp-flags", "--syn", "--limit", "--limit-burst"), PERHAPS),
}
