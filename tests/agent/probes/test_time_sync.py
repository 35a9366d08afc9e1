from __future__ import annotations

import pytest

from agent.host import Ran
from agent.probes import observe, time_sync
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, MACOS, WINDOWS
from tests.agent.recorded_macos import NETWORK_TIME, TIME_SERVER
from tests.agent.recorded_windows import W32TM, clock


def test_the_kernel_says_whether_the_clock_is_followed_and_the_daemon_by_whom() -> None:
    values = observe(time_sync.PROBE, DEBIAN_LAPTOP).values
    assert values == {"synchronised": True, "source": "time.stdtime.gov.tw"}


def test_chrony_names_its_reference() -> None:
    tracking = "A1B2C3D4,10.0.0.1,3,1.7,0.1,0.0,0.0,0,0,0,0,0,64,Normal\n"
    command = ("/usr/bin/chronyc", "-n", "-c", "tracking")
    host = DEBIAN_LAPTOP.changed(names=("chronyd",), commands={command: Ran(0, tracking, "")})
    assert observe(time_sync.PROBE, host).values["source"] == "10.0.0.1"
    silent = DEBIAN_LAPTOP.changed(names=("chronyd",))
    assert observe(time_sync.PROBE, silent).missing["source"].status == "unsupported"


def test_no_source_is_said_only_by_root() -> None:
    host = DEBIAN_LAPTOP.changed(clock=0x40, names=("systemd",))
    assert observe(time_sync.PROBE, host).values == {"synchronised": False, "source": "none"}
    assert observe(time_sync.PROBE, host.changed(root=False)).missing["source"].status == "denied"


def test_a_container_shares_the_clock_but_does_not_see_who_sets_it() -> None:
    section = observe(time_sync.PROBE, CONTAINER)
    assert (section.values["synchronised"], section.missing["source"].status) == (True, "unsupported")


IN_CHINESE = Ran(0, clock().output.replace("Leap Indicator", "閏秒指示器").replace("Stratum", "層級"), "")


@pytest.mark.parametrize(
    ("answer", "synchronised", "source"),
    [
        (clock(), True, "time.bank.example"),
        (clock(leap="3(not synchronized)"), False, "none"),
        (clock(stratum="0 (unspecified)"), False, "none"),
        (clock(reference='0x4C4F434C (source name:  "LOCL")', source="Local CMOS Clock"), False, "none"),
        (
            Ran(0, clock().output.replace("Leap Indicator", "閏秒指示器").replace("Stratum", "層級"), ""),
            True,
            "time.bank.example",
        ),
    ],
)
def test_windows_tells_whether_its_clock_follows(answer: Ran, synchronised: bool, source: str) -> None:
    """By "Windows Time service tools and settings", w32tm /query /status: nine lines, in the language of the system."""
    values = observe(time_sync.PROBE, WINDOWS.changed(commands={W32TM: answer})).values
    assert values == {"synchronised": synchronised, "source": source}


@pytest.mark.parametrize("answer", [None, Ran(1, "", ""), Ran(0, "", ""), Ran(0, clock().output[:60], "")])
def test_windows_that_does_not_answer_has_not_said_that_its_clock_is_right(answer: Ran | None) -> None:
    assert observe(time_sync.PROBE, WINDOWS.changed(commands={W32TM: answer})).status in {"unsupported", "error"}


def test_another_program_may_set_the_clock_of_windows() -> None:
    for states in ({"w32time": False}, {"w32time": None}):
        assert observe(time_sync.PROBE, WINDOWS.changed(service_states=states)).status == "unsupported"


def test_a_mac_tells_whom_its_clock_is_to_follow_and_not_whether_it_does() -> None:
    """By systemsetup(8)."""
    section = observe(time_sync.PROBE, MACOS)
    assert section.values == {"synchronised": None, "source": "time.apple.com"}
    assert section.missing["synchronised"].status == "unsupported"
    off = MACOS.changed(commands={NETWORK_TIME: Ran(0, "Network Time: Off\n", "")})
    assert observe(time_sync.PROBE, off).values == {"synchronised": False, "source": "none"}
    assert observe(time_sync.PROBE, MACOS.changed(root=False)).status == "denied"
    for command in (NETWORK_TIME, TIME_SERVER):
        odd = MACOS.changed(
            commands={command: Ran(0, "You need administrator access to run this tool... exiting!", "")}
        )
        assert observe(time_sync.PROBE, odd).status == "unsupported"
