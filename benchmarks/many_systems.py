"""Grades 200 systems in six scenes each, with a register entry for every document of every system, and reports on it.

Run with the Python that has ztgrade installed:

    python benchmarks/many_systems.py [--systems 200] [--folder DIR]

The lab bank that ships with ztgrade with its six systems repeated under other names, every one in all six scenes and
over the same assets: what grows is the number of scopes and of documents. Each stage runs in a process of its own: its
wall and processor seconds and its peak memory are printed. Collecting is timed apart.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

from larger_bank import Growth, LargerBank, main

from scanner.demo.description import Description, read_description
from scanner.model import Scene

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


def measure(bank: LargerBank) -> None:
    """Assess and report; print what each cost."""
    entries = len(list((bank.folder / "bank" / "registers").glob("*.dsse.json")))
    print(f"{'systems, scopes, signed entries':38} {bank.size}, {bank.size * len(Scene)}, {entries}", flush=True)
    print(f"{'assess':38} {bank.assess(beside='none')}", flush=True)
    print(f"{'report':38} {bank.report('en')}", flush=True)


if __name__ == "__main__":
    main(Growth(Path(__file__).resolve(), "systems", 200, repeated), measure, sys.argv[1:])
