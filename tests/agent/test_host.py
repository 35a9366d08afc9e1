from __future__ import annotations

import socket
from types import SimpleNamespace

import psutil
import pytest

from agent import host
from agent.host import ThisHost


def test_networks_are_those_of_the_addresses_and_an_address_alone_where_no_prefix_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries = [
        SimpleNamespace(family=socket.AF_INET, address="127.0.0.1", netmask="255.0.0.0"),
        SimpleNamespace(family=socket.AF_INET, address="10.1.4.17", netmask="255.255.252.0"),
        SimpleNamespace(family=socket.AF_INET6, address="fe80::1%eth0", netmask="ffff:ffff:ffff:ffff::"),
        SimpleNamespace(family=socket.AF_INET6, address="2001:DB8:1::7", netmask="ffff:ffff:ffff:ffff::"),
        SimpleNamespace(family=socket.AF_INET6, address="2001:db8:2::7", netmask=None),
    ]
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": entries})
    assert ThisHost().addresses() == ["10.1.4.17", "2001:db8:1::7", "2001:db8:2::7"]
    assert ThisHost().networks() == ["10.1.4.0/22", "2001:db8:1::/64", "2001:db8:2::7/128"]


def test_a_command_that_does_not_end_is_ended_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "PATIENCE", 0.1)
    with pytest.raises(TimeoutError, match=r"longer than 0\.1 s"):
        ThisHost().run(("/bin/sleep", "60"))
    with pytest.raises(OSError, match="ended with status -9"):
        list(ThisHost().run_lines(("/bin/sleep", "60")))


def test_a_commands_failure_is_told_by_its_status_and_not_by_half_of_its_lines() -> None:
    failed = ThisHost().run(("/bin/ls", "/nowhere"))
    assert (failed.status != 0, failed.output) == (True, "")
    with pytest.raises(OSError, match="ended with status"):
        list(ThisHost().run_lines(("/bin/ls", "/nowhere")))
    with pytest.raises(ValueError, match="absolute"):
        ThisHost().run(("ls",))
