"""A mount namespace of a test's own, in which it lays over this machine's folders what nobody else sees."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_ALLOWED = 77
"""Exit code of a test's process where nothing may be mounted."""
_NEW_MOUNTS, _NEW_NETWORK = 0x20000, 0x40000000
"""CLONE_NEWNS and CLONE_NEWNET of unshare(2)."""


def run(*argv: str, patience: float = 60) -> str:
    """What a command prints; raises OSError where it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=patience, env=os.environ | {"LC_ALL": "C"})
    if done.returncode:
        raise OSError(f"{' '.join(argv)}: status {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


def told_by(module: str, folder: Path, *, patience: float, refused: str) -> dict[str, Any]:
    """What a process of a test's own prints, as JSON; skips, with this reason, where nothing may be mounted."""
    argv = [sys.executable, "-m", module, str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=patience)
    if done.returncode == NOT_ALLOWED:
        pytest.skip(refused)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def enter(*, network: bool = False) -> None:
    """Make the namespace and, where wanted, an empty network; raises OSError where that is not allowed or not sure."""
    shared = _seen_by_others()
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNTS | (_NEW_NETWORK if network else 0)):
        raise OSError(ctypes.get_errno(), "unshare")
    try:
        run("mount", "--make-rprivate", "/")
    except OSError:
        if shared:
            raise
        # Below a changed root, which is no mount itself; systemd-nspawn asks for one.
        here = os.getcwd()
        run("mount", "--rbind", "/", "/mnt")
        os.chroot("/mnt")
        os.chdir(here)


def _seen_by_others() -> bool:
    """Whether what is mounted here could come into the namespace from which this one is made."""
    root = os.open("/", os.O_RDONLY)
    try:
        told = Path(f"/proc/self/fdinfo/{root}").read_text()
    finally:
        os.close(root)
    number = told.split("mnt_id:", 1)[1].split()[0]
    lines = [line.split() for line in Path("/proc/1/mountinfo").read_text().splitlines()]
    return not any(line[0] == number and "shared:" not in " ".join(line[6:]) for line in lines)
