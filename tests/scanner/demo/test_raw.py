"""The bank as raw captures: the collectors read from them what the description says, and nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collectors.ad import attributes
from scanner import registry
from scanner.demo import directory_capture
from scanner.demo.bank import write
from scanner.demo.description import Description, read_description
from scanner.demo.expansion import Lines, expand
from scanner.demo.form import SAYS, SUPPLIED, collector_of, raw_names
from scanner.institution.estate import load_estate
from scanner.institution.nouns import Estate
from scanner.model import Census, Fact, Gap, Record, promised_facts
from tests.collectors.stage import facts, gaps, read
from tests.scanner.demo.test_bank import digest

READ = ("ad-corp", "ad-branch", "ad-dmz", "aws-prod", "aws-dev", "aws-lab")
ELSEWHERE = {
    "User": {"login"},  # the description writes the name by which people sign in elsewhere
    "Placement": {"groups", "organizational_unit", "tags", "addresses"},
}
"""Fields that a real source says otherwise than a row that somebody supplied."""


@pytest.fixture(scope="module")
def description() -> Description:
    return read_description()


@pytest.fixture(scope="module")
def lines(description: Description) -> Mapping[str, Lines]:
    return expand(description)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return load_estate(write(tmp_path_factory.mktemp("raw"), raw=True))


@pytest.fixture(scope="module")
def records(estate: Estate) -> dict[str, list[Record]]:
    """What the collector of each target yields."""
    found = registry.collectors()
    return {name: read(found[estate.targets[name].collector], estate.targets[name]) for name in READ}


def told(records: list[Record]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(type(fact).__name__, fact.asset): plain(fact) for fact in facts(records)}


def plain(fact: Fact) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(fact)
    return found


def names_of(description: Description, lines: Mapping[str, Lines]) -> dict[str, str]:
    return raw_names(description, lines)


@pytest.mark.parametrize("target", READ)
def test_a_collector_reads_from_the_captures_what_the_description_says(
    target: str, description: Description, lines: Mapping[str, Lines], records: dict[str, list[Record]]
) -> None:
    names = names_of(description, lines)
    says = SAYS[collector_of(target) or ""]
    found = told(records[target])
    compared = 0
    for (fact, asset), row in lines[target].rows.items():
        own = says.get(fact, frozenset())
        for name, value in row.items():
            if name == "observed_at" or (own is not None and name not in own) or name in ELSEWHERE.get(fact, ()):
                continue
            if (target, fact, name) == ("ad-dmz", "User", "enabled"):
                continue  # hidden ends leave it open; it is supplied
            assert found[fact, names[asset]][name] == names.get(str(value), value), (fact, asset, name)
            compared += 1
    assert compared > 0


def test_what_the_description_leaves_unsaid_is_unsaid_in_the_captures(
    description: Description, lines: Mapping[str, Lines], records: dict[str, list[Record]]
) -> None:
    names = names_of(description, lines)
    found = told(records["ad-dmz"])
    users = [asset for fact, asset in lines["ad-dmz"].rows if fact == "User"]
    for asset in users:
        key = names[asset]
        assert found["Activity", key]["idle_since"] is None
        assert found["AccountExpiry", key]["expires"] is None
        assert (found["Privilege", key]["privileged"], found["Privilege", key]["residual"]) == (None, None)
        unsaid = "groups" not in lines["ad-dmz"].rows["Placement", asset]
        assert (found["Placement", key]["groups"] is None) is unsaid
    assert found["Trusts", names["directory:ad-dmz:dmz"]]["trusts"][0]["inbound_users"] is None


@pytest.mark.parametrize("target", READ)
def test_members_of_systems_stand_in_the_groups_and_units_of_the_description(
    target: str, description: Description, lines: Mapping[str, Lines], records: dict[str, list[Record]]
) -> None:
    names = names_of(description, lines)
    found = told(records[target])
    for (fact, asset), row in lines[target].rows.items():
        if fact == "Placement" and asset.startswith("user:") and "groups" in row:
            placed = found[fact, names[asset]]
            assert set(row["groups"]) <= set(placed["groups"])
            assert placed["organizational_unit"].endswith("," + row["organizational_unit"])


@pytest.mark.parametrize("target", READ)
def test_every_listing_of_the_captures_is_whole(target: str, estate: Estate, records: dict[str, list[Record]]) -> None:
    promised = promised_facts(estate.targets[target].promises or ())
    censuses = {record.fact: record.complete for record in records[target] if isinstance(record, Census)}
    assert censuses == dict.fromkeys(promised, True)
    assert [gap for gap in gaps(records[target]) if gap.asset is None and gap.field is None] == []


def test_the_captures_were_asked_for_all_that_the_collector_asks(estate: Estate) -> None:
    promised = promised_facts(estate.targets["ad-corp"].promises or ())
    assert set(attributes.ROOT) <= set(directory_capture.ROOT)
    assert set(attributes.CONFIGURATION) <= set(directory_capture.CONFIGURATION)
    assert set(attributes.of_objects(promised)) <= set(directory_capture.OBJECT)
    assert set(attributes.of_groups(promised)) <= set(directory_capture.GROUP)


def test_what_a_source_tells_is_not_supplied_beside_it(estate: Estate) -> None:
    for name, target in estate.targets.items():
        if name.endswith(SUPPLIED):
            own = estate.targets[name.removesuffix(SUPPLIED)].promises or ()
            assert not set(own) & set(target.promises or ())


def test_rows_registers_and_estate_know_users_by_the_collectors_keys(estate: Estate, description: Description) -> None:
    folder = estate.path.parent
    kept = [path for path in folder.rglob("*") if path.is_file() and path.suffix in {".toml", ".ndjson", ".csv"}]
    lost = [key for key in raw_names(description) for path in kept if f'"{key}"' in path.read_text("utf-8")]
    assert lost == []


def test_the_raw_bank_is_the_same_bytes_every_time(estate: Estate, tmp_path: Path) -> None:
    again = write(tmp_path / "again", raw=True)
    assert digest(again.parent) == digest(estate.path.parent)


def test_no_gap_of_the_captures_speaks_of_a_malformed_answer(records: dict[str, list[Record]]) -> None:
    every = [record for found in records.values() for record in found if isinstance(record, Gap)]
    assert {gap.why.value for gap in every} <= {"denied", "unsupported", "stale"}


def test_every_moment_of_the_bank_moves_with_the_moment_of_judging(description: Description) -> None:
    later = datetime.fromisoformat(description.as_of) + timedelta(days=400, seconds=7)
    moved = read_description(later)
    assert datetime.fromisoformat(moved.as_of) == later
    assert later - datetime.fromisoformat(moved.observed_at) == timedelta(minutes=30)
    assert moved.postures["broken"]["User"]["Activity"]["idle_since"] == "2027-01-05T00:00:07Z"
    assert moved.cases != description.cases
    assert moved.systems == description.systems
    back = read_description(datetime(2026, 11, 1, tzinfo=UTC))
    assert back == description
