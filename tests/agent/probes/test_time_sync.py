from __future__ import annotations

from agent.host import Ran
from agent.probes import observe, time_sync
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, MACOS


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
    assert observe(time_sync.PROBE, MACOS).status == "unsupported"
