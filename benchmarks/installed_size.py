"""What a fresh environment with only the locked dependencies and ztgrade itself takes up on disk, by package.

Run from the checkout with any Python that the project supports; installs into a temporary folder:

    python benchmarks/installed_size.py

Prints megabytes of site-packages per package, with the bytecode that pip writes; the goal is at most 250.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import Distribution, distributions
from pathlib import Path

GOAL_MEGABYTES = 250
ROOT = Path(__file__).resolve().parent.parent
QUIET = ("--quiet", "--disable-pip-version-check")


def install(folder: Path) -> Path:
    """Make the environment; returns its site-packages."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "install", *QUIET]
    subprocess.run([*pip, "--require-hashes", "-r", ROOT / "requirements.lock"], check=True)
    copy = folder / "checkout"  # building leaves files behind
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__"))
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", copy], check=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    return site


def size(distribution: Distribution) -> int:
    """Bytes of the files that a distribution installed."""
    paths = [Path(str(file.locate())) for file in distribution.files or ()]
    return sum(path.stat().st_size for path in paths if path.is_file())


def main() -> None:
    """Install, measure, print, largest first."""
    with tempfile.TemporaryDirectory() as folder:
        site = install(Path(folder))
        sizes = {found.name: size(found) / 1e6 for found in distributions(path=[str(site)])}
        total = sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1e6
    for name, megabytes in sorted(sizes.items(), key=lambda entry: -entry[1]):
        print(f"{name:20} {megabytes:7.1f} MB")
    print(f"{'site-packages':20} {total:7.1f} MB; goal {GOAL_MEGABYTES} MB")


if __name__ == "__main__":
    main()
