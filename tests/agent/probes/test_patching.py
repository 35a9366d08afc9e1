from __future__ import annotations

import json
import plistlib
from datetime import datetime, timedelta
from typing import Any

import pytest

from agent import rpm
from agent.host import Ran
from agent.probes import observe, patching
from tests.agent.recorded import DEBIAN_LAPTOP, FEDORA, HELPER, INDEX, MACOS, NOW, SECURITY, WINDOWS, RecordedHost
from tests.agent.recorded_macos import HISTORY, UPDATES, history
from tests.agent.recorded_rpm import DNF4, DNF5, INSTALLED, OLDER_ADVISORIES, PATCHES, UPDATED, ZYPPER, times

RELEASE = f"/var/lib/apt/lists/{SECURITY}_InRelease"


def test_security_updates_that_are_not_installed_are_counted() -> None:
    values = observe(patching.PROBE, DEBIAN_LAPTOP).values
    assert values["pending_security"] == 1
    assert values["ever_patched"] is True


def test_the_local_time_of_the_log_becomes_a_moment() -> None:
    assert observe(patching.PROBE, DEBIAN_LAPTOP).values["last_patched"] == "2026-11-18T01:30:00Z"


def test_an_old_list_of_updates_proves_nothing() -> None:
    host = DEBIAN_LAPTOP.changed(files={RELEASE: "Codename: bookworm\nDate: Thu, 05 Nov 2026 20:11:02 UTC\n"})
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


def test_hosts_without_dpkg_and_rpm_are_not_judged() -> None:
    assert observe(patching.PROBE, DEBIAN_LAPTOP.changed(files={"/var/lib/dpkg/status": None})).status == "unsupported"


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("Codename: bullseye-security\nDate: Thu, 19 Nov 2026 20:11:02 UTC\n", "own release bookworm"),
        ("Date: Thu, 19 Nov 2026 20:11:02 UTC\n", "own release bookworm"),
        ("Codename: bookworm-security\nDate: Thu, 19 Nov 2029 20:11:02 UTC\n", "to come"),
        ("Codename: bookworm-security\n", "states no date"),
    ],
)
def test_lists_of_another_release_or_of_a_day_to_come_prove_nothing(head: str, said: str) -> None:
    section = observe(patching.PROBE, DEBIAN_LAPTOP.changed(files={RELEASE: head}))
    assert section.values["pending_security"] is None
    assert said in section.missing["pending_security"].detail


def test_an_update_from_one_architecture_to_all_is_pending_too() -> None:
    packages = "Package: bash\nVersion: 5.3-1\nArchitecture: all\n\nPackage: openssl\nVersion: 9\nArchitecture: i386\n"
    host = DEBIAN_LAPTOP.changed(commands={(HELPER, "cat-file", INDEX): Ran(0, packages, "")})
    assert observe(patching.PROBE, host).values["pending_security"] == 1


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


# Hosts with rpm

ROCKY = FEDORA.changed(
    files={
        "/usr/bin/dnf5": None,
        "/var/cache/dnf/baseos-0123456789abcdef/repodata/repomd.xml": "",
        "/var/cache/dnf/baseos-0123456789abcdef/repodata/9f-updateinfo.xml.gz": b"",
    },
    commands={DNF5: None, DNF4: Ran(0, OLDER_ADVISORIES, "")},
)
SUSE = FEDORA.changed(
    files={
        "/usr/bin/dnf5": None,
        "/usr/bin/dnf": None,
        "/usr/bin/zypper": b"",
        "/var/cache/zypp/raw/update/repodata/repomd.xml": "",
        "/var/cache/zypp/raw/update/repodata/9f-updateinfo.xml.gz": b"",
    },
    commands={DNF5: None, ZYPPER: Ran(0, PATCHES, "")},
)


def values(host: RecordedHost) -> tuple[Any, ...]:
    found = observe(patching.PROBE, host)
    assert found.status == "seen", found.detail
    return tuple(found.values[name] for name in ("last_patched", "pending_security", "restart_pending"))


@pytest.mark.parametrize(("host", "pending"), [(FEDORA, 2), (ROCKY, 3), (SUSE, 3)])
def test_a_host_with_rpm_tells_updates_that_came_and_those_that_wait(host: RecordedHost, pending: int) -> None:
    """By dnf5-advisory(8), dnf(8) and zypper(8); packages count once, however many advisories speak of them."""
    assert values(host) == ("2026-11-10T08:40:00Z", pending, False)


def test_a_package_that_is_merely_added_patches_nothing() -> None:
    """rpm tells when a package came, not whether it replaced an older one: htop came later than the last update."""
    fresh = FEDORA.changed(commands={rpm.TIMES: times(glibc=INSTALLED + 3600)})
    assert values(fresh)[0] is None
    assert observe(patching.PROBE, fresh).missing["ever_patched"].status == "unsupported"


def test_a_restart_is_due_when_a_part_of_the_system_is_younger_than_its_start() -> None:
    """By dnf-needs-restarting(8) and the list of Red Hat's solution 27943; proc(5), btime."""
    assert values(FEDORA.changed(commands={rpm.TIMES: times(kernel_core=1_795_000_001)}))[2] is True
    assert values(FEDORA.changed(commands={rpm.TIMES: times(kernel_core=1_794_999_999)}))[2] is False
    contained = FEDORA.changed(files={"/.dockerenv": ""})
    assert observe(patching.PROBE, contained).missing["restart_pending"].status == "unsupported"


@pytest.mark.parametrize(
    "answer",
    [
        Ran(1, "", "Error: Cache-only enabled but no cache for 'updates'"),
        Ran(0, "Letzte Prüfung auf abgelaufene Metadaten\n", ""),
        Ran(0, "Name Type Severity Package Issued\nFEDORA-2026-044e56d9ff secur", ""),
        TimeoutError("slow"),
    ],
)
def test_dnf_that_does_not_answer_does_not_say_that_nothing_waits(answer: Ran | Exception) -> None:
    section = observe(patching.PROBE, FEDORA.changed(commands={DNF5: answer}))
    assert (section.values["pending_security"], section.missing["pending_security"].status) == (None, "unsupported")


def test_no_advisory_is_none_only_where_a_repository_tells_them_and_was_asked_lately() -> None:
    none = FEDORA.changed(commands={DNF5: Ran(0, "", "")})
    assert values(none)[1] == 0
    repomd = "/var/cache/libdnf5/updates-0123456789abcdef/repodata/repomd.xml"
    old = observe(patching.PROBE, none.changed(written={repomd: NOW - timedelta(days=8)}))
    assert "2026-11-12" in old.missing["pending_security"].detail
    info = "/var/cache/libdnf5/updates-0123456789abcdef/repodata/9f-updateinfo.xml.zst"
    mute = observe(patching.PROBE, none.changed(files={info: None}))
    assert "no repository" in mute.missing["pending_security"].detail
    bare = observe(patching.PROBE, none.changed(files={"/usr/bin/dnf": None, "/usr/bin/dnf5": None}))
    assert "neither dnf nor zypper" in bare.missing["pending_security"].detail


@pytest.mark.parametrize(
    ("answer", "said"),
    [(PATCHES[:900], "did not end"), (PATCHES.replace('name="SUSE-2026-502"', "name=<odd>"), "not understood")],
)
def test_an_answer_of_zypper_that_is_cut_or_odd_is_not_counted(answer: str, said: str) -> None:
    host = SUSE.changed(commands={ZYPPER: Ran(0, answer, "")})
    assert said in observe(patching.PROBE, host).missing["pending_security"].detail


def test_a_repository_that_was_asked_and_had_nothing_new_is_not_old() -> None:
    """dnf then sets the time of the list of packages, and leaves that of repomd.xml."""
    folder = "/var/cache/libdnf5/updates-0123456789abcdef/repodata"
    old = {f"{folder}/repomd.xml": NOW - timedelta(days=8)}
    host = FEDORA.changed(files={f"{folder}/9f-primary.xml.zst": b""}, written=old)
    assert values(host)[1] == 2
    old[f"{folder}/9f-primary.xml.zst"] = NOW - timedelta(days=8)
    assert values(host.changed(written=old))[1] is None


def test_of_several_programs_the_one_in_use_is_asked() -> None:
    both = SUSE.changed(files={"/usr/bin/dnf": b""})
    assert values(both)[1] == 3


@pytest.mark.parametrize("answer", [Ran(0, "", ""), Ran(0, "odd\n", ""), Ran(1, "", "rpmdb: damaged")])
def test_a_package_database_that_tells_nothing_is_not_an_old_system(answer: Ran) -> None:
    assert observe(patching.PROBE, FEDORA.changed(commands={rpm.TIMES: answer})).status in {"unsupported", "error"}


def images(*rows: tuple[bool, int]) -> Ran:
    """What ``rpm-ostree status --json`` prints: which image runs, and when each was made."""
    return Ran(0, json.dumps({"deployments": [{"booted": booted, "timestamp": made} for booted, made in rows]}), "")


def test_an_image_is_as_old_as_its_making_and_another_one_waits_for_a_restart() -> None:
    """By rpm-ostree(1), ``status --json``."""
    ostree = FEDORA.changed(files={"/run/ostree-booted": ""})
    command = ("/usr/bin/rpm-ostree", "status", "--json")
    staged = ostree.changed(commands={command: images((False, UPDATED + 5), (True, UPDATED))})
    assert values(staged) == ("2026-11-10T08:40:00Z", None, True)
    first = observe(patching.PROBE, ostree.changed(commands={command: images((True, UPDATED))}))
    assert (first.values["restart_pending"], first.values["ever_patched"]) == (False, None)
    for answer in (Ran(1, "", "no"), Ran(0, "{", ""), images((False, 1)), None):
        assert observe(patching.PROBE, ostree.changed(commands={command: answer})).status != "seen"


# Macs


def test_a_mac_tells_its_last_update_and_what_its_last_search_offered() -> None:
    """By softwareupdate(8) and its preferences; lists of malware come each week and are no update of the system."""
    section = observe(patching.PROBE, MACOS)
    assert section.values == {
        "ever_patched": True,
        "last_patched": "2026-11-04T02:30:00Z",
        "pending_security": 1,
        "restart_pending": None,
    }
    only_lists = history(("XProtectPayloads", "softwareupdated", datetime(2026, 11, 18)))
    bare = observe(patching.PROBE, MACOS.changed(files={HISTORY: only_lists}))
    assert (bare.values["ever_patched"], bare.missing["last_patched"].status) == (None, "unsupported")


@pytest.mark.parametrize("content", [None, b"", b"<?xml version='1.0'?><plist>", b"bplist00", plistlib.dumps({})])
def test_files_of_a_mac_that_cannot_be_read_say_neither_yes_nor_no(content: bytes | None) -> None:
    section = observe(patching.PROBE, MACOS.changed(files={HISTORY: content, UPDATES: content}))
    assert section.status == "seen"
    assert set(section.values.values()) == {None}
    assert set(section.missing) == set(section.values)


SEARCHED = datetime(2026, 11, 19, 3)


@pytest.mark.parametrize(
    ("settings", "pending"),
    [
        ({"LastFullSuccessfulDate": SEARCHED, "RecommendedUpdates": []}, 0),
        ({"LastSuccessfulDate": SEARCHED, "LastRecommendedUpdatesAvailable": 0}, 0),
        ({"LastSuccessfulDate": SEARCHED, "LastRecommendedUpdatesAvailable": 2}, None),
        ({"LastSuccessfulDate": SEARCHED}, None),
        ({"RecommendedUpdates": []}, None),
        ({"LastFullSuccessfulDate": SEARCHED - timedelta(days=9), "RecommendedUpdates": []}, None),
    ],
)
def test_nothing_offered_is_nothing_due_only_after_a_search_of_late(
    settings: dict[str, Any], pending: int | None
) -> None:
    section = observe(patching.PROBE, MACOS.changed(files={UPDATES: plistlib.dumps(settings)}))
    assert section.values["pending_security"] == pending
    restricted = {
        "/Library/Managed Preferences/com.apple.applicationaccess.plist": {"forceDelayedSoftwareUpdates": True}
    }
    held = {path: plistlib.dumps(keys) for path, keys in restricted.items()}
    hidden = observe(patching.PROBE, MACOS.changed(files={UPDATES: plistlib.dumps(settings)} | held))
    assert hidden.values["pending_security"] is None
