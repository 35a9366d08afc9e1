"""Real agents on hosts of their own, as far as the network goes: one is copied, one falls silent."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from tests.fleet.namespaces import network
from tests.fleet.processes import Served, Ztagent, done, made_fleet, until

INTERVAL = 5
"""Seconds; the least that a server sets."""
QUICK = f'shortest_interval = {INTERVAL}\nswitched_off = ["host_identity"]\n'
"""All hosts of this test are one machine, which is not what it is about."""


@dataclass
class Hosts:
    """A fleet in namespaces, once it is enrolled."""

    served: Served
    agents: dict[str, Ztagent]
    namespaces: dict[str, tuple[str, ...]]

    def listed(self) -> dict[str, dict[str, Any]]:
        """What the server tells of each host's agent."""
        told = self.served.listed()
        return {name: told[agent.told()["identity"]["agent"]] for name, agent in self.agents.items()}


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """One server and three agents that enrolled with one token; each runs in a namespace."""
    folder = tmp_path_factory.mktemp("hosts")
    with network() as made:
        url = f"https://{made.address}:8443"
        fleet = made_fleet(folder / "server", url=url, listen=f"{made.address}:8443", interval=INTERVAL)
        served = Served(fleet, made.inside(made.server))
        found = Hosts(served, {}, {})
        try:
            token = served.full_token(folder, uses=3, network="10.213.77.0/24")
            found.namespaces = {name: made.inside(made.add_host(name)) for name in ("one", "two", "three", "copy")}
            for name in ("one", "two", "three"):
                found.agents[name] = Ztagent(folder / name, found.namespaces[name])
                found.agents[name].settings(QUICK)
            begun = [agent.begin("enroll", "--token-file", str(token)) for agent in found.agents.values()]
            assert [done(process)[::2] for process in begun] == [(0, "")] * 3
            yield found
        finally:
            for agent in found.agents.values():
                agent.kill()
            served.end()


def test_a_copied_agent_is_flagged_within_one_interval_and_a_killed_one_falls_silent(hosts: Hosts) -> None:
    before = hosts.listed()
    assert len({agent["address"] for agent in before.values()}) == 3
    assert not any(agent["clone_suspected"] or agent["silent_since"] for agent in before.values())
    one, two = hosts.agents["one"], hosts.agents["two"]
    copy = Ztagent(one.state.with_name("copy"), hosts.namespaces["copy"])
    shutil.copytree(one.state, copy.state)
    try:
        for agent in (one, two, copy):
            agent.run()
        until(lambda: suspects(one) and suspects(copy), 8 * INTERVAL, "both copies are told")
        until(
            lambda: time.time() > moment(before["three"]["last_seen"]) + 2 * INTERVAL + 1, 3 * INTERVAL, "two intervals"
        )
        after = hosts.listed()
    finally:
        copy.kill()

    cloned = after["one"]
    assert cloned["seq"] == before["one"]["seq"] + 1, "the second message that carries a number is the copy's"
    assert moment(cloned["clone_suspected"]) - moment(cloned["last_seen"]) <= INTERVAL + 1
    assert [name for name in after if after[name]["clone_suspected"]] == ["one"]
    assert after["three"]["silent_since"] == before["three"]["last_seen"] and not after["two"]["silent_since"]
    assert after["two"]["seq"] > before["two"]["seq"] and after["three"]["seq"] == before["three"]["seq"]


def suspects(agent: Ztagent) -> bool:
    """Whether an agent was told that there is a copy of it."""
    return bool(json.loads((agent.state / "attempts.json").read_text())["copy_suspected"])


def moment(text: str) -> float:
    """Seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()
