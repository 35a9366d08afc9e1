"""Command ``python -m agent.packaging``: makes the packages of the agent that lies beside it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.disk import write_whole
from agent.packaging.as_debian import as_debian
from agent.packaging.as_zipapp import as_zipapp
from agent.packaging.payload import epoch, payload


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 where something was wrong, which is then said."""
    parser = argparse.ArgumentParser(prog="python -m agent.packaging", description=__doc__)
    parser.add_argument("kind", choices=["zipapp", "deb"])
    parser.add_argument("--output", type=Path, default=Path("dist"), metavar="FOLDER", help="default: %(default)s")
    given = parser.parse_args(argv)
    try:
        given.output.mkdir(parents=True, exist_ok=True)
        made = _zipapp(given.output) if given.kind == "zipapp" else as_debian(payload(), epoch(), given.output)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"agent.packaging: {error}\n")
        return 2
    sys.stdout.write(f"{made}\n")
    return 0


def _zipapp(folder: Path) -> Path:
    target = folder / "ztagent.pyz"
    write_whole(target, as_zipapp(payload(), epoch()))
    target.chmod(0o755)
    return target


if __name__ == "__main__":
    sys.exit(main())
