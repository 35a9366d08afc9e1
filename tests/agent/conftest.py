"""A fleet server that the tests of one file share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.agent.machine import Now
from tests.scanner.fleet.lab import Running, make_fleet


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    server = Running(make_fleet(tmp_path_factory.mktemp("server") / "fleet"), Now())
    yield server
    server.end()
