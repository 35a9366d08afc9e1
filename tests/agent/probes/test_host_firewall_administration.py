"""Whom the host's filter lets reach administration: first every rule set that only looks shut."""

from __future__ import annotations

from typing import Any

import pytest

from agent.host import Ran
from agent.probes import host_firewall, observe
from tests.agent.probes.test_host_firewall import (
    ACCEPTED,
    ANY_ADDRESS,
    OFFICE,
    STATE,
    UFW,
    match,
    meta,
    payload,
    rule,
)
from tests.agent.recorded import DEBIAN_LAPTOP, MACOS, NFT, WINDOWS, RecordedHost, chain, ruleset
from tests.agent.recorded_windows import REG, WALL, wall

STATION = "10.9.1.5"
REFUSED: dict[str, Any] = {"drop": None}
SMB = payload("tcp", "dport", 445)


def network(address: str, length: int) -> dict[str, Any]:
    return {"prefix": {"addr": address, "len": length}}


def told(host: RecordedHost) -> Any:
    section = observe(host_firewall.PROBE, host)
    assert section.status == "seen", section.detail
    found = section.values["administration"]
    assert (found is None) == ("administration" in section.missing)
    return found


def by_nft(*entries: dict[str, Any]) -> Any:
    return told(DEBIAN_LAPTOP.changed(commands={NFT: ruleset(*entries)}))


def by_iptables(*lines: str, policy: str = "DROP", cut: bool = False) -> RecordedHost:
    text = "\n".join((f"-P INPUT {policy}", *lines)) + ("" if cut else "\n")
    return DEBIAN_LAPTOP.changed(
        files={"/proc/net/ip_tables_names": "filter\n", "/proc/net/if_inet6": None},
        commands={NFT: ruleset(), ("/usr/sbin/iptables-legacy", "-S"): Ran(0, text, "")},
    )


@pytest.mark.parametrize(
    "words",
    [
        (payload("ip", "saddr", network("10.1.4.0", 24)), SMB),
        (payload("ip", "saddr", network("10.1.4.0", 25)), SMB),
        (payload("ip", "saddr", network("10.1.4.128", 25)), SMB),
        (payload("ip", "saddr", network("10.1.4.64", 27)), SMB),
        (payload("ip", "saddr", {"set": [f"10.1.4.{last}" for last in range(100, 140)]}), SMB),
        (payload("ip", "saddr", {"set": [f"10.9.{third}.{last}" for third in range(20) for last in range(250)]}), SMB),
        (payload("ip", "saddr", {"range": ["10.1.4.20", "10.1.4.90"]}), SMB),
        (payload("ip", "saddr", {"set": [STATION, network("10.1.4.0", 24)]}), SMB),
        (payload("ip", "saddr", OFFICE), SMB),
        (payload("ip", "saddr", network("10.0.0.0", 8)), SMB),
        (payload("ip", "saddr", network("192.168.0.0", 16)), SMB),
        (payload("ip", "saddr", network("192.168.6.0", 23)), SMB),
        (payload("ip", "saddr", ANY_ADDRESS), SMB),
        (payload("ip", "saddr", STATION, "!="), SMB),
        (payload("ip6", "saddr", network("fe80::", 10)), SMB),
        (payload("ip6", "saddr", network("fe80::", 64)), SMB),
        (payload("ip6", "saddr", network("2001:db8::", 48)), SMB),
        (SMB,),
        (payload("udp", "dport", 2049),),
        (payload("tcp", "dport", {"range": [3000, 4000]}),),
        (payload("tcp", "dport", {"set": [443, {"range": [5900, 5910]}]}),),
        (payload("tcp", "dport", "ssh"),),
        (payload("tcp", "dport", 443, "!="),),
        (payload("tcp", "dport", "@many"),),
        (meta("iifname", "eth1"), SMB),
        (meta("iifname", "lo", "!="), SMB),
        (match(STATE, "new", "in"), SMB),
        ({"limit": {"rate": 3, "per": "minute"}}, SMB),
    ],
)
def test_what_lets_neighbours_in_is_open(words: tuple[dict[str, Any], ...]) -> None:
    many = {"set": {"family": "inet", "table": "filter", "name": "many", "type": "inet_service", "elem": [80, 5985]}}
    assert by_nft(many, chain("drop"), rule(*words, ACCEPTED)) == "open"


def test_one_family_of_addresses_that_is_open_is_open() -> None:
    shut, wide = chain("drop", family="ip"), chain("drop", family="ip6")
    assert by_nft(shut, wide, rule(SMB, ACCEPTED, family="ip6")) == "open"
    assert by_nft(shut) == "open"
    assert by_nft(shut, wide) == "closed"
    assert by_nft(chain("accept"), rule(payload("ip", "saddr", STATION, "!="), REFUSED)) == "open"


def test_refusals_that_not_all_traffic_meets_shut_nothing() -> None:
    """For one interface, for senders that pose as this host, for one family, for one port of several."""
    foreign = match({"fib": {"result": "type", "flags": ["saddr"]}}, "local")
    for words in ((meta("iifname", "eth1"),), (foreign,), (payload("ip", "saddr", OFFICE),), (SMB,)):
        assert by_nft(chain("accept"), rule(*words, REFUSED)) == "open"
    assert by_nft() == "open"
    others = (rule(meta("nfproto", "ipv4"), REFUSED), rule(payload("ip", "saddr", STATION, "!="), REFUSED))
    host = DEBIAN_LAPTOP.changed(commands={NFT: ruleset(chain("accept"), *others)})
    assert (told(host), observe(host_firewall.PROBE, host).values["inbound"]) == ("open", "allow")


def test_a_jump_is_followed_to_the_chain_that_accepts() -> None:
    to = rule(SMB, {"jump": {"target": "more"}})
    assert by_nft(chain("drop"), to, rule(ACCEPTED, chain_name="more")) == "open"
    assert by_nft(chain("drop"), to, rule(payload("ip", "saddr", STATION), ACCEPTED, chain_name="more")) == "listed"
    assert by_nft(chain("drop"), to, rule({"return": None}, chain_name="more")) == "closed"
    ports = {"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": {"set": [[22, ACCEPTED]]}}}
    assert by_nft(chain("drop"), rule(ports)) == "open"


def test_a_zone_by_senders_is_followed() -> None:
    """As firewalld writes zones with sources: a goto for the senders, then one for all others."""
    zones = (
        chain("accept"),
        rule(match({"ct": {"key": "status"}}, "dnat", "in"), ACCEPTED),
        rule(payload("ip", "saddr", network("10.9.1.0", 24)), {"goto": {"target": "work"}}),
        rule({"goto": {"target": "public"}}),
        rule(SMB, ACCEPTED, chain_name="work"),
        rule(payload("tcp", "dport", 443), ACCEPTED, chain_name="public"),
        rule(REFUSED, chain_name="public"),
        rule(REFUSED, chain_name="work"),
    )
    assert by_nft(*zones) == "listed"
    assert by_nft(*zones, rule({"redirect": {"port": 22}}, chain_name="before")) is None


@pytest.mark.parametrize(
    "words",
    [
        (match({"meta": {"key": "mark"}}, 1), SMB),
        (payload("ip", "saddr", "@elsewhere"), SMB),
        (payload("tcp", "dport", "@elsewhere"),),
        (payload("ether", "saddr", "52:54:00:12:34:56"), SMB),
        (match(STATE, ["established", "untracked"], "in"),),
        (match({"concat": [{"payload": {"protocol": "ip", "field": "saddr"}}, {"meta": {"key": "mark"}}]}, "@pairs"),),
        ({"xt": {"type": "match", "name": "u32"}}, SMB),
    ],
)
def test_what_is_not_followed_is_not_told(words: tuple[dict[str, Any], ...]) -> None:
    assert by_nft(chain("drop"), rule(*words, ACCEPTED)) is None


@pytest.mark.parametrize(
    "senders",
    [
        STATION,
        {"set": [STATION, network("10.9.2.0", 24), "10.1.4.20"]},
        {"range": ["10.1.4.20", "10.1.4.23"]},
        network("10.9.1.0", 24),
    ],
)
def test_named_senders_alone_are_a_list(senders: Any) -> None:
    assert by_nft(chain("drop"), rule(payload("ip", "saddr", senders), SMB, ACCEPTED)) == "listed"


def test_a_whole_subnet_elsewhere_is_named_in_ipv6() -> None:
    elsewhere = payload("ip6", "saddr", network("2001:db8:9::", 64))
    assert by_nft(chain("drop"), rule(elsewhere, SMB, ACCEPTED)) == "listed"


def test_what_reaches_other_ports_or_comes_from_this_host_leaves_it_closed() -> None:
    rules = (
        rule(match(STATE, ["established", "related"], "in"), ACCEPTED),
        rule(meta("iifname", "lo"), ACCEPTED),
        rule(payload("ip", "saddr", network("127.0.0.0", 8)), ACCEPTED),
        rule(payload("icmp", "type", "echo-request"), ACCEPTED),
        rule(payload("tcp", "dport", {"set": [80, 443, {"range": [8000, 8080]}]}), ACCEPTED),
        rule(payload("udp", "dport", 5353), ACCEPTED),
    )
    assert by_nft(chain("drop"), *rules) == "closed"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-A INPUT -s 10.1.4.0/24 -p tcp -m tcp --dport 445 -j ACCEPT", "open"),
        ("-A INPUT -p tcp -m multiport --dports 80,3000:4000 -j ACCEPT", "open"),
        ("-A INPUT ! -s 10.9.1.5/32 -p tcp -m tcp --dport 445 -j ACCEPT", "open"),
        ("-A INPUT -i eth1 -p tcp -m tcp --dport ssh -j ACCEPT", "open"),
        ("-A INPUT -p tcp -m tcp --dport 22 -m socket --transparent -j ACCEPT", None),
        ("-A INPUT -m mac --mac-source 52:54:00:12:34:56 -p tcp -m tcp --dport 22 -j ACCEPT", None),
        ("-A INPUT -m set --match-set stations src -p tcp -m tcp --dport 22 -j ACCEPT", None),
        ("-A INPUT -s 10.9.1.5/32 -p tcp -m tcp --dport 22 -j ACCEPT", "listed"),
        ("-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT", "closed"),
        ("-A INPUT -m conntrack --ctstatus DNAT -j ACCEPT", "closed"),
    ],
)
def test_rules_of_iptables_are_asked_the_same(line: str, expected: str | None) -> None:
    assert told(by_iptables(line)) == expected


def test_where_addresses_may_be_translated_what_was_is_not_told() -> None:
    host = by_iptables("-A INPUT -m conntrack --ctstatus DNAT -j ACCEPT")
    assert told(host.changed(files={"/proc/net/ip_tables_names": "filter\nnat\n"})) is None


def test_an_extension_without_options_refuses_not_everything() -> None:
    assert told(by_iptables("-A INPUT -m eui64 -j DROP", policy="ACCEPT")) == "open"


def test_rules_of_ufw_name_stations() -> None:
    rules = UFW.format(policy="DROP")
    shut = rules.replace("-A ufw-user-input -p", "-A ufw-user-input -s 10.9.1.5/32 -p")
    for text, expected in ((rules, "open"), (shut, "listed"), (rules.replace("--dport 22", "--dport 25"), "closed")):
        assert told(by_iptables(*text.splitlines()[1:])) == expected


@pytest.mark.parametrize("line", ["-A INPUT -p tcp -m tcp --dport 445 -j", "-A INPUT -p tcp -m tcp --dp"])
def test_a_listing_that_is_cut_is_none(line: str) -> None:
    assert observe(host_firewall.PROBE, by_iptables(line, cut=True)).status == "error"
    whole = ruleset(chain("drop"), rule(SMB, ACCEPTED)).output
    half = DEBIAN_LAPTOP.changed(commands={NFT: Ran(0, whole[: len(whole) // 2], "")})
    assert observe(host_firewall.PROBE, half).status == "error"


@pytest.mark.parametrize(
    ("own", "version", "senders"),
    [
        ("10.1.4.17/32", "ip", network("10.1.4.0", 24)),
        ("10.1.4.17/32", "ip", network("10.1.4.128", 25)),
        ("10.1.4.16/28", "ip", network("10.1.4.0", 24)),
        ("10.1.4.16/28", "ip", network("10.1.4.24", 29)),
        ("10.1.0.0/16", "ip", network("10.1.9.0", 24)),
        ("2001:db8:1:2::7/128", "ip6", network("2001:db8:1:2::", 64)),
        ("2001:db8:1:2::7/128", "ip6", network("2001:db8:1:2:8000::", 65)),
    ],
)
def test_neighbours_are_those_in_the_hosts_own_networks(own: str, version: str, senders: dict[str, Any]) -> None:
    """Where no prefix is told, those around its address."""

    class There(RecordedHost):
        def networks(self) -> list[str]:
            return [own]

    listed = ruleset(chain("drop"), rule(payload(version, "saddr", senders), SMB, ACCEPTED))
    assert told(There(**vars(DEBIAN_LAPTOP.changed(commands={NFT: listed})))) == "open"


IN = "Action=Allow|Active=TRUE|Dir=In"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{IN}|Protocol=6|LPort=445|App=System|Name=SMB", "open"),
        (f"{IN}|Protocol=6|LPort=445|RA4=LocalSubnet|RA6=LocalSubnet|App=System|Name=SMB", "open"),
        (f"{IN}|Protocol=6|LPort=5985|RA42=LocalSubnet|RA62=LocalSubnet|Name=WinRM", "open"),
        (f"{IN}|Protocol=6|Profile=Domain|LPort=3389|Svc=termservice|Name=RDP", "open"),
        (f"{IN}|Protocol=6|LPort2_10=3000-4000|App=C:\\x.exe|Name=A range", "open"),
        (f"{IN}|Protocol=6|LPort=445|RA4=10.9.1.5|RA42=IntErnet|Name=One and all", "open"),
        (f"{IN}|Protocol=6|LPort=443|LPort=22|Name=Two", "open"),
        (f"{IN}|Protocol=6|LPort=RPC-EPMap|Svc=rpcss|Name=Endpoint mapper", "open"),
        (f"{IN}|LPort=445|RA4=10.1.4.0/255.255.255.0|Name=Own", "open"),
        (f"{IN}|LPort=445|RA4=10.0.0.0/255.0.0.0|Name=All of ours", "open"),
        (f"{IN}|LPort=445|RA4=10.9.1.5|RA6=LocalSubnet|Name=One and all", "open"),
        (f"{IN}|LPort=445|RA4=10.1.4.1-10.1.4.200|Name=Neighbours", "open"),
        (f"{IN}|Name=Everything", "open"),
        ("Action=ByPass|Active=TRUE|Dir=In|Protocol=6|LPort=445|Name=Past what blocks", "open"),
        (f"{IN}|Protocol=6|App=C:\\x.exe|Name=One program", None),
        (f"{IN}|Protocol=6|Svc=*|Name=Any service", None),
        (f"{IN}|Protocol=6|LPort=445|RA4=DNS|Name=By a word", None),
        (f"{IN}|Protocol=6|LPort=445|RMAuth=O:LSD:(A;;CC;;;S-1-5-21-1)|Name=By who they are", None),
        (f"{IN}|Protocol=6|LPort=Unheard|Name=An unknown port", None),
        (f"{IN}|LPort=445|RA4=10.9.1.5|RA4=10.9.2.0/255.255.255.0|RA6=2001:db8:9::5|Name=Stations", "listed"),
        (f"{IN}|LPort=445|RA4=10.9.1.1-10.9.1.9|Name=A few", "listed"),
        (f"{IN}|App=C:\\x.exe|RA4=10.9.1.5|Name=A program, for one", "listed"),
        ("Action=Allow|Active=FALSE|Dir=In|Protocol=6|LPort=445|Name=Disabled", "closed"),
        ("Action=Allow|Active=TRUE|Dir=Out|Protocol=6|LPort=445|Name=Out", "closed"),
        (f"{IN}|Protocol=1|ICMP4=8:*|Name=Echo", "closed"),
        (f"{IN}|Protocol=6|LPort=RPC|Svc=eventlog|Name=Handed out", "closed"),
        (f"{IN}|Svc=CDPSvc|App=%SystemRoot%\\system32\\svchost.exe|Name=Known", "closed"),
        (f"{IN}|App=%SystemRoot%\\system32\\dashost.exe|Name=Known program", "closed"),
        (f"{IN}|AppPkgId=S-1-15-2-1|Name=A packaged app", "closed"),
    ],
)
def test_rules_of_windows_are_asked_for_ports_and_senders(text: str, expected: str | None) -> None:
    """By [MS-GPFAS] 2.2.2."""
    commands = {(REG, "query", WALL): wall(text)}
    assert told(WINDOWS.changed(commands=commands)) == expected
    managed = WALL.replace("FirewallRules", r"Mdm\FirewallRules")
    commands = {(REG, "query", WALL): wall(), (REG, "query", managed): wall(text)}
    assert told(WINDOWS.changed(commands=commands)) == expected


def test_rules_of_windows_that_are_cut_or_not_told_tell_nothing() -> None:
    whole = wall(f"{IN}|Protocol=6|LPort=443|Name=Web", f"{IN}|Protocol=6|LPort=445|Name=SMB").output
    half = whole[: whole.index("|LPort=445")]
    for output in (half, f"{half}\n", f"{half}|"):
        section = observe(host_firewall.PROBE, WINDOWS.changed(commands={(REG, "query", WALL): Ran(0, output, "")}))
        assert (section.values["inbound"], section.values["administration"]) == (None, None)
        assert "cut" in section.missing["administration"].detail
    assert told(WINDOWS.changed(commands={(REG, "query", WALL): Ran(1, "", "ERROR: denied")})) is None


def test_rules_of_policy_that_are_there_and_not_told_are_not_taken_for_none() -> None:
    policy = r"SOFTWARE\Policies\Microsoft\WindowsFirewall\FirewallRules"
    commands = {(REG, "query", WALL): wall(), (REG, "query", rf"HKLM\{policy}"): Ran(1, "", "ERROR: denied")}
    missing = observe(host_firewall.PROBE, WINDOWS.changed(commands=commands))
    assert (missing.values["inbound"], missing.values["administration"]) == ("deny", "closed")
    there = WINDOWS.changed(commands=commands, values={(policy, "rule"): "v2.31|"})
    section = observe(host_firewall.PROBE, there)
    assert (section.values["inbound"], section.values["administration"]) == (None, None)


def test_without_a_filter_administration_is_open() -> None:
    assert told(WINDOWS.changed(service_states={"mpssvc": False})) == "open"
    policy = {(r"SOFTWARE\Policies\Microsoft\WindowsFirewall\PublicProfile", "DefaultInboundAction"): 0}
    assert told(WINDOWS.changed(values=policy)) == "open"


@pytest.mark.parametrize(("state", "expected"), [(0, "open"), (1, None), (2, "closed")])
def test_macos_knows_no_ports(state: int, expected: str | None) -> None:
    asked = ("/usr/libexec/ApplicationFirewall/socketfilterfw", "--getglobalstate")
    assert told(MACOS.changed(commands={asked: Ran(0, f"Firewall is. (State = {state})\n", "")})) == expected
