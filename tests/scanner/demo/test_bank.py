"""The lab bank is what its description says: numbers, cases, signed statements, and the same bytes every time."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from collectors.sidecar import Statement, read_plain, verify
from collectors.supplied_row import BadLine, parse_line
from scanner.demo.bank import write
from scanner.demo.description import Description, read_description
from scanner.demo.expansion import assets_of, expand
from scanner.demo.keys import SUPPLIER, demo_signer
from scanner.institution.estate import load_estate
from scanner.institution.nouns import Estate
from scanner.institution.registers import load_registers
from scanner.model import Fact, Gap, Scene, keys_digest

OPEN_BY_DESIGN = {("fabric", "Segment")}


@pytest.fixture(scope="module")
def description() -> Description:
    return read_description()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("bank")).parent


@pytest.fixture(scope="module")
def estate(folder: Path) -> Estate:
    return load_estate(folder / "estate.toml")


def supplied(folder: Path, target: str) -> tuple[list[Fact], list[Gap], int]:
    facts: list[Fact] = []
    gaps: list[Gap] = []
    broken = 0
    for line in (folder / "captures" / target / f"{target}.ndjson").read_bytes().splitlines():
        try:
            record = parse_line(line)
        except BadLine:
            broken += 1
            continue
        if isinstance(record, Gap):
            gaps.append(record)
        else:
            facts.append(record)
    return facts, gaps, broken


def stated(folder: Path, target: str) -> Statement:
    place = folder / "captures" / target / f"{target}.ndjson.census.dsse.json"
    return verify(place.read_bytes(), demo_signer(SUPPLIER).public_pem)


def digest(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_numbers_of_the_bank(description: Description) -> None:
    assets = list(assets_of(description))
    count = Counter(asset.population for asset in assets)
    beside = {"service", "breakglass", "shared"}
    people = [asset for asset in assets if asset.population == "User" and asset.archetype not in beside]
    assert len(people) == 400
    assert count["Device"] == 120
    assert count["NetworkDevice"] == 60
    assert count["Directory"] == 3
    assert count["Segment"] == 25
    assert count["AccessPath"] == 20
    assert count["Application"] == 11
    assert count["DataStore"] == 25
    assert count["LogSource"] == 12
    assert len({asset.key for asset in assets}) == len(assets)


def test_two_cloud_accounts_are_read_and_a_third_is_only_listed(folder: Path) -> None:
    for target, rows in {"aws-prod": 4, "aws-dev": 4, "aws-lab": 1}.items():
        facts, _, _ = supplied(folder, target)
        assert len(facts) == rows, target


def test_writing_twice_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = digest(write(tmp_path / "again").parent)
    assert again == digest(folder)


def test_every_line_is_a_fact_or_a_gap_but_the_one_that_is_meant_to_be_broken(
    folder: Path, description: Description
) -> None:
    broken = {target: supplied(folder, target)[2] for target in description.targets}
    assert {target: n for target, n in broken.items() if n} == {"dlp": 1}


def test_every_promised_fact_has_rows_or_gaps(folder: Path, description: Description) -> None:
    for target, table in description.targets.items():
        facts, gaps, _ = supplied(folder, target)
        spoken = {type(fact).__name__ for fact in facts} | {gap.fact for gap in gaps}
        assert set(table["promises"]) <= spoken, target
        assert {type(fact).__name__ for fact in facts} <= set(table["promises"]), target


def test_every_expected_fact_of_every_asset_is_a_row_or_a_gap(description: Description) -> None:
    lines = expand(description)
    spoken = {(fact, asset) for each in lines.values() for fact, asset in each.rows}
    lacking = {(gap["fact"], gap["asset"]) for each in lines.values() for gap in each.gaps}
    for asset in assets_of(description):
        for fact in description.sources[asset.population]:
            assert (fact, asset.key) in spoken | lacking, (fact, asset.key)


def test_signed_statements_match_what_was_supplied(folder: Path, description: Description) -> None:
    for target, table in description.targets.items():
        if table.get("statement") == "plain":
            continue
        statement = stated(folder, target)
        facts, _, _ = supplied(folder, target)
        content = (folder / "captures" / target / f"{target}.ndjson").read_bytes()
        assert statement.file_sha256 == hashlib.sha256(content).hexdigest()
        assert statement.rows == len(content.splitlines())
        assert {census.fact for census in statement.censuses} == set(table["promises"])
        for census in statement.censuses:
            keys = {fact.asset for fact in facts if type(fact).__name__ == census.fact}
            matching = census.digest == keys_digest(keys) and census.n == len(keys)
            assert matching is ((target, census.fact) not in OPEN_BY_DESIGN), (target, census.fact)


def test_one_listing_is_stated_without_a_signature(folder: Path) -> None:
    place = folder / "captures" / "aws-lab"
    assert read_plain((place / "aws-lab.ndjson.census.json").read_bytes()).rows == 4
    assert not (place / "aws-lab.ndjson.census.dsse.json").exists()


def test_every_case_touches_an_asset_and_says_why(description: Description) -> None:
    keys = [asset.key for asset in assets_of(description)]
    touched = {case["id"] for key in keys for case in description.cases_of(key)}
    for case in description.cases:
        assert case["id"] in touched
        assert len(case["why"]) > 20
    ids = [case["id"] for case in [*description.cases, *description.listings]]
    assert len(set(ids)) == len(ids)


def test_every_kind_of_case_is_there(description: Description) -> None:
    kinds = {case["kind"] for case in [*description.cases, *description.listings]}
    assert kinds == {
        "healthy", "broken", "unreadable", "stale", "conflicting", "waived", "self-declared", "strict"
    }  # fmt: skip


def test_six_systems_use_all_six_scenes(estate: Estate) -> None:
    assert len(estate.systems) == 6
    assert {scene for system in estate.systems.values() for scene in system.scenes} == set(Scene)
    assert sum(len(system.scenes) for system in estate.systems.values()) == 11


def test_every_criterion_of_a_selector_is_used(estate: Estate) -> None:
    used: set[str] = set()
    for system in estate.systems.values():
        for selectors in system.selectors.values():
            for selector in selectors:
                used |= {name for name in selector.__dataclass_fields__ if getattr(selector, name)}
    assert used == set(selector.__dataclass_fields__)


def test_selectors_name_keys_that_no_source_ever_saw(description: Description, estate: Estate) -> None:
    keys = {asset.key for asset in assets_of(description)}
    listed = {
        key
        for system in estate.systems.values()
        for selectors in system.selectors.values()
        for selector in selectors
        for key in selector.listed
    }
    assert listed - keys == {"access_path:cmdb:arc-path-unseen", "segment:fabric:arc-segment-003"}


def test_registers_hold_every_way_in_which_an_entry_may_not_count(estate: Estate, description: Description) -> None:
    registers = load_registers(estate.registers)
    as_of = datetime.fromisoformat(description.as_of)
    judged = registers.check(estate.approvers, estate.institution_id, frozenset({description.baseline}), as_of)
    dismissed = {row.id: row.why for row in judged.rows() if not row.counts}
    assert dismissed == {
        "expired-drill": "expired",
        "not-yet-in-force": "expired",
        "never-signed": "self_declared",
        "own-approver": "self_declared",
        "outside-key": "self_declared",
        "altered": "self_declared",
    }
