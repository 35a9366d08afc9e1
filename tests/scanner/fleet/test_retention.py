"""What is old is removed, little by little and set down; what proves the posture that stands never is."""

from __future__ import annotations

import hashlib
import random
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent import wire
from scanner.errors import ConfigurationError
from scanner.fleet import journal, retention
from scanner.fleet.authority import requested
from scanner.fleet.chain import Nonces, mark_of
from scanner.fleet.database import Sqlite
from scanner.fleet.enrolment import Registrar
from scanner.fleet.ingest import Ingest, Sent
from scanner.fleet.messages import Attributes, Beat, Enrolment, Report, decoded, offered
from scanner.fleet.reading import FleetReader
from scanner.fleet.retention import DONE, MORE, Sweep
from scanner.fleet.serving import Certificates, secret
from scanner.fleet.settings import load_settings
from tests.scanner.fleet.lab import Clock, Pretended, Running, enrolled, make_fleet, request, section

DAY = 86_400_000
KEEP = 400


class Store:
    """A fleet's store, and agents that speak to it at any time."""

    def __init__(self, place: Path) -> None:
        self.server = Stopped(make_fleet(place / "server"))
        self.path = self.server.folder / "fleet.db"
        self.database = Sqlite(self.path, synchronous="normal")
        self.nonces = Nonces(secret(self.database))
        self.ingest = Ingest(self.nonces, 300)

    def enrol(self, name: str) -> Pretended:
        agent = Pretended(self.server, name)
        authority = Certificates(self.server.folder, load_settings(self.server.folder), self.server.clock).newest()
        registrar = Registrar(lambda: authority, self.nonces, "lab.example", 300)
        asked = Enrolment(1, self.server.token(), request(agent.key), "n" * 24, Attributes(name))
        with self.database.transaction():
            answer = registrar.enrol(self.database, asked, requested(asked.csr), "", self.server.ms)
            self.database.run("UPDATE agent SET not_after = ?", (self.server.ms * 2,))  # years pass here
        told = msgspec.json.decode(answer.body)
        agent.id, agent.nonce = told["agent"], told["nonce"]
        return agent

    def tell(self, agent: Pretended, now: int, body: bytes) -> dict[str, Any]:
        """Hand over a message at a moment; gives the receipt."""
        message = decoded(body, Report if b'"index"' in body else Beat)
        found = offered(message, body) if isinstance(message, Report) else []
        sent = Sent(agent.key_id, message, body, mark_of(body), b"signature of %d" % now, found)
        with self.database.transaction():
            (answer,) = self.ingest.take(self.database, [sent], now)
        told = msgspec.json.decode(answer.body)
        assert answer.status == 200, told
        agent.seq, agent.nonce = told["seq"], told["nonce"]
        if not told["need"]:
            agent.root = message.root
        return dict(told)

    def sweep(self, now: int) -> int:
        """Remove what is older than is kept; gives how many transactions that took."""
        walk, count = Sweep(KEEP), 1
        with self.database.transaction():
            answer = walk(self.database, now)
        while answer == MORE:
            count += 1
            with self.database.transaction():
                answer = walk(self.database, now)
        assert answer == DONE
        return count

    def rows(self, sql: str) -> list[Any]:
        return self.database.rows(sql)

    def read(self) -> list[Any]:
        """What those who judge read."""
        reader = FleetReader.of_file(self.path)
        found = [(agent, reader.sections(agent)) for agent in reader.agents()]
        reader.close()
        return found


class Stopped(Running):
    """A fleet whose server does not run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, Clock()
        Certificates(folder, load_settings(folder), self.clock)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path)
    yield found
    found.database.close()


def test_after_any_history_what_stands_is_read_and_proved_as_before_and_what_is_old_is_gone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 7)
    chance = random.Random(5)
    agents = [store.enrol(f"host-{number}") for number in range(4)]
    postures: list[dict[str, dict[str, Any]]] = [{} for _ in agents]
    now = store.server.ms
    for step in range(160):
        now += chance.choice((0, 1, DAY, 20 * DAY))
        place = chance.randrange(4 if step < 20 else 3)  # the fourth falls silent
        agent, posture = agents[place], postures[place]
        name = chance.choice(("os", "disk", "firewall", "vpn"))
        if chance.random() < 0.2 and len(posture) > 1:
            posture.pop(name, None)
        else:
            posture[name] = section(name, build=chance.randrange(3), host=chance.choice(("", agent.id)))
        told = store.tell(agent, now, agent.report(posture, send=chance.choice((None, [name]))))
        if told["need"]:
            store.tell(agent, now, agent.report(posture))
    columns = "agent, epoch, seq, root, received, payload"
    before = {row[:3]: row for row in store.rows(f"SELECT {columns} FROM envelope")}
    read, sections = store.read(), store.rows("SELECT agent, name, since, until FROM agent_section")
    cutoff = now - KEEP * DAY

    assert store.sweep(now) > 5

    assert store.read() == read
    kept = {row[:3]: row for row in store.rows(f"SELECT {columns} FROM envelope")}
    assert kept.items() <= before.items() and len(kept) < len(before)
    assert all(row[4] < cutoff for key, row in before.items() if key not in kept)
    left = set(store.rows("SELECT agent, name, since, until FROM agent_section"))
    assert left == {row for row in sections if row[3] is None or row[3] >= cutoff}
    for agent, current in read:
        mine = [row for row in kept.values() if row[0] == agent.number]
        assert any(row[3] == agent.root for row in mine), "the root that stands was signed"
        indexes = [(row[4], msgspec.json.decode(zlib.decompress(row[5]))["index"]) for row in mine]
        signed = {(at, name, digest) for at, index in indexes for name, digest in index.items()}
        assert {(each.since, each.name, each.digest) for each in current} <= signed
    referred = set(store.rows("SELECT hash FROM agent_section UNION SELECT hash FROM offered"))
    assert set(store.rows("SELECT hash FROM section")) == referred
    old = [row for row in kept.values() if row[4] < cutoff]
    assert 0 < len(old) <= sum(len(current) + 1 for _, current in read)

    notes = [entry.says for entry in journal.entries(store.database, journal.AUDIT) if entry.says["event"] == "removed"]
    assert sum(says["envelopes"] for says in notes) == len(before) - len(kept)
    assert sum(says["sections"] for says in notes) == len(sections) - len(left)
    assert len(journal.verify(store.database, journal.AUDIT)) == 64
    assert store.sweep(now) <= 5 and len(store.rows("SELECT 1 FROM envelope")) == len(kept), "nothing is left to remove"


def test_the_audit_log_proves_what_was_removed_against_a_copy(store: Store) -> None:
    agent, begin = store.enrol("host"), store.server.ms
    for number in range(3):
        store.tell(agent, begin + number, agent.report({"os": section("os", build=number)}))
    copied = store.rows("SELECT epoch, seq, root, signature FROM envelope ORDER BY received")
    ended = store.rows("SELECT name, hash, since, until FROM agent_section WHERE until IS NOT NULL ORDER BY until")

    store.sweep(begin + (KEEP + 1) * DAY)

    lines = [f"envelope {agent.id} {epoch} {seq} {root} {sign.hex()}\n" for epoch, seq, root, sign in copied[:2]]
    lines += [f"section {agent.id} {name} {digest.hex()} {since} {until}\n" for name, digest, since, until in ended]
    (last,) = journal.entries(store.database, journal.AUDIT, 1)
    assert last.says == {
        "event": "removed",
        "before": last.says["before"],
        "envelopes": 2,
        "sections": 2,
        "digest": hashlib.sha256("".join(lines).encode()).hexdigest(),
    }


def test_a_body_that_waits_for_the_rest_of_its_posture_is_kept(store: Store) -> None:
    agent, begin = store.enrol("host"), store.server.ms
    posture = {"os": section("os", build=1), "disk": section("disk", count=1)}
    assert store.tell(agent, begin, agent.report(posture, send=["os"]))["need"] == ["disk"]
    old = {"os": section("os", build=1)}
    other = store.enrol("other")
    store.tell(other, begin, other.report(old))
    store.tell(other, begin + 1, other.report({"os": section("os", build=2)}))

    store.sweep(begin + (KEEP + 1) * DAY)

    assert store.tell(agent, begin + (KEEP + 1) * DAY, agent.report(posture, send=["disk"]))["need"] == []
    (found,) = [sections for seen, sections in store.read() if seen.id == agent.id]
    assert [each.name for each in found] == ["disk", "os"]


def test_the_last_word_on_what_is_there_no_more_is_kept_even_where_an_unfinished_one_is_newer(store: Store) -> None:
    agent, begin = store.enrol("host"), store.server.ms
    posture = {"os": section("os", build=1), "disk": section("disk", count=1)}
    store.tell(agent, begin, agent.report(posture))
    less = {"os": posture["os"]}
    store.tell(agent, begin + 1, agent.report(less, send=[]))
    more = {"os": section("os", build=2), "disk": section("disk", count=2)}
    assert store.tell(agent, begin + 2, agent.report(more, send=["os"]))["need"] == ["disk"]

    store.sweep(begin + (KEEP + 1) * DAY)

    assert store.rows("SELECT seq, root FROM envelope ORDER BY seq")[-1] == (2, agent.root)
    assert [row[0] for row in store.rows("SELECT seq FROM envelope ORDER BY seq")] == [1, 2], (
        "1 began the os that stands"
    )


def test_what_is_younger_than_is_kept_stays_whole_and_leaves_no_note(store: Store) -> None:
    agent, begin = store.enrol("host"), store.server.ms
    for number in range(3):
        store.tell(agent, begin + number, agent.report({"os": section("os", build=number)}))
    events = len(list(journal.entries(store.database, journal.AUDIT)))

    assert store.sweep(begin + KEEP * DAY) == 1
    assert len(store.rows("SELECT 1 FROM envelope")) == 3
    assert len(list(journal.entries(store.database, journal.AUDIT))) == events


@pytest.mark.parametrize("days", [0, 1, 89])
def test_less_than_graded_evidence_needs_cannot_be_set(tmp_path: Path, days: int) -> None:
    with pytest.raises(ConfigurationError, match="keep_days"):
        make_fleet(tmp_path / "server", keep_days=days)


def test_a_running_server_removes_by_itself_and_answers_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "EVERY_S", 0.02)
    monkeypatch.setattr(retention, "PAUSE_S", 0.01)
    fleet = Running(make_fleet(tmp_path / "server", keep_days=90))
    agent = enrolled(fleet)
    for number in range(3):
        assert agent.send(wire.REPORT, agent.report({"os": section("os", build=number)})).status == 200
    fleet.clock.pass_days(29)
    assert agent.send(wire.BEAT, agent.beat()).status == 200
    fleet.clock.pass_days(62)
    for _ in range(200):
        if fleet.counted("SELECT COUNT(*) FROM envelope") == 1:
            break
        time.sleep(0.02)

    assert fleet.counted("SELECT COUNT(*) FROM envelope") == 1
    assert fleet.events()[-1] == "removed"
    size = [line for line in fleet.get("/metrics")[1].splitlines() if line.startswith("ztgrade_fleet_database_bytes ")]
    assert float(size[0].split()[1]) > 50_000
    fleet.end()
