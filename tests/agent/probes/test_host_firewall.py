from __future__ import annotations

from typing import Any

import pytest

from agent.host import Ran
from agent.probes import host_firewall, observe
from tests.agent.recorded import (
    CONTAINER,
    DEBIAN_LAPTOP,
    KERNEL_WITHOUT_NFTABLES,
    MACOS,
    NFT,
    NOT_ROOT,
    WINDOWS,
    RecordedHost,
    chain,
    ruleset,
)
from tests.agent.recorded_windows import REG, WALL, wall


def rule(*words: dict[str, Any], chain_name: str = "input", family: str = "inet") -> dict[str, Any]:
    return {"rule": {"family": family, "table": "filter", "chain": chain_name, "handle": 9, "expr": list(words)}}


def inbound(host: RecordedHost) -> tuple[Any, Any, Any]:
    section = observe(host_firewall.PROBE, host)
    assert section.status == "seen", section.detail
    return section.values["enabled"], section.values["inbound"], section.values["product"]


MATCH = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}
LISTINGS = [
    ("-P INPUT ACCEPT\n", "allow"),
    ("-P INPUT DROP\n-A INPUT -j ACCEPT\n", "allow"),
    ("-P INPUT ACCEPT\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n-A INPUT -j REJECT --reject-with icmp-x\n", "deny"),
    ("-P INPUT DROP\n-N u\n-A INPUT -j u\n-A u -j ACCEPT\n", "allow"),
    ("-P INPUT ACCEPT\n-N u\n-A INPUT -j u\n-A u -j DROP\n", "deny"),
    ("-P INPUT DROP\n-N u\n-A INPUT -j u\n-A u -j RETURN\n-A u -j ACCEPT\n", "deny"),
]
ALLOW = (True, "allow", "nftables")
FIREWALLD = (
    chain("accept"),
    rule({"jump": {"target": "in_public"}}),
    {"chain": {"family": "inet", "table": "filter", "name": "in_public", "handle": 2}},
    rule(MATCH, {"accept": None}, chain_name="in_public"),
    rule({"reject": {"type": "icmpx", "expr": "admin-prohibited"}}, chain_name="in_public"),
)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((chain("drop"),), (True, "deny", "nftables")),
        ((chain("accept"),), (True, "allow", "nftables")),
        ((chain("accept"), rule({"counter": {}}, {"drop": None})), (True, "deny", "nftables")),
        ((chain("accept"), rule(MATCH, {"drop": None})), (True, "allow", "nftables")),
        (FIREWALLD, (True, "deny", "nftables")),
        ((chain("drop"), rule(MATCH, {"accept": None})), (True, "deny", "nftables")),
        ((chain("drop"), rule({"counter": {}}, {"accept": None})), (True, "allow", "nftables")),
        ((chain("drop"), rule({"jump": {"target": "x"}}), rule({"accept": None}, chain_name="x")), ALLOW),
        ((chain("accept"), rule({"goto": {"target": "x"}}), rule({"drop": None})), ALLOW),
        ((chain("accept"), rule({"jump": {"target": "input"}})), ALLOW),
        ((chain("drop", family="ip"),), (True, "allow", "nftables")),
        ((chain("drop", family="ip"), chain("drop", family="ip6")), (True, "deny", "nftables")),
        ((chain("drop", hook="forward"),), (False, "allow", "none")),
        ((), (False, "allow", "none")),
    ],
)
def test_inbound_traffic_is_denied_only_where_every_family_ends_in_refusal(
    entries: tuple[dict[str, Any], ...], expected: tuple[bool, str, str]
) -> None:
    assert inbound(DEBIAN_LAPTOP.changed(commands={NFT: ruleset(*entries)})) == expected


def match(left: dict[str, Any], right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


def payload(protocol: str, field: str, right: Any, op: str = "==") -> dict[str, Any]:
    return match({"payload": {"protocol": protocol, "field": field}}, right, op)


def meta(key: str, right: Any, op: str = "==") -> dict[str, Any]:
    return match({"meta": {"key": key}}, right, op)


STATE = {"ct": {"key": "state"}}
ANY_ADDRESS = {"prefix": {"addr": "0.0.0.0", "len": 0}}
OFFICE = {"prefix": {"addr": "10.1.0.0", "len": 16}}
ACCEPTED: dict[str, Any] = {"accept": None}


@pytest.mark.parametrize(
    "words",
    [
        (match(STATE, "new", "in"),),
        (match(STATE, ["established", "new"], "in"),),
        (match(STATE, ["established", "related"], "!="),),
        (meta("iifname", "eth0"),),
        (meta("iifname", "lo", "!="),),
        (meta("l4proto", "tcp"),),
        (meta("l4proto", {"set": ["icmp", "udp"]}),),
        (payload("ip", "protocol", "tcp"),),
        (payload("tcp", "dport", {"range": [0, 65535]}),),
        (payload("tcp", "dport", {"set": [22, {"range": [1024, 65535]}]}),),
        (payload("tcp", "dport", 22, "!="),),
        (payload("tcp", "sport", 53),),
        (payload("ip", "saddr", ANY_ADDRESS),),
        (payload("ip", "saddr", "10.9.9.9", "!="),),
        (payload("ip", "daddr", "10.1.4.17"),),
        (match({"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["syn"]]}, "syn"),),
        ({"limit": {"rate": 100, "per": "second"}},),
        (meta("nfproto", "ipv4"),),
        (match({"fib": {"result": "type", "flags": ["daddr"]}}, "local"),),
    ],
)
def test_a_rule_that_lets_in_a_whole_kind_of_traffic_is_no_listing(words: tuple[dict[str, Any], ...]) -> None:
    """By libnftables-json(5) and nft(8): a policy of drop does not deny what a broad rule accepts before."""
    assert inbound(DEBIAN_LAPTOP.changed(commands={NFT: ruleset(chain("drop"), rule(*words, ACCEPTED))})) == ALLOW


@pytest.mark.parametrize(
    "words",
    [
        (match(STATE, ["established", "related"], "in"),),
        (match(STATE, {"set": ["established", "related"]}),),
        (meta("iifname", "lo"),),
        (meta("l4proto", {"set": ["icmp", "ipv6-icmp"]}),),
        (payload("icmp", "type", "echo-request"),),
        (payload("tcp", "dport", {"set": [22, 443, {"range": [8000, 8080]}]}),),
        (payload("ip", "saddr", OFFICE), meta("l4proto", "tcp")),
        (payload("ip", "saddr", {"range": ["10.1.4.1", "10.1.4.9"]}),),
        (payload("ip", "daddr", {"prefix": {"addr": "224.0.0.0", "len": 4}}),),
        (payload("ip6", "saddr", {"prefix": {"addr": "fe80::", "len": 10}}),),
        (payload("udp", "dport", "@ports"),),
        (match({"concat": [{"payload": {"protocol": "ip", "field": "saddr"}}, {"meta": {"key": "mark"}}]}, "@pairs"),),
        (match({"ct": {"key": "status"}}, "dnat", "in"),),
        (meta("pkttype", "multicast"),),
    ],
)
def test_a_rule_that_names_what_it_lets_in_is_a_listing(words: tuple[dict[str, Any], ...]) -> None:
    ports = {"set": {"family": "inet", "table": "filter", "name": "ports", "type": "inet_service", "elem": [5353]}}
    pairs = {"set": {"family": "inet", "table": "filter", "name": "pairs", "type": ["ipv4_addr", "mark"], "elem": []}}
    entries = (ports, pairs, chain("drop"), rule(*words, ACCEPTED))
    assert inbound(DEBIAN_LAPTOP.changed(commands={NFT: ruleset(*entries)})) == (True, "deny", "nftables")


@pytest.mark.parametrize(
    "words",
    [
        ({"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 1}}, ACCEPTED),
        (payload("tcp", "dport", "@elsewhere"), ACCEPTED),
        ({"xt": {"type": "match", "name": "u32"}}, ACCEPTED),
        ({"queue": {"num": 1}},),
    ],
)
def test_what_an_unknown_condition_lets_in_is_not_known(words: tuple[dict[str, Any], ...]) -> None:
    host = DEBIAN_LAPTOP.changed(commands={NFT: ruleset(chain("drop"), rule(*words))})
    section = observe(host_firewall.PROBE, host)
    assert (section.values["enabled"], section.values["inbound"]) == (True, None)
    assert section.missing["inbound"].status == "unsupported"


def test_an_interface_in_a_zone_that_trusts_everybody_is_open() -> None:
    """As firewalld writes its zone ``trusted``: a goto for the interface, and an accept at its end."""
    zones = (
        chain("accept"),
        rule({"jump": {"target": "zones"}}),
        rule(meta("iifname", "eth0"), {"goto": {"target": "trusted"}}, chain_name="zones"),
        rule({"goto": {"target": "public"}}, chain_name="zones"),
        rule(ACCEPTED, chain_name="trusted"),
        rule({"reject": None}, chain_name="public"),
    )
    assert inbound(DEBIAN_LAPTOP.changed(commands={NFT: ruleset(*zones)})) == ALLOW


def test_a_map_of_verdicts_is_followed() -> None:
    def by_state(*pairs: list[Any]) -> dict[str, Any]:
        return rule({"vmap": {"key": STATE, "data": {"set": list(pairs)}}})

    shut = (chain("drop"), by_state(["established", {"accept": None}], ["invalid", {"drop": None}]))
    open_ = (chain("drop"), by_state(["established", {"accept": None}], ["new", {"accept": None}]))
    assert inbound(DEBIAN_LAPTOP.changed(commands={NFT: ruleset(*shut)})) == (True, "deny", "nftables")
    assert inbound(DEBIAN_LAPTOP.changed(commands={NFT: ruleset(*open_)})) == ALLOW


def test_a_table_that_sleeps_filters_nothing() -> None:
    """By nft(8), TABLES: the chains of a dormant table are not evaluated."""
    table = {"table": {"family": "inet", "name": "filter", "handle": 1, "flags": "dormant"}}
    host = DEBIAN_LAPTOP.changed(commands={NFT: ruleset(table, chain("drop"))})
    assert inbound(host) == (False, "allow", "none")


UFW = """\
-P INPUT {policy}
-N ufw-before-input
-N ufw-not-local
-N ufw-logging-deny
-N ufw-user-input
-A INPUT -j ufw-before-input
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j ufw-logging-deny
-A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT
-A ufw-before-input -j ufw-not-local
-A ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT
-A ufw-before-input -j ufw-user-input
-A ufw-logging-deny -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
-A ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN
-A ufw-not-local -j DROP
-A ufw-user-input -p tcp -m tcp --dport 22 -m comment --comment "dapp 'OpenSSH'" -j ACCEPT
"""
"""Rules of ufw, as its before.rules and ``ufw allow OpenSSH`` make them."""


@pytest.mark.parametrize(
    ("policy", "more", "expected"),
    [
        ("DROP", "", "deny"),
        ("ACCEPT", "", "allow"),
        ("DROP", "-A ufw-user-input -j ACCEPT", "allow"),
        ("DROP", "-A ufw-user-input -s 10.1.0.0/16 -j ACCEPT", "deny"),
        ("DROP", "-A ufw-user-input ! -s 10.1.0.0/16 -j ACCEPT", "allow"),
        ("DROP", "-A ufw-user-input -s 0.0.0.0/0 -j ACCEPT", "allow"),
        ("DROP", "-A ufw-user-input -i eth0 -j ACCEPT", "allow"),
        ("DROP", "-A ufw-user-input ! -i lo -j ACCEPT", "allow"),
        ("DROP", "-A ufw-user-input -p tcp -m multiport --dports 1:65535 -j ACCEPT", "allow"),
        ("DROP", "-A ufw-user-input -p tcp -m multiport --dports 80,443,ssh -j ACCEPT", "deny"),
        ("DROP", "-A ufw-user-input -m state --state NEW -j ACCEPT", "allow"),
        ("DROP", "-A ufw-user-input -p tcp -m tcp --tcp-flags SYN,ACK SYN -j ACCEPT", "allow"),
        ("DROP", "-A ufw-user-input -m set --match-set office src -j ACCEPT", None),
        ("DROP", "-A ufw-user-input -j NFQUEUE --queue-num 1", None),
    ],
)
def test_rules_of_ufw_are_followed_to_their_end(policy: str, more: str, expected: str | None) -> None:
    """Its chain ufw-not-local ends in a DROP that local traffic never reaches, whatever the policy is."""
    listing = Ran(0, UFW.format(policy=policy) + more + "\n", "")
    legacy = DEBIAN_LAPTOP.changed(
        files={"/proc/net/ip_tables_names": "filter\n", "/proc/net/if_inet6": None},
        commands={NFT: ruleset(), ("/usr/sbin/iptables-legacy", "-S"): listing},
    )
    assert observe(host_firewall.PROBE, legacy).values["inbound"] == expected
    xt = {"xt": {"type": "match", "name": "addrtype"}}
    translated = (chain("drop", family="ip", name="INPUT"), rule(xt, {"return": None}, chain_name="x", family="ip"))
    by_nft = DEBIAN_LAPTOP.changed(
        files={"/proc/net/if_inet6": None},
        commands={NFT: ruleset(*translated), ("/usr/sbin/iptables-nft", "-S"): listing},
    )
    assert observe(host_firewall.PROBE, by_nft).values["inbound"] == expected
    unlisted = by_nft.changed(commands={("/usr/sbin/iptables-nft", "-S"): None})
    assert observe(host_firewall.PROBE, unlisted).status == "unsupported"


def test_a_listing_that_is_cut_before_its_policy_is_no_listing() -> None:
    host = DEBIAN_LAPTOP.changed(
        files={"/proc/net/ip_tables_names": "filter\n"},
        commands={NFT: ruleset(), ("/usr/sbin/iptables-legacy", "-S"): Ran(0, "-A INPUT -j DROP\n", "")},
    )
    assert observe(host_firewall.PROBE, host).status == "error"


def test_a_host_without_ipv6_needs_no_rules_for_it() -> None:
    host = DEBIAN_LAPTOP.changed(
        files={"/proc/net/if_inet6": None}, commands={NFT: ruleset(chain("drop", family="ip"))}
    )
    assert inbound(host) == (True, "deny", "nftables")


def test_without_nft_nothing_is_said_unless_the_kernel_proves_that_there_is_none() -> None:
    without = DEBIAN_LAPTOP.changed(commands={NFT: None})
    assert observe(host_firewall.PROBE, without).status == "unsupported"
    assert inbound(without.changed(files={"/proc/config.gz": KERNEL_WITHOUT_NFTABLES})) == (False, "allow", "none")
    modules = {
        "/proc/modules": "ext4 1 0 - Live 0x0\n",
        "/lib/modules/6.1.0-28-amd64/modules.builtin": "kernel/fs/ext4/ext4.ko\n",
    }
    assert inbound(without.changed(files=modules)) == (False, "allow", "none")


def test_rules_of_iptables_are_read_where_the_kernel_lists_them() -> None:
    host = DEBIAN_LAPTOP.changed(
        files={
            "/proc/config.gz": KERNEL_WITHOUT_NFTABLES,
            "/proc/net/ip_tables_names": "filter\n",
            "/proc/net/if_inet6": None,
        },
        commands={NFT: None},
    )
    assert observe(host_firewall.PROBE, host).status == "unsupported"
    listed = {("/usr/sbin/iptables-legacy", "-S"): Ran(0, "-P INPUT DROP\n-A INPUT -i lo -j ACCEPT\n", "")}
    assert inbound(host.changed(commands=listed)) == (True, "deny", "iptables")
    for listing, expected in LISTINGS:
        listed = {("/usr/sbin/iptables-legacy", "-S"): Ran(0, listing, "")}
        assert inbound(host.changed(commands=listed)) == (True, expected, "iptables"), listing


def test_a_failing_nft_is_not_an_empty_ruleset() -> None:
    host = DEBIAN_LAPTOP.changed(commands={NFT: Ran(1, "", "Operation not permitted")})
    assert observe(host_firewall.PROBE, host).status == "unsupported"
    slow = DEBIAN_LAPTOP.changed(commands={NFT: TimeoutError("nft took longer than 5 s")})
    assert observe(host_firewall.PROBE, slow).status == "error"


def test_others_than_root_are_denied_and_containers_unsupported() -> None:
    assert observe(host_firewall.PROBE, NOT_ROOT).status == "denied"
    assert observe(host_firewall.PROBE, CONTAINER).status == "unsupported"


def test_a_network_namespace_of_its_own_hides_the_filter_of_the_host() -> None:
    host = DEBIAN_LAPTOP.changed(links={"/proc/self/ns/net": "net:[4026532999]"})
    assert observe(host_firewall.PROBE, host).status == "unsupported"


def test_group_policy_overrides_the_local_setting_of_windows() -> None:
    assert inbound(WINDOWS) == (True, "deny", "windows")
    policy = {(r"SOFTWARE\Policies\Microsoft\WindowsFirewall\PublicProfile", "EnableFirewall"): 0}
    assert inbound(WINDOWS.changed(values=policy)) == (False, "allow", "windows")
    policy = {(r"SOFTWARE\Policies\Microsoft\WindowsFirewall\DomainProfile", "DefaultInboundAction"): 0}
    assert inbound(WINDOWS.changed(values=policy)) == (True, "allow", "windows")


@pytest.mark.parametrize(
    ("rule_text", "expected"),
    [
        ("Action=Allow|Active=TRUE|Dir=In|Name=Everything", "allow"),
        ("Action=Allow|Active=TRUE|Dir=In|Profile=Public|Protocol=6|Name=All of TCP", "allow"),
        ("Action=Allow|Active=TRUE|Dir=In|Protocol=17|LPort=0-65535|Name=All of UDP", "allow"),
        ("Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort2_10=5000-5010|Name=Some ports", "deny"),
        ("Action=Allow|Active=TRUE|Dir=In|RA4=10.1.0.0/255.255.0.0|Name=Our own", "deny"),
        ("Action=Allow|Active=TRUE|Dir=In|App=C:\\x.exe|Name=One program", "deny"),
    ],
)
def test_a_rule_of_windows_that_lets_all_in_is_no_denial(rule_text: str, expected: str) -> None:
    listed = WINDOWS.changed(commands={(REG, "query", WALL): wall(rule_text)})
    assert inbound(listed) == (True, expected, "windows")


def test_settings_of_windows_filter_nothing_while_their_service_is_stopped() -> None:
    assert inbound(WINDOWS.changed(service_states={"mpssvc": False})) == (False, "allow", "windows")
    assert observe(host_firewall.PROBE, WINDOWS.changed(service_states={"mpssvc": None})).status == "unsupported"
    unlisted = WINDOWS.changed(commands={(REG, "query", WALL): Ran(1, "", "ERROR: Access is denied.")})
    section = observe(host_firewall.PROBE, unlisted)
    assert (section.values["inbound"], section.missing["inbound"].status) == (None, "unsupported")


def test_macos_admits_signed_programs_so_inbound_is_not_told() -> None:
    section = observe(host_firewall.PROBE, MACOS)
    assert (section.values["enabled"], section.values["inbound"]) == (True, None)
    assert section.missing["inbound"].status == "unsupported"
