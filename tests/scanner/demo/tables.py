"""The hand-written tables of the lab bank, and the bank collected and graded to be held against them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from scanner import registry
from scanner.collecting.collect import collect
from scanner.grading.assess import Graded, Inputs, grade, read_targets
from scanner.guideline.baseline import load_baseline
from scanner.institution.estate import load_estate
from scanner.institution.registers import load_registers
from scanner.judging.evidence import identifier
from scanner.model import Outcome
from scanner.result.assessment import Assessment
from scanner.sealed.store import Store

Row = Mapping[str, str]


def table(name: str) -> list[Row]:
    """The rows of one hand-written table."""
    text = (files("scanner.demo") / "expected" / name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


@dataclass(frozen=True)
class Lab:
    """The bank, written and collected once; graded under a baseline as often as asked."""

    inputs: Inputs
    names: Mapping[str, str]
    """Keys of assets that are known otherwise here than in the tables."""

    def graded(self, **changes: object) -> Graded:
        """The whole of it, with other inputs where given."""
        inputs = replace(self.inputs, **changes)  # type: ignore[arg-type]
        return grade(inputs, registry.checks(), registry.facts())

    def outcomes(self, graded: Graded) -> dict[tuple[str, str], str]:
        """Outcome by check and asset, as the tables call it; every check of the baseline has one use only."""
        told = {name: key for key, name in self.names.items()}
        found: dict[tuple[str, str], str] = {}
        words = list(Outcome)
        for judged in graded.judged.values():
            columns = ", ".join(identifier(use.id) for use in judged.uses)
            rows = judged.population.evidence.connection.execute(f"SELECT asset, {columns} FROM {judged.table}")
            for asset, *codes in rows.fetchall():
                for use, code in zip(judged.uses, codes, strict=True):
                    key = use.check.id, told.get(asset, asset)
                    assert key not in found
                    found[key] = words[code].value
        return found


def collected(estate_file: Path, folder: Path, as_of: datetime, names: Mapping[str, str]) -> Lab:
    """Read every target of an estate into a store in the folder."""
    estate = load_estate(estate_file)
    store = Store.open(folder / "store", create=True)
    collectors = registry.collectors()
    sealed = collect(estate, store, collectors=collectors, clock=lambda: as_of)
    newest = {collection.meta.target: collection for collection in sealed}
    baseline = load_baseline("fsc-2024", registry.checks())
    known = frozenset(requirement.address for requirement in baseline.requirements())
    systems = {name: system.scenes for name, system in estate.systems.items()}
    registers = load_registers(estate.registers, known, systems)
    return Lab(Inputs(estate, baseline, registers, read_targets(estate, collectors, newest), as_of), names)


def states(graded: Graded, system: str, scene: str) -> dict[str, str]:
    """State by item in one scope."""
    return {
        item.id: item.state.value
        for each in graded.assessment.grades
        if (each.system, each.scene) == (system, scene)
        for item in each.items
    }


def levels(assessment: Assessment) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Floor and ceiling by system, scene and pillar."""
    return {
        (grade.system, grade.scene.value, grade.pillar.value): (grade.floor.value, grade.ceiling.value)
        for grade in assessment.grades
    }


def all_levels(assessment: Assessment) -> dict[tuple[str, str, str], tuple[str, str, str, str]]:
    """The same, without and with exceptions."""
    return {
        (each.system, each.scene.value, each.pillar.value): (
            each.floor.value,
            each.ceiling.value,
            each.floor_with_exceptions.value,
            each.ceiling_with_exceptions.value,
        )
        for each in assessment.grades
    }


def expected_levels() -> dict[tuple[str, str, str], tuple[str, str, str, str]]:
    """What the table says of that."""
    return {
        place(row): (row["floor"], row["ceiling"], row["floor_with_exceptions"], row["ceiling_with_exceptions"])
        for row in table("levels.csv")
    }


def place(row: Row) -> tuple[str, str, str]:
    """Where a row of levels stands."""
    return row["system"], row["scene"], row["pillar"]
