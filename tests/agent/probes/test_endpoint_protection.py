from __future__ import annotations

from datetime import timedelta

from agent.host import Ran
from agent.probes import endpoint_protection, observe
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, NOT_ROOT, NOW, WINDOWS

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


def test_defender_says_how_it_works_and_how_old_its_signatures_are() -> None:
    health = (
        "healthy                                     : true\n"
        "real_time_protection_enabled                : true\n"
        "passive_mode_enabled                        : false\n"
        'tamper_protection                           : "block" [managed]\n'
        "definitions_updated_minutes_ago             : 90\n"
    )
    host = BARE.changed(names=("systemd", "wdavdaemon"), commands={("/usr/bin/mdatp", "health"): Ran(0, health, "")})
    section = observe(endpoint_protection.PROBE, host)
    (product,) = section.values["products"]
    assert (product["mode"], product["tamper_protection"]) == ("block", True)
    assert product["signatures_at"] == (NOW - timedelta(minutes=90)).isoformat().replace("+00:00", "Z")
    assert section.missing == {}


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
