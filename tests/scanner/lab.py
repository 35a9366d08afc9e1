"""The lab bank, written and collected once; what tests and benchmarks of the whole way start from."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from scanner import registry
from scanner.collecting.collect import collect
from scanner.demo.bank import write
from scanner.demo.description import read_description
from scanner.grading.assess import Inputs, read_targets
from scanner.guideline.baseline import load_baseline
from scanner.institution.estate import load_estate
from scanner.institution.registers import load_registers
from scanner.sealed.store import Store


def collected(folder: Path, baseline_id: str = "fsc-2024") -> Inputs:
    """Write the bank below the folder, collect it into a store there, and give all that its grade depends on."""
    as_of = datetime.fromisoformat(read_description().as_of)
    estate = load_estate(write(folder / "bank"))
    collectors = registry.collectors()
    with Store.open(folder / "store", create=True) as store:
        sealed = collect(estate, store, collectors=collectors, clock=lambda: as_of)
    baseline = load_baseline(baseline_id, registry.checks())
    newest = {collection.meta.target: collection for collection in sealed}
    return Inputs(estate, baseline, load_registers(estate.registers), read_targets(estate, collectors, newest), as_of)
