"""Grades a synthetic bank of 40,000 people, 18,000 devices and 1,200 network devices, and writes its reports.

Run with the Python that has ztgrade installed:

    python benchmarks/reference_bank.py [--share 1.0] [--folder DIR]

The lab bank that ships with ztgrade, with every group grown in proportion and 60 cloud accounts. Each stage runs in a
process of its own: its wall and processor seconds and its peak memory are printed. Collecting is timed apart. The bank
is judged once under the baseline alone, and once with the strict baseline beside it.
"""

from __future__ import annotations

import argparse
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from measured import run

from scanner import registry
from scanner.collecting.collect import collect
from scanner.demo.bank import write_form
from scanner.demo.description import Description, read_description
from scanner.demo.form import supplied_form
from scanner.institution.estate import load_estate
from scanner.sealed.store import Store

PEOPLE, DEVICES, NETWORK_DEVICES, ACCOUNTS = 40_000, 18_000, 1_200, 60
EACH_LOG_SOURCE = 10


def grown(share: float) -> Description:
    """The description of the lab bank with its groups grown; all but people and devices as the network devices."""
    described = read_description()
    now = {
        population: sum(sum(group.get(population, {}).values()) for group in described.groups.values())
        for population in described.sources
    }
    network = NETWORK_DEVICES / now["NetworkDevice"]
    factors = dict.fromkeys(described.sources, share * network)
    factors |= {"User": share * PEOPLE / now["User"], "Device": share * DEVICES / now["Device"]}

    def larger(group: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: {kind: max(count, round(count * factors[name])) for kind, count in held.items()}
            if name in factors
            else held
            for name, held in group.items()
        }

    singles = list(described.singles)
    for single in described.singles:
        if single["population"] == "LogSource":
            singles += [{**single, "asset": f"{single['asset']}-{number}"} for number in range(1, EACH_LOG_SOURCE)]
    accounts = [single for single in described.singles if single["population"] == "Account"]
    for number in range(ACCOUNTS - len(accounts)):
        like = accounts[number % len(accounts)]
        singles.append({**like, "asset": f"{like['asset'].rpartition(':')[0]}:2{number:011}"})
    groups = {name: larger(group) for name, group in described.groups.items()}
    return replace(described, groups=groups, singles=singles)


def write(folder: Path, share: float) -> None:
    """Write captures, estate, registers and keys."""
    description = grown(share)
    write_form(folder / "bank", description, supplied_form(description))


def read(folder: Path) -> None:
    """Collect from the captures as of the moment at which the bank is judged."""
    moment = datetime.fromisoformat(read_description().as_of) - timedelta(minutes=1)
    collectors = registry.collectors()
    estate = load_estate(folder / "bank" / "estate.toml", frozenset(collectors))
    with Store.open(folder / "store", create=True, now=lambda: moment) as store:
        collect(estate, store, collectors=collectors, clock=lambda: moment)


def main(arguments: Sequence[str]) -> None:
    """Write, collect, assess, report; print what each cost."""
    options = argparse.ArgumentParser(description="grade a synthetic bank of reference size")
    options.add_argument("--share", type=float, default=1.0, help="of the reference size")
    options.add_argument("--folder", type=Path, help="keep everything there")
    options.add_argument("--only", choices=["write", "collect"], help=argparse.SUPPRESS)
    chosen = options.parse_args(arguments)
    if chosen.only == "write":
        write(chosen.folder, chosen.share)
        return
    if chosen.only == "collect":
        read(chosen.folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        _measure((chosen.folder or Path(temporary)).resolve(), chosen.share)


def _measure(folder: Path, share: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    this: list[str | Path] = [
        sys.executable,
        Path(__file__).resolve(),
        "--folder",
        folder,
        "--share",
        str(share),
        "--only",
    ]
    ztgrade = Path(sysconfig.get_path("scripts")) / "ztgrade"
    places: list[str | Path] = ["--store", folder / "store"]
    assess: list[str | Path] = [
        ztgrade,
        "assess",
        *places,
        "--estate",
        folder / "bank" / "estate.toml",
        "--fail-on",
        "never",
    ]
    assess += ["--as-of", read_description().as_of, "--beside"]
    report: list[str | Path] = [ztgrade, "report", "latest", *places]
    if not (folder / "store").exists():
        print(f"{'write the captures':38} {run([*this, 'write'])}")
        print(f"{'collect':38} {run([*this, 'collect'])}")
    size = sum(path.stat().st_size for path in (folder / "bank").rglob("*.ndjson")) / 1e6
    rows = sum(path.read_bytes().count(b"\n") for path in (folder / "bank").rglob("*.ndjson"))
    print(f"{'captures':38} {rows} lines, {size:.0f} MB")
    for name, beside in (
        ("without the strict baseline", "none"),
        ("with the strict baseline beside", "fsc-2024-strict"),
    ):
        print(f"{'assess ' + name:38} {run([*assess, beside])}")
        for language in ("zh-TW", "en"):
            page = folder / f"{beside}.{language}.html"
            cost = run([*report, "--format", "html", "--lang", language, "--output", page])
            print(f"{f'  report in {language}':38} {cost}  {page.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
