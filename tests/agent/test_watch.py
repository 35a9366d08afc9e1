"""A look that remembers the last one says what a fresh one would say, whatever changed in between."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from agent import host as port
from agent.host import Ran
from agent.posture import as_posture, look
from agent.probes import PROBES
from agent.recall import RESTS_ON, Inquiry, Moment
from agent.section import Probe
from agent.watch import ANEW_AFTER, Look, Watch
from tests.agent.recorded import DEBIAN_LAPTOP, FEDORA, MACOS, WINDOWS, RecordedHost

NOTHING: frozenset[str] = frozenset()
KEY = ("none", "")


class Changeable:
    """A recorded host that can be exchanged for another under those who hold it, and its clock moved."""

    def __init__(self, host: RecordedHost) -> None:
        self.host, self.ahead = host, timedelta()
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self.host, name)

    def now(self) -> datetime:
        return self.host.now() + self.ahead

    def passed(self, when: datetime) -> bool:
        return self.now() > when


def watch(host: Any, clock: Callable[[], float] = lambda: 0.0, probes: tuple[Probe, ...] = PROBES) -> Watch:
    return Watch(host, NOTHING, clock=clock, probes=probes)


def told(one: Watch) -> Look:
    return one.look(degraded=False, downgraded=False, key=KEY)


def counted() -> tuple[tuple[Probe, ...], list[str]]:
    """Probes that say when they look."""
    looked: list[str] = []

    def counting(probe: Probe) -> Probe:
        def counts(host: Any) -> Any:
            looked.append(probe.name)
            return probe.look(host)

        return replace(probe, look=counts)

    return tuple(map(counting, PROBES)), looked


def other_hosts(host: RecordedHost) -> Iterator[tuple[str, RecordedHost]]:
    """The host with one thing changed, for everything that is recorded of it; every other file is gone."""
    for number, (path, content) in enumerate(host.files.items()):
        text = content if isinstance(content, bytes) else content.encode()
        if number % 2:
            yield f"{path} gone", host.changed(files={path: None})
            continue
        more = b"" if path.endswith(".plist") else b"\nx"
        yield f"{path} other", host.changed(files={path: text.replace(b"1", b"2") + more})
        if number % 4 == 0:
            yield f"{path} hidden", replace(host, hidden=host.hidden | {path})
    for argv, ran in host.commands.items():
        # Those that tell of files alone change with them.
        if argv[0] not in RESTS_ON and isinstance(ran, Ran):
            yield f"{argv[0]} fails", host.changed(commands={argv: Ran(1, "", "no")})
            yield f"{argv[0]} says nothing", host.changed(commands={argv: Ran(0, "", "")})
    for name in ("falcon-sensor", "rsyslogd", "chronyd"):
        yield f"{name} runs", replace(host, names=(*host.names, name))
    for name in host.names:
        yield f"{name} ends", replace(host, names=tuple(one for one in host.names if one != name))
    for path in host.links:
        yield f"{path} leads elsewhere", host.changed(links={path: "elsewhere"})
    for key in host.values:
        yield f"{key} gone", host.changed(values={key: None})
    for name, runs in host.service_states.items():
        yield f"{name} the other way", host.changed(service_states={name: not runs})
    yield "another account in its domain", replace(host, account=f"{host.account}7")
    yield "not root", replace(host, root=False)
    yield "another clock", replace(host, clock=host.clock ^ 0x40)
    yield "in a container", host.changed(files={"/.dockerenv": ""})


@pytest.mark.parametrize("host", [DEBIAN_LAPTOP, WINDOWS, MACOS], ids=lambda host: host.system)
def test_whatever_changed_it_says_what_a_fresh_look_says(host: RecordedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tomllib, "loads", cache(tomllib.loads))  # half of each look
    at, wrong = Changeable(host), []
    first = watch(at)
    told(first)
    for what, other in other_hosts(host):
        one, at.host = watch(at), other
        one._known = dict(first._known)
        if told(one).root() != as_posture(look(other, NOTHING)).root():
            wrong.append(what)
    assert wrong == []


def test_time_that_passes_is_a_change_where_something_runs_out() -> None:
    at = Changeable(DEBIAN_LAPTOP)
    one = watch(at)
    told(one)
    at.ahead = timedelta(days=30)
    fresh = as_posture(look(at, NOTHING))
    assert told(one).root() == fresh.root() != as_posture(look(DEBIAN_LAPTOP, NOTHING)).root()


def test_nothing_is_looked_at_anew_where_every_question_has_the_same_answer() -> None:
    probes, looked = counted()
    one = watch(DEBIAN_LAPTOP, probes=probes)
    first = told(one)
    assert len(looked) == len(PROBES)
    looked.clear()
    assert told(one) == first
    # Nothing but their own answers proves what these ask: packet filter, TPM, IPsec, the source of time.
    assert set(looked) <= {"host_firewall", "host_identity", "vpn", "time_sync"}


@pytest.mark.parametrize(
    "path",
    [
        "/var/cache/libdnf5/updates-0123456789abcdef/repodata/repomd.xml",
        "/var/cache/libdnf5/new-0123456789abcdef/repodata/repomd.xml",
        "/etc/dnf/dnf.conf",
        "/etc/dnf/libdnf5.conf.d/more.conf",
        "/etc/yum.repos.d/more.repo",
        "/usr/lib/sysimage/libdnf5/modules.toml",
        "/usr/lib/sysimage/rpm/rpmdb.sqlite",
        "/usr/bin/dnf5",
    ],
)
def test_what_waits_is_asked_anew_where_packages_settings_or_repositories_changed(path: str) -> None:
    probes, looked = counted()
    at = Changeable(FEDORA.changed(files={"/etc/dnf/dnf.conf": "[main]\n"}))
    one = watch(at, probes=probes)
    told(one)
    looked.clear()
    told(one)
    assert "patching" not in looked, "each start of dnf takes half a second of the processor, or more"
    at.host = at.host.changed(files={path: "another"})
    told(one)
    assert "patching" in looked


def test_what_is_seen_again_bears_the_time_at_which_the_host_was_asked_again() -> None:
    at = Changeable(DEBIAN_LAPTOP)
    one = watch(at)
    before = told(one).posture()
    at.asked.clear()
    at.ahead = timedelta(minutes=5)
    after = told(one).posture()
    times = [{section["observed_at"] for section in posture.sections.values()} for posture in (before, after)]
    assert [len(each) for each in times] == [1, 1]
    gone = (datetime.fromisoformat(min(each)).astimezone(UTC) for each in reversed(times))
    assert next(gone) - next(gone) == timedelta(minutes=5)
    assert {"fingerprint", "exists", "listdir", "processes"} <= set(at.asked)


def test_after_an_hour_everything_is_looked_at_whatever_the_answers() -> None:
    now = [0.0]
    probes, looked = counted()
    one = watch(DEBIAN_LAPTOP, lambda: now[0], probes)
    for now[0] in (0.0, ANEW_AFTER, ANEW_AFTER + 1.0):
        looked.clear()
        told(one)
        if now[0] <= ANEW_AFTER:
            assert len(looked) == len(PROBES)
    assert len(looked) < len(PROBES)


def test_a_look_that_went_wrong_is_not_remembered() -> None:
    def fails(host: Any) -> Any:
        raise ValueError("odd")

    one = watch(DEBIAN_LAPTOP, probes=(replace(PROBES[0], look=fails),))
    told(one)
    assert one._known == {}


def test_the_sections_are_those_of_a_look_without_memory() -> None:
    assert told(watch(DEBIAN_LAPTOP)).posture() == as_posture(look(DEBIAN_LAPTOP, NOTHING))


def test_every_question_that_a_host_takes_is_noted() -> None:
    """A method that is new in `Host` needs an answer here to what proves its answer."""
    asked = {name for name, _ in inspect.getmembers(port.Host, inspect.isfunction) if not name.startswith("_")}
    assert asked | {"system"} <= set(dir(Inquiry(Moment(DEBIAN_LAPTOP))))
