"""The grader says of the lab bank what the hand-written tables say, row by row."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files

import pytest

from scanner import registry
from scanner.collecting.collect import collect
from scanner.demo.bank import write
from scanner.demo.description import read_description
from scanner.grading.assess import Graded, Inputs, grade, read_targets
from scanner.guideline.baseline import load_baseline
from scanner.institution.estate import load_estate
from scanner.institution.registers import load_registers
from scanner.judging.evidence import identifier
from scanner.model import Level, Outcome, Pillar
from scanner.result import Assessment
from scanner.sealed.store import Store

Row = Mapping[str, str]


def table(name: str) -> list[Row]:
    text = (files("scanner.demo") / "expected" / name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


@dataclass(frozen=True)
class Lab:
    """The bank, written and collected once; graded under a baseline as often as asked."""

    inputs: Inputs

    def graded(self, **changes: object) -> Graded:
        inputs = replace(self.inputs, **changes)  # type: ignore[arg-type]
        return grade(inputs, registry.checks(), registry.facts())


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder = tmp_path_factory.mktemp("lab")
    as_of = datetime.fromisoformat(read_description().as_of)
    estate = load_estate(write(folder / "bank"))
    store = Store.open(folder / "store", create=True)
    collectors = registry.collectors()
    sealed = collect(estate, store, collectors=collectors, clock=lambda: as_of)
    newest = {collection.meta.target: collection for collection in sealed}
    baseline = load_baseline("fsc-2024", registry.checks())
    known = frozenset(requirement.address for requirement in baseline.requirements())
    systems = {name: system.scenes for name, system in estate.systems.items()}
    registers = load_registers(estate.registers, known, systems)
    return Lab(Inputs(estate, baseline, registers, read_targets(estate, collectors, newest), as_of))


@pytest.fixture(scope="module")
def graded(lab: Lab) -> Graded:
    return lab.graded()


@pytest.fixture(scope="module")
def outcomes(graded: Graded) -> dict[tuple[str, str], str]:
    """Outcome by check and asset; every check of the baseline has one use only."""
    found: dict[tuple[str, str], str] = {}
    words = list(Outcome)
    for judged in graded.judged.values():
        columns = ", ".join(identifier(use.id) for use in judged.uses)
        rows = judged.population.evidence.connection.execute(f"SELECT asset, {columns} FROM {judged.table}")
        for asset, *codes in rows.fetchall():
            for use, code in zip(judged.uses, codes, strict=True):
                assert (use.check.id, asset) not in found
                found[use.check.id, asset] = words[code].value
    return found


def levels(assessment: Assessment) -> dict[tuple[str, str, str], tuple[str, str]]:
    return {
        (grade.system, grade.scene.value, grade.pillar.value): (grade.floor.value, grade.ceiling.value)
        for grade in assessment.grades
    }


def place(row: Row) -> tuple[str, str, str]:
    return row["system"], row["scene"], row["pillar"]


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
    got = {
        item.id: item.state.value
        for each in graded.assessment.grades
        if (each.system, each.scene) == (system, scene)
        for item in each.items
    }
    assert got == {row["item"]: row["state"] for row in rows}


def test_levels(graded: Graded) -> None:
    got = {
        (each.system, each.scene.value, each.pillar.value): (
            each.floor.value,
            each.ceiling.value,
            each.floor_with_exceptions.value,
            each.ceiling_with_exceptions.value,
        )
        for each in graded.assessment.grades
    }
    assert got == {
        place(row): (row["floor"], row["ceiling"], row["floor_with_exceptions"], row["ceiling_with_exceptions"])
        for row in table("levels.csv")
    }


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
