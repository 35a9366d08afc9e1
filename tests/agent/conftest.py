"""What tests of keys share: a fleet server for each file, and systems with a keystore."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent import keystores
from tests.agent.machine import Now
from tests.agent.soft_cng import SoftCng
from tests.agent.soft_enclave import SoftEnclave
from tests.scanner.fleet.lab import Running, make_fleet


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    server = Running(make_fleet(tmp_path_factory.mktemp("server") / "fleet"), Now())
    yield server
    server.end()


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> SoftCng:
    made = SoftCng()
    made.use(monkeypatch)
    monkeypatch.setattr(keystores, "sys", SimpleNamespace(platform="win32"))
    return made


@pytest.fixture
def enclave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftEnclave:
    made = SoftEnclave(tmp_path / "mac")
    made.use(monkeypatch)
    monkeypatch.setattr(keystores, "sys", SimpleNamespace(platform="darwin"))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "keys"
    made.mkdir(mode=0o700)
    return made
