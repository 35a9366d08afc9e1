"""The wheel: what it claims, and that the agent in it runs where psutil is all that was installed beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import psutil
import pytest

from agent.packaging.payload import payload
from tests.test_house import PACKAGES, ROOT

RUN = """
import sys
sys.path[:0] = {paths!r}
class Nothing:
    def find_spec(self, name, path=None, target=None):
        first = name.split(".")[0]
        if first not in sys.stdlib_module_names and first not in ("agent", "psutil"):
            raise ImportError("not installed: " + name)
sys.meta_path.insert(0, Nothing())
from agent.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    # From a copy, for the build writes beside what it builds.
    source, out = tmp_path_factory.mktemp("source") / "ztgrade", tmp_path_factory.mktemp("wheel")
    source.mkdir()
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(out)]
    done = subprocess.run(pip, cwd=source, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (path,) = out.iterdir()
    return zipfile.ZipFile(path)


def test_it_claims_the_names_of_the_house_and_no_others(wheel: zipfile.ZipFile) -> None:
    names = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == set(PACKAGES)
    (entries,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "ztagent = agent.cli:main" in wheel.read(entries).decode().splitlines()


def test_it_carries_the_agent_whole_and_what_makes_its_packages(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    recipes = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "agent" / "packaging").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert set(payload()) <= names
    assert recipes <= names


def test_the_agent_in_it_runs_where_only_psutil_was_installed(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "installed")
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    (libraries / "psutil").symlink_to(Path(psutil.__file__).parent)
    code = RUN.format(paths=[str(tmp_path / "installed"), str(libraries)])
    argv = [sys.executable, "-I", "-S", "-c", code, "show", "--json", "--state", str(tmp_path / "none")]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path, timeout=60, env={})
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["sections"][-1]["name"] == "agent"
