"""Clocks moved by 45 days, of the server, of an agent, and of both while nobody was awake: all recovers alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fleet.processes import NOTHING, Served, Ztagent, made_fleet

DAYS = 45


def shifted(days: int) -> Mapping[str, str]:
    """The environment of a process whose clock is moved; skips without the library that does it."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        if os.environ.get("CI") and os.geteuid() == 0:
            pytest.fail("no faketime: make lab-deps installs it, as root")
        pytest.skip("no faketime: make lab-deps installs it, as root")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": f"{days:+}d"}


@dataclass
class Fleet:
    """A server and an agent that enrolled when every clock was right."""

    served: Served
    agent: Ztagent

    def restart(self, days: int = 0) -> None:
        """The server under another clock."""
        self.served.end()
        self.served = Served(self.served.folder, environment=shifted(days) if days else NOTHING)

    def tell(self, days: int = 0) -> tuple[int, int]:
        """Let the agent tell under a clock; the number that the server took, and by how many days the clock was off."""
        agent = Ztagent(self.agent.state, environment=shifted(days) if days else NOTHING)
        assert agent("once") == (0, "", "")
        with self.served.reader() as reader:
            found = reader.agent(agent.told()["identity"]["agent"])
        assert found is not None and found.clone_suspected is None and found.status == "active"
        return found.seq, round(found.clock_skew_ms / 86_400_000)

    @property
    def key(self) -> str:
        """The identifier of the agent's key."""
        return str(self.agent.told()["identity"]["key_id"])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One for all tests; each leaves every clock right."""
    shifted(DAYS)
    folder = tmp_path_factory.mktemp("clocks")
    served = Served(made_fleet(folder / "server"))
    found = Fleet(served, Ztagent(folder / "agent"))
    try:
        assert found.agent("enroll", "--token-file", str(served.full_token(folder)))[::2] == (0, "")
        yield found
    finally:
        found.served.end()


def test_a_host_whose_clock_is_wrong_by_45_days_is_heard_and_the_server_knows_by_how_much(fleet: Fleet) -> None:
    assert fleet.tell(DAYS) == (2, -DAYS)
    assert fleet.tell(-DAYS) == (3, DAYS)


def test_after_45_days_of_sleep_and_after_a_server_set_45_days_ahead_and_back_all_goes_on_by_itself(
    fleet: Fleet,
) -> None:
    key = fleet.key

    fleet.restart(DAYS)
    (number, off), renewed = fleet.tell(DAYS), fleet.key
    fleet.restart()

    assert off == 0
    assert renewed != key, "its certificate had ended, and its old key got it the next one"
    assert fleet.tell() == (number + 1, 0)
