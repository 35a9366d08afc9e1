"""Until when a version of Windows is repaired: by product, build and edition, and not known beyond the list."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from collectors.ad import lifecycle


@pytest.mark.parametrize(
    ("name", "version", "end"),
    [
        ("Windows 11 Enterprise", "10.0 (22631)", date(2026, 11, 10)),
        ("Windows 11 Pro", "10.0 (22631)", date(2025, 11, 11)),
        ("Windows 11 Pro Education", "10.0 (26100)", date(2026, 10, 13)),
        ("Windows 11 Education", "10.0 (26100)", date(2027, 10, 12)),
        ("Windows 11 Enterprise LTSC", "10.0 (26100)", date(2029, 10, 9)),
        ("Windows 11 IoT Enterprise LTSC", "10.0 (26100)", date(2034, 10, 10)),
        ("Windows 10 Enterprise", "10.0 (19045)", date(2025, 10, 14)),
        ("Windows 10 Enterprise LTSC", "10.0 (19044)", date(2027, 1, 12)),
        ("Windows 10 Enterprise 2016 LTSB", "10.0 (14393)", date(2026, 10, 13)),
        ("Windows 7 Professional", "6.1 (7601)", date(2020, 1, 14)),
        ("Windows 8.1 Pro", "6.3 (9600)", date(2023, 1, 10)),
        ("Windows Server 2025 Datacenter", "10.0 (26100)", date(2034, 11, 14)),
        ("Windows Server 2022 Standard", "10.0 (20348)", date(2031, 10, 14)),
        ("Windows Server 2012 R2 Standard", "6.3 (9600)", date(2023, 10, 10)),
        ("Windows Server 2012 Standard", "6.2 (9200)", date(2023, 10, 10)),
        ("Windows Server® 2008 Standard", "6.0 (6002)", date(2020, 1, 14)),
        ("Windows Server Datacenter", "10.0 (17763)", date(2020, 11, 10)),
    ],
)
def test_each_build_and_edition_has_its_own_end(name: str, version: str, end: date) -> None:
    assert lifecycle.known().until(name, version) == datetime.combine(end, time(23, 59, 59), UTC)


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("Windows 11 Enterprise", "10.0 (99999)", "10.0 (99999) is not in the list"),
        ("Windows 11 Enterprise", None, "of unknown build"),
        ("Windows 11 Enterprise", "10.0", "is not in the list"),
        ("Windows 11", "10.0 (22631)", "the edition of Windows 11"),
        ("Windows 11 Enterprise", "10.0 (26300)", "the edition of"),
        ("Windows 10 Pro LTSC", "10.0 (19045)", "the edition of"),
        ("Windows Server 2022 Standard", "10.0 (17763)", "is not in the list"),
        ("Ubuntu", "24.04", "Ubuntu is not in the list"),
        ("Windows Server 2028 Standard", "10.0 (30000)", "is not in the list"),
    ],
)
def test_what_the_list_does_not_have_is_not_known(name: str, version: str | None, said: str) -> None:
    found = lifecycle.known().until(name, version)

    assert isinstance(found, str)
    assert said in found


def test_ends_of_windows_ten_and_later_are_tuesdays() -> None:
    known = lifecycle.known()
    ends = {
        (build, edition): end
        for _, builds in known.products
        for build, dates in builds.items()
        for edition, end in dates.items()
        if int(build) > 9600 and int(build) != 25398  # the annual channel ended on a day of its own
    }

    assert {place: end for place, end in ends.items() if end.weekday() != 1} == {}
    assert len(ends) > 30
