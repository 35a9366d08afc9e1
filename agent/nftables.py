"""Rules as ``nft -j list ruleset`` tells them, libnftables-json(5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from agent import packet_rules as filters
from agent.packet_rules import ACCEPT, ALWAYS, GOTO, JUMP, NEVER, PERHAPS, REFUSE, RETURN, UNCLEAR, Rule
from agent.traffic import Traffic

Entry = dict[str, Any]
_VERDICTS = {"accept": ACCEPT, "drop": REFUSE, "reject": REFUSE, "return": RETURN, "queue": UNCLEAR}
_WITHOUT_END = {"counter", "log", "comment", "notrack", "mangle", "flow", "ct helper", "ct timeout", "continue"}
"""Statements that neither decide nor ask for anything."""
_NUMBERS = {"ip": "ipv4", "ip6": "ipv6"}


def inputs(entries: Iterable[Entry], family: str) -> list[Entry]:
    """Chains through which everything that reaches the host over ``ip`` or ``ip6`` goes; dormant tables have none."""
    every = list(entries)
    asleep = {
        (table["family"], table["name"])
        for entry in every
        if (table := entry.get("table")) and "dormant" in _listed(table.get("flags", []))
    }
    return [
        chain
        for entry in every
        if (chain := entry.get("chain"))
        and chain.get("hook") == "input"
        and chain.get("type") == "filter"
        and chain.get("family") in {family, "inet"}
        and (chain["family"], chain["table"]) not in asleep
    ]


def translated(entries: Iterable[Entry], family: str) -> list[Entry] | None:
    """The ruleset without the table ``filter`` of iptables, where that holds what only iptables tells; None elsewhere.

    nft names such statements and does not say what they ask for.
    """
    every = list(entries)
    own = [
        entry
        for entry in every
        if not any(
            isinstance(content, dict) and content.get("family") == family and content.get("table") == "filter"
            for content in entry.values()
        )
    ]
    foreign = (entry.get("rule", {}).get("expr", []) for entry in every if entry not in own)
    return own if any(isinstance(word, dict) and "xt" in word for words in foreign for word in words) else None


def redirects(entries: Iterable[Entry]) -> bool:
    """Whether a rule may send traffic to another address or port before it comes to the filter."""
    statements = (word for entry in entries for word in entry.get("rule", {}).get("expr", []))
    return any(isinstance(word, dict) and word.keys() & {"dnat", "redirect", "xt"} for word in statements)


def denies(entries: Iterable[Entry], family: str, traffic: Traffic) -> bool | None:
    """Whether such traffic is refused; None where that cannot be told."""
    every = list(entries)
    found = []
    for chain in inputs(every, family):
        table = _Table(every, chain["family"], chain["table"], family, traffic)
        policy = REFUSE if chain.get("policy") == "drop" else ACCEPT
        found.append((filters.ends(table.rules(), chain["name"]), policy))
    return filters.denied(found) if found else False


class _Table:
    """One table, as it meets traffic of one family."""

    def __init__(self, entries: list[Entry], family: str, name: str, asked: str, traffic: Traffic) -> None:
        self._entries = [
            content
            for entry in entries
            for content in entry.values()
            if isinstance(content, dict) and (content.get("family"), content.get("table")) == (family, name)
        ]
        self._asked, self._traffic = asked, traffic

    def rules(self) -> dict[str, list[Rule]]:
        """By chain."""
        found: dict[str, list[Rule]] = {}
        for content in self._entries:
            if "expr" in content and "chain" in content:
                found.setdefault(content["chain"], []).extend(self._rules(content["expr"]))
        return found

    def _rules(self, words: list[Any]) -> Iterator[Rule]:
        conditions = []
        for word in words:
            if not isinstance(word, dict) or len(word) != 1:
                conditions.append(UNCLEAR)
                continue
            ((kind, more),) = word.items()
            if kind in _WITHOUT_END:
                continue
            if kind == "match":
                conditions.append(self._condition(more["left"], more["right"], more.get("op", "==")))
            elif kind in {"limit", "ct count", "quota"}:
                conditions.append(PERHAPS)
            elif kind == "vmap":
                yield from self._by_map(more, conditions)
            elif (verdict := _verdict(word)) is not None:
                yield Rule(filters.together(conditions), *verdict)
            else:
                conditions.append(UNCLEAR)

    def _by_map(self, more: Entry, conditions: list[str]) -> Iterator[Rule]:
        pairs = self._elements(more["data"])
        if pairs is None:
            yield Rule(filters.together([*conditions, PERHAPS]), UNCLEAR)
            return
        for value, verdict in pairs:
            decided = _verdict(verdict)
            if decided is not None:
                condition = ALWAYS if value == "*" else self._condition(more["key"], value, "==")
                yield Rule(filters.together([*conditions, condition]), *decided)

    def _elements(self, right: Any) -> list[Any] | None:
        """What a set, a map or the name of one holds; None where that is not told."""
        if isinstance(right, str) and right.startswith("@"):
            named = (content for content in self._entries if content.get("name") == right[1:] and "type" in content)
            found = next(named, {})
            if "dynamic" in _listed(found.get("flags", [])):
                return None
            right = found.get("elem")
        if isinstance(right, dict) and "set" in right:
            right = right["set"]
        return None if right is None else [_bare(each) for each in _listed(right)]

    def _condition(self, left: Any, right: Any, op: str) -> str:
        values = self._elements(right)
        if values is None or op not in {"==", "in", "!="}:
            return UNCLEAR
        if not isinstance(left, dict):
            return UNCLEAR
        ((kind, what),) = left.items()
        if kind == "concat":
            # What names sender or port together with something else is a listing, too.
            parts = {part.get("payload", {}).get("field") for part in what if isinstance(part, dict)}
            return filters.listing(self._traffic) if parts & {"saddr", "dport"} and op != "!=" else UNCLEAR
        condition, exact = self._of(kind, what, values)
        if op != "!=":
            return condition
        # Who names some senders, ports or receivers by a no lets in all others.
        return filters.opposite(condition) if exact or condition != NEVER else PERHAPS

    def _of(self, kind: str, what: Any, values: list[Any]) -> tuple[str, bool]:
        """Whether a condition holds, and whether it holds or not for all such traffic alike."""
        key = what.get("key") if isinstance(what, dict) else None
        texts = [str(value) for value in values]
        if kind == "payload" and isinstance(what, dict):
            return self._of_payload(str(what.get("protocol")), str(what.get("field")), values)
        if kind == "meta" and key in {"iif", "iifname"}:
            return filters.of_interfaces(texts), True
        if kind == "meta" and key == "nfproto":
            return (ALWAYS if _NUMBERS[self._asked] in texts else NEVER), True
        if kind == "fib" and "saddr" in _listed(what.get("flags", [])):
            return UNCLEAR, False
        if kind == "meta" and key == "l4proto":
            return filters.of_protocols(texts), False
        if (kind == "meta" and key == "pkttype") or (kind == "fib" and what.get("result") == "type"):
            return filters.of_kinds(texts), True
        if kind == "ct" and key == "state":
            return filters.of_states(self._traffic, texts), True
        if kind == "ct" and key == "status" and set(texts) == {"dnat"}:
            return filters.of_redirection(self._traffic), True
        if kind == "&":
            return PERHAPS, False
        return UNCLEAR, False

    def _of_payload(self, protocol: str, field: str, values: list[Any]) -> tuple[str, bool]:
        if protocol in _NUMBERS and protocol != self._asked:
            # Nor does its opposite hold for the other family; so it is not exact.
            return NEVER, False
        if protocol in {"icmp", "icmpv6", "igmp", "esp", "ah"}:
            return NEVER, False
        if protocol == "ether" and field == "saddr":
            return filters.listing(self._traffic), False
        if field == "dport":
            return filters.of_ports(self._traffic, map(_range, values)), False
        if field in {"saddr", "daddr"} and protocol in _NUMBERS:
            networks = [network for value in values for network in _networks(value)]
            asked = filters.of_sources(self._traffic, networks) if field == "saddr" else filters.of_receivers(networks)
            return asked, False
        if field in {"protocol", "nexthdr"}:
            return filters.of_protocols(map(str, values)), False
        return (PERHAPS, False) if field in {"sport", "flags"} else (UNCLEAR, False)


def _verdict(word: Any) -> tuple[str, str] | None:
    if not isinstance(word, dict) or len(word) != 1:
        return None
    ((kind, more),) = word.items()
    if kind in {"jump", "goto"}:
        return (JUMP if kind == "jump" else GOTO), str(more["target"])
    return (_VERDICTS[kind], "") if kind in _VERDICTS else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _bare(element: Any) -> Any:
    """An element of a set without its comment, counter or timeout."""
    if isinstance(element, dict) and isinstance(element.get("elem"), dict) and "val" in element["elem"]:
        return element["elem"]["val"]
    return element


def _range(value: Any) -> tuple[int, int] | None:
    if isinstance(value, dict):
        first, last = value["range"]
        return int(first), int(last)
    # A name of /etc/services is one port.
    return (value, value) if isinstance(value, int) else None


def _networks(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and "prefix" in value:
        yield f"{value['prefix']['addr']}/{value['prefix']['len']}"
    elif isinstance(value, dict) and "range" in value:
        import ipaddress

        first, last = map(ipaddress.ip_address, value["range"])
        yield from map(str, ipaddress.summarize_address_range(first, last))
    else:
        yield str(value)
