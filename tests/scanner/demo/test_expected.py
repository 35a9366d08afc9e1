"""The grader says of the lab bank what the hand-written tables say, row by row, in whichever form it is written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pytest

from scanner import registry
from scanner.demo.bank import write
from scanner.demo.description import read_description
from scanner.demo.form import raw_names
from scanner.grading.assess import Graded
from scanner.guideline.baseline import load_baseline
from scanner.model import Level, Pillar
from tests.scanner.demo.tables import Lab, all_levels, collected, expected_levels, levels, place, states, table


@pytest.fixture(scope="module", params=["supplied", "raw"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder = tmp_path_factory.mktemp("lab")
    description = read_description()
    raw = request.param == "raw"
    as_of = datetime.fromisoformat(description.as_of)
    return collected(write(folder / "bank", raw=raw), folder, as_of, raw_names(description) if raw else {})


@pytest.fixture(scope="module")
def graded(lab: Lab) -> Graded:
    return lab.graded()


@pytest.fixture(scope="module")
def outcomes(lab: Lab, graded: Graded) -> dict[tuple[str, str], str]:
    return lab.outcomes(graded)


def test_nothing_crashes(graded: Graded) -> None:
    assert graded.assessment.errors == []


@pytest.mark.parametrize("requirement", sorted({row["requirement"] for row in table("findings.csv")}))
def test_findings(outcomes: Mapping[tuple[str, str], str], requirement: str) -> None:
    rows = [row for row in table("findings.csv") if row["requirement"] == requirement]
    got = {(row["asset"], row["reason"]): outcomes.get((row["check"], row["asset"])) for row in rows}
    assert got == {(row["asset"], row["reason"]): row["outcome"] for row in rows}


@pytest.mark.parametrize(("system", "scene"), sorted({(row["system"], row["scene"]) for row in table("items.csv")}))
def test_items(graded: Graded, system: str, scene: str) -> None:
    rows = [row for row in table("items.csv") if (row["system"], row["scene"]) == (system, scene)]
    got = states(graded, system, scene)
    assert got == {row["item"]: row["state"] for row in rows}


def test_levels(graded: Graded) -> None:
    assert all_levels(graded.assessment) == expected_levels()


def test_a_listing_that_misses_a_key_opens_the_population_it_defines(lab: Lab) -> None:
    populations = {name: named for name, named in lab.inputs.estate.populations.items() if name != "Segment"}
    got = levels(lab.graded(estate=replace(lab.inputs.estate, populations=populations)).assessment)
    expected = table("open_population.csv")
    assert {place(row): got[place(row)] for row in expected} == {
        place(row): (row["floor"], row["ceiling"]) for row in expected
    }


def test_the_strict_baseline_rereads_the_same_evidence(lab: Lab) -> None:
    strict = load_baseline("fsc-2024-strict", registry.checks())
    got = levels(lab.graded(baseline=strict).assessment)
    expected = table("strict.csv")
    assert {place(row): got[place(row)] for row in expected} == {
        place(row): (row["floor"], row["ceiling"]) for row in expected
    }


def test_every_check_of_the_baseline_passes_fails_and_is_unknown_somewhere(graded: Graded) -> None:
    seen: dict[str, set[str]] = defaultdict(set)
    for row in table("findings.csv"):
        seen[row["check"]].add(row["outcome"])
    assert set(seen) == {use.check.id for use in graded.uses.values()}
    assert {check: found for check, found in seen.items() if not {"pass", "fail", "unknown"} <= found} == {}


def test_every_item_is_met_somewhere_and_every_state_is_reached() -> None:
    met: Counter[str] = Counter(row["item"] for row in table("items.csv") if row["state"] == "met")
    assert len(met) == 36
    assert {row["state"] for row in table("items.csv")} == {
        "met", "partial", "not_met", "needs_attestation", "undetermined", "not_assessed", "not_applicable"
    }  # fmt: skip


def test_every_pillar_reaches_every_level() -> None:
    reached = {(row["pillar"], row["floor"]) for row in table("levels.csv")}
    assert reached == {(pillar.value, level.value) for pillar in Pillar for level in Level}


def test_every_row_says_why() -> None:
    names = ("findings.csv", "items.csv", "levels.csv", "open_population.csv", "strict.csv")
    assert [row for name in names for row in table(name) if len(row["reason"]) < 8] == []
