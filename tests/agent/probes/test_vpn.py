from __future__ import annotations

import pytest

from agent.host import Ran
from agent.probes import observe, vpn
from agent.section import Section
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, MACOS, NOT_ROOT, WINDOWS, XFRM, RecordedHost
from tests.agent.recorded_macos import IFCONFIG, SCUTIL
from tests.agent.recorded_windows import objects

NET = "/sys/class/net"
UNIT = "/etc/systemd/system/multi-user.target.wants/wg-quick@wg0.service"
BARE = DEBIAN_LAPTOP.changed(files={f"{NET}/wg0/{name}": None for name in ("flags", "type", "uevent")} | {UNIT: None})


def seen(host: RecordedHost) -> Section:
    section = observe(vpn.PROBE, host)
    assert section.status == "seen", section.detail
    return section


def kinds(host: RecordedHost) -> list[str]:
    return [one["kind"] for one in seen(host).values["tunnels"]]


def device(name: str, **files: str) -> RecordedHost:
    given = {"flags": "0x1091\n", "type": "65534\n", "uevent": f"INTERFACE={name}\n"} | files
    return BARE.changed(files={f"{NET}/{name}/{file}": text for file, text in given.items()})


def test_a_tunnel_that_is_up_is_told_by_its_kind_and_not_by_its_name() -> None:
    assert kinds(DEBIAN_LAPTOP) == ["wireguard"]
    assert kinds(DEBIAN_LAPTOP.changed(files={f"{NET}/wg0/flags": "0x10090\n"})) == []
    assert kinds(BARE) == []
    assert "wg0" not in str(seen(DEBIAN_LAPTOP))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (device("tun0", tun_flags="0x1001\n"), ["tun"]),
        (device("vnet0", tun_flags="0x1002\n", master=""), []),
        (device("ppp0", type="512\n"), ["ppp"]),
        (device("ipsec0"), ["ipsec"]),
        (device("eth0", type="1\n"), []),
        (device("br0", uevent="DEVTYPE=bridge\n"), []),
        (BARE.changed(commands={XFRM: Ran(0, "\t SAD count 2\n", "")}), ["ipsec"]),
        (BARE.changed(files={f"{NET}/bonding_masters": "\n"}), []),
    ],
)
def test_each_kind_shows_itself_to_the_kernel(host: RecordedHost, expected: list[str]) -> None:
    assert kinds(host) == expected


def test_associations_of_ipsec_that_cannot_be_counted_are_said_to_be_missing() -> None:
    for answer in (None, Ran(2, "", "RTNETLINK answers: Operation not permitted")):
        section = seen(BARE.changed(commands={XFRM: answer}))
        assert (section.values["tunnels"], section.missing["tunnels"].status) == (None, "unsupported")
    assert (kinds(NOT_ROOT), seen(NOT_ROOT).missing["tunnels"].status) == (["wireguard"], "denied")


@pytest.mark.parametrize(
    ("connection", "always"),
    [
        ("[connection]\ntype=wireguard\n", True),
        ("[connection]\ntype=wireguard\nautoconnect=false\n", False),
        ("[connection]\ntype=vpn\n", False),
        ("[connection]\ntype=ethernet\nsecondaries=5a1b2c3d-0000-1111-2222-333344445555;\n", True),
        ("[connection]\ntype=wifi\n", False),
    ],
)
def test_connections_of_networkmanager_say_what_comes_up_by_itself(connection: str, always: bool) -> None:
    """By nm-settings-keyfile(5): type, autoconnect (true where it is absent) and secondaries."""
    path = "/etc/NetworkManager/system-connections/bank.nmconnection"
    assert seen(BARE.changed(files={path: connection})).values["always_on"] is always
    hidden = seen(BARE.changed(files={path: connection}, hidden=frozenset({path})))
    assert (hidden.values["always_on"], hidden.missing["always_on"].status) == (None, "denied")


def test_a_unit_that_starts_with_the_system_is_always_on() -> None:
    assert seen(DEBIAN_LAPTOP).values["always_on"] is True
    assert seen(BARE).values["always_on"] is False


def test_other_namespaces_and_containers_do_not_speak_of_the_host() -> None:
    assert observe(vpn.PROBE, CONTAINER).status == "unsupported"
    foreign = DEBIAN_LAPTOP.changed(links={"/proc/self/ns/net": "net:[4026532000]"})
    assert observe(vpn.PROBE, foreign).status == "unsupported"


def test_windows_shows_adapters_and_connections() -> None:
    """By "Get-NetAdapter" and "Get-VpnConnection" of the PowerShell reference."""
    section = seen(WINDOWS)
    assert kinds(WINDOWS) == ["wireguard"]
    assert section.missing["always_on"].status == "unsupported"
    connected = objects(
        {"ConnectionStatus": "Connected", "Kind": "Ikev2"}, {"ConnectionStatus": "Disconnected", "Kind": "Sstp"}
    )
    adapters = objects({"InterfaceDescription": "PANGP Virtual Ethernet Adapter Secure"})
    host = WINDOWS.changed(commands={vpn.ADAPTERS: adapters, vpn.CONNECTIONS: connected})
    assert kinds(host) == ["globalprotect", "ikev2"]
    failed = WINDOWS.changed(commands={vpn.ADAPTERS: Ran(1, "", "no")})
    assert observe(vpn.PROBE, failed).status == "unsupported"


def test_a_mac_shows_services_and_devices_with_an_address() -> None:
    """By scutil(8), "--nc list", and ifconfig(8); devices utun without an address of IPv4 belong to macOS itself."""
    assert kinds(MACOS) == ["utun", "vpn"]
    quiet = MACOS.changed(
        commands={SCUTIL: Ran(0, "", ""), IFCONFIG: Ran(0, "utun0: flags=8051<UP>\n\tinet6 fe80::1\n", "")}
    )
    assert kinds(quiet) == []


@pytest.mark.parametrize("command", [SCUTIL, IFCONFIG])
def test_a_mac_that_does_not_list_its_network_has_not_said_that_there_is_no_tunnel(command: tuple[str, ...]) -> None:
    for answer in (None, Ran(1, "", "scutil: denied")):
        assert observe(vpn.PROBE, MACOS.changed(commands={command: answer})).status in {"unsupported", "error"}
