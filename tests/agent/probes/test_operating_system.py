from __future__ import annotations

from agent.probes import observe, operating_system
from tests.agent.recorded import DEBIAN_LAPTOP, MACOS, WINDOWS


def test_debian_names_the_end_of_its_long_term_support() -> None:
    values = observe(operating_system.PROBE, DEBIAN_LAPTOP).values
    assert (values["name"], values["version"]) == ("Debian GNU/Linux", "12")
    assert values["supported_until"] == "2028-06-30T23:59:59Z"


def test_support_end_of_os_release_comes_first() -> None:
    host = DEBIAN_LAPTOP.changed(
        files={"/etc/os-release": "NAME=Fedora\nID=fedora\nVERSION_ID=41\nSUPPORT_END=2025-12-15\n"}
    )
    assert observe(operating_system.PROBE, host).values["supported_until"] == "2025-12-15T23:59:59Z"


def test_without_a_statement_of_the_maker_there_is_no_end() -> None:
    host = DEBIAN_LAPTOP.changed(files={"/usr/share/distro-info/debian.csv": None})
    section = observe(operating_system.PROBE, host)
    assert section.values["supported_until"] is None
    assert section.missing["supported_until"].status == "unsupported"


def test_without_os_release_nothing_is_said() -> None:
    host = DEBIAN_LAPTOP.changed(files={"/etc/os-release": None})
    assert observe(operating_system.PROBE, host).status == "unsupported"


def test_windows_11_is_told_from_10_by_its_build() -> None:
    values = observe(operating_system.PROBE, WINDOWS).values
    assert (values["family"], values["name"], values["version"]) == (
        "windows",
        "Windows 11 Enterprise",
        "10.0.22631.4460",
    )


def test_macos_says_its_version() -> None:
    assert observe(operating_system.PROBE, MACOS).values["version"] == "15.1"
