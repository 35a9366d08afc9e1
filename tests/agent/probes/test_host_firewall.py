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


def test_macos_admits_signed_programs_so_inbound_is_not_told() -> None:
    section = observe(host_firewall.PROBE, MACOS)
    assert (section.values["enabled"], section.values["inbound"]) == (True, None)
    assert section.missing["inbound"].status == "unsupported"
