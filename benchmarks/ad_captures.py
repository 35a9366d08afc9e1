"""Reads the LDIF of a small and of a tenfold domain: time grows with the accounts, memory should not.

``python -m benchmarks.ad_captures [USERS]``; 100,000 users by default, and a tenth of them beside it. Half of the
accounts are in a nested group, one in fifty hides an attribute. Each reading has a process of its own.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks import measured
from collectors.ad import COLLECTOR, ldif
from scanner.model import Capture
from tests.collectors.ad import forest
from tests.collectors.ad.asking import AskingAccess, ad_target

PART = 2000
FIRST_RID = 10_000


def write(folder: Path, users: int) -> None:
    """The domain as a reading would have kept it, in parts."""
    port = forest.small()
    (folder / "domain.ldif").write_bytes(
        ldif.written([port.itself, *port.definitions, *port.groups, *forest.containers()])
    )
    hidden = forest.descriptor(forest.ace("D", forest.READ, forest.OURS))
    inner = f"CN=inner,OU=Groups,{forest.BASE}"
    for begin in range(0, users, PART):
        entries = [
            forest.user(
                f"bench{number}",
                FIRST_RID + number,
                displayName=f"Bench {number}",
                lastLogonTimestamp="133800000000000000",
                memberOf=inner if number % 2 else None,
                sd=hidden if number % 50 == 0 else forest.OPEN,
            )
            for number in range(begin, min(begin + PART, users))
        ]
        (folder / f"users-{begin:07}.ldif").write_bytes(ldif.written(entries))


def read(folder: Path) -> None:
    """Read a folder to its end, keeping nothing; for a process of its own."""
    access = AskingAccess(ad_target(captures=folder))
    rows = Counter(type(one).__name__ for one in COLLECTOR.read(access) if not isinstance(one, Capture))
    print(f"  rows: {dict(rows)}", file=sys.stderr)


def main(users: int) -> None:
    """Print the cost of both, and how they grow."""
    costs = []
    for number in (users // 10, users):
        with tempfile.TemporaryDirectory() as place:
            write(Path(place), number)
            cost = measured.run([sys.executable, "-m", "benchmarks.ad_captures", "--read", place])
        costs.append(cost)
        print(f"{number:>9,} users  {cost}", flush=True)
    few, many = costs
    print(f"tenfold   processor x {many.processor / few.processor:.1f}, memory x {many.peak / few.peak:.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        read(Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 100_000)
