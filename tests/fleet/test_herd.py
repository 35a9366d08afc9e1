"""A server that was away for an hour: everybody comes back, and nobody comes with the others."""

from __future__ import annotations

import heapq
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from agent import resident
from agent.resident import Resident
from agent.schedule import LAST_BACKOFF, backoff
from agent.state import Attempts, Identity, Standing
from tests.agent.recorded import DEBIAN_LAPTOP
from tests.fleet.population import Member
from tests.fleet.processes import Served, made_fleet

HOUR = 3600.0
INTERVAL = 300
BEGIN = 1_800_000_000.0
AGENTS = 1_000
MOST_A_SECOND = 15
"""What a thousand agents may ask within one second: 3.3 on average, and what chance adds to that."""


@dataclass
class World:
    """A server that is there or not, and what asked it when."""

    now: float = BEGIN
    down: tuple[float, float] = (BEGIN, BEGIN + HOUR)
    busy: int | None = None
    """Seconds in its Retry-After where it is there but takes nothing."""

    def __post_init__(self) -> None:
        self.asked: list[float] = []

    @property
    def away(self) -> bool:
        """Whether nobody answers now."""
        return self.down[0] <= self.now < self.down[1]


class Simulated:
    """A cycle without a host, a disk and a network: an attempt fails or not, and the agent's schedule does the rest."""

    def __init__(self, world: World, number: int) -> None:
        self._world, self._name = world, f"01930000-0000-7000-8000-{number:012}"
        self._chance = random.Random(number).random
        self._not_before = 0.0
        self.attempts = Attempts()
        self.back = 0.0

    def collect(self) -> None:
        """Nothing to look at."""

    def tell(self) -> bool:
        """One attempt."""
        world = self._world
        world.asked.append(world.now)
        if world.away:
            self.attempts = replace(self.attempts, failures=self.attempts.failures + 1)
            self._not_before = world.now + backoff(self.attempts.failures, world.busy, self._chance)
            return False
        self.attempts, self._not_before = Attempts(), 0.0
        self.back = self.back or world.now
        return True

    def wait(self) -> float:
        """As the agent's own."""
        return max(0.0, self._not_before - self._world.now)

    def identity(self) -> Identity:
        """Only its name counts."""
        return cast(Identity, self)

    @property
    def agent(self) -> str:
        """The name by which it has its turn."""
        return self._name

    def standing(self) -> Standing:
        """An agent that the server has heard before."""
        return Standing(interval=INTERVAL, accepted_at="2026-11-23T00:00:00Z")


def lived(world: World, cycles: list[Any], seconds: float, now: Callable[[], float]) -> None:
    """Let resident agents live for a time, turn by turn."""
    agents = [Resident(cycle, cast(Any, None), now=now) for cycle in cycles]
    turns = [(world.now + agent._first(), number, True) for number, agent in enumerate(agents)]
    heapq.heapify(turns)
    end = world.now + seconds
    while turns and turns[0][0] <= end:
        world.now, number, collect = heapq.heappop(turns)
        collect, pause = agents[number]._turn(collect)
        heapq.heappush(turns, (world.now + pause, number, collect))


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is not what is tried here."""
    monkeypatch.setattr(resident, "_give_memory_back", lambda: None)


def most(asked: list[float]) -> int:
    """Attempts in the fullest second."""
    return max(Counter(int(moment) for moment in asked).values())


def test_a_thousand_agents_come_back_after_an_hour_and_never_at_once() -> None:
    world = World()
    cycles = [Simulated(world, number) for number in range(AGENTS)]

    lived(world, cycles, 2 * HOUR, lambda: world.now)

    back = sorted(cycle.back for cycle in cycles)
    assert back[0] >= BEGIN + HOUR and back[-1] <= BEGIN + HOUR + LAST_BACKOFF
    assert back[AGENTS // 2] <= BEGIN + HOUR + 2 * INTERVAL, "half of them within ten minutes"
    after = [moment for moment in world.asked if moment >= BEGIN + HOUR]
    assert most(after) <= MOST_A_SECOND
    during = [moment for moment in world.asked if moment < BEGIN + HOUR]
    assert most(during) <= 3 * MOST_A_SECOND, "nor while it is away: a proxy in between would feel that"


def test_a_building_that_gets_its_power_back_does_not_come_at_once() -> None:
    world = World(down=(0.0, 0.0))

    lived(world, [Simulated(world, number) for number in range(AGENTS)], HOUR, lambda: world.now)

    assert len(world.asked) == AGENTS * HOUR / INTERVAL
    assert most(world.asked) <= MOST_A_SECOND


def test_a_server_that_is_busy_is_left_alone_for_as_long_as_it_says() -> None:
    world = World(busy=60)

    lived(world, [Simulated(world, number) for number in range(AGENTS)], HOUR / 3, lambda: world.now)

    assert most(world.asked) <= 3 * MOST_A_SECOND
    assert len(world.asked) <= AGENTS * HOUR / 3 / 60


def test_two_dozen_real_agents_find_their_server_again(tmp_path: Path) -> None:
    world = World(time.time())
    served = Served(made_fleet(tmp_path / "server"))
    token = served.full_token(tmp_path, uses=24).read_text()
    members = [
        Member(tmp_path / f"{number}", "", lambda: world.now, DEBIAN_LAPTOP).enrol(token) for number in range(24)
    ]
    served.end()
    cycles = [member.cycle(random.Random(number).random) for number, member in enumerate(members)]

    lived(world, cycles, INTERVAL, lambda: world.now)
    assert all(cycle.attempts.failures >= 1 for cycle in cycles)
    served = Served(served.folder)
    try:
        begun = world.now
        while any(cycle.attempts.failures for cycle in cycles) and world.now - begun < LAST_BACKOFF:
            lived(world, cycles, INTERVAL, lambda: world.now)
        told = served.listed()
    finally:
        served.end()

    assert [cycle.attempts.last_error for cycle in cycles] == [""] * 24
    assert len(told) == 24 and not any(agent["clone_suspected"] or agent["silent_since"] for agent in told.values())
    assert min(agent["seq"] for agent in told.values()) > 1
