"""Lost answers cost nothing, replays change nothing, and two that hold one key are found out at once."""

from __future__ import annotations

import copy

import pytest

from agent import wire
from scanner.fleet import journal, operations
from tests.scanner.fleet.lab import POSTURE, Pretended, Running, enrolled, section


def state(fleet: Running, agent: Pretended) -> list[tuple[object, ...]]:
    """Everything the database holds of an agent."""
    with fleet.database() as database:
        number = database.rows("SELECT number FROM agent WHERE id = ?", (agent.id,))[0][0]
        tables = ("agent_state", "agent_section", "envelope", "offered")
        return [row for table in tables for row in database.rows(f"SELECT * FROM {table} WHERE agent = ?", (number,))]


def suspected(fleet: Running, agent: Pretended) -> bool:
    with fleet.reader() as reader:
        found = reader.agent(agent.id)
    assert found is not None
    return found.clone_suspected is not None


@pytest.mark.parametrize("path", [wire.BEAT, wire.REPORT])
def test_the_same_bytes_again_get_the_same_receipt_and_change_nothing(fleet: Running, path: str) -> None:
    agent = enrolled(fleet)
    body = agent.report(POSTURE, send=["os"]) if path == wire.REPORT else agent.beat(root="a" * 64)
    first = fleet.post(path, body, agent.signed(path, body))
    before = state(fleet, agent)

    again = fleet.post(path, body, agent.signed(path, body))

    assert again.status == 200
    assert [again.says[name] for name in ("seq", "nonce", "need")] == [
        first.says[name] for name in ("seq", "nonce", "need")
    ]
    assert state(fleet, agent) == before and not suspected(fleet, agent)


def test_replayed_old_messages_change_nothing_however_old_they_are(fleet: Running) -> None:
    agent = enrolled(fleet)
    bodies = []
    for _ in range(12):
        bodies.append(agent.beat())
        assert agent.send(wire.BEAT, bodies[-1]).status == 200
    before = state(fleet, agent)

    replies = [fleet.post(wire.BEAT, body, agent.signed(wire.BEAT, body)) for body in bodies]

    assert {reply.status for reply in replies[-8:]} == {200}
    assert {reply.word for reply in replies[:-8]} == {"stale"}
    assert state(fleet, agent) == before and not suspected(fleet, agent)
    assert agent.send(wire.BEAT, agent.beat()).status == 200, "the agent itself goes on"


def test_two_copies_of_one_disk_are_suspected_with_the_second_message(fleet: Running) -> None:
    agent = enrolled(fleet)
    agent.send(wire.REPORT, agent.report(POSTURE))
    twin = copy.copy(agent)

    assert agent.send(wire.BEAT, agent.beat()).status == 200
    assert twin.send(wire.BEAT, twin.beat()).word == "clone_suspected"

    assert suspected(fleet, agent)
    assert agent.send(wire.BEAT, agent.beat()).word == "clone_suspected", "which of them is real nobody knows"
    with fleet.reader() as reader:
        found = reader.agent(agent.id)
        assert found is not None and not found.trusted
    assert "clone_suspected" in fleet.events()


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        ({"nonce": "x" * 43}, "nonce"),
        ({"prev_root": "b" * 64}, "prev_root"),
        ({"seq": 9}, "seq"),
    ],
)
def test_whatever_is_no_next_link_is_a_fork(fleet: Running, other: dict[str, object], differs: str) -> None:
    agent = enrolled(fleet)
    agent.send(wire.BEAT, agent.beat())

    reply = agent.send(wire.BEAT, agent.beat(**other))

    assert (reply.status, reply.word) == (409, "clone_suspected")
    with fleet.database() as database:
        last = [entry for entry in journal.entries(database, "audit") if entry.says.get("agent") == agent.id]
    assert last[-1].says["differs"] == differs


def test_a_snapshot_that_was_set_back_is_a_fork_even_long_after(fleet: Running) -> None:
    agent = enrolled(fleet)
    agent.send(wire.BEAT, agent.beat())
    snapshot = copy.copy(agent)
    for _ in range(12):
        agent.send(wire.BEAT, agent.beat())

    assert snapshot.send(wire.BEAT, snapshot.beat()).word == "clone_suspected"


def test_a_reboot_is_no_fork_but_an_earlier_boot_that_returns_is(fleet: Running) -> None:
    agent = enrolled(fleet)
    agent.send(wire.BEAT, agent.beat())

    assert agent.send(wire.BEAT, agent.beat(boot_id="boot-2")).status == 200
    assert agent.send(wire.BEAT, agent.beat()).word == "clone_suspected"


def test_a_suspected_agent_goes_on_once_an_operator_approves(fleet: Running) -> None:
    agent = enrolled(fleet)
    agent.send(wire.REPORT, agent.report(POSTURE))
    twin = copy.copy(agent)
    twin.send(wire.BEAT, twin.beat())
    twin.send(wire.BEAT, twin.beat())
    assert agent.send(wire.BEAT, agent.beat()).word == "clone_suspected"
    with fleet.database() as database:
        operations.approve(database, agent.id, "the copy was switched off", fleet.ms)

    changed = POSTURE | {"os": section("os", name="debian", version="13")}
    reply = agent.send(wire.REPORT, agent.report(changed, send=["os"]))

    assert (reply.status, reply.says.get("need")) == (200, [])
    assert agent.send(wire.BEAT, agent.beat()).status == 200
    assert twin.send(wire.BEAT, twin.beat()).word == "clone_suspected", "a copy that still runs is found out again"


def test_an_older_copy_of_the_database_makes_no_agent_a_clone(fleet: Running) -> None:
    agent = enrolled(fleet)
    agent.send(wire.BEAT, agent.beat())
    with fleet.database() as database:
        number = database.rows("SELECT number FROM agent WHERE id = ?", (agent.id,))[0][0]
        kept = database.rows("SELECT seq, root, marks, ts FROM agent_state WHERE agent = ?", (number,))[0]
    agent.send(wire.REPORT, agent.report(POSTURE))
    agent.send(wire.BEAT, agent.beat())
    with fleet.database() as database:
        sql = "UPDATE agent_state SET seq = ?, root = ?, marks = ?, ts = ? WHERE agent = ?"
        database.run(sql, (*kept, number))

    reply = agent.send(wire.BEAT, agent.beat())

    assert (reply.status, reply.says["need"]) == (200, [wire.WHOLE])
    assert "ahead" in fleet.events() and not suspected(fleet, agent)


def test_a_message_signed_as_one_kind_is_none_of_another(fleet: Running) -> None:
    agent = enrolled(fleet)
    body = agent.report(POSTURE)

    assert fleet.post(wire.BEAT, body, agent.signed(wire.REPORT, body)).word == "bad_signature"


def test_an_agent_cannot_speak_for_another(fleet: Running) -> None:
    one, other = enrolled(fleet, "one"), enrolled(fleet, "other")
    body = one.beat(agent=other.id)

    assert one.send(wire.BEAT, body).word == "unknown_key"
    assert other.send(wire.BEAT, other.beat()).status == 200
