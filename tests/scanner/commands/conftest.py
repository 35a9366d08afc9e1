"""The lab bank, collected and assessed once for every test of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scanner.assess import Graded
from scanner.commands.explaining import graded_again
from scanner.demo.description import read_description
from tests.scanner.commands.stage import Institution, parsed, sign_in, user, ztgrade
from tests.scanner.lab import collected


@dataclass(frozen=True)
class Bank:
    """The lab bank on disk with one assessment in its store; tests only read it."""

    estate: Path
    store: Path
    assessment: Mapping[str, Any]
    """As ``assess --json`` printed it."""

    @property
    def path(self) -> Path:
        """Folder of its assessment."""
        return Path(self.assessment["path"])


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    folder = tmp_path_factory.mktemp("bank")
    collected(folder)
    estate, store = folder / "bank/estate.toml", folder / "store"
    as_of = read_description().as_of
    options = ["--estate", estate, "--store", store, "--as-of", as_of, "--beside", "none", "--fail-on", "never"]
    result = ztgrade("assess", "--json", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    return Bank(estate, store, parsed(result))


@pytest.fixture(scope="session")
def graded(bank: Bank) -> Graded:
    """The bank's assessment laid out again."""
    return graded_again(bank.path)


@pytest.fixture
def reopened(graded: Graded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands find the bank's assessment laid out already, which takes most of their time."""
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
