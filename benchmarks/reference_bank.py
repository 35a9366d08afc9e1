"""Grades a synthetic bank of 40,000 people, 18,000 devices and 1,200 network devices, and writes its reports.

Run with the Python that has ztgrade installed:

    python benchmarks/reference_bank.py [--share 1.0] [--folder DIR]

The lab bank that ships with ztgrade, with every group grown in proportion and 60 cloud accounts. Each stage runs in a
process of its own: its wall and processor seconds and its peak memory are printed. Collecting is timed apart. The bank
is judged once under the baseline alone, and once with the strict baseline beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from larger_bank import Growth, LargerBank, main

from scanner.demo.description import Description, read_description

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


def measure(bank: LargerBank) -> None:
    """Assess and report, with and without the strict baseline; print what each cost."""
    captures = list((bank.folder / "bank").rglob("*.ndjson"))
    size = sum(path.stat().st_size for path in captures) / 1e6
    lines = sum(path.read_bytes().count(b"\n") for path in captures)
    print(f"{'captures':38} {lines} lines, {size:.0f} MB", flush=True)
    for name, beside in (
        ("without the strict baseline", "none"),
        ("with the strict baseline beside", "fsc-2024-strict"),
    ):
        print(f"{'assess ' + name:38} {bank.assess(beside=beside)}", flush=True)
        for language in ("zh-TW", "en"):
            print(f"{f'  report in {language}':38} {bank.report(language)}", flush=True)


if __name__ == "__main__":
    main(Growth(Path(__file__).resolve(), "share", 1.0, grown), measure, sys.argv[1:])
