"""Which traffic packet-filter rules are asked for: from whom, and to which ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNLISTED, NEIGHBOUR, ANYBODY = "unlisted", "neighbour", "anybody"
"""Senders: one that no rule names; one that no narrow rule names; all that are not this host."""
ADMINISTRATION = frozenset({22, 23, 135, 139, 445, 2049, 3389, 5900, 5985, 5986})
"""Ports of remote administration and file sharing: SSH, Telnet, RPC, NetBIOS, SMB, NFS, RDP, VNC and WinRM."""
_LARGEST = {4: 24, 6: 64}
"""Prefix of the largest network that still names who is meant, where it lies apart from the host's own."""
_FEW = 16
"""Addresses of one of the host's own networks that a rule may name, and no more than a quarter of it: stations."""
_ALONE = {4: 24, 6: 64}
"""Network in which an address is taken to lie that the host bears without one, as in clouds and with DHCPv6."""
_LINK = tuple(ipaddress.ip_network(each) for each in ("169.254.0.0/16", "fe80::/10"))
_SELF = tuple(ipaddress.ip_network(each) for each in ("127.0.0.0/8", "::1/128"))


@dataclass(frozen=True)
class Traffic:
    """New connections from the network: from an `UNLISTED` sender to a port no rule names, from others to ``ports``."""

    sender: str = UNLISTED
    ports: frozenset[int] = frozenset()
    near: tuple[Network, ...] = ()
    """The host's own networks."""
    redirected: bool = False
    """Whether traffic may have been sent to another address or port before it comes to the filter."""

    def comes_from(self, networks: list[Network]) -> bool:
        """Whether a sender may be in one of the networks, which one condition lists."""
        if self.sender == UNLISTED:
            return any(network.prefixlen == 0 for network in networks)
        outside = [network for network in networks if not any(within(network, own) for own in _SELF)]
        return bool(outside) and (self.sender == ANYBODY or not narrow(outside, self.near))


def networks_of(texts: Iterable[str]) -> list[Network]:
    """Networks as rules write them; ValueError for what is none."""
    return [ipaddress.ip_network(each, strict=False) for each in texts]


def near(networks: Iterable[str]) -> tuple[Network, ...]:
    """The host's own networks, where its neighbours are, by those that its interfaces tell."""
    wide = [
        network.supernet(new_prefix=_ALONE[network.version]) if _is_single(network) else network
        for network in networks_of(networks)
    ]
    return (*wide, *_LINK)


def narrow(networks: Iterable[Network], near: Iterable[Network]) -> bool:
    """Whether these are named senders: at most a /24 or a /64 each, and hardly anybody of the host's own networks."""
    merged = _merged(networks)
    if any(network.prefixlen < _LARGEST[network.version] for network in merged):
        return False
    for own in near:
        if any(within(own, network) for network in merged):
            return False
        inside = sum(network.num_addresses for network in merged if within(network, own))
        if inside > max(1, min(_FEW, own.num_addresses // 4)):
            return False
    return True


def _is_single(network: Network) -> bool:
    return network.prefixlen > _ALONE[6] if network.version == 6 else network.prefixlen == 32


def _merged(networks: Iterable[Network]) -> list[Network]:
    every = list(networks)
    four = [one for one in every if isinstance(one, ipaddress.IPv4Network)]
    six = [one for one in every if isinstance(one, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]


def within(one: Network, many: Network) -> bool:
    """Whether all of one network lies in another; those of two versions never do."""
    if isinstance(one, ipaddress.IPv4Network) and isinstance(many, ipaddress.IPv4Network):
        return one.subnet_of(many)
    return isinstance(one, ipaddress.IPv6Network) and isinstance(many, ipaddress.IPv6Network) and one.subnet_of(many)
