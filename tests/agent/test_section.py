from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from agent.section import Missing, NotSupported, Section, by_system, moment, refuse_odd_values
from tests.agent.recorded import RecordedHost

SECTION = Section(
    "boot", 1, "seen", "", "2026-11-20T01:00:00Z", {"tpm": None, "n": 3}, {"tpm": Missing("denied", "no")}
)


def test_a_section_survives_its_plain_form() -> None:
    assert Section.from_dict(SECTION.to_dict()) == SECTION


@pytest.mark.parametrize(
    "change",
    [
        {"status": "fine"},
        {"schema_version": "1"},
        {"schema_version": True},
        {"values": []},
        {"values": {"x": 1.5}},
        {"values": {"x": [{"y": 1.5}]}},
        {"missing": {"x": {"status": "seen", "detail": ""}}},
        {"missing": {"x": "denied"}},
        {"name": None},
        {"more": 1},
    ],
)
def test_other_forms_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Section.from_dict(SECTION.to_dict() | change)


def test_what_is_not_an_object_is_refused() -> None:
    with pytest.raises(ValueError, match="object"):
        Section.from_dict([])


def test_deep_nesting_is_refused() -> None:
    value: Any = 1
    for _ in range(50):
        value = [value]
    with pytest.raises(ValueError, match="deeply"):
        refuse_odd_values(value)


def test_a_naive_time_is_no_moment() -> None:
    with pytest.raises(ValueError, match="zone"):
        moment(datetime(2026, 11, 20))


def test_a_look_takes_the_branch_of_its_system_and_names_the_system_that_has_none() -> None:
    branches = {"linux": "one", "windows": "two", "macos": "three"}
    for system, branch in branches.items():
        assert by_system(RecordedHost(system), "nothing is known on", **branches) == branch
    with pytest.raises(NotSupported, match=r"^nothing is known on sunos5$"):
        by_system(RecordedHost("sunos5"), "nothing is known on", **branches)
