from __future__ import annotations

import json

import pytest

from agent import wire
from agent.host import Ran
from agent.posture import OFF, look
from agent.probes import observe, software
from agent.section import Section
from collectors.sections import Installed, installed
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, DPKG_QUERY, MACOS, WINDOWS, RecordedHost
from tests.agent.recorded_windows import UNINSTALL

RPM = ("/usr/bin/rpm", "-qa", "--qf", r"%{NAME}\t%{EVR}\t%{SOURCERPM}\t%{VENDOR}\n")


def seen(host: RecordedHost) -> Section:
    section = observe(software.PROBE, host)
    assert section.status == "seen", section.detail
    return section


def packages(section: Section) -> dict[str, Installed]:
    return {one.name: one for one in installed(section.values)}


def test_installed_packages_stand_under_their_publishers_by_what_they_were_built_from() -> None:
    section = seen(DEBIAN_LAPTOP)
    assert dict(zip(section.values["publishers"], section.values["builds"], strict=True)) == {
        "Debian GCC Maintainers": [["gcc-defaults", "1.203", "4:12.2.0-3", "gcc"]],
        "Debian OpenSSL Team": [["openssl", "3.0.11-1~deb12u1", "", "libssl3", ""]],
        "Matthias Klose": [["bash", "5.2.15-2", "5.2.15-2+b7", ""]],
    }
    assert (section.values["installed"], section.values["cut"], section.missing) == (4, False, {})
    assert packages(section) == {
        "bash": Installed("bash", "5.2.15-2+b7", "bash", "5.2.15-2"),
        "gcc": Installed("gcc", "4:12.2.0-3", "gcc-defaults", "1.203"),
        "libssl3": Installed("libssl3", "3.0.11-1~deb12u1", "openssl", "3.0.11-1~deb12u1"),
        "openssl": Installed("openssl", "3.0.11-1~deb12u1", "openssl", "3.0.11-1~deb12u1"),
    }
    assert "@" not in json.dumps(section.to_dict())


def dpkg(*rows: str) -> RecordedHost:
    return DEBIAN_LAPTOP.changed(commands={DPKG_QUERY: Ran(0, "".join(f"{row}\n" for row in rows), "")})


@pytest.mark.parametrize("state", ["triggers-awaited", "triggers-pending", "half-configured", "unpacked"])
def test_a_package_whose_installation_is_not_done_is_there_all_the_same(state: str) -> None:
    """By dpkg(1), PACKAGE STATES: its files are unpacked in each of these."""
    assert set(packages(seen(dpkg(f"{state}\tx\t1\tx\t1\tT", "not-installed\ty\t1\ty\t1\tT")))) == {"x"}


def test_rpm_names_vendor_and_source() -> None:
    """By rpm(8) and its query format: EVR, SOURCERPM and VENDOR, "(none)" where there is no value."""
    lines = (
        "openssl-libs\t1:3.0.7-27.el9\topenssl-3.0.7-27.el9.src.rpm\tRed Hat, Inc.\n"
        "openssl-libs\t1:3.0.7-27.el9\topenssl-3.0.7-27.el9.src.rpm\tRed Hat, Inc.\n"
        "bash\t5.1.8-9.el9\tbash-5.1.8-9.el9.src.rpm\tRed Hat, Inc.\n"
        "perl-Errno\t1.30-481.el9\tperl-5.32.1-481.el9.src.rpm\tRed Hat, Inc.\n"
        "gpg-pubkey\tfd431d51-4ae0493b\t(none)\t(none)\n"
        "own\t1-1\t(none)\t(none)\n"
        "bought\t2-1\tbought-tools-3-1.nosrc.rpm\t(none)\n"
    )
    files = {"/var/lib/dpkg/status": None, "/usr/bin/rpm": b""}
    section = seen(DEBIAN_LAPTOP.changed(files=files, commands={RPM: Ran(0, lines, "")}))
    assert packages(section) == {
        "bash": Installed("bash", "5.1.8-9.el9", "bash", "5.1.8-9.el9"),
        "bought": Installed("bought", "2-1", "bought-tools", "3-1"),
        "openssl-libs": Installed("openssl-libs", "1:3.0.7-27.el9", "openssl", "1:3.0.7-27.el9"),
        "own": Installed("own", "1-1", "own", "1-1"),
        "perl-Errno": Installed("perl-Errno", "1.30-481.el9", "perl", "5.32.1-481.el9"),
    }
    assert section.values["installed"] == 5
    assert section.values["publishers"] == ["", "Red Hat, Inc."]


def many(count: int) -> RecordedHost:
    """As many packages as wanted, as a Debian desktop has them.

    20 of 11 builds, half of which have a package of their own name; names of 17, versions of 16, sources of 11
    characters.
    """
    rows, last = [], ""
    for number in range(count):
        build = number * 55 // 100
        source = f"source-{build:04}"
        name = source if source != last and build % 2 else f"lib-package-{number:05}"
        last = source
        rows.append(
            f"installed\t{name}\t12.34.56-{build:04}+d1\t{source}\t12.34.56-{build:04}+d1\tThe Team {build % 400}"
        )
    return dpkg(*rows)


def test_a_host_with_three_thousand_packages_is_told_whole() -> None:
    section = seen(many(3000))
    assert (section.values["cut"], len(packages(section)), section.missing) == (False, 3000, {})
    assert len(wire.section_bytes(section.to_dict())) < wire.MAX_SECTION


def test_a_list_that_does_not_fit_is_cut_and_says_so() -> None:
    section = seen(many(6000))
    assert (section.values["cut"], section.values["installed"]) == (True, 6000)
    assert "of 6000 fit" in section.missing["builds"].detail
    assert 3000 < len(packages(section)) < 6000
    assert len(wire.section_bytes(section.to_dict())) < wire.MAX_SECTION


def test_hostile_names_are_made_printable_and_too_long_ones_count_as_cut() -> None:
    section = seen(dpkg("installed\tx\x1b[31m\t\x1b[31m1\tx\t1\tT", f"installed\t{'y' * 5000}\t1\ty\t1\tT"))
    assert set(packages(section)) == {"x[31m"}
    assert packages(section)["x[31m"].version == "[31m1"
    assert (section.values["installed"], section.values["cut"]) == (2, True)


@pytest.mark.parametrize("odd", ["installed\tx\t1", "installed\tx\t1\tx\t1\tT\tmore"])
def test_one_line_that_is_not_understood_leaves_no_package_out_unsaid(odd: str) -> None:
    section = observe(software.PROBE, dpkg("installed\tbash\t5\tbash\t5\tT", odd))
    assert (section.status, section.values) == ("unsupported", {})
    assert "not in 6" in section.detail


@pytest.mark.parametrize("answer", [Ran(0, "", ""), Ran(0, "odd\n", "")])
def test_an_empty_answer_is_not_no_software(answer: Ran) -> None:
    assert observe(software.PROBE, DEBIAN_LAPTOP.changed(commands={DPKG_QUERY: answer})).status == "unsupported"
    assert observe(software.PROBE, DEBIAN_LAPTOP.changed(commands={DPKG_QUERY: Ran(2, "", "locked")})).status == "error"
    assert observe(software.PROBE, DEBIAN_LAPTOP.changed(files={"/var/lib/dpkg/status": None})).status == "unsupported"


def test_what_other_ways_have_installed_is_said_to_be_missing() -> None:
    snaps = DEBIAN_LAPTOP.changed(folders=("/var/lib/snapd/snaps",))
    assert "snaps" in seen(snaps).missing["builds"].detail
    assert "container" in seen(CONTAINER).missing["builds"].detail


def test_it_has_a_switch_of_its_own() -> None:
    (section,) = (one for one in look(DEBIAN_LAPTOP, frozenset({"software"})) if one.name == "software")
    assert (section.status, section.detail, section.values) == ("denied", OFF, {})


def test_windows_lists_what_its_list_of_programs_shows() -> None:
    """By "Uninstall Registry Key" and "ARPSYSTEMCOMPONENT" of the Windows Installer reference."""
    section = seen(WINDOWS)
    assert packages(section) == {
        "7-Zip 24.08 (x64)": Installed("7-Zip 24.08 (x64)", "24.08", "7-Zip 24.08 (x64)", "24.08")
    }
    assert "single users" in section.missing["builds"].detail
    small = UNINSTALL.replace("SOFTWARE", r"SOFTWARE\WOW6432Node")
    both = WINDOWS.changed(values={(rf"{small}\Old", "DisplayName"): "Old", (rf"{small}\Old", "Publisher"): "Maker"})
    assert set(packages(seen(both))) == {"7-Zip 24.08 (x64)", "Old"}


def test_a_mac_lists_bundles_and_receipts() -> None:
    """By "Information Property List" of Apple's bundle reference, and pkgutil(1) on /var/db/receipts."""
    versions = {name: one.version for name, one in packages(seen(MACOS)).items()}
    assert versions == {"Firefox": "132.0.2", "com.bank.agent": "1.4"}
    odd = MACOS.changed(files={"/Applications/Odd.app/Contents/Info.plist": b"no plist"})
    assert packages(seen(odd))["Odd"].version == ""
