"""What is told of a host, and what is not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import scanner
from agent import __version__, wire
from agent.host import Host
from agent.posture import OFF, as_posture, bearings, boot_id, look, purposes, section_names
from agent.probes import PROBES
from agent.section import Probe, Seen
from tests.agent.recorded import DEBIAN_LAPTOP, MACOS, NOT_ROOT, WINDOWS, RecordedHost

GOLDEN = Path(__file__).parent / "told.txt"
NOTHING: frozenset[str] = frozenset()


def fields(name: str, value: Any) -> Iterator[str]:
    """The path of every value, lists as ``[]``."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from fields(f"{name}.{key}", inner)
    elif isinstance(value, list) and value:
        for inner in value:
            yield from fields(f"{name}[]", inner)
    else:
        yield name


def told() -> list[str]:
    found = {
        path.replace("[]", "") if path.endswith("[]") else path
        for host in (DEBIAN_LAPTOP, WINDOWS, MACOS)
        for section in look(host, NOTHING)
        for key, value in section.values.items()
        for path in fields(f"{section.name}.{key}", value)
    }
    enrolment = {f"at enrolment: {name}" for name in (*bearings(DEBIAN_LAPTOP, NOTHING, []), "serial", "machine_id")}
    return sorted(found | enrolment | {"at enrolment: smbios_uuid", "at enrolment: tpm_ek_sha256"})


def test_these_values_are_told_and_no_others() -> None:
    """A new line is a new thing told of people's machines: say in agent/purposes.toml what it is for."""
    if os.environ.get("ZTGRADE_ACCEPT_GOLDEN"):
        GOLDEN.write_text("\n".join(told()) + "\n")
    assert told() == GOLDEN.read_text().splitlines()


def test_nothing_of_what_people_do_is_told() -> None:
    words = ("history", "browser", "url", "command", "argument", "process", "document", "file", "clipboard", "screen")
    assert [line for line in told() if any(word in line for word in words)] == []


def test_every_section_says_what_it_is_for() -> None:
    assert set(purposes()) == section_names() | {"agent"}
    assert all(text.endswith(".") and len(text) > 20 for text in purposes().values())


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_a_section_that_is_switched_off_is_not_looked_at_and_said_to_be_off(probe: Probe) -> None:
    def never(host: Host) -> Seen:
        raise AssertionError("looked")

    blind = tuple(replace(one, look=never) if one.name == probe.name else one for one in PROBES)
    found = {one.name: one for one in look(DEBIAN_LAPTOP, frozenset({probe.name}), probes=blind)}
    section = found[probe.name]
    assert (section.status, section.detail, section.values) == ("denied", OFF, {})
    assert found["agent"].values["switched_off"] == [probe.name]


def test_names_of_people_can_be_kept_back_and_that_is_no_empty_list() -> None:
    with_names = {one.name: one for one in look(DEBIAN_LAPTOP, NOTHING)}["administrators"]
    without = {one.name: one for one in look(DEBIAN_LAPTOP, frozenset({"user_names"}))}["administrators"]
    assert with_names.values["names"]
    assert without.values["names"] is None
    assert without.missing["names"].detail == OFF
    assert without.values["members"] == with_names.values["members"]
    whole = json.dumps([one.to_dict() for one in look(DEBIAN_LAPTOP, frozenset({"user_names"}))])
    assert all(f'"{name}"' not in whole for name in with_names.values["names"] if name != "root")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["x" * 1000] * 200, "bytes"),
        (["x" * 20_000], "a text has 20000 characters"),
        ({"a": [2**60]}, "a number is too great"),
        ({"k" * 600: 1}, "a key has 600 characters"),
    ],
)
def test_a_section_that_no_server_takes_becomes_one_that_could_not_be_told(value: Any, said: str) -> None:
    def much(host: Host) -> Seen:
        return Seen({"much": value})

    (section, _) = look(DEBIAN_LAPTOP, NOTHING, probes=(Probe("much", 1, (), much),))
    assert section.status == "error"
    assert said in section.detail
    assert len(wire.section_bytes(section.to_dict())) < 1000


def test_the_root_stays_when_nothing_changed() -> None:
    first, second = (as_posture(look(DEBIAN_LAPTOP, NOTHING)) for _ in range(2))
    assert first.root() == second.root()
    assert as_posture(look(NOT_ROOT, NOTHING)).root() != first.root()


def test_bearings_hold_only_plain_texts_and_nothing_of_what_is_switched_off() -> None:
    sections = look(DEBIAN_LAPTOP, NOTHING)
    found = bearings(DEBIAN_LAPTOP, NOTHING, sections)
    assert found["hostname"] and found["machine_id"]
    assert all(isinstance(text, str) and text.isprintable() for text in found.values())
    off = frozenset({"host_identity"})
    assert bearings(DEBIAN_LAPTOP, off, look(DEBIAN_LAPTOP, off)).keys() == {"hostname", "os"}
    assert bearings(DEBIAN_LAPTOP, off, look(DEBIAN_LAPTOP, off))["hostname"] == ""


def test_a_boot_has_an_identifier_where_the_kernel_gives_none() -> None:
    assert boot_id(WINDOWS) == boot_id(WINDOWS)
    assert 1 <= len(boot_id(WINDOWS)) <= 64


def test_the_agent_bears_the_version_of_the_house() -> None:
    assert __version__ == scanner.__version__
    assert {one.name: one for one in look(DEBIAN_LAPTOP, NOTHING)}["agent"].values["version"] == __version__


@pytest.mark.parametrize(("host", "never"), [(DEBIAN_LAPTOP, False), (WINDOWS, True), (MACOS, True)])
def test_the_agent_says_on_which_systems_it_was_never_run(host: RecordedHost, never: bool) -> None:
    """Take a system from this list only with a run on the real one; docs/agent-sections.md says the same."""
    assert {one.name: one for one in look(host, NOTHING)}["agent"].values["never_run_here"] is never
