from __future__ import annotations

from agent.probes import listeners, observe
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, WINDOWS


def test_waiting_sockets_are_told_by_reach_and_connected_ones_left_out() -> None:
    assert observe(listeners.PROBE, DEBIAN_LAPTOP).values["sockets"] == [
        {"transport": "tcp", "port": 22, "reach": "any"},
        {"transport": "tcp", "port": 631, "reach": "loopback"},
        {"transport": "udp", "port": 68, "reach": "address"},
    ]


def test_an_unreadable_table_is_not_an_empty_one() -> None:
    host = DEBIAN_LAPTOP.changed(hidden=frozenset({"/proc/net/tcp6"}))
    assert observe(listeners.PROBE, host).status == "denied"
    assert observe(listeners.PROBE, DEBIAN_LAPTOP.changed(files={"/proc/net/tcp": None})).status == "error"


def test_a_mapped_loopback_address_stays_loopback() -> None:
    table = "  sl\n   0: 0000000000000000FFFF00000100007F:1F90 0:0 0A 0\n"
    host = DEBIAN_LAPTOP.changed(files={"/proc/net/tcp6": table})
    assert {"transport": "tcp", "port": 8080, "reach": "loopback"} in observe(listeners.PROBE, host).values["sockets"]


def test_containers_have_sockets_of_their_own() -> None:
    assert observe(listeners.PROBE, CONTAINER).status == "unsupported"


def test_windows_sockets_come_from_psutil() -> None:
    assert observe(listeners.PROBE, WINDOWS).values["sockets"] == [
        {"transport": "tcp", "port": 445, "reach": "any"},
        {"transport": "udp", "port": 1900, "reach": "loopback"},
    ]
