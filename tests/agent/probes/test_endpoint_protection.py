from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agent.host import Ran
from agent.probes import endpoint_protection, observe
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, NOT_ROOT, NOW, WINDOWS
from tests.agent.recorded_windows import objects

BARE = DEBIAN_LAPTOP.changed(files={"/opt/CrowdStrike/falconctl": None}, names=("systemd", "sshd"))


def test_a_running_sensor_of_the_known_list_is_seen() -> None:
    section = observe(endpoint_protection.PROBE, DEBIAN_LAPTOP)
    (product,) = section.values["products"]
    assert (product["product"], product["category"], product["running"]) == ("CrowdStrike Falcon", "edr", True)
    assert product["mode"] is None
    assert section.missing["products"].status == "unsupported"


def test_an_installed_sensor_that_does_not_run_is_seen_as_such() -> None:
    (product,) = observe(endpoint_protection.PROBE, DEBIAN_LAPTOP.changed(names=("systemd",))).values["products"]
    assert product["running"] is False


def test_none_of_the_known_list_is_said_by_root_alone_and_names_the_list() -> None:
    section = observe(endpoint_protection.PROBE, BARE)
    assert section.values["products"] == []
    assert section.values["known_list"]
    assert observe(endpoint_protection.PROBE, BARE.changed(root=False)).status == "denied"
    assert observe(endpoint_protection.PROBE, NOT_ROOT).status == "denied"


def test_containers_and_foreign_namespaces_cannot_say_none() -> None:
    assert observe(endpoint_protection.PROBE, CONTAINER).status == "unsupported"
    foreign = BARE.changed(links={"/proc/self/ns/pid": "pid:[4026532000]"})
    assert observe(endpoint_protection.PROBE, foreign).status == "unsupported"


HEALTH = """\
healthy                                     : true
health_issues                               : []
passive_mode_enabled                        : false [managed]
real_time_protection_enabled                : true [managed]
real_time_protection_available              : true
definitions_updated                         : Nov 19, 2026 at 11:30:00 PM
definitions_updated_minutes_ago             : 90
"""


def defender(health: str, system: str = "linux") -> dict[str, Any]:
    command = {"linux": "/usr/bin/mdatp", "macos": "/usr/local/bin/mdatp"}[system]
    host = BARE.changed(
        system=system,
        names=("systemd", "wdavdaemon"),
        commands={(command, "health"): Ran(0, health, "")},
        files={"/opt/microsoft/mdatp/sbin/wdavdaemon": b""},
    )
    product: dict[str, Any]
    (product,) = observe(endpoint_protection.PROBE, host).values["products"]
    return product


def test_defender_says_how_it_works_and_how_old_its_signatures_are() -> None:
    product = defender(HEALTH)
    assert (product["mode"], product["tamper_protection"]) == ("block", None)
    assert product["signatures_at"] == (NOW - timedelta(minutes=90)).isoformat().replace("+00:00", "Z")


def test_defender_that_only_looks_on_does_not_block() -> None:
    assert (
        defender(HEALTH.replace("mode_enabled                        : false", "mode_enabled : true"))["mode"]
        == "passive"
    )
    assert (
        defender(HEALTH.replace("protection_available              : true", "protection_available : false"))["mode"]
        is None
    )
    assert defender("")["mode"] is None


def test_an_age_since_1970_is_no_age_of_signatures() -> None:
    assert defender(HEALTH.replace(": 90", ": 27712166"))["signatures_at"] is None


def test_tamper_protection_that_audits_does_not_protect() -> None:
    assert defender(HEALTH + 'tamper_protection : "audit"\n', "macos")["tamper_protection"] is False
    assert defender(HEALTH + 'tamper_protection : "block"\n', "macos")["tamper_protection"] is True


def test_age_of_signatures_is_that_of_their_newest_file() -> None:
    path = "/var/lib/clamav/daily.cld"
    host = BARE.changed(names=("systemd", "clamd"), files={path: b"x"}, written={path: NOW - timedelta(days=2)})
    (product,) = observe(endpoint_protection.PROBE, host).values["products"]
    assert product["signatures_at"] == "2026-11-18T01:00:00Z"


def test_windows_services_tell_installed_from_running() -> None:
    products = observe(endpoint_protection.PROBE, WINDOWS.changed(service_states={"sense": False})).values["products"]
    assert {one["product"]: one["running"] for one in products} == {
        "Microsoft Defender for Endpoint": False,
        "Microsoft Defender Antivirus": True,
    }


def test_a_process_that_only_bears_the_name_of_a_sensor_is_no_running_sensor() -> None:
    """Anybody may name a process of his own, by prctl(2)."""
    posing = BARE.changed(names=("systemd", "wdavdaemon"))
    section = observe(endpoint_protection.PROBE, posing)
    (product,) = section.values["products"]
    assert (product["product"], product["running"]) == ("Microsoft Defender for Endpoint", None)
    assert "running" in section.missing["products"].detail


ANTIVIRUS = "Microsoft Defender Antivirus"
TOLD = {"AMRunningMode": "Normal", "RealTimeProtectionEnabled": True, "IsTamperProtected": True, "SignaturesAt": "x"}


def antivirus(answer: Ran | None) -> dict[str, Any]:
    host = WINDOWS.changed(commands={endpoint_protection.MP_STATUS: answer})
    products = observe(endpoint_protection.PROBE, host).values["products"]
    return next(one for one in products if one["product"] == ANTIVIRUS)


def test_windows_tells_how_its_antivirus_works_and_how_old_its_signatures_are() -> None:
    """By "Get-MpComputerStatus" and MSFT_MpComputerStatus of the Defender provider."""
    answer = WINDOWS.commands[endpoint_protection.MP_STATUS]
    assert isinstance(answer, Ran)
    told = antivirus(answer)
    assert (told["running"], told["mode"], told["tamper_protection"]) == (True, "block", True)
    assert told["signatures_at"] == "2026-11-19T22:10:05Z"
    assert antivirus(objects(TOLD | {"AMRunningMode": "Passive Mode"}))["mode"] == "passive"
    assert antivirus(objects(TOLD | {"RealTimeProtectionEnabled": False}))["mode"] is None
    assert antivirus(objects(TOLD))["signatures_at"] is None


@pytest.mark.parametrize("answer", [None, Ran(1, "", "0x800106ba"), objects(), Ran(0, "{", "")])
def test_an_antivirus_of_windows_that_does_not_answer_is_not_said_to_be_fresh(answer: Ran | None) -> None:
    told = antivirus(answer)
    assert (told["running"], told["mode"], told["tamper_protection"], told["signatures_at"]) == (True, None, None, None)
