"""An agent that goes back to an older version is a finding until an operator allows it; its identity stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from agent import wire
from scanner.commands.fleet import fleet as commands
from scanner.errors import UsageError
from scanner.fleet.reading import AgentSeen
from scanner.fleet.versions import allow_rollback
from tests.scanner.fleet.lab import POSTURE, Pretended, Running, enrolled, make_fleet


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose fleet has a least version."""
    folder = tmp_path_factory.mktemp("strict") / "server"
    running = Running(make_fleet(folder, per_minute=100_000, min_version="1.5"))
    yield running
    running.end()


def seen(server: Running, agent: Pretended) -> AgentSeen:
    with server.reader() as reader:
        found = reader.agent(agent.id)
    assert found is not None
    return found


def beat(agent: Pretended, version: str) -> None:
    assert agent.send(wire.BEAT, agent.beat(agent_version=version)).status == 200


def reporting(server: Running) -> Pretended:
    agent = enrolled(server)
    assert agent.send(wire.REPORT, agent.report(POSTURE)).status == 200
    return agent


def operate(server: Running, *given: str) -> str:
    done = CliRunner().invoke(commands, [given[0], "--folder", str(server.folder), *given[1:]])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.9", "1.10"), ("1", "1.0.1"), ("", "0"), ("1.0-lies", "0.1"), ("0.9.9", "1"), ("0", "0.0.1")],
)
def test_versions_are_compared_by_their_numbers(one: str, other: str) -> None:
    assert wire.version_numbers(one) < wire.version_numbers(other)


def test_trailing_zeros_make_no_other_version() -> None:
    assert wire.version_numbers("1.2") == wire.version_numbers("1.2.0.0")


def test_an_older_version_than_before_is_a_finding_and_what_it_tells_does_not_count(fleet: Running) -> None:
    agent = reporting(fleet)
    beat(agent, "1.2.0")
    assert seen(fleet, agent).trusted
    beat(agent, "1.1.9")
    found = seen(fleet, agent)
    assert found.downgraded and not found.trusted
    assert (found.version, found.highest_version) == ("1.1.9", "1.2.0")
    assert fleet.events()[-1] == "downgraded"
    beat(agent, "1.1.9")
    assert fleet.events()[-1] == "downgraded" and fleet.events()[-2] != "downgraded", "it is noted once"
    assert "downgraded" in operate(fleet, "list", "--odd")
    beat(agent, "1.2.0")
    assert seen(fleet, agent).trusted and fleet.events()[-1] == "version_restored"


def test_a_version_that_is_none_is_older_than_any(fleet: Running) -> None:
    agent = reporting(fleet)
    beat(agent, "nonsense")
    assert seen(fleet, agent).downgraded


def test_an_operator_lets_an_agent_go_back_and_it_stays_the_same_agent(fleet: Running) -> None:
    agent = reporting(fleet)
    beat(agent, "2.0")
    beat(agent, "1.0")
    assert not seen(fleet, agent).trusted
    operate(fleet, "allow-rollback", agent.id, "--reason", "2.0 is slow")
    assert seen(fleet, agent).trusted and seen(fleet, agent).id == agent.id
    beat(agent, "1.0")
    assert seen(fleet, agent).trusted
    beat(agent, "0.9")
    assert seen(fleet, agent).downgraded, "only to where it was let"
    assert "rollback_allowed" in fleet.events()


def test_going_back_can_be_allowed_before_it_happens(fleet: Running) -> None:
    agent = reporting(fleet)
    beat(agent, "2.0")
    operate(fleet, "allow-rollback", agent.id, "--to", "1.5", "--reason", "planned")
    beat(agent, "1.5.1")
    assert seen(fleet, agent).trusted


def test_a_version_to_go_back_to_must_be_one(fleet: Running) -> None:
    agent = enrolled(fleet)
    with fleet.database() as database, pytest.raises(UsageError, match="is no version; give --to"):
        allow_rollback(database, agent.id, "", "why", fleet.ms)


def test_below_the_fleets_least_version_nothing_counts_unless_it_was_allowed(strict: Running) -> None:
    agent = reporting(strict)
    assert seen(strict, agent).version == "1.0.0"
    assert seen(strict, agent).downgraded and not seen(strict, agent).trusted
    operate(strict, "allow-rollback", agent.id, "--reason", "1.5 does not run there yet")
    beat(agent, "1.0.0")
    assert seen(strict, agent).trusted
    beat(agent, "1.5.0")
    beat(agent, "1.0.0")
    assert seen(strict, agent).downgraded, "once it was new enough, going back must be allowed anew"
