"""Rows for 2-2: devices that are sound, and those that are only called compliant."""

from __future__ import annotations

from checks.device.compliance import (
    compliance_policy_is_assigned_and_met,
    fixed_volumes_are_encrypted,
    host_firewall_denies_inbound,
    idle_sessions_are_locked,
    operating_system_is_supported,
    protection_signatures_are_fresh,
    published_flaws_are_repaired_in_time,
    secure_boot_is_enabled,
    security_updates_are_installed,
    state_is_reported_without_silence,
    unlisted_storage_is_refused,
)
from scanner.model import Outcome
from tests.checks.world import Case, Row, ago, expected, verdicts

OWN = {"Device.external": False}
FOREIGN = {"Device.external": True}
LAPTOP = OWN | {"Device.category": "laptop"}
MOBILE = OWN | {"Device.category": "mobile"}
SERVER = OWN | {"Device.category": "server"}


def test_updates_are_installed_and_not_only_counted() -> None:
    sound = OWN | {
        "Patching.ever_patched": True,
        "Patching.pending_security": 0,
        "Patching.last_patched": ago(days=10),
    }
    cases: dict[str, Case] = {
        "nothing pending, patched lately": (Outcome.PASS, sound),
        "scan without fix": (Outcome.FAIL, sound | {"Patching.pending_security": 1}),
        "nothing pending because nobody looked for months": (
            Outcome.FAIL,
            sound | {"Patching.last_patched": ago(days=31)},
        ),
        "never patched": (Outcome.FAIL, OWN | {"Patching.ever_patched": False, "Patching.pending_security": 0}),
        "pending not seen (scan without login)": (Outcome.UNKNOWN, sound | {"Patching.pending_security": None}),
        "nothing seen": (Outcome.UNKNOWN, OWN),
        "foreign device": (Outcome.NA, FOREIGN | {"Patching.ever_patched": False}),
    }
    assert verdicts(security_updates_are_installed, cases, days=30) == expected(cases)


def test_grave_flaws_do_not_stay_where_a_repair_exists() -> None:
    def flaws(*found: Row) -> dict[str, object]:
        return SERVER | {"Advisories.unrepaired": list(found)}

    grave = {"id": "CVE-2026-1", "severity": "high", "repairable": True, "published": ago(days=31)}
    cases: dict[str, Case] = {
        "none known": (Outcome.PASS, flaws()),
        "grave and new": (Outcome.PASS, flaws(grave | {"published": ago(days=29)})),
        "old and light": (Outcome.PASS, flaws(grave | {"severity": "low"})),
        "grave and old, without a repair": (Outcome.PASS, flaws(grave | {"repairable": False})),
        "grave and old": (Outcome.FAIL, flaws(grave | {"severity": "low"}, grave)),
        "age not told": (Outcome.UNKNOWN, flaws(grave | {"published": None})),
        "weight not told": (Outcome.UNKNOWN, flaws(grave | {"severity": None})),
        "no feed speaks of it": (Outcome.UNKNOWN, SERVER),
        "phone": (Outcome.NA, MOBILE),
    }
    found = verdicts(published_flaws_are_repaired_in_time, cases, severities=["critical", "high"], days=30)
    assert found == expected(cases)


def test_an_agent_that_fell_silent_reports_nothing() -> None:
    awake = OWN | {
        "EndpointAgent.state": "enrolled",
        "EndpointAgent.ever_reported": True,
        "EndpointAgent.silent": False,
    }
    cases: dict[str, Case] = {
        "enrolled and heard": (Outcome.PASS, awake),
        "silent": (Outcome.FAIL, awake | {"EndpointAgent.silent": True}),
        "shut out": (Outcome.FAIL, awake | {"EndpointAgent.state": "banned"}),
        "waits for approval": (Outcome.FAIL, awake | {"EndpointAgent.state": "pending"}),
        "no agent, by the listing of all agents": (Outcome.FAIL, OWN | {"EndpointAgent.state": "absent"}),
        "enrolled, never told anything": (Outcome.FAIL, awake | {"EndpointAgent.ever_reported": False}),
        "whether it or the server is silent is not known": (Outcome.UNKNOWN, awake | {"EndpointAgent.silent": None}),
        "nobody speaks of an agent": (Outcome.UNKNOWN, OWN),
        "foreign device": (Outcome.NA, FOREIGN | {"EndpointAgent.silent": True}),
    }
    assert verdicts(state_is_reported_without_silence, cases) == expected(cases)


def test_maker_still_repairs_the_system() -> None:
    cases: dict[str, Case] = {
        "for another year": (Outcome.PASS, OWN | {"OperatingSystem.supported_until": ago(days=-365)}),
        "no longer": (Outcome.FAIL, OWN | {"OperatingSystem.supported_until": ago(days=1)}),
        "not seen": (Outcome.UNKNOWN, OWN),
        "foreign device": (Outcome.NA, FOREIGN | {"OperatingSystem.supported_until": ago(days=1)}),
    }
    assert verdicts(operating_system_is_supported, cases) == expected(cases)


def test_compliant_without_a_policy_is_not_compliant() -> None:
    met = OWN | {"Enrolment.policy_assigned": True, "Enrolment.compliant": True}
    cases: dict[str, Case] = {
        "assigned and met": (Outcome.PASS, met),
        "compliant because no policy is assigned": (Outcome.FAIL, met | {"Enrolment.policy_assigned": False}),
        "assigned, not met": (Outcome.FAIL, met | {"Enrolment.compliant": False}),
        "assignment not seen": (Outcome.UNKNOWN, OWN | {"Enrolment.compliant": True}),
        "foreign device": (Outcome.NA, FOREIGN | {"Enrolment.compliant": False}),
    }
    assert verdicts(compliance_policy_is_assigned_and_met, cases) == expected(cases)


def test_every_fixed_volume_is_encrypted() -> None:
    def volumes(*encrypted: bool | None) -> dict[str, object]:
        return LAPTOP | {"DiskEncryption.volumes": [{"mount": "/", "encrypted": state} for state in encrypted]}

    cases: dict[str, Case] = {
        "all": (Outcome.PASS, volumes(True, True)),
        "system volume only": (Outcome.FAIL, volumes(True, False)),
        "none": (Outcome.FAIL, volumes(False)),
        "one not read": (Outcome.UNKNOWN, volumes(True, None)),
        "a laptop without any volume was not read": (Outcome.UNKNOWN, volumes()),
        "volumes not seen": (Outcome.UNKNOWN, LAPTOP),
        "server": (Outcome.NA, SERVER | {"DiskEncryption.volumes": []}),
    }
    assert verdicts(fixed_volumes_are_encrypted, cases) == expected(cases)


def test_firewall_denies_what_nobody_listed() -> None:
    on = SERVER | {"HostFirewall.enabled": True, "HostFirewall.inbound": "deny"}
    cases: dict[str, Case] = {
        "on and denying": (Outcome.PASS, on),
        "on and allowing": (Outcome.FAIL, on | {"HostFirewall.inbound": "allow"}),
        "off": (Outcome.FAIL, SERVER | {"HostFirewall.enabled": False}),
        "default action not seen": (Outcome.UNKNOWN, SERVER | {"HostFirewall.enabled": True}),
        "phone": (Outcome.NA, MOBILE | {"HostFirewall.enabled": False}),
    }
    assert verdicts(host_firewall_denies_inbound, cases) == expected(cases)


def test_firmware_starts_signed_code_only() -> None:
    cases: dict[str, Case] = {
        "enabled": (Outcome.PASS, LAPTOP | {"SecureBoot.state": "enabled"}),
        "disabled": (Outcome.FAIL, LAPTOP | {"SecureBoot.state": "disabled"}),
        "unsupported": (Outcome.FAIL, LAPTOP | {"SecureBoot.state": "unsupported"}),
        "not seen": (Outcome.UNKNOWN, LAPTOP),
        "server": (Outcome.NA, SERVER),
    }
    assert verdicts(secure_boot_is_enabled, cases) == expected(cases)


def test_signatures_of_a_running_product_are_fresh() -> None:
    def products(*seen: Row) -> dict[str, object]:
        return LAPTOP | {"EndpointProtection.products": list(seen)}

    fresh = {"running": True, "signatures_at": ago(days=1)}
    stale = {"running": True, "signatures_at": ago(days=8)}
    cases: dict[str, Case] = {
        "fresh": (Outcome.PASS, products(fresh)),
        "one fresh beside one stale": (Outcome.PASS, products(stale, fresh)),
        "stale": (Outcome.FAIL, products(stale)),
        "fresh, not running": (Outcome.FAIL, products(fresh | {"running": False})),
        "no product": (Outcome.FAIL, products()),
        "age not seen": (Outcome.UNKNOWN, products({"running": True})),
        "products not seen": (Outcome.UNKNOWN, LAPTOP),
        "phone": (Outcome.NA, MOBILE),
    }
    assert verdicts(protection_signatures_are_fresh, cases, days=7) == expected(cases)


def test_idle_desktops_are_locked_by_a_rule_of_the_machine() -> None:
    locked = LAPTOP | {"SessionLock.desktop": "gnome", "SessionLock.enforced": True, "SessionLock.idle_seconds": 900}
    cases: dict[str, Case] = {
        "enforced, soon enough": (Outcome.PASS, locked),
        "its user may loosen it": (Outcome.FAIL, locked | {"SessionLock.enforced": False}),
        "enforced, after an hour": (Outcome.FAIL, locked | {"SessionLock.idle_seconds": 3600}),
        "enforced, never": (Outcome.FAIL, locked | {"SessionLock.idle_seconds": 0}),
        "when it locks is not seen": (Outcome.UNKNOWN, locked | {"SessionLock.idle_seconds": None}),
        "nothing seen": (Outcome.UNKNOWN, LAPTOP),
        "no desktop is installed": (Outcome.NA, locked | {"SessionLock.desktop": "none"}),
        "server": (Outcome.NA, locked | {"Device.category": "server"}),
    }
    assert verdicts(idle_sessions_are_locked, cases, minutes=15) == expected(cases)


def test_sticks_are_refused_by_the_system_or_by_leak_prevention() -> None:
    kept = {"LeakPrevention.mode": "enforce", "LeakPrevention.channels": ["mail", "removable_storage"]}
    free = LAPTOP | {"RemovableStorage.mode": "allowed"}
    cases: dict[str, Case] = {
        "blocked": (Outcome.PASS, LAPTOP | {"RemovableStorage.mode": "blocked"}),
        "nothing can be written": (Outcome.PASS, LAPTOP | {"RemovableStorage.mode": "read_only"}),
        "allowed, and leak prevention refuses": (Outcome.PASS, free | kept),
        "allowed, and leak prevention only tests": (Outcome.FAIL, free | kept | {"LeakPrevention.mode": "test"}),
        "allowed, and leak prevention reads mail": (Outcome.FAIL, free | kept | {"LeakPrevention.channels": ["mail"]}),
        "allowed, what leak prevention does is not seen": (Outcome.UNKNOWN, free),
        "not seen, leak prevention is off": (Outcome.UNKNOWN, LAPTOP | kept | {"LeakPrevention.mode": "off"}),
        "server": (Outcome.NA, SERVER | {"RemovableStorage.mode": "allowed"}),
    }
    assert verdicts(unlisted_storage_is_refused, cases) == expected(cases)
