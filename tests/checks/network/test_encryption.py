"""Rows for 3-4: paths encrypted leg by leg, or only at the door."""

from __future__ import annotations

from checks.network.encryption import (
    directory_demands_signing,
    every_hop_is_encrypted,
    management_is_encrypted,
    stores_refuse_clear_transport,
)
from scanner.model import Outcome
from tests.checks.world import Case, Row, expected, verdicts


def test_every_leg_is_encrypted_to_a_verified_peer() -> None:
    def path(*hops: Row, cleartext: bool | None = False) -> dict[str, object]:
        return {"AccessPath.hops": list(hops), "AccessPath.cleartext_entry": cleartext}

    modern = {"tls": "1.3", "verified": True}
    tunnel = {"tls": "ipsec", "verified": True}
    cases: dict[str, Case] = {
        "all legs": (Outcome.PASS, path(tunnel, modern, modern | {"tls": "1.2"})),
        "encryption ends at the edge, clear behind": (Outcome.FAIL, path(modern, {"tls": "none", "verified": False})),
        "tunnel counted for the legs inside": (Outcome.FAIL, path(tunnel, modern | {"tls": "none"})),
        "TLS 1.0": (Outcome.FAIL, path(modern, modern | {"tls": "1.0"})),
        "any certificate is trusted": (Outcome.FAIL, path(modern, modern | {"verified": False})),
        "entry also answers in clear": (Outcome.FAIL, path(modern, cleartext=True)),
        "one leg not probed": (Outcome.UNKNOWN, path(modern, {})),
        "clear entry not probed": (Outcome.UNKNOWN, path(modern, cleartext=None)),
        "path without legs was not read": (Outcome.UNKNOWN, path()),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    told = verdicts(every_hop_is_encrypted, cases, protections=["1.2", "1.3", "ipsec", "ssh"])
    assert told == expected(cases)


def test_administrators_come_in_encrypted() -> None:
    sound = {"ManagementPlane.protocols": ["https", "netconf", "ssh"], "ManagementPlane.snmp": "v3_privacy"}
    cases: dict[str, Case] = {
        "encrypted only": (Outcome.PASS, sound),
        "no monitoring protocol": (Outcome.PASS, sound | {"ManagementPlane.snmp": "off"}),
        "telnet beside ssh": (Outcome.FAIL, sound | {"ManagementPlane.protocols": ["ssh", "telnet"]}),
        "http beside https": (Outcome.FAIL, sound | {"ManagementPlane.protocols": ["http", "https"]}),
        "community string": (Outcome.FAIL, sound | {"ManagementPlane.snmp": "v2c"}),
        "authenticated, not private": (Outcome.FAIL, sound | {"ManagementPlane.snmp": "v3_no_privacy"}),
        "protocols not seen": (Outcome.UNKNOWN, {"ManagementPlane.snmp": "off"}),
        "monitoring not seen": (Outcome.UNKNOWN, {"ManagementPlane.protocols": ["ssh"]}),
    }
    assert verdicts(management_is_encrypted, cases) == expected(cases)


def test_directory_refuses_unsigned_requests() -> None:
    sound = {"Directory.ldap_signing": "required", "Directory.channel_binding": "always"}
    cases: dict[str, Case] = {
        "required and bound": (Outcome.PASS, sound),
        "signing only negotiated": (Outcome.FAIL, sound | {"Directory.ldap_signing": "negotiated"}),
        "binding only when offered": (Outcome.FAIL, sound | {"Directory.channel_binding": "supported"}),
        "binding not seen": (Outcome.UNKNOWN, {"Directory.ldap_signing": "required"}),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(directory_demands_signing, cases) == expected(cases)


def test_store_hangs_up_on_clear_text() -> None:
    cases: dict[str, Case] = {
        "refuses": (Outcome.PASS, {"DataStore.sensitive": True, "StoreExposure.clear_transport": False}),
        "answers either way": (Outcome.FAIL, {"DataStore.sensitive": True, "StoreExposure.clear_transport": True}),
        "policy not seen": (Outcome.UNKNOWN, {"DataStore.sensitive": True}),
        "nobody says whether sensitive": (Outcome.UNKNOWN, {"StoreExposure.clear_transport": False}),
        "holds nothing sensitive": (Outcome.NA, {"DataStore.sensitive": False, "StoreExposure.clear_transport": True}),
    }
    assert verdicts(stores_refuse_clear_transport, cases) == expected(cases)
