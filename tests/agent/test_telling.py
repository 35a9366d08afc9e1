"""An agent and a server that speaks the protocol over TLS: what is told, and what a fault on the way costs."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent import __version__, wire
from agent.connection import Connection
from agent.cycle import Cycle, Outside
from agent.enrolment import Enroller, Token
from agent.errors import Misconfigured
from agent.posture import section_names
from agent.settings import Settings
from agent.state import StateFolder
from tests.agent.fleet_double import (
    Authority,
    Fault,
    Fleet,
    KeysHere,
    cuts_the_answer,
    loses_the_answer,
    loses_the_request,
    says,
    serving,
)
from tests.agent.recorded import DEBIAN_LAPTOP, Renamed

LIFE = (timedelta(days=-1), timedelta(days=300))


@dataclass
class Site:
    """A server, an agent's folder, and a clock that a test may move."""

    folder: Path
    fleet: Fleet
    port: int
    clock: Callable[[], float] = field(default=lambda: datetime.now().timestamp())
    settings: Settings = field(default_factory=Settings)
    host: Any = DEBIAN_LAPTOP

    def agent(self) -> Cycle:
        """The agent as after a restart."""
        outside = Outside(self.host, KeysHere(), Connection, self.clock, lambda: 0.0)
        return Cycle(StateFolder(self.folder), self.settings, outside)

    def prepare(self, token: str = "", *, proxy: str = "", ca_file: str = "") -> None:
        state = StateFolder(self.folder)
        enroller = Enroller(state, KeysHere(), Connection)
        enroller.prepare(Token.read(token or self.fleet.token(self.port)), self.settings, proxy=proxy, ca_file=ca_file)

    def cycle(self) -> Cycle:
        """One cycle of a freshly started agent."""
        agent = self.agent()
        agent.collect()
        agent.tell()
        return agent

    def enrolled(self) -> Cycle:
        self.prepare()
        agent = self.cycle()
        assert agent.attempts.last_error == ""
        return agent


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def site(tmp_path: Path, authority: Authority) -> Iterator[Site]:
    fleet = Fleet(authority)
    with serving(fleet, authority.served(tmp_path, LIFE)) as port:
        yield Site(tmp_path / "state", fleet, port)


def test_a_host_enrols_and_tells_every_section_once(site: Site) -> None:
    site.enrolled()
    site.cycle()
    first, second = site.fleet.messages()
    assert {one["name"] for one in first["sections"]} == section_names() | {"agent"}
    assert first["agent_version"] == __version__
    assert "sections" not in second
    assert second["root"] == second["prev_root"] == first["root"]
    assert [path for path, _, _ in site.fleet.asked] == [wire.ENROL, wire.REPORT, wire.BEAT]


def test_only_what_changed_is_told(site: Site) -> None:
    site.enrolled()
    site.host = Renamed("other")
    site.cycle()
    last = site.fleet.messages()[-1]
    assert [one["name"] for one in last["sections"]] == ["host_identity"]
    assert len(last["index"]) == len(section_names()) + 1


@pytest.mark.parametrize("fault", [loses_the_answer, loses_the_request, cuts_the_answer])
@pytest.mark.parametrize("path", [wire.ENROL, wire.REPORT, wire.BEAT])
def test_a_fault_on_the_way_costs_nothing_and_the_same_bytes_are_sent_again(
    site: Site, path: str, fault: Fault
) -> None:
    site.fleet.faults[path] = [fault]
    site.prepare()
    failed = [site.cycle().attempts.failures for _ in range(4)]
    assert sorted(failed) == [0, 0, 0, 1]
    repeated = [(body, header) for asked, body, header in site.fleet.asked if asked == path]
    if path != wire.ENROL:
        assert repeated[0] == repeated[1]
    numbers = [one["seq"] for one in site.fleet.messages()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_wrong_server_in_the_settings_can_be_mended_while_it_asks_to_be_enrolled(site: Site) -> None:
    right, site.settings = site.settings, replace(site.settings, server="https://127.0.0.1:9")
    site.prepare()
    assert site.cycle().attempts.last_error == "Connection refused" and site.cycle().identity() is None
    site.settings = right
    assert site.cycle().identity() is not None


def test_a_token_used_by_another_key_is_said_and_not_a_suspected_copy(site: Site) -> None:
    site.fleet.redeemed = "0" * 64
    site.prepare()
    agent = site.cycle()
    assert "token_used" in agent.attempts.last_error
    assert not agent.attempts.copy_suspected
    assert agent.identity() is None


def test_the_same_token_keeps_its_key_and_the_secret_goes_when_it_is_used(site: Site) -> None:
    site.fleet.faults[wire.ENROL] = [loses_the_answer]
    site.prepare()
    site.cycle()
    site.prepare()
    agent = site.cycle()
    identity = agent.identity()
    assert identity is not None
    assert not (site.folder / "enrolment.json").exists()
    assert {path.stem for path in (site.folder / "keys").iterdir()} == {identity.key_id}


def test_an_enrolment_that_waits_for_a_person_goes_on_later(site: Site) -> None:
    site.fleet.faults[wire.ENROL] = [says(202, {"state": "pending", "retry_after": 77})]
    site.prepare()
    agent = site.cycle()
    assert "approve" in agent.attempts.last_error
    assert 76 <= agent.wait() <= 79
    assert site.cycle().attempts.last_error == ""


def test_a_server_whose_authority_is_not_the_tokens_gets_nothing(site: Site) -> None:
    site.prepare(site.fleet.token(site.port, pin="0" * 64))
    agent = site.cycle()
    assert "another server answers" in agent.attempts.last_error
    assert site.fleet.asked == []


def test_a_later_server_of_another_authority_gets_nothing(site: Site, tmp_path: Path) -> None:
    site.enrolled()
    other = Fleet(Authority())
    with serving(other, other.authority.served(tmp_path, LIFE)) as port:
        site.settings = Settings(server=f"https://localhost:{port}")
        agent = site.cycle()
    assert "not trusted" in agent.attempts.last_error
    assert other.asked == []


def test_a_proxy_that_opens_tls_is_trusted_only_by_a_file_and_then_the_content_is_what_was_signed(
    site: Site, tmp_path: Path
) -> None:
    middle = Authority()
    (tmp_path / "middle.pem").write_text(middle.pem)
    with serving(site.fleet, middle.served(tmp_path, LIFE)) as port:
        token = site.fleet.token(port)
        site.prepare(token)
        assert site.cycle().identity() is None
        site.prepare(token, ca_file=str(tmp_path / "middle.pem"))
        assert site.cycle().attempts.last_error == ""
    assert len(site.fleet.taken) == 1  # the server checked its signature


def test_a_busy_server_is_asked_again_not_before_it_wants(site: Site) -> None:
    site.enrolled()
    site.fleet.faults[wire.BEAT] = [says(503, Retry_After="90")]
    agent = site.cycle()
    assert 90 <= agent.wait() <= 92
    assert agent.attempts.errors == {"503": 1}


def test_a_suspected_copy_is_told_and_asked_slowly_while_looking_goes_on(site: Site) -> None:
    site.enrolled()
    site.fleet.faults[wire.BEAT] = [says(409, {"error": "clone_suspected"})]
    agent = site.cycle()
    assert agent.attempts.copy_suspected
    assert agent.wait() >= 1799
    site.host = Renamed("other")
    agent = site.agent()
    agent.collect()
    assert agent.spool.size()[0] == 1
    agent.tell()
    assert not agent.attempts.copy_suspected
    assert site.fleet.messages()[-1]["sections"][0]["values"]["host_name"] == "other"


def test_a_server_that_lacks_sections_gets_them(site: Site) -> None:
    site.enrolled()
    site.fleet.root, site.fleet.sections = "0" * 64, {}
    site.fleet.extra = {"need": ["*"]}
    site.fleet.root = site.fleet.messages()[-1]["root"]
    agent = site.agent()
    agent.collect()
    site.fleet.faults[wire.REPORT] = [stops_asking]
    agent.tell()
    assert len(site.fleet.messages()[-1]["sections"]) == len(section_names()) + 1


def stops_asking(handler: Any, body: bytes) -> bool:
    handler.server.fleet.extra = {}
    return True


def test_a_report_larger_than_a_request_is_told_in_pieces(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_BODY", 9 * 1024)
    site.enrolled()
    told = site.fleet.messages()
    assert len(told) > 1
    assert all(len(body) <= 9 * 1024 for body in site.fleet.taken)
    assert site.fleet.root == told[-1]["root"]
    assert {name for one in told for name in (each["name"] for each in one["sections"])} == section_names() | {"agent"}


def test_what_the_server_says_beyond_the_protocol_changes_nothing(site: Site) -> None:
    site.enrolled()
    before = {path.name for path in site.folder.rglob("*")}
    orders = {
        "run": "touch /tmp/x",
        "exec": ["id"],
        "server": "https://evil",
        "sections": ["x"],
        "update": {"url": "x"},
    }
    site.fleet.extra = {**orders, "interval": 1}
    agent = site.cycle()
    assert agent.attempts.last_error == ""
    assert agent.standing().interval == 60
    identity = agent.identity()
    assert identity is not None and identity.server == f"https://localhost:{site.port}"
    assert {path.name for path in site.folder.rglob("*")} <= before | {"attempts.json", "reserve"}
    assert "evil" not in (site.folder / "standing.json").read_text()


@pytest.mark.parametrize("interval", [10**12, -5, "soon", None, True])
def test_an_interval_out_of_bounds_is_bounded_and_none_is_made_up(site: Site, interval: object) -> None:
    site.enrolled()
    site.fleet.extra = {"interval": interval}
    found = site.cycle().standing().interval
    assert found == {10**12: 86400, -5: 60}.get(interval, 300) if type(interval) is int else found == 300


def test_a_server_sets_less_than_a_minute_only_where_the_hosts_administrator_allows_it(site: Site) -> None:
    site.enrolled()
    site.fleet.extra = {"interval": 5}
    assert site.cycle().standing().interval == 60
    site.settings = Settings(shortest_interval=5)
    assert site.cycle().standing().interval == 5


@pytest.mark.parametrize(
    "extra", [{"nonce": 5}, {"need": "all"}, {"seq": 99}, {"seq": None}, {"need": ["no_such_section"]}]
)
def test_an_answer_of_another_form_is_a_failure_and_no_crash(site: Site, extra: dict[str, Any]) -> None:
    site.enrolled()
    site.fleet.extra = extra
    assert site.cycle().attempts.failures == 1
    site.fleet.extra = {}
    assert [site.cycle() for _ in range(2)][-1].attempts.failures == 0


@pytest.mark.parametrize("days", [45, -45])
def test_a_clock_wrong_by_weeks_stops_nothing_and_is_told(site: Site, days: int) -> None:
    site.enrolled()
    true = site.clock
    site.clock = lambda: true() + days * 86_400
    agent = site.cycle()
    assert agent.attempts.last_error == ""
    assert abs(agent.standing().offset + days * 86_400) < 60
    assert "clock" in agent.attempts.clock
    assert len(site.fleet.taken) == 2


def test_after_weeks_asleep_the_certificate_is_renewed_and_the_posture_told(site: Site, tmp_path: Path) -> None:
    agent = site.enrolled()
    old = agent.identity()
    true = site.clock
    site.clock = lambda: true() + 45 * 86_400
    site.fleet.ahead = timedelta(days=45)
    agent = site.cycle()
    new = agent.identity()
    assert old is not None and new is not None
    assert agent.attempts.last_error == ""
    assert new.key_id != old.key_id and new.agent == old.agent
    assert new.validity()[1] - old.validity()[1] > timedelta(days=40)
    assert {path.stem for path in (site.folder / "keys").iterdir()} == {new.key_id}
    assert [path for path, _, _ in site.fleet.asked][-2:] == [wire.RENEW, wire.BEAT]


@pytest.mark.parametrize("fault", [loses_the_answer, cuts_the_answer, loses_the_request])
def test_a_lost_answer_to_a_renewal_is_asked_for_with_the_same_bytes(site: Site, fault: Fault) -> None:
    site.enrolled()
    site.fleet.extra = {"renew": True}
    site.fleet.faults[wire.RENEW] = [fault]
    site.cycle()
    site.fleet.extra = {}
    agent = site.cycle()
    asked = [(body, header) for path, body, header in site.fleet.asked if path == wire.RENEW]
    assert asked[0] == asked[1]
    assert agent.attempts.last_error == ""
    identity = agent.identity()
    assert identity is not None and identity.key_id not in site.fleet.replaced


def test_a_message_that_waited_is_signed_anew_when_the_key_changed_but_its_bytes_stay(site: Site) -> None:
    site.enrolled()
    site.fleet.faults[wire.BEAT] = [loses_the_answer]
    site.cycle()
    true = site.clock
    site.clock = lambda: true() + 25 * 86_400
    site.fleet.ahead = timedelta(days=25)
    assert site.cycle().attempts.last_error == ""
    (_, one, first), (_, other, second) = [each for each in site.fleet.asked if each[0] == wire.BEAT][:2]
    assert one == other
    assert first != second


def test_a_renewal_that_is_refused_does_not_silence_the_agent(site: Site) -> None:
    site.enrolled()
    site.fleet.extra = {"renew": True}
    site.fleet.faults[wire.RENEW] = [says(503), says(503)]
    agent = site.cycle()
    assert agent.attempts.failures == 0
    assert "503" in agent.attempts.renewal_error
    assert agent.wait() == 0


def test_a_servers_certificate_that_ended_by_its_own_clock_is_refused(site: Site, tmp_path: Path) -> None:
    site.enrolled()
    worn = site.fleet.authority.served(tmp_path, (timedelta(days=-30), timedelta(days=-1)))
    with serving(site.fleet, worn) as port:
        site.settings = Settings(server=f"https://localhost:{port}")
        count = len(site.fleet.asked)
        agent = site.cycle()
    assert "have it renewed" in agent.attempts.last_error
    assert len(site.fleet.asked) == count


def test_a_malformed_message_is_not_repeated_for_ever(site: Site) -> None:
    site.enrolled()
    site.fleet.faults[wire.BEAT] = [says(400, {"error": "bad_message"})] * 3
    agent = site.agent()
    assert [agent.tell() for _ in range(3)] == [False] * 3
    assert agent.spool.outstanding() is None
    assert agent.tell()


def test_keys_and_tokens_are_for_their_owner_alone(site: Site) -> None:
    site.enrolled()
    for path in (site.folder, *site.folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_key_that_others_may_read_signs_nothing(site: Site) -> None:
    agent = site.enrolled()
    identity = agent.identity()
    assert identity is not None
    path = site.folder / "keys" / f"{identity.key_id}.pem"
    path.chmod(0o644)
    count = len(site.fleet.asked)
    agent = site.cycle()
    assert f"chmod 600 {path}" in agent.attempts.last_error
    assert len(site.fleet.asked) == count


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o702])
def test_a_state_folder_that_others_may_enter_is_refused(site: Site, mode: int) -> None:
    site.enrolled()
    site.folder.chmod(mode)
    with pytest.raises(Misconfigured, match="chmod 700"):
        site.agent()


def test_a_link_in_place_of_the_state_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    os.symlink(tmp_path / "real", tmp_path / "state")
    with pytest.raises(Misconfigured, match="link"):
        StateFolder(tmp_path / "state")


def test_the_token_stands_nowhere_after_enrolment(site: Site) -> None:
    site.enrolled()
    secret = json.loads(next(body for path, body, _ in site.fleet.asked if path == wire.ENROL))["token"].encode()
    assert all(secret not in path.read_bytes() for path in site.folder.rglob("*") if path.is_file())
