"""A fleet that reports for minutes, and then the largest one that holds.

    python benchmarks/fleet_soak.py [--hosts 18000] [--minutes 10] [--interval 300] [--changed 0.02]
    python benchmarks/fleet_soak.py --search [--seconds 20]

Every message comes over a new TLS connection, as from real agents, at a moment that is random in its interval. The
simulated agents run in processes of their own on the same machine and take their share of it: the server's processor
is measured apart. Late is an answer after more than a second; lost is an acknowledged message that the database does
not hold afterwards. The search doubles the rate until messages stay behind, then halves the step.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fleet_agents
import msgspec
from fleet_agents import Served, Simulated

from agent import wire
from scanner.fleet.reading import FleetReader

PROCESSES = 2
"""Of simulated agents; each has its own share of them."""
LATE_S = 1.0
PATIENCE_S = 20.0
HOLDS = 0.99
"""Share of messages that must be answered in time for a rate to hold."""


@dataclass
class Told:
    """What came of the messages of one process."""

    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    behind: float = 0.0
    """Seconds by which the last message was sent later than it was due: the agents themselves were too slow."""
    reached: dict[str, tuple[int, str, str, dict[str, str], int]] = field(default_factory=dict)
    """What each agent must remember after its last acknowledged message; its number comes first."""
    unsure: set[str] = field(default_factory=set)
    """Agents that do not know whether their message was taken; they say nothing more here."""


@dataclass(frozen=True)
class Plan:
    """How one process of simulated agents speaks."""

    folder: Path
    port: int
    rate: float
    seconds: float
    changed: float


async def speak(plan: Plan, agents: list[Simulated]) -> Told:
    """Send at the rate, whatever the server does, and wait for what is still open at the end."""
    context = fleet_agents.trusting(plan.folder)
    section = fleet_agents.sections_of_this_host()[fleet_agents.CHANGING]
    told, chance = Told(), random.Random(plan.port)
    chance.shuffle(agents)
    began = time.perf_counter()

    async def one(agent: Simulated) -> None:
        changes = chance.random() < plan.changed
        body, root = agent.changed_report(section) if changes else (agent.beat(), agent.root)
        request = agent.request(wire.REPORT if changes else wire.BEAT, body)
        started = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE_S):
                line = await fleet_agents.connect(plan.port, context)
                status, answer = await line.ask(request)
                line.transport.close()
        except (OSError, TimeoutError) as error:
            told.answers[type(error).__name__] += 1
            told.unsure.add(agent.id)
            return
        told.seconds.append(time.perf_counter() - started)
        told.answers[str(status)] += 1
        if status == 200:
            agent.accepted(root, msgspec.json.decode(answer))
            told.reached[agent.id] = (agent.seq, agent.root, agent.nonce, agent.index, agent.changes)
        elif changes:
            told.unsure.add(agent.id)

    open_: set[asyncio.Task[None]] = set()
    for turn in range(int(plan.rate * plan.seconds)):
        due = began + (turn + chance.random()) / plan.rate
        if (left := due - time.perf_counter()) > 0:
            await asyncio.sleep(left)
        told.behind = max(told.behind, -left)
        agent = agents[turn % len(agents)]
        if agent.id in told.unsure:
            told.answers["not sent"] += 1
            continue
        task = asyncio.create_task(one(agent))
        open_.add(task)
        task.add_done_callback(open_.discard)
    await asyncio.gather(*open_)
    return told


def _one_process(plan: Plan, agents: list[Simulated], gives: Any) -> None:
    gives.send(fleet_agents.run(speak(plan, agents)))


@dataclass(frozen=True)
class Round:
    """One rate for some time."""

    rate: float
    seconds: float
    told: list[Told]
    processor: float
    agents_processor: float

    @property
    def answers(self) -> Counter[str]:
        """By status or error."""
        return sum((told.answers for told in self.told), Counter())

    @property
    def latencies(self) -> list[float]:
        """Of all answers, new connection included."""
        return [value for told in self.told for value in told.seconds]

    @property
    def late(self) -> int:
        """Answers after more than a second."""
        return sum(value > LATE_S for value in self.latencies)

    @property
    def holds(self) -> bool:
        """Whether nearly all was accepted in time."""
        total = sum(self.answers.values())
        return self.answers["200"] - self.late >= HOLDS * total

    def __str__(self) -> str:
        middle, most, worst = fleet_agents.shares(self.latencies or [0.0], 0.5, 0.99, 1.0)
        said = ", ".join(f"{name}: {count}" for name, count in sorted(self.answers.items()))
        behind = max(told.behind for told in self.told)
        return (
            f"{self.rate:.0f}/s for {self.seconds:.0f} s: {said}; late {self.late}; p50 {middle * 1000:.0f} ms, "
            f"p99 {most * 1000:.0f} ms, most {worst * 1000:.0f} ms; server {self.processor / self.seconds * 100:.0f} % "
            f"of one core ({self.processor / max(1, sum(self.answers.values())) * 1000:.2f} ms a message), simulated "
            f"agents {self.agents_processor / self.seconds * 100:.0f} %, {behind:.1f} s behind"
        )


def play(
    folder: Path, served: Served, shares: list[list[Simulated]], rate: float, seconds: float, changed: float
) -> Round:
    """Let all agents speak at a rate."""
    forking = multiprocessing.get_context("fork")  # the agents' keys are objects of OpenSSL and cannot be sent
    plan = Plan(folder, served.port, rate / len(shares), seconds, changed)
    before, began = served.processor()[0], time.perf_counter()
    pipes, processes = [], []
    for share in shares:
        takes, gives = forking.Pipe(duplex=False)
        process = forking.Process(target=_one_process, args=(plan, share, gives))
        process.start()
        pipes.append(takes)
        processes.append(process)
    spent = 0.0
    while not all(pipe.poll(2) for pipe in pipes):
        with contextlib.suppress(OSError):
            spent = sum(fleet_agents.tree_seconds(process.pid or 0) for process in processes)
    told = [pipe.recv() for pipe in pipes]
    for process in processes:
        process.join()
    took = time.perf_counter() - began
    for share, part in zip(shares, told, strict=True):  # what the children learned, for the next round
        share[:] = [agent for agent in share if agent.id not in part.unsure]
        for agent in share:
            if agent.id in part.reached:
                agent.seq, agent.root, agent.nonce, agent.index, agent.changes = part.reached[agent.id]
    return Round(rate, took, told, served.processor()[0] - before, spent)


def lost(folder: Path, rounds: list[Round]) -> int:
    """Acknowledged messages that the database does not know."""
    reader = FleetReader.open(folder)
    known = {agent.id: agent.seq for agent in reader.agents()}
    reader.close()
    reached = {name: kept[0] for played in rounds for told in played.told for name, kept in told.reached.items()}
    return sum(known.get(name, -1) < seq for name, seq in reached.items())


def soak(folder: Path, shares: list[list[Simulated]], chosen: argparse.Namespace) -> None:
    """One rate for minutes."""
    size = fleet_agents.bytes_on_disk(folder)
    with fleet_agents.serving(folder) as served:
        found = play(folder, served, shares, chosen.hosts / chosen.interval, chosen.minutes * 60, chosen.changed)
        now, peak = served.memory()
        print(
            f"{chosen.hosts} hosts every {chosen.interval} s, {chosen.changed:.0%} of messages with a change: {found}"
        )
        print(f"  server's memory {now:.1f} MB, peak {peak:.1f} MB")
    grown = fleet_agents.bytes_on_disk(folder) - size
    print(f"  acknowledged {found.answers['200']}, of them lost {lost(folder, [found])}")
    print(f"  database {size / 1e6:.1f} MB before, {grown / 1e6:+.1f} MB")


def search(folder: Path, shares: list[list[Simulated]], chosen: argparse.Namespace) -> None:
    """The largest rate that holds."""
    rate, step, best = 60.0, 0.0, 0.0
    for _ in range(9):
        with fleet_agents.serving(folder) as served:
            found = play(folder, served, shares, rate, chosen.seconds, chosen.changed)
        print(f"{'holds' if found.holds else 'fails'}: {found}", flush=True)
        best = max(best, rate) if found.holds else best
        if found.holds and not step:
            rate *= 2
            continue
        step = (step or rate / 2) / 2
        if step < rate / 12:
            break
        rate = rate + step if found.holds else max(best, rate - step)
    print(f"largest rate that held: {best:.0f}/s, {best * chosen.interval:.0f} hosts every {chosen.interval} s")


def main() -> None:
    """Read the arguments, prepare the fleet, play."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=18_000)
    parser.add_argument("--interval", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--changed", type=float, default=0.02)
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--seconds", type=float, default=20)
    chosen = parser.parse_args()
    print(f"{fleet_agents.machine()}; one verification {fleet_agents.one_verification() * 1000:.3f} ms", flush=True)
    with tempfile.TemporaryDirectory() as place, fleet_agents.fleet(Path(place)) as folder:
        began = time.perf_counter()
        agents = fleet_agents.enrolled(folder, chosen.hosts, fleet_agents.sections_of_this_host())
        print(f"{len(agents)} agents enrolled at the store in {time.perf_counter() - began:.0f} s", flush=True)
        shares = [agents[number::PROCESSES] for number in range(PROCESSES)]
        (search if chosen.search else soak)(folder, shares, chosen)
        print(fleet_agents.machine().replace("before the run", "after it"))


if __name__ == "__main__":
    main()
