"""An agent that is killed anywhere, whose files are cut anywhere, or whose disk is full, loses nothing that counts."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from agent import wire
from agent.connection import Body, Connection, Way
from agent.cycle import Cycle, Outside
from agent.errors import Refused, Unreached
from agent.settings import IN_FILE, Settings
from agent.spool import MOST_FILES, Posture, Request, Spool
from agent.state import Identity, Standing, StateFolder
from tests.agent.recorded import DEBIAN_LAPTOP, Renamed

AGENT = "019aaaaa-0000-7000-8000-000000000001"


class Killed(BaseException):
    """The process is gone; nothing of it runs any more."""


class Key:
    """Signs nothing: here it is the order of things that counts."""

    def make(self, folder: Path, place: str = IN_FILE) -> str:
        raise AssertionError

    def request(self, path: Path) -> str:
        raise AssertionError

    def sign(self, path: Path, content: bytes) -> bytes:
        return b"s" * 70

    def read(self, path: Path, certificate: str, chain: str) -> Any:
        raise AssertionError

    def anchor(self, pin: str, chain: str) -> str:
        raise AssertionError

    def forget(self, path: Path) -> None:
        raise AssertionError


class Server:
    """Takes messages as the fleet's server does, without a network; ``answers`` False is a network that loses them."""

    def __init__(self) -> None:
        self.taken: dict[int, bytes] = {}
        self.nonce, self.root = "first", wire.EMPTY_ROOT
        self.answers = True
        self.reaches = True

    def take(self, body: bytes) -> Body:
        said = json.loads(body)
        if self.taken.get(said["seq"]) != body:
            if said["seq"] in self.taken or said["seq"] != len(self.taken) + 1:
                raise Refused(409, "a copy")
            assert said["nonce"] == self.nonce and said["prev_root"] == self.root
            self.taken[said["seq"]] = body
            self.nonce, self.root = f"after {said['seq']}", said["root"]
        return {"seq": said["seq"], "nonce": f"after {said['seq']}", "interval": 300, "need": [], "renew": False}


class Wired(Connection):
    """A connection to such a server."""

    server: Server
    step: Callable[[], None]

    def post(self, path: str, body: bytes, signature: str = "") -> Body:
        self.step()
        if not self.server.reaches:
            raise Unreached("lost")
        answer = self.server.take(body)
        self.step()
        if not self.server.answers:
            raise Unreached("lost")
        return answer


class Machine:
    """Counts what the agent does to disk and network, and kills it before the step of a number."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.server = folder, Server()
        self.left: int | None = None
        self.host: Any = DEBIAN_LAPTOP
        state = StateFolder(folder)
        times = ("2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z")
        state.keep(Identity(AGENT, "https://localhost", "0" * 64, "", "", *times, "0" * 64, ""))
        state.keep(Standing(nonce="first"))
        for name in ("replace", "fsync", "unlink"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            self.step()
            return real(*given, **named)

        return counted

    def step(self) -> None:
        if self.left is not None:
            if self.left == 0:
                raise Killed
            self.left -= 1

    def start(self) -> Cycle:
        def connect(way: Way, now: Callable[[], float]) -> Connection:
            wired = Wired(way, now)
            wired.server, wired.step = self.server, self.step
            return wired

        return Cycle(StateFolder(self.folder), Settings(), Outside(self.host, Key(), connect, chance=lambda: 0.0))

    def cycle(self) -> Cycle:
        agent = self.start()
        agent.collect()
        agent.tell()
        return agent


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path / "state", monkeypatch)


@pytest.mark.parametrize("answers", [True, False])
def test_killed_before_any_step_it_goes_on_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    kills = 0
    for number in range(200):
        machine = Machine(tmp_path / str(number), monkeypatch)
        machine.left, machine.server.answers = number, answers
        try:
            machine.cycle()
            machine.host = Renamed("other")
            machine.cycle()
        except Killed:
            kills += 1
        finished = machine.left
        machine.left, machine.server.answers, machine.host = None, True, Renamed("other")
        for _ in range(3):
            agent = machine.cycle()
            assert not agent.attempts.copy_suspected, f"killed before step {number}"
        told = [json.loads(body) for body in machine.server.taken.values()]
        assert told[-1]["root"] == agent.standing().root == machine.server.root
        sections = {one["name"]: one for message in told for one in message.get("sections", [])}
        assert sections["host_identity"]["values"]["host_name"] == "other"
        monkeypatch.undo()
        if finished:
            break
    assert kills > 20


def test_what_changed_while_the_server_was_away_is_told_in_order(machine: Machine) -> None:
    machine.cycle()
    machine.server.reaches = False
    for name in ("a", "b", "a"):
        machine.host = Renamed(name)
        machine.cycle()
    machine.server.reaches = True
    machine.cycle()
    told = [json.loads(body) for body in machine.server.taken.values()]
    names = [
        one["values"]["host_name"] for said in told for one in said.get("sections", []) if "host_name" in one["values"]
    ]
    assert names[1:] == ["a", "b", "a"]


def test_an_unchanged_posture_is_spooled_once(machine: Machine) -> None:
    machine.server.reaches = False
    for _ in range(5):
        agent = machine.cycle()
    assert agent.spool.size()[0] == 2  # the request, and the posture that it tells


# The spool


def spool(folder: Path, damaged: list[str] | None = None, **bounds: int) -> Spool:
    folder.mkdir(exist_ok=True)
    return Spool(folder, (damaged if damaged is not None else []).append, **bounds)


def posture(number: int, size: int = 10) -> Posture:
    return Posture({"boot": {"name": "boot", "values": {"number": number, "text": "x" * size}}})


def test_a_file_cut_at_any_byte_is_passed_over_and_counted(tmp_path: Path) -> None:
    one = spool(tmp_path)
    one.hold(Request(wire.BEAT, 7, b'{"seq":7}', "v1;x"))
    one.add(posture(1))
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        for cut in range(len(whole)):
            path.write_bytes(whole[:cut])
            damaged: list[str] = []
            again = spool(tmp_path, damaged)
            if path.name == "request":
                assert again.outstanding() is None
            else:
                assert again.posture(path.name) is None
            assert damaged == [path.name]
            assert not path.exists()
        path.write_bytes(whole)
    assert spool(tmp_path).outstanding() == Request(wire.BEAT, 7, b'{"seq":7}', "v1;x")


def test_a_changed_byte_is_damage_too(tmp_path: Path) -> None:
    spool(tmp_path).hold(Request(wire.BEAT, 7, b'{"seq":7}', "v1;x"))
    path = tmp_path / "request"
    path.write_bytes(path.read_bytes().replace(b'"seq":7', b'"seq":8'))
    assert spool(tmp_path).outstanding() is None


def number_in(one: Spool, name: str) -> int:
    kept = one.posture(name)
    assert kept is not None
    number: int = kept.sections["boot"]["values"]["number"]
    return number


def test_the_spool_is_bounded_and_keeps_the_oldest_and_the_newest(tmp_path: Path) -> None:
    one = spool(tmp_path)
    for number in range(200):
        one.add(posture(number))
    names = one.postures()
    assert one.size()[0] == MOST_FILES == len(names)
    kept = [number_in(one, name) for name in names]
    assert kept[0] == 0 and kept[-1] == 199 and kept == sorted(kept)


def test_the_spool_is_bounded_in_bytes(tmp_path: Path) -> None:
    one = spool(tmp_path, most_bytes=50_000)
    for number in range(30):
        one.add(posture(number, 10_000))
    assert one.size()[1] <= 50_000
    assert number_in(one, one.postures()[-1]) == 29


@contextmanager
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk that takes nothing more."""

    def refuse(*given: Any, **named: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        yield


def test_on_a_full_disk_it_goes_on_in_memory_says_so_and_recovers(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.host = Renamed("first")
    agent = machine.start()
    agent.collect()
    agent.tell()
    with full(monkeypatch):
        for machine.host.name in ("a", "b", "c"):
            agent.collect()
            assert agent.tell()
        assert "No space left" in agent.attempts.degraded
    told = [json.loads(body) for body in machine.server.taken.values()]
    agent_section = [one for said in told for one in said.get("sections", []) if one["name"] == "agent"][-1]
    assert agent_section["values"]["spool_degraded"] is True
    agent.collect()
    assert agent.tell()
    assert agent.attempts.degraded == ""
    assert StateFolder(machine.folder).standing() == agent.standing()
    assert machine.cycle().attempts.failures == 0


def test_a_reserve_is_given_up_before_memory_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = spool(tmp_path)
    one.settle()
    real = os.fsync

    def tight(descriptor: int) -> None:
        if (tmp_path / "reserve").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", tight)
    one.add(posture(1))
    assert one.degraded == ""
    assert not (tmp_path / "reserve").exists()
    assert [path.suffix for path in tmp_path.iterdir()] == [".posture"]


def test_memory_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = spool(tmp_path)
    with full(monkeypatch):
        one.hold(Request(wire.BEAT, 1, b"{}", ""))
        for number in range(100):
            one.add(posture(number))
    assert one.size()[0] <= 9
    assert one.outstanding() is not None


# State files


@pytest.mark.parametrize("name", ["standing.json", "identity.json", "attempts.json"])
def test_a_state_file_cut_anywhere_is_told_and_never_a_crash(machine: Machine, name: str) -> None:
    machine.cycle()
    path = machine.folder / name
    whole = path.read_bytes()
    for cut in range(0, len(whole) - 2, max(1, len(whole) // 25)):
        path.write_bytes(whole[:cut])
        agent = machine.cycle()
        assert agent.attempts.errors
        path.write_bytes(whole)
    (machine.folder / "attempts.json").unlink()
    assert machine.cycle().attempts.failures == 0


@pytest.mark.parametrize(
    "text", ["[]", "null", '{"seq": "x"}', '{"seq": -1}', '{"interval": 1}', '{"index": {"a": 1}}', "[" * 100_000]
)
def test_a_state_file_of_another_form_is_told(machine: Machine, text: str) -> None:
    (machine.folder / "standing.json").write_text(text)
    assert machine.cycle().attempts.failures == 1


def test_only_one_agent_works_in_a_folder(tmp_path: Path) -> None:
    from agent.disk import only_agent
    from agent.errors import Misconfigured

    with only_agent(tmp_path), pytest.raises(Misconfigured, match="another agent"), only_agent(tmp_path):
        pass
    with only_agent(tmp_path):
        assert (tmp_path / "lock").exists()


def test_on_a_file_system_that_is_really_full_what_was_told_stays_told(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a small file system needs root")
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.MonkeyPatch.context() as patch:
            machine = Machine(place / "state", patch)
            machine.host = Renamed("first")
            agent = machine.start()
            agent.collect()
            assert agent.tell()
            with (place / "filler").open("wb", buffering=0) as stream, suppress(OSError):
                while True:
                    stream.write(b"x" * 4096)
            for machine.host.name in ("a", "b"):
                agent.collect()
                assert agent.tell()
            (place / "filler").unlink()
            agent.collect()
            assert agent.tell()
            assert len(machine.server.taken) == agent.standing().seq >= 4
            machine.host = Renamed("b")
            assert machine.cycle().attempts.failures == 0
    finally:
        subprocess.run(["umount", str(place)], check=True)
