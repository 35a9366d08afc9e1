from __future__ import annotations

from dataclasses import replace

import pytest

from agent.probes import observe_all
from agent.products import known_products
from agent.section import STATUSES, Section
from collectors.sections import MAPPING, PROMISED, Installed, asset_key, facts_and_gaps, installed, observed, redacted
from scanner.column import fields_of
from scanner.facts import (
    Device,
    EndpointProtection,
    HardwareIdentity,
    LocalAdministrators,
    LocalPasswordPolicy,
    Membership,
    RemovableStorage,
    SessionLock,
    Tunnels,
)
from scanner.model import Fact, Gap, GapWhy
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, FEDORA, MACOS, NOT_ROOT, NOW, WINDOWS, RecordedHost

ASSET = "device:local:0123456789abcdef0123456789abcdef"


def sections_of(host: RecordedHost) -> dict[str, Section]:
    return {section.name: section for section in observe_all(host)}


def test_a_laptop_yields_every_fact() -> None:
    records = list(facts_and_gaps(sections_of(DEBIAN_LAPTOP), ASSET, external=False))
    found = {type(record).__name__: record for record in records if isinstance(record, Fact)}
    assert set(found) == PROMISED
    device = found["Device"]
    assert isinstance(device, Device)
    assert (device.category, device.external, device.asset, device.observed_at) == ("laptop", False, ASSET, NOW)
    administrators = found["LocalAdministrators"]
    assert isinstance(administrators, LocalAdministrators)
    assert administrators.names == ["root", "wang"]


def test_fields_that_were_not_seen_are_none_and_leave_a_gap_by_name() -> None:
    records = list(facts_and_gaps(sections_of(DEBIAN_LAPTOP), ASSET))
    named = {(gap.fact, gap.field): gap.why for gap in records if isinstance(gap, Gap)}
    assert named == {
        ("Device", "external"): GapWhy.UNSUPPORTED,
        ("HardwareIdentity", "anchor"): GapWhy.UNSUPPORTED,
        ("EndpointProtection", "products"): GapWhy.UNSUPPORTED,
        ("LocalAdministrators", "members"): GapWhy.UNSUPPORTED,
        ("Membership", "enrolled"): GapWhy.UNSUPPORTED,
        ("Membership", "server"): GapWhy.UNSUPPORTED,
        ("SessionLock", "required_on_wake"): GapWhy.UNSUPPORTED,
        ("SessionLock", "users"): GapWhy.UNSUPPORTED,
    }


def test_the_marks_of_the_hardware_are_attributes_and_no_key() -> None:
    records = list(facts_and_gaps(sections_of(DEBIAN_LAPTOP), ASSET))
    (identity,) = (record for record in records if isinstance(record, HardwareIdentity))
    assert (identity.tpm_version, identity.serial) == ("2.0", "PF3ABCDE")
    assert identity.firmware_uuid == "4c4c4544-0042-3510-8052-b4c04f564432"
    assert identity.endorsement_key is not None
    assert identity.anchor is None
    denied = {
        gap.field: gap.why
        for gap in facts_and_gaps(sections_of(NOT_ROOT), ASSET)
        if isinstance(gap, Gap) and gap.fact == "HardwareIdentity"
    }
    marks = ("serial", "firmware_uuid", "endorsement_key")
    assert denied == {"anchor": GapWhy.UNSUPPORTED} | dict.fromkeys(marks, GapWhy.DENIED)


def test_rules_of_the_device_become_facts() -> None:
    found = {type(record): record for record in facts_and_gaps(sections_of(WINDOWS), ASSET) if isinstance(record, Fact)}
    assert found[Membership] == Membership(
        asset=ASSET,
        observed_at=NOW,
        directory="hybrid",
        domain="bank",
        enrolled=True,
        server="enrollment.manage.example",
        managers=[],
        known_list=known_products("windows").version,
    )
    lock, stick = found[SessionLock], found[RemovableStorage]
    assert isinstance(lock, SessionLock) and lock.users is not None
    assert (lock.desktop, lock.enforced, lock.idle_seconds, lock.users[0].idle_seconds) == ("windows", True, 900, 900)
    assert isinstance(stick, RemovableStorage)
    assert (stick.mode, stick.means) == ("allowed", [])
    words = found[LocalPasswordPolicy]
    assert isinstance(words, LocalPasswordPolicy)
    assert (words.min_length, words.complexity, words.max_age_days) == (14, None, 42)
    tunnels = found[Tunnels]
    assert isinstance(tunnels, Tunnels) and tunnels.tunnels is not None
    assert ([one.kind for one in tunnels.tunnels], tunnels.always_on) == (["wireguard"], None)


def test_a_tpm_alone_is_no_identity() -> None:
    records = facts_and_gaps(sections_of(DEBIAN_LAPTOP), ASSET)
    (identity,) = (record for record in records if isinstance(record, HardwareIdentity))
    assert (identity.tpm, identity.anchor) == ("ready", None)


@pytest.mark.parametrize(("host", "why"), [(NOT_ROOT, GapWhy.DENIED), (CONTAINER, GapWhy.UNSUPPORTED)])
def test_absence_of_protection_needs_the_right_and_the_place_to_look(host: RecordedHost, why: GapWhy) -> None:
    records = list(facts_and_gaps(sections_of(host), ASSET))
    assert not any(isinstance(record, EndpointProtection) for record in records)
    (gap,) = (record for record in records if isinstance(record, Gap) and record.fact == "EndpointProtection")
    assert (gap.why, gap.asset, gap.field) == (why, ASSET, None)


EVERY = [DEBIAN_LAPTOP, NOT_ROOT, CONTAINER, FEDORA, WINDOWS, MACOS, RecordedHost(), RecordedHost("sunos5")]


@pytest.mark.parametrize("host", EVERY)
def test_every_fact_is_either_seen_or_missed_by_name(host: RecordedHost) -> None:
    spoken = set()
    for record in facts_and_gaps(sections_of(host), ASSET):
        assert not isinstance(record, Gap) or record.why is not GapWhy.MALFORMED, record
        spoken.add(record.fact if isinstance(record, Gap) else type(record).__name__)
    assert spoken == PROMISED


@pytest.mark.parametrize("status", STATUSES[1:])
def test_losing_any_section_leaves_a_gap_for_its_facts(status: str) -> None:
    whole = sections_of(DEBIAN_LAPTOP)
    for mapped in MAPPING:
        lost = whole | {mapped.section: Section(mapped.section, 1, status, "lost", "2026-11-20T01:00:00Z")}
        records = list(facts_and_gaps(lost, ASSET))
        assert not any(isinstance(record, mapped.fact) for record in records)
        assert any(isinstance(record, Gap) and record.fact == mapped.fact.__name__ for record in records)
        absent = {name: section for name, section in whole.items() if name != mapped.section}
        assert any(
            isinstance(record, Gap) and record.fact == mapped.fact.__name__ and record.why is GapWhy.UNSEEN
            for record in facts_and_gaps(absent, ASSET)
        )


def test_values_of_another_form_and_versions_not_understood_are_gaps() -> None:
    whole = sections_of(DEBIAN_LAPTOP)
    boot = whole["boot"]
    odd = whole | {"boot": replace(boot, values={"secure_boot": "perhaps", "tpm": 3})}
    whys = {gap.fact: gap.why for gap in facts_and_gaps(odd, ASSET) if isinstance(gap, Gap)}
    assert (whys["SecureBoot"], whys["HardwareIdentity"]) == (GapWhy.MALFORMED, GapWhy.MALFORMED)
    newer = whole | {"boot": replace(boot, schema_version=2)}
    whys = {gap.fact: gap.why for gap in facts_and_gaps(newer, ASSET) if isinstance(gap, Gap)}
    assert whys["SecureBoot"] is GapWhy.UNSUPPORTED
    naive = whole | {"boot": replace(boot, observed_at="2026-11-20T01:00:00")}
    whys = {gap.fact: gap.why for gap in facts_and_gaps(naive, ASSET) if isinstance(gap, Gap)}
    assert whys["SecureBoot"] is GapWhy.MALFORMED


def test_what_an_older_agent_does_not_tell_is_a_gap() -> None:
    whole = sections_of(DEBIAN_LAPTOP)
    values = {name: value for name, value in whole["host_firewall"].values.items() if name != "administration"}
    older = whole | {"host_firewall": replace(whole["host_firewall"], values=values)}
    (gap,) = (each for each in facts_and_gaps(older, ASSET) if isinstance(each, Gap) and each.fact == "HostFirewall")
    assert (gap.field, gap.why) == ("administration", GapWhy.UNSUPPORTED)
    assert "version of the agent" in gap.detail


def test_the_key_of_a_host_is_its_machine_id_and_is_never_made_up() -> None:
    whole = sections_of(DEBIAN_LAPTOP)
    assert asset_key(whole, "local")[0] == ASSET
    nameless = sections_of(DEBIAN_LAPTOP.changed(files={"/etc/machine-id": None}))
    assert asset_key(nameless, "local") == (None, GapWhy.UNSUPPORTED, "there is no /etc/machine-id")
    assert asset_key({}, "local")[0] is None
    hostile = replace(whole["host_identity"], values={"machine_id": "../../x"})
    assert asset_key({"host_identity": hostile}, "local")[1] is GapWhy.MALFORMED


def test_every_mapped_field_stands_in_its_fact_and_its_section() -> None:
    whole = sections_of(DEBIAN_LAPTOP)
    for mapped in MAPPING:
        assert set(mapped.fields) | set(mapped.untold) <= set(fields_of(mapped.fact))
        assert set(mapped.fields.values()) <= set(whole[mapped.section].values)


def test_what_is_kept_raw_names_no_person() -> None:
    whole = sections_of(DEBIAN_LAPTOP)
    kept = {name: redacted(section).to_dict() for name, section in whole.items()}
    assert kept["administrators"]["values"]["names_count"] == 2
    assert "wang" not in str(kept)
    assert "PF3ABCDE" not in str(kept)
    assert "4c4c4544" not in str(kept)


def test_a_recording_is_as_old_as_its_oldest_section() -> None:
    whole = sections_of(DEBIAN_LAPTOP)
    whole["boot"] = replace(whole["boot"], observed_at="2026-11-19T01:00:00Z")
    assert observed(whole) == NOW.replace(day=19)
    assert observed({"x": replace(whole["boot"], observed_at="yesterday")}) is None


def test_packages_are_told_with_the_version_of_their_source() -> None:
    software = {
        "publishers": ["T"],
        "builds": [[["gcc-defaults", "1.203", "4:12.2.0-3", "gcc"], ["bash", "5.2", "", ""]]],
    }
    assert installed(software) == [
        Installed("gcc", "4:12.2.0-3", "gcc-defaults", "1.203"),
        Installed("bash", "5.2", "bash", "5.2"),
    ]
    older = {"publishers": [{"names": ["libssl3"], "versions": ["3.0"], "sources": ["openssl"]}]}
    assert installed(older) == [Installed("libssl3", "3.0", "openssl", "3.0")]


@pytest.mark.parametrize(
    "software",
    [
        {},
        {"builds": None},
        {"builds": [[["gcc", "1"]]]},
        {"builds": [[["gcc", "1", ""]]]},
        {"builds": [[["gcc", "1", "", 5]]]},
        {"builds": [["text"]]},
        {"publishers": [{"names": ["x"], "versions": [], "sources": [""]}]},
        {"publishers": [{"names": ["x"], "versions": [7], "sources": [""]}]},
    ],
)
def test_packages_of_another_form_are_refused(software: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="section software"):
        installed(software)
