from __future__ import annotations

import csv
import json
import tomllib
from functools import cache
from typing import Any

import pytest

from agent.host import Ran
from agent.probes import PROBES, observe, observe_all
from agent.section import STATUSES, Denied, NotSupported, Probe, Seen
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, FEDORA, MACOS, NOT_ROOT, WINDOWS, RecordedHost

HOSTS = {"debian": DEBIAN_LAPTOP, "not_root": NOT_ROOT, "container": CONTAINER, "windows": WINDOWS, "macos": MACOS} | {
    "fedora": FEDORA,
    "empty": RecordedHost(),
    "empty_not_root": RecordedHost(root=False),
    "unknown": RecordedHost(system="sunos5"),
}


@pytest.fixture(autouse=True)
def _read_the_list_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tomllib, "loads", cache(tomllib.loads))  # half of each look


@pytest.mark.parametrize("name", HOSTS)
def test_every_probe_ends_in_a_section_on_every_host(name: str) -> None:
    for section in observe_all(HOSTS[name]):
        assert section.status in STATUSES
        assert (section.status == "seen") == (section.detail == "")
        assert (section.status == "seen") == bool(section.values)
        json.dumps(section.to_dict())


@pytest.mark.parametrize("name", HOSTS)
def test_a_value_is_none_only_with_a_reason(name: str) -> None:
    for section in observe_all(HOSTS[name]):
        for value, content in section.values.items():
            assert content is not None or value in section.missing, (section.name, value)


@pytest.mark.parametrize("path", sorted(DEBIAN_LAPTOP.files))
def test_hiding_any_one_file_never_ends_a_probe_in_an_exception(path: str) -> None:
    for section in observe_all(DEBIAN_LAPTOP.changed(hidden=frozenset({path}))):
        assert section.status in STATUSES


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0", b":::\n=\n- - -\n", b"9" * 5000])
def test_nonsense_in_any_one_file_never_ends_a_probe_in_an_exception(content: bytes) -> None:
    for path in DEBIAN_LAPTOP.files:
        for section in observe_all(DEBIAN_LAPTOP.changed(files={path: content})):
            assert section.status in STATUSES, (path, section)


@pytest.mark.parametrize(
    "content", [b"", b"<?xml version='1.0'?><plist><dict>", b"bplist00", b"<?xml?>" * 3, b"\xff\xfe"]
)
def test_nonsense_in_any_one_property_list_never_ends_a_probe_in_an_exception(content: bytes) -> None:
    for path in MACOS.files:
        for section in observe_all(MACOS.changed(files={path: content})):
            assert section.status in STATUSES, (path, section)


@pytest.mark.parametrize("answer", [Ran(1, "", ""), Ran(0, "", ""), Ran(0, "<?xml version='1.0'?><plist><dict>", "")])
@pytest.mark.parametrize("host", [WINDOWS, MACOS, FEDORA], ids=["windows", "macos", "fedora"])
def test_nonsense_from_any_one_command_never_ends_a_probe_in_an_exception(host: RecordedHost, answer: Ran) -> None:
    for command in host.commands:
        for section in observe_all(host.changed(commands={command: answer})):
            assert section.status in STATUSES, (command, section)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Denied("no"), "denied"),
        (NotSupported("no"), "unsupported"),
        (PermissionError(13, "Permission denied", "/x"), "denied"),
        (FileNotFoundError(2, "No such file", "/x"), "error"),
        (TimeoutError("slow"), "error"),
        (ValueError("odd"), "error"),
        (KeyError("odd"), "error"),
        (IndexError("odd"), "error"),
        (csv.Error("odd"), "error"),
        (EOFError("odd"), "error"),
    ],
)
def test_what_stops_a_probe_becomes_its_status(error: Exception, status: str) -> None:
    def look(host: Any) -> Seen:
        raise error

    section = observe(Probe("odd", 1, (), look), DEBIAN_LAPTOP)
    assert (section.status, section.values) == (status, {})
    assert section.detail


def test_a_float_is_refused() -> None:
    probe = Probe("odd", 1, (), lambda host: Seen({"x": 0.5}))
    assert observe(probe, DEBIAN_LAPTOP).status == "error"


def test_probes_have_names_of_their_own_and_say_what_they_read() -> None:
    assert len({probe.name for probe in PROBES}) == len(PROBES) == 17
    assert all(probe.reads for probe in PROBES)
