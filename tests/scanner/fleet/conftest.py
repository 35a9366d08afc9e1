"""One server for each module of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scanner.fleet.lab import Running, make_fleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running server whose agents may speak as often as they like."""
    running = Running(make_fleet(tmp_path_factory.mktemp("fleet") / "server", per_minute=100_000))
    yield running
    running.end()
