"""The lab bank, collected and graded once for every test of the command line."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scanner.commands.explaining import graded_again
from scanner.grading.assess import Graded
from tests.scanner.commands.stage import Institution, sign_in, user, ztgrade


@dataclass(frozen=True)
class Bank:
    """The lab bank on disk, graded under both baselines; tests only read it."""

    estate: Path
    store: Path
    assessment: Mapping[str, Any]
    """As it was printed."""

    @property
    def path(self) -> Path:
        """Folder of its assessment."""
        return Path(self.assessment["path"])


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """What ``ztgrade demo --bank --json`` made; once for all processes that run these tests."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    output, printed = shared / "demo", shared / "demo.json"
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not printed.exists():
            result = ztgrade("demo", "--bank", "--json", "--output", output)
            assert (result.exit_code, result.stderr) == (0, "")
            printed.write_text(result.stdout, encoding="utf-8")
    return Bank(output / "lab-bank/estate.toml", output / "lab-bank-store", json.loads(printed.read_text("utf-8")))


@pytest.fixture(scope="session")
def graded(bank: Bank) -> Graded:
    """The bank's assessment laid out again."""
    return graded_again(bank.path)


@pytest.fixture
def reopened(graded: Graded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands find the bank's assessment verified and laid out already, which takes most of their time."""
    monkeypatch.setattr("scanner.commands.session.whole", lambda path, trust=None: None)
    monkeypatch.setattr("scanner.commands.explaining.graded_again", lambda path: graded)


@pytest.fixture
def institution(tmp_path: Path) -> Institution:
    """A small institution: one user passes, one fails; nothing is collected yet."""
    made = Institution(tmp_path)
    made.supply([user("amy"), user("bob"), sign_in("amy"), sign_in("bob", mfa="not_required")])
    return made


@pytest.fixture(scope="session")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Institution:
    """The small institution after one scan; tests only read it."""
    made = Institution(tmp_path_factory.mktemp("small"))
    made.supply([user("amy"), user("bob"), sign_in("amy"), sign_in("bob", mfa="not_required")])
    made.scan()
    return made
