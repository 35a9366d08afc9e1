"""Grades 200 systems in six scenes each, with a register entry for every document of every system, and reports on it.

Run with the Python that has ztgrade installed:

    python benchmarks/many_systems.py [--systems 200] [--folder DIR]

The lab bank that ships with ztgrade with its six systems repeated under other names, every one in all six scenes and
over the same assets: what grows is the number of scopes and of documents. Each stage runs in a process of its own: its
wall and processor seconds and its peak memory are printed. Collecting is timed apart.
"""

from __future__ import annotations

import argparse
import re
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from measured import run

from scanner import registry
from scanner.collecting.collect import collect
from scanner.demo.bank import write_form
from scanner.demo.description import Description, read_description
from scanner.demo.form import supplied_form
from scanner.institution.estate import load_estate
from scanner.model import Scene
from scanner.sealed.store import Store

SCENES = ", ".join(f'"{scene}"' for scene in Scene)


def repeated(systems: int) -> Description:
    """The description of the lab bank with so many systems, all of them in every scene."""
    described = read_description()
    text = re.sub(r"(?m)^scenes = .*$", f"scenes = [{SCENES}]", described.systems)
    text = text.replace('service_model = "on_premises"', 'service_model = "iaas"')  # no cloud scene without a cloud
    text = "\n".join(line for line in text.splitlines() if not re.match(r"\[systems\.[a-z]+\.scenes?\.", line))
    blocks = re.split(r"(?m)^(?=\[systems\.[a-z]+\]$)", text)[1:]
    found, names = [], []
    for number in range(systems):
        block = blocks[number % len(blocks)]
        (name,) = re.findall(r"(?m)^\[systems\.([a-z]+)\]$", block)
        round_ = number // len(blocks)
        called = name if not round_ else f"{name}-{round_:03}"
        found.append(re.sub(rf"(?m)^(\[\[?systems\.){name}\b", rf"\g<1>{called}", block))
        names.append(called)
    complete = [*described.documents["complete"], *(name for name in names if "-" in name)]
    return replace(described, systems="\n".join(found), documents={**described.documents, "complete": complete})


def write(folder: Path, systems: int) -> None:
    """Write captures, estate, registers and keys."""
    description = repeated(systems)
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
    options = argparse.ArgumentParser(description="grade many systems")
    options.add_argument("--systems", type=int, default=200)
    options.add_argument("--folder", type=Path, help="keep everything there")
    options.add_argument("--only", choices=["write", "collect"], help=argparse.SUPPRESS)
    chosen = options.parse_args(arguments)
    if chosen.only == "write":
        write(chosen.folder, chosen.systems)
        return
    if chosen.only == "collect":
        read(chosen.folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        _measure((chosen.folder or Path(temporary)).resolve(), chosen.systems)


def _measure(folder: Path, systems: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    this: list[str | Path] = [sys.executable, Path(__file__).resolve(), "--folder", folder]
    this += ["--systems", str(systems), "--only"]
    ztgrade = Path(sysconfig.get_path("scripts")) / "ztgrade"
    places: list[str | Path] = ["--store", folder / "store"]
    if not (folder / "store").exists():
        print(f"{'write the captures and registers':38} {run([*this, 'write'])}", flush=True)
        print(f"{'collect':38} {run([*this, 'collect'])}", flush=True)
    entries = len(list((folder / "bank" / "registers").glob("*.dsse.json")))
    print(f"{'systems, scopes, signed entries':38} {systems}, {systems * len(Scene)}, {entries}", flush=True)
    assess: list[str | Path] = [ztgrade, "assess", *places, "--estate", folder / "bank" / "estate.toml"]
    assess += ["--fail-on", "never", "--as-of", read_description().as_of, "--beside", "none"]
    print(f"{'assess':38} {run(assess)}", flush=True)
    page = folder / "report.html"
    report: list[str | Path] = [ztgrade, "report", "latest", *places, "--lang", "en", "--output", page]
    print(f"{'report':38} {run(report)}  {page.stat().st_size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
