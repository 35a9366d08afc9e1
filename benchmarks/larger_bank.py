"""A bank made larger than the one that ships with ztgrade: written, collected, graded and reported on.

Each stage runs in a process of its own, so that its processor time and peak memory are its own.
"""

from __future__ import annotations

import argparse
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from measured import Cost, run

from scanner import registry
from scanner.collecting.collect import collect
from scanner.demo.bank import write_form
from scanner.demo.description import Description, read_description
from scanner.demo.form import supplied_form
from scanner.institution.estate import load_estate
from scanner.sealed.store import Store


@dataclass(frozen=True)
class Growth:
    """How the lab bank grows: by one number, which the benchmark takes as an option."""

    program: Path
    """The benchmark itself, which is run again for the stages that are no command of ztgrade."""
    option: str
    default: float
    grown: Callable[[Any], Description]


@dataclass(frozen=True)
class LargerBank:
    """The bank in a folder of its own."""

    growth: Growth
    size: float
    folder: Path

    @property
    def estate(self) -> Path:
        """The file that names its targets."""
        return self.folder / "bank" / "estate.toml"

    def make(self) -> None:
        """Write and collect, unless the folder holds it already."""
        if (self.folder / "store").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        again: list[str | Path] = [sys.executable, self.growth.program, "--folder", self.folder]
        again += [f"--{self.growth.option}", str(self.size), "--only"]
        print(f"{'write the captures and registers':38} {run([*again, 'write'])}", flush=True)
        print(f"{'collect':38} {run([*again, 'collect'])}", flush=True)

    def assess(self, *, beside: str) -> Cost:
        """Grade it, with a second baseline beside or ``none``."""
        moment = read_description().as_of
        return _ztgrade(
            *("assess", "--store", self.folder / "store", "--estate", self.estate),
            *("--fail-on", "never", "--as-of", moment, "--beside", beside),
        )

    def report(self, language: str) -> str:
        """Write the report as HTML; what it cost and how large it is."""
        page = self.folder / f"{language}.html"
        cost = _ztgrade("report", "latest", "--store", self.folder / "store", "--lang", language, "--output", page)
        return f"{cost}  {page.stat().st_size / 1e6:.1f} MB"

    def _write(self) -> None:
        description = self.growth.grown(self.size)
        write_form(self.folder / "bank", description, supplied_form(description))

    def _collect(self) -> None:
        moment = datetime.fromisoformat(read_description().as_of) - timedelta(minutes=1)
        collectors = registry.collectors()
        estate = load_estate(self.estate, frozenset(collectors))
        with Store.open(self.folder / "store", create=True, now=lambda: moment) as store:
            collect(estate, store, collectors=collectors, clock=lambda: moment)


def main(growth: Growth, measure: Callable[[LargerBank], None], arguments: Sequence[str]) -> None:
    """Measure the bank in the size that the arguments give."""
    options = argparse.ArgumentParser()
    options.add_argument(f"--{growth.option}", dest="size", type=type(growth.default), default=growth.default)
    options.add_argument("--folder", type=Path, help="keep everything there")
    options.add_argument("--only", choices=["write", "collect"], help=argparse.SUPPRESS)
    chosen = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        bank = LargerBank(growth, chosen.size, (chosen.folder or Path(temporary)).resolve())
        match chosen.only:
            case "write":
                bank._write()
            case "collect":
                bank._collect()
            case _:
                bank.make()
                measure(bank)


def _ztgrade(*arguments: str | Path) -> Cost:
    return run([Path(sysconfig.get_path("scripts")) / "ztgrade", *arguments])
