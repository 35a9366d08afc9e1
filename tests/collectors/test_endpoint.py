from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent import wire
from agent.probes import observe_all
from agent.section import Section
from checks.device.compliance import state_is_reported_without_silence
from collectors.endpoint import COLLECTOR, POSTURE
from scanner.facts import Device, EndpointAgent, HostFirewall, LocalAdministrators, Same
from scanner.fleet import operations
from scanner.judging.evidence import Evidence, connect
from scanner.judging.judge import Use, judge
from scanner.judging.population import Population
from scanner.model import Capture, Census, Fact, GapWhy, Outcome, Record
from tests.agent.recorded import DEBIAN_LAPTOP
from tests.collectors.fleet_store import NOW_MS, Written, at, fleet_target, laptop, read_at
from tests.collectors.stage import facts, gaps, read
from tests.scanner.fleet.lab import Pretended, Running, enrolled, make_fleet
from tests.scanner.miniature import VOCABULARY, Said
from tests.scanner.miniature import census as counted

FactT = TypeVar("FactT", bound=Fact)
HOUR = 3_600_000


@pytest.fixture
def store(tmp_path: Path) -> Written:
    return Written(tmp_path)


def of(records: list[Record], kind: type[FactT]) -> dict[str, FactT]:
    """Facts of one type by asset."""
    return {record.asset: record for record in records if isinstance(record, kind)}


def closed(records: list[Record]) -> dict[str, bool]:
    return {record.fact: record.complete for record in records if isinstance(record, Census)}


def test_an_agent_is_a_device_and_its_sections_are_facts(store: Written) -> None:
    asset = store.add(laptop())
    records = read(COLLECTOR, fleet_target(store.close(), external=False))

    assert {type(fact).__name__ for fact in facts(records)} == {*POSTURE, "EndpointAgent"}
    assert {fact.asset for fact in facts(records)} == {asset}
    device = of(records, Device)[asset]
    assert (device.category, device.external, device.host_name) == ("laptop", False, "ws-17")
    assert all(closed(records).values())


def test_facts_bear_the_time_at_which_they_were_last_confirmed(store: Written) -> None:
    asset = store.add(laptop(), seen=NOW_MS - 1000, confirmed=NOW_MS - 5 * HOUR)
    records = read(COLLECTOR, fleet_target(store.close()))

    assert of(records, HostFirewall)[asset].observed_at == at(NOW_MS - 5 * HOUR)
    assert of(records, EndpointAgent)[asset].observed_at == at(NOW_MS - 1000)


def test_whose_a_device_is_and_where_its_key_is_kept_is_left_to_others(store: Written) -> None:
    store.add(laptop())
    target = fleet_target(store.close())
    promised = COLLECTOR.promises(target)

    assert {"Device.category", "HardwareIdentity.tpm", "HostFirewall"} <= promised
    assert not {"Device", "Device.external", "HardwareIdentity", "HardwareIdentity.anchor"} & promised
    told = {f"{gap.fact}.{gap.field}" for gap in gaps(read(COLLECTOR, target))}
    assert "LocalAdministrators.members" in told
    assert not {"Device.external", "HardwareIdentity.anchor"} & told


def test_silence_is_a_finding_and_the_facts_stand_at_their_age(store: Written) -> None:
    quiet = store.add(laptop(), seen=NOW_MS - 700_000)
    awake = store.add(laptop(), seen=NOW_MS - 500_000)
    store.add(laptop(), seen=NOW_MS)
    records = read(COLLECTOR, fleet_target(store.close()))

    trust = of(records, EndpointAgent)
    assert (trust[quiet].silent, trust[awake].silent) == (True, False)
    assert trust[quiet].last_heard == at(NOW_MS - 700_000)
    assert of(records, HostFirewall)[quiet].observed_at == at(NOW_MS - 700_000)


def test_a_store_that_takes_nothing_any_more_calls_no_agent_awake(store: Written) -> None:
    last = store.add(laptop(), seen=NOW_MS - 10 * HOUR)
    quiet = store.add(laptop(), seen=NOW_MS - 20 * HOUR)
    records = read(COLLECTOR, fleet_target(store.close()))

    trust = of(records, EndpointAgent)
    assert (trust[last].silent, trust[quiet].silent) == (None, True)
    assert trust[last].observed_at == at(NOW_MS - 10 * HOUR)
    (gap,) = [gap for gap in gaps(records, "EndpointAgent") if gap.field == "silent"]
    assert gap.why is GapWhy.STALE and "2026-11-19T15:00:00Z" in gap.detail
    assert {census.as_of for census in records if isinstance(census, Census)} == {at(NOW_MS - 10 * HOUR)}


@pytest.mark.parametrize(
    ("changed", "why", "said"),
    [
        ({"clone": NOW_MS - HOUR}, GapWhy.CONFLICT, "clone suspected since 2026-11-20T00:00:00Z"),
        ({"collision": NOW_MS - HOUR}, GapWhy.CONFLICT, "another agent gives the same hardware"),
        ({"status": "banned"}, GapWhy.UNSEEN, "banned"),
        ({"confirmed": 0}, GapWhy.UNSEEN, "never told its state"),
    ],
)
def test_an_agent_that_cannot_be_believed_is_a_device_of_which_nothing_is_known(
    store: Written, changed: dict[str, Any], why: GapWhy, said: str
) -> None:
    asset = store.add(laptop(), **changed)
    records = read(COLLECTOR, fleet_target(store.close(), external=False))

    assert {type(fact).__name__ for fact in facts(records)} == {"Device", "EndpointAgent"}
    device = of(records, Device)[asset]
    assert (device.external, device.category, device.host_name) == (False, None, None)
    lost = {gap.fact: gap for gap in gaps(records) if gap.field is None}
    assert set(lost) == POSTURE - {"Device"}
    assert {gap.why for gap in lost.values()} == {why}
    assert said in lost["HostFirewall"].detail
    assert {fact for fact, complete in closed(records).items() if complete} == {"Device", "EndpointAgent"}


def test_sections_that_are_not_those_of_the_signed_digest_are_not_believed(store: Written) -> None:
    asset = store.add(laptop())
    store.run("DELETE FROM agent_section WHERE name = 'host_firewall'")
    records = read(COLLECTOR, fleet_target(store.close()))

    assert of(records, Device)[asset].category is None
    assert not of(records, LocalAdministrators)
    assert all("do not add up" in gap.detail for gap in gaps(records) if gap.field is None)


def test_who_waits_or_was_removed_is_told_apart_and_is_no_device(store: Written) -> None:
    states = {store.add(laptop(), status=status): status for status in ("pending", "evicted", "banned", "active")}
    records = read(COLLECTOR, fleet_target(store.close()))

    assert {asset: trust.state for asset, trust in of(records, EndpointAgent).items()} == {
        asset: "enrolled" if status == "active" else status for asset, status in states.items()
    }
    assert [states[asset] for asset in of(records, Device)] == ["banned", "active"]


def test_what_one_agent_lacks_leaves_that_listing_open_and_no_other(store: Written) -> None:
    store.add(laptop())
    asset = store.add(laptop("host_firewall"))
    records = read(COLLECTOR, fleet_target(store.close()))

    (lost,) = gaps(records, "HostFirewall")
    assert (lost.asset, lost.why) == (asset, GapWhy.UNSEEN)
    assert {fact for fact, complete in closed(records).items() if not complete} == {"HostFirewall"}


def test_hardware_may_say_under_which_key_others_know_the_device(store: Written) -> None:
    known = store.add(laptop(), serial="PF3ABCDE")
    lacking = store.add(laptop())
    cloned = store.add(laptop(), serial="PF3ABCDF", clone=NOW_MS)
    target = fleet_target(store.close(), same={"source": "mdm", "by": "serial"})
    records = read(COLLECTOR, target)

    assert "Same" in COLLECTOR.promises(target)
    assert {asset: same.same_as for asset, same in of(records, Same).items()} == {
        known: "device:mdm:PF3ABCDE",
        lacking: None,
        cloned: None,
    }


def managed(**keys: object) -> list[Section]:
    """A laptop whose directory is as given."""
    found = []
    for section in laptop():
        if section.name == "management":
            section = replace(section, values={**section.values, **keys})
        found.append(section)
    return found


@pytest.mark.parametrize("by", ["machine_account", "entra_device"])
def test_a_host_may_say_under_which_key_its_directory_has_it(store: Written, by: str) -> None:
    known = store.add(managed(**{by: "S-1-5-21-1-2-3-2104"}))
    others = [store.add(managed(**{by: value})) for value in (None, 7, " ", "S-1\x00")]
    others += [store.add(laptop("management")), store.add(managed(**{by: "S-1-5-21-1-2-3-9"}), clone=NOW_MS)]
    # What a host said when it enrolled may be of another domain by now.
    enrolled: dict[str, Any] = {by: "S-1-5-21-1-2-3-2105"}
    others.append(store.add(managed(**{by: None}), **enrolled))
    target = fleet_target(store.close(), same={"source": "bank.example", "by": by})

    found = {asset: same.same_as for asset, same in of(read(COLLECTOR, target), Same).items()}
    assert found == {known: "device:bank.example:S-1-5-21-1-2-3-2104", **dict.fromkeys(others)}


@pytest.mark.parametrize(("known", "outcome"), [("B2", Outcome.FAIL), ("", Outcome.UNKNOWN)])
def test_what_others_list_beyond_the_hosts_of_all_agents_has_no_agent(
    store: Written, tmp_path: Path, known: str, outcome: Outcome
) -> None:
    store.add(laptop(), serial="A1")
    store.add(laptop(), serial=known)
    target = fleet_target(store.close(), external=False, same={"source": "mdm", "by": "serial"})
    records, now = read(COLLECTOR, target), at(NOW_MS)
    censuses = [record for record in records if isinstance(record, Census)]
    listed = [Device(asset=f"device:mdm:{key}", observed_at=now, external=False) for key in ("A1", "B2", "C3")]
    evidence = Evidence(
        connect(),
        [
            Said(facts(records), COLLECTOR.promises(target), censuses=censuses).read("fleet", tmp_path / "fleet"),
            Said(
                listed,
                ["Device.external"],
                censuses=[counted("Device", [device.asset for device in listed], as_of=now)],
            ).read("mdm", tmp_path / "mdm"),
        ],
        VOCABULARY,
        now,
    )
    use = Use(state_is_reported_without_silence, {}, timedelta(days=7))
    table = judge(Population(Device, ("fleet", "mdm"), evidence), [use], now, {}).table
    (row,) = evidence.connection.execute(f"SELECT \"{use.id}\" FROM {table} WHERE asset = 'device:mdm:C3'").fetchall()
    assert list(Outcome)[row[0]] is outcome


def test_what_a_downgraded_agent_tells_is_not_believed(store: Written) -> None:
    asset = store.add(laptop())
    target = fleet_target(store.close())
    with sqlite3.connect(store.path) as database:
        database.execute("UPDATE agent SET downgraded = ?", (NOW_MS,))
    database.close()
    records = read(COLLECTOR, target)

    assert asset in of(records, EndpointAgent) and asset not in of(records, HostFirewall)
    (gap,) = (gap for gap in gaps(records) if gap.fact == "HostFirewall")
    assert gap.why is GapWhy.CONFLICT and "is older than it may be, and no operator allowed it" in gap.detail


@pytest.mark.parametrize(
    "wrong",
    [
        {"external": "no"},
        {"interval_seconds": 0},
        {"interval_seconds": True},
        {"same": "mdm"},
        {"same": {"source": "mdm", "by": "hostname"}},
        {"same": {"source": "a:b", "by": "serial"}},
    ],
)
def test_options_that_cannot_be_meant_are_told(store: Written, wrong: dict[str, object]) -> None:
    store.add(laptop())
    records = read(COLLECTOR, fleet_target(store.close(), **wrong))

    assert facts(records) == []
    assert {(gap.why, next(iter(wrong)) in gap.detail) for gap in gaps(records)} == {(GapWhy.MALFORMED, True)}


def test_a_store_that_is_none_is_told_and_yields_no_listing(tmp_path: Path) -> None:
    (tmp_path / "fleet.db").write_bytes(b"\x00 no database")
    sqlite3.connect(tmp_path / "other.db").close()
    for place in (tmp_path, tmp_path / "other.db", tmp_path / "nowhere"):
        records = read(COLLECTOR, fleet_target(place))
        assert facts(records) == [] and closed(records) == {}
        assert {gap.fact for gap in gaps(records)} == {*POSTURE, "EndpointAgent"}
        assert {gap.why for gap in gaps(records)} == {GapWhy.UNREACHABLE}


def test_a_stored_section_that_cannot_be_read_costs_its_own_agent_alone(store: Written) -> None:
    sound = store.add(laptop("host_firewall"))
    store.add(laptop())
    store.run("UPDATE section SET zbody = x'00' WHERE hash IN (SELECT hash FROM agent_section"
              " WHERE name = 'host_firewall')")  # fmt: skip
    records = read(COLLECTOR, fleet_target(store.close()))
    assert set(of(records, LocalAdministrators)) == {sound}


def test_a_value_in_the_store_that_cannot_be_is_malformed(store: Written) -> None:
    store.add(laptop())
    store.run("UPDATE agent SET host = '{'")
    records = read(COLLECTOR, fleet_target(store.close()))
    assert {gap.why for gap in gaps(records)} == {GapWhy.MALFORMED}


def test_the_store_is_kept_as_evidence_without_persons(store: Written) -> None:
    store.add(laptop())
    records = read(COLLECTOR, fleet_target(store.close()))
    (kept,) = [record for record in records if isinstance(record, Capture)]

    (agent,) = json.loads(kept.content)
    assert {section["name"] for section in agent["sections"]} == {section.name for section in laptop()}
    assert b"wang" not in kept.content


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(make_fleet(tmp_path_factory.mktemp("fleet") / "server"))
    yield running
    running.end()


def reporting(fleet: Running, hostname: str) -> Pretended:
    agent = enrolled(fleet, hostname)
    told = {section.name: section.to_dict() for section in observe_all(DEBIAN_LAPTOP)}
    assert agent.send(wire.REPORT, agent.report(told)).status == 200
    return agent


def test_the_store_of_a_running_server_with_a_clone_a_silent_and_a_removed_agent(fleet: Running) -> None:
    gone, quiet = reporting(fleet, "gone"), reporting(fleet, "quiet")
    fleet.clock.now += 700
    sound, twofold = reporting(fleet, "sound"), reporting(fleet, "twofold")
    twin = Pretended(
        fleet, "twofold", key=twofold.key, id=twofold.id, seq=twofold.seq, nonce=twofold.nonce,
        root=twofold.root, boot_id="7d9f2c1e-0000-4000-8000-000000000002",
    )  # fmt: skip
    twin.send(wire.BEAT, twin.beat())
    twofold.send(wire.BEAT, twofold.beat())
    with fleet.database() as database:
        operations.evict(database, gone.id, "scrapped", fleet.ms)
    sound.send(wire.BEAT, sound.beat())
    now = datetime.fromtimestamp(fleet.clock.now, UTC)

    records = read_at(COLLECTOR, fleet_target(fleet.folder), now)

    trust = {asset.rsplit(":", 1)[1]: found for asset, found in of(records, EndpointAgent).items()}
    assert {agent: (found.state, found.clone_suspected, found.silent) for agent, found in trust.items()} == {
        gone.id: ("evicted", False, True),
        quiet.id: ("enrolled", False, True),
        sound.id: ("enrolled", False, False),
        twofold.id: ("enrolled", True, False),
    }
    firewalls = {asset.rsplit(":", 1)[1]: found for asset, found in of(records, HostFirewall).items()}
    assert set(firewalls) == {quiet.id, sound.id}
    assert now - firewalls[sound.id].observed_at < timedelta(seconds=5)
    assert now - firewalls[quiet.id].observed_at > timedelta(seconds=690)
    assert len(of(records, Device)) == 3 and closed(records)["Device"]


def test_reading_takes_nothing_from_the_target_but_its_place(store: Written) -> None:
    plan = list(COLLECTOR.plan(fleet_target(store.close())))
    assert [call.call.startswith("read ") for call in plan] == [True]
