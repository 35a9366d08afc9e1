"""How long ``ztgrade --version`` takes beside the least that a click command can do, turn by turn.

Run with the Python that has ztgrade installed:

    python benchmarks/startup.py [--runs 40]

Prints medians and the ratio; the goal is at most 1.5.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measured import Cost, run, spread

GOAL = 1.5
BARE = """#!{python}
import sys
import click

@click.command()
@click.version_option("0", prog_name="bare")
def bare():
    pass

if __name__ == "__main__":
    sys.exit(bare())
"""


def main(arguments: Sequence[str]) -> None:
    """Start both in turn, many times."""
    options = argparse.ArgumentParser(description="time to start")
    options.add_argument("--runs", type=int, default=40)
    runs = options.parse_args(arguments).runs
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare"
        bare.write_text(BARE.format(python=sys.executable))
        commands: dict[str, list[str | Path]] = {
            "ztgrade --version": [Path(sysconfig.get_path("scripts")) / "ztgrade", "--version"],
            "bare click command": [sys.executable, bare, "--version"],
            "python -c pass": [sys.executable, "-c", "pass"],
        }
        for command in commands.values():
            run(command)
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                costs[name].append(run(command))
    for name, found in costs.items():
        walls, processors = ([1000 * getattr(cost, part) for cost in found] for part in ("wall", "processor"))
        print(f"{name:20} {spread(walls)} ms wall, {spread(processors)} ms processor")
    ours, theirs, _ = costs.values()
    for part in ("wall", "processor"):
        middle = [statistics.median(getattr(cost, part) for cost in found) for found in (ours, theirs)]
        print(f"ratio of medians, {part:10} {middle[0] / middle[1]:.2f}; goal {GOAL}")


if __name__ == "__main__":
    main(sys.argv[1:])
