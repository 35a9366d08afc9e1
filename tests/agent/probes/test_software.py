from __future__ import annotations

import json

import pytest

from agent import wire
from agent.host import Ran
from agent.posture import OFF, look
from agent.probes import observe, software
from agent.section import Section
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, DPKG_QUERY, MACOS, WINDOWS, RecordedHost
from tests.agent.recorded_windows import UNINSTALL

RPM = ("/usr/bin/rpm", "-qa", "--qf", r"%{NAME}\t%{EVR}\t%{SOURCERPM}\t%{VENDOR}\n")


def seen(host: RecordedHost) -> Section:
    section = observe(software.PROBE, host)
    assert section.status == "seen", section.detail
    return section


def packages(section: Section) -> dict[str, dict[str, str]]:
    found = {}
    for group in section.values["publishers"]:
        for name, version, source in zip(group["names"], group["versions"], group["sources"], strict=True):
            found[name] = {"name": name, "version": version} | ({"source": source} if source else {})
    return found


def test_installed_packages_stand_under_their_publishers() -> None:
    section = seen(DEBIAN_LAPTOP)
    assert section.values["publishers"][0] == {
        "publisher": "Debian OpenSSL Team",
        "names": ["libssl3"],
        "versions": ["3.0.11-1~deb12u1"],
        "sources": ["openssl"],
    }
    assert (section.values["installed"], section.values["cut"], section.missing) == (2, False, {})
    assert "nano" not in packages(section)
    assert "@" not in json.dumps(section.to_dict())


def test_rpm_names_vendor_and_source() -> None:
    """By rpm(8) and its query format: EVR, SOURCERPM and VENDOR, "(none)" where there is no value."""
    lines = (
        "openssl-libs\t1:3.0.7-27.el9\topenssl-3.0.7-27.el9.src.rpm\tRed Hat, Inc.\n"
        "bash\t5.1.8-9.el9\tbash-5.1.8-9.el9.src.rpm\tRed Hat, Inc.\n"
        "gpg-pubkey\tfd431d51\t(none)\t(none)\n"
        "own\t1-1\t(none)\t(none)\n"
    )
    files = {"/var/lib/dpkg/status": None, "/usr/bin/rpm": b""}
    host = DEBIAN_LAPTOP.changed(files=files, commands={RPM: Ran(0, lines, "")})
    found = packages(seen(host))
    assert found["openssl-libs"]["source"] == "openssl"
    assert set(found) == {"openssl-libs", "bash", "own"}
    assert "source" not in found["bash"] and "source" not in found["own"]
    assert seen(host).values["publishers"][0]["publisher"] is None


def test_a_list_that_does_not_fit_is_cut_and_says_so() -> None:
    rows = "".join(f"installed\tpackage-{number:05}\t1.2.3-{number}\tsource\tA Team\n" for number in range(4000))
    section = seen(DEBIAN_LAPTOP.changed(commands={DPKG_QUERY: Ran(0, rows, "")}))
    assert (section.values["cut"], section.values["installed"]) == (True, 4000)
    assert "of 4000 fit" in section.missing["publishers"].detail
    assert 1000 < len(packages(section)) < 4000
    assert len(wire.section_bytes(section.to_dict())) < wire.MAX_SECTION


def test_hostile_names_are_cut_and_made_printable() -> None:
    rows = f"installed\t{'x' * 5000}\t\x1b[31m1\tx\tT\n"
    (one,) = packages(seen(DEBIAN_LAPTOP.changed(commands={DPKG_QUERY: Ran(0, rows, "")}))).values()
    assert len(one["name"]) == 128
    assert one["version"] == "[31m1"


@pytest.mark.parametrize("answer", [Ran(0, "", ""), Ran(0, "odd\n", "")])
def test_an_empty_answer_is_not_no_software(answer: Ran) -> None:
    assert observe(software.PROBE, DEBIAN_LAPTOP.changed(commands={DPKG_QUERY: answer})).status == "unsupported"
    assert observe(software.PROBE, DEBIAN_LAPTOP.changed(commands={DPKG_QUERY: Ran(2, "", "locked")})).status == "error"
    assert observe(software.PROBE, DEBIAN_LAPTOP.changed(files={"/var/lib/dpkg/status": None})).status == "unsupported"


def test_what_other_ways_have_installed_is_said_to_be_missing() -> None:
    snaps = DEBIAN_LAPTOP.changed(folders=("/var/lib/snapd/snaps",))
    assert "snaps" in seen(snaps).missing["publishers"].detail
    assert "container" in seen(CONTAINER).missing["publishers"].detail


def test_it_has_a_switch_of_its_own() -> None:
    (section,) = (one for one in look(DEBIAN_LAPTOP, frozenset({"software"})) if one.name == "software")
    assert (section.status, section.detail, section.values) == ("denied", OFF, {})


def test_windows_lists_what_its_list_of_programs_shows() -> None:
    """By "Uninstall Registry Key" and "ARPSYSTEMCOMPONENT" of the Windows Installer reference."""
    section = seen(WINDOWS)
    assert packages(section) == {"7-Zip 24.08 (x64)": {"name": "7-Zip 24.08 (x64)", "version": "24.08"}}
    assert "single users" in section.missing["publishers"].detail
    small = UNINSTALL.replace("SOFTWARE", r"SOFTWARE\WOW6432Node")
    both = WINDOWS.changed(values={(rf"{small}\Old", "DisplayName"): "Old", (rf"{small}\Old", "Publisher"): "Maker"})
    assert set(packages(seen(both))) == {"7-Zip 24.08 (x64)", "Old"}


def test_a_mac_lists_bundles_and_receipts() -> None:
    """By "Information Property List" of Apple's bundle reference, and pkgutil(1) on /var/db/receipts."""
    assert packages(seen(MACOS)) == {
        "Firefox": {"name": "Firefox", "version": "132.0.2"},
        "com.bank.agent": {"name": "com.bank.agent", "version": "1.4"},
    }
    odd = MACOS.changed(files={"/Applications/Odd.app/Contents/Info.plist": b"no plist"})
    assert packages(seen(odd))["Odd"]["version"] == ""
