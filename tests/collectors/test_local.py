from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.cli import as_json
from agent.probes import PROBES, observe_all
from collectors.local import COLLECTOR, LocalCollector
from collectors.sections import PROMISED
from scanner.facts import Placement
from scanner.model import Capture, Census, GapWhy, SourceIdentity, Target, keys_digest
from tests.agent.recorded import DEBIAN_LAPTOP, NOT_ROOT, RecordedHost
from tests.collectors.stage import facts, gaps, read

ASSET = "device:local:0123456789abcdef0123456789abcdef"
LONE_SURROGATE = (
    b'{"schema_version": 1, "sections": [{"name": "\\ud800", "schema_version": 1, "status": "error",'
    b' "detail": "", "observed_at": "", "values": {}, "missing": {}}]}'
)
HERE = Target(name="here", collector="local", source="here", options={"external": False})


def local(host: RecordedHost) -> LocalCollector:
    return LocalCollector(lambda: host)


def recorded(folder: Path, content: bytes | None = None) -> Target:
    if content is None:
        content = as_json(observe_all(DEBIAN_LAPTOP)).encode()
    (folder / "sections.json").write_bytes(content)
    return Target(name="there", collector="local", source="there", captures=folder)


def test_this_host_is_one_device_with_a_closed_census_per_fact() -> None:
    records = read(local(DEBIAN_LAPTOP), HERE)
    assert {type(fact).__name__ for fact in facts(records)} == PROMISED
    assert {fact.asset for fact in facts(records)} == {ASSET}
    closed = {record.fact: record for record in records if isinstance(record, Census)}
    assert set(closed) == PROMISED
    assert all((one.complete, one.n, one.digest) == (True, 1, keys_digest([ASSET])) for one in closed.values())
    assert any(isinstance(record, SourceIdentity) and record.kind == "machine_id" for record in records)


def test_what_was_not_seen_has_no_census() -> None:
    records = read(local(NOT_ROOT), HERE)
    closed = {record.fact for record in records if isinstance(record, Census)}
    denied = {gap.fact for gap in gaps(records) if gap.field is None}
    assert denied == {"HostFirewall", "EndpointProtection", "LocalAdministrators", "LogForwarding"}
    assert closed == PROMISED - denied


def test_placement_gives_selectors_their_addresses_and_leaves_the_rest_open() -> None:
    (placement,) = (fact for fact in facts(read(local(DEBIAN_LAPTOP), HERE)) if isinstance(fact, Placement))
    assert (placement.addresses, placement.host_name) == (["10.1.4.17"], "ws-17")
    assert placement.groups is None


def test_the_raw_sections_are_kept_without_names() -> None:
    (capture,) = (record for record in read(local(DEBIAN_LAPTOP), HERE) if isinstance(record, Capture))
    assert capture.name == "sections.json"
    assert len(json.loads(capture.content)["sections"]) == len(PROBES)
    assert b"wang" not in capture.content


def test_a_host_without_machine_id_yields_gaps_only() -> None:
    records = read(local(DEBIAN_LAPTOP.changed(files={"/etc/machine-id": None})), HERE)
    assert facts(records) == []
    assert {gap.fact for gap in gaps(records)} == PROMISED
    assert {gap.why for gap in gaps(records)} == {GapWhy.UNSUPPORTED}
    assert not any(isinstance(record, Census) for record in records)


def test_whose_the_device_is_comes_from_its_owner_alone() -> None:
    unsaid = read(local(DEBIAN_LAPTOP), Target(name="here", collector="local", source="here"))
    assert [gap.field for gap in gaps(unsaid, "Device")] == ["external"]
    text = read(local(DEBIAN_LAPTOP), Target(name="here", collector="local", source="here", options={"external": "no"}))
    assert [gap.field for gap in gaps(text, "Device")] == ["external"]


def test_a_recording_is_read_instead_of_the_host(tmp_path: Path) -> None:
    def refuse() -> RecordedHost:
        raise AssertionError("the host must not be looked at")

    records = read(LocalCollector(refuse), recorded(tmp_path))
    assert {fact.asset for fact in facts(records)} == {ASSET}
    assert {type(fact).__name__ for fact in facts(records)} == PROMISED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"schema_version": 2, "sections": []}',
        b'{"schema_version": 1}',
        b'{"schema_version": 1, "sections": [{}]}',
        b"[" * 200_000,
        LONE_SURROGATE,
    ],
)
def test_a_recording_of_another_form_is_malformed(tmp_path: Path, content: bytes) -> None:
    records = read(COLLECTOR, recorded(tmp_path, content))
    assert facts(records) == []
    assert {(gap.why, gap.asset) for gap in gaps(records)} == {(GapWhy.MALFORMED, None)}
    assert {gap.fact for gap in gaps(records)} == PROMISED


def test_a_section_that_stands_twice_is_malformed(tmp_path: Path) -> None:
    whole = json.loads(as_json(observe_all(DEBIAN_LAPTOP)))
    whole["sections"].append(whole["sections"][0])
    records = read(COLLECTOR, recorded(tmp_path, json.dumps(whole).encode()))
    assert {gap.why for gap in gaps(records)} == {GapWhy.MALFORMED}


def test_a_recording_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    target = Target(name="there", collector="local", source="there", captures=tmp_path)
    assert {gap.why for gap in gaps(read(COLLECTOR, target))} == {GapWhy.UNREACHABLE}


def test_a_shorter_list_of_promises_is_kept() -> None:
    target = Target(name="here", collector="local", source="here", promises=("Device", "SecureBoot"))
    records = read(local(DEBIAN_LAPTOP), target)
    assert {type(fact).__name__ for fact in facts(records)} == {"Device", "SecureBoot"}


def test_plan_names_what_every_probe_would_read(tmp_path: Path) -> None:
    calls = [call.call for call in COLLECTOR.plan(HERE)]
    assert len(calls) == len(PROBES)
    assert any("/usr/sbin/nft -j list ruleset" in call for call in calls)
    (only,) = COLLECTOR.plan(Target(name="there", collector="local", source="there", captures=tmp_path))
    assert "sections.json" in only.call


def test_the_real_host_ends_in_facts_and_gaps_for_every_promise() -> None:
    records = read(COLLECTOR, HERE)
    spoken = {type(fact).__name__ for fact in facts(records)} | {gap.fact for gap in gaps(records)}
    assert spoken == PROMISED
