from __future__ import annotations

import socket
from types import SimpleNamespace

import psutil
import pytest

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
