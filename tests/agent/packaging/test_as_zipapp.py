from __future__ import annotations

import json
import stat
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import pytest

from agent.packaging.__main__ import main
from agent.packaging.as_zipapp import as_zipapp
from agent.packaging.payload import payload


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zipapp")
    assert main(["zipapp", "--output", str(folder)]) == 0
    return folder / "ztagent.pyz"


def test_two_runs_give_the_same_bytes(pyz: Path, tmp_path: Path) -> None:
    time.sleep(0.01)
    assert main(["zipapp", "--output", str(tmp_path)]) == 0
    assert (tmp_path / "ztagent.pyz").read_bytes() == pyz.read_bytes()
    assert as_zipapp(payload(), 1_000_000_000) != pyz.read_bytes()


def test_it_is_one_file_that_can_be_run_and_holds_the_agent_alone(pyz: Path) -> None:
    assert stat.S_IMODE(pyz.stat().st_mode) == 0o755
    assert pyz.read_bytes().startswith(b"#!/usr/bin/python3 -I\n")
    names = zipfile.ZipFile(pyz).namelist()
    assert {name.split("/")[0] for name in names} == {"agent", "__main__.py"}
    assert not [name for name in names if name.endswith((".so", ".pyc"))]


def test_it_shows_what_it_would_send_in_a_clean_process(pyz: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-I", str(pyz), "show", "--json", "--state", str(tmp_path / "none")]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path, timeout=60, env={})
    assert (done.returncode, done.stderr) == (0, "")
    whole = json.loads(done.stdout)
    assert whole["sections"][-1]["name"] == "agent" and whole["sections"][-1]["status"] == "seen"
    assert all(whole["purposes"].values())


def test_its_keys_work_in_their_own_process_from_within_the_file(pyz: Path, tmp_path: Path) -> None:
    libraries = sysconfig.get_paths()["purelib"]
    code = (
        f"import sys; sys.path[:0] = [{str(pyz)!r}, {libraries!r}]\n"
        "from pathlib import Path\nfrom agent.signing import KeyProcess\n"
        f"print(KeyProcess().make(Path({str(tmp_path)!r})))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert (tmp_path / f"{done.stdout.strip()}.pem").exists()


def test_without_psutil_it_says_what_to_install(pyz: Path) -> None:
    argv = [sys.executable, "-I", "-S", str(pyz), "show"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "install python3-psutil and python3-cryptography" in done.stderr
