"""3-4 Encryption of traffic: every leg of the way to a resource is encrypted, the way of its administrators too."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import AccessPath, DataStore, Directory, ManagementPlane, NetworkDevice, StoreExposure


@check(over=AccessPath)
def every_hop_is_encrypted(path: Subject, *, protections: list[str]) -> Claim:
    """Every leg of the path is encrypted to a verified peer, and its entry does not also answer in clear."""
    hops = path.hops.all(lambda hop: hop.tls.is_in(protections) & hop.verified)
    return Claim(
        applies=True,
        holds=hops & ~path.cleartext_entry,
        shows={"name": path.name, "cleartext_entry": path.cleartext_entry},
    )


@check(over=NetworkDevice)
def management_is_encrypted(device: Subject) -> Claim:
    """The device answers its administrators and its monitoring only over encrypted protocols."""
    plane = device[ManagementPlane]
    return Claim(
        applies=True,
        holds=~plane.protocols.has_any(["telnet", "http"]) & plane.snmp.is_in(["off", "v3_privacy"]),
        shows={"protocols": plane.protocols, "snmp": plane.snmp},
    )


@check(over=Directory)
def directory_demands_signing(directory: Subject) -> Claim:
    """Domain controllers refuse LDAP that is neither signed nor bound to its channel."""
    return Claim(
        applies=True,
        holds=(directory.ldap_signing == "required") & (directory.channel_binding == "always"),
        shows={
            "name": directory.name,
            "ldap_signing": directory.ldap_signing,
            "channel_binding": directory.channel_binding,
        },
    )


@check(over=DataStore)
def stores_refuse_clear_transport(store: Subject) -> Claim:
    """The sensitive store does not answer a request that comes without encryption."""
    exposure = store[StoreExposure]
    return Claim(
        applies=store.sensitive,
        holds=~exposure.clear_transport,
        shows={"name": store.name, "clear_transport": exposure.clear_transport},
    )
