"""Takes every single row of the lab bank away, one at a time, and looks for anything that got better.

Run in a checkout with the development environment: ``python benchmarks/lose_evidence.py [--every N]``. Prints how many
rows were taken away, what improved (nothing may), and how many losses were not told by name (none may).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scanner import registry
from scanner.grading.assess import grade
from tests.scanner.lab import collected
from tests.scanner.losing import improvements, named, rows, without


def main() -> int:
    """Exit 1 if losing a row improved anything or went untold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="take only every Nth row")
    parser.add_argument("--offset", type=int, default=0, help="start at this row; with --every splits the work")
    options = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        bank = grade(collected(Path(folder) / "bank"), registry.checks(), registry.facts())
        held = rows(bank)
        chosen = held[options.offset :: options.every]
        better: list[str] = []
        untold: list[str] = []
        for number, loss in enumerate(chosen):
            place = Path(folder) / "loss"
            left = without(bank, loss, place)
            better += [f"{loss}: {line}" for line in improvements(bank.assessment.grades, left.grades)]
            untold += [] if named(left, loss, bank) else [str(loss)]
            shutil.rmtree(place)
            if number % 200 == 199:
                print(f"{number + 1} of {len(chosen)} rows, {time.perf_counter() - started:.0f} s", file=sys.stderr)
    print(f"rows in the bank        {len(held)}")
    print(f"rows taken away         {len(chosen)}")
    print(f"improvements            {len(better)}")
    print(f"losses without a gap    {len(untold)}")
    print(f"wall                    {time.perf_counter() - started:.0f} s")
    for line in (better + untold)[:20]:
        print(f"  {line}")
    return 1 if better or untold else 0


if __name__ == "__main__":
    sys.exit(main())
