from __future__ import annotations

from agent.host import Ran
from agent.probes import observe, patching
from tests.agent.recorded import DEBIAN_LAPTOP, HELPER, INDEX, MACOS, SECURITY, WINDOWS, RecordedHost

RELEASE = f"/var/lib/apt/lists/{SECURITY}_InRelease"


def test_security_updates_that_are_not_installed_are_counted() -> None:
    values = observe(patching.PROBE, DEBIAN_LAPTOP).values
    assert values["pending_security"] == 1
    assert values["ever_patched"] is True


def test_the_local_time_of_the_log_becomes_a_moment() -> None:
    assert observe(patching.PROBE, DEBIAN_LAPTOP).values["last_patched"] == "2026-11-18T01:30:00Z"


def test_an_old_list_of_updates_proves_nothing() -> None:
    host = DEBIAN_LAPTOP.changed(files={RELEASE: "Date: Thu, 05 Nov 2026 20:11:02 UTC\n"})
    section = observe(patching.PROBE, host)
    assert section.values["pending_security"] is None
    assert "2026-11-05" in section.missing["pending_security"].detail


def test_without_a_security_archive_nothing_is_pending_or_not_pending() -> None:
    host = DEBIAN_LAPTOP.changed(files={RELEASE: None, INDEX: None})
    assert observe(patching.PROBE, host).values["pending_security"] is None


def test_a_list_that_cannot_be_read_is_not_an_empty_list() -> None:
    host = DEBIAN_LAPTOP.changed(commands={(HELPER, "cat-file", INDEX): Ran(100, "", "E: bad")})
    assert observe(patching.PROBE, host).missing["pending_security"].status == "unsupported"


def test_logs_without_an_upgrade_do_not_mean_never() -> None:
    section = observe(
        patching.PROBE, DEBIAN_LAPTOP.changed(files={"/var/log/dpkg.log": "2026-11-18 09:30:00 install x\n"})
    )
    assert section.values["ever_patched"] is None
    assert set(section.missing) == {"ever_patched", "last_patched"}


def test_a_missing_restart_note_counts_only_where_something_would_write_it() -> None:
    assert observe(patching.PROBE, DEBIAN_LAPTOP).values["restart_pending"] is False
    noted = DEBIAN_LAPTOP.changed(files={"/run/reboot-required": ""})
    assert observe(patching.PROBE, noted).values["restart_pending"] is True
    silent = DEBIAN_LAPTOP.changed(files={"/etc/kernel/postinst.d/unattended-upgrades": None})
    assert observe(patching.PROBE, silent).values["restart_pending"] is None


def test_hosts_without_dpkg_are_not_judged() -> None:
    assert observe(patching.PROBE, DEBIAN_LAPTOP.changed(files={"/var/lib/dpkg/status": None})).status == "unsupported"
    assert observe(patching.PROBE, MACOS).status == "unsupported"


def test_windows_tells_its_last_update_and_whether_a_restart_is_due() -> None:
    """By "Get-HotFix" of the PowerShell reference; the day is that of the host, and starts at its midnight."""
    section = observe(patching.PROBE, WINDOWS)
    assert (section.values["last_patched"], section.values["ever_patched"]) == ("2026-11-11T16:00:00Z", True)
    assert section.values["restart_pending"] is False
    assert section.missing["pending_security"].status == "unsupported"
    due = (r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired", "x")
    assert observe(patching.PROBE, WINDOWS.changed(values={due: 1})).values["restart_pending"] is True


def test_windows_without_an_answer_has_no_day() -> None:
    for answer in (None, Ran(1, "", "failed"), Ran(0, "", ""), TimeoutError("slow")):
        section = observe(patching.PROBE, WINDOWS.changed(commands={patching.HOTFIXES: answer}))
        assert section.values["last_patched"] is section.values["ever_patched"] is None
        assert set(section.missing) == {"last_patched", "ever_patched", "pending_security"}
    bare = observe(patching.PROBE, RecordedHost(system="windows"))
    assert bare.missing["restart_pending"].status == "unsupported"
