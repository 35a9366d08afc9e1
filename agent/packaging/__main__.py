"""Command ``python -m agent.packaging``: makes the packages of the agent that lies beside it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.disk import write_whole
from agent.errors import Misconfigured
from agent.packaging.as_debian import as_debian
from agent.packaging.as_zipapp import as_zipapp
from agent.packaging.payload import epoch, payload
from agent.packaging.release import manifest, signed
from agent.verifying import MANIFEST


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 2 where something was wrong, which is then said."""
    given = _parser().parse_args(argv)
    try:
        given.output.mkdir(parents=True, exist_ok=True)
        match given.kind:
            case "zipapp":
                made = _zipapp(given.output)
            case "deb":
                made = as_debian(payload(), epoch(), given.output)
            case _:
                made = given.output / MANIFEST
                write_whole(made, signed(manifest(payload(), given.packages), given.key))
                made.chmod(0o644)
    except (OSError, ValueError, Misconfigured) as error:
        sys.stderr.write(f"agent.packaging: {error}\n")
        return 2
    sys.stdout.write(f"{made}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m agent.packaging", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("zipapp", help="the agent as one file")
    kinds.add_parser("deb", help="the agent as a Debian package; needs dpkg-deb")
    release = kinds.add_parser("manifest", help="the signed manifest of packages that were made")
    release.add_argument("packages", type=Path, nargs="+", metavar="PACKAGE")
    release.add_argument("--key", type=Path, required=True, metavar="PEM", help="private P-256 key, chmod 600")
    for kind in kinds.choices.values():
        kind.add_argument("--output", type=Path, default=Path("dist"), metavar="FOLDER", help="default: %(default)s")
    return parser


def _zipapp(folder: Path) -> Path:
    target = folder / "ztagent.pyz"
    write_whole(target, as_zipapp(payload(), epoch()))
    target.chmod(0o755)
    return target


if __name__ == "__main__":
    sys.exit(main())
