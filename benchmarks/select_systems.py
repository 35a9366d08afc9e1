"""Puts an inventory of 20,000 systems through the funnel, read from CSV and from XLSX.

Run with the Python that has ztgrade[xlsx] installed:

    python benchmarks/select_systems.py [--systems 20000] [--folder DIR]

The inventory is drawn with a fixed seed; an eighth of its cells is empty, as in inventories of people. Each command
runs in a process of its own: its wall and processor seconds and its peak memory are printed, and whether both files
gave the same funnel.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from measured import run

from scanner.institution.workbook import Sheet, blanks
from scanner.selection.inventory import COLUMNS, EXTERNAL_PATHS, OPERATORS, STAFF_PATHS, VENDOR_ACCESS

SEED, EMPTY = 20_261_123, 0.125
TAX_ID = "12345678"
WORDS = {
    "service_model": ("on_premises", "on_premises", "iaas", "paas", "saas"),
    "vendor_access": VENDOR_ACCESS,
    "staff_path": STAFF_PATHS,
    "external_path": EXTERNAL_PATHS,
    "rto_hours": ("0.5", "2", "4", "8", "24", "72"),
    "beyond_budget_ntd": ("0", "4,999,999", "25000000"),
    "user_tax_ids": (TAX_ID, f"{TAX_ID};87654321", "87654321;11223344"),
}
ESTATE = """schema_version = 1
[institution]
id = "many"
name = { zh-TW = "許多系統", en = "Many systems" }
[targets.register]
collector = "import"
captures = "captures"
promises = ["User"]
[systems.system-00000]
title = { zh-TW = "系統", en = "System" }
scenes = ["remote_work"]
service_model = "on_premises"
target = "I"
[selection]
risk = { method = "factors", threshold = 13 }
impact = { method = "any_of" }
"""


def rows(systems: int) -> list[dict[str, str]]:
    """An inventory, the same every time."""
    draw = random.Random(SEED)

    def cell(column: str) -> str:
        if draw.random() < EMPTY:
            return ""
        if column in WORDS:
            return draw.choice(WORDS[column])
        if column.endswith("_run_by"):
            return draw.choice(OPERATORS)
        if column.startswith(("risk_", "impact_")):
            return draw.choice("123")
        return draw.choice(("yes", "no"))

    names = {"title_zh": "系統", "title_en": "System", "owner": "Department"}
    cost = {"impact_cost", "beyond_budget_ntd"}
    found = []
    for number in range(systems):
        row = {"system": f"system-{number:05}"}
        row |= {column: f"{names[column]} {number}" for column in names}
        row |= {column: cell(column) for column in COLUMNS[1:] if column not in {*names, *cost}}
        one = draw.choice(sorted(cost))  # the cost is scored or stated, not both
        found.append(row | {column: cell(column) if column == one else "" for column in cost})
    return found


def write(folder: Path, systems: int) -> None:
    """Write the inventory twice, and an estate for each."""
    held = rows(systems)
    with (folder / "systems.csv").open("w", encoding="utf-8", newline="") as stream:
        lines = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        lines.writeheader()
        lines.writerows(held)
    (folder / "systems.xlsx").write_bytes(blanks([Sheet("systems", COLUMNS, held)]))
    for form in ("csv", "xlsx"):
        (folder / f"{form}.toml").write_text(
            ESTATE + f'inventory = "systems.{form}"\ntax_id = "{TAX_ID}"\n',
            encoding="utf-8",
        )


def main(arguments: Sequence[str]) -> int:
    """Print what each command cost; 1 if CSV and XLSX gave different results."""
    options = argparse.ArgumentParser(description="select among many systems")
    options.add_argument("--systems", type=int, default=20_000)
    options.add_argument("--folder", type=Path, help="keep everything there")
    chosen = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        return _measure((chosen.folder or Path(temporary)).resolve(), chosen.systems)


def _measure(folder: Path, systems: int) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    write(folder, systems)
    ztgrade = Path(sysconfig.get_path("scripts")) / "ztgrade"
    for form in ("csv", "xlsx"):
        place = folder / f"systems.{form}"
        unpacked = place.stat().st_size if form == "csv" else _unpacked(place)
        print(
            f"{systems} systems as {form.upper():28} {place.stat().st_size / 1e6:.1f} MB, {unpacked / 1e6:.1f} unpacked"
        )
    told = {}
    for form in ("csv", "xlsx"):
        command: list[str | Path] = [ztgrade, "select", "--estate", folder / f"{form}.toml"]
        print(f"{'select from ' + form.upper():38} {run(command)}")
        kept = folder / f"{form}.json"
        script = [sys.executable, "-c", _KEEP, kept, *command, "--json"]
        print(f"{'  as JSON':38} {run(script)}  {kept.stat().st_size / 1e6:.0f} MB")
        told[form] = json.loads(kept.read_text("utf-8"))
    same = told["csv"] == told["xlsx"]
    print(f"{'pairs, proposals':38} {len(told['csv']['pairs'])}, {len(told['csv']['proposals'])}")
    print(f"{'same from CSV and XLSX':38} {'yes' if same else 'no'}")
    return 0 if same else 1


_KEEP = """import os, sys
os.dup2(os.open(sys.argv[1], os.O_CREAT | os.O_TRUNC | os.O_WRONLY), 1)
os.execv(sys.argv[2], sys.argv[2:])"""
"""Lets a command write to a file, in the process that is measured."""


def _unpacked(place: Path) -> int:
    with zipfile.ZipFile(place) as parts:
        return sum(part.file_size for part in parts.infolist())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
