from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collectors.advisories.feed import Inventory, Package
from scanner.facts.device import OpenAdvisory
from tests.collectors.advisories.oval.documents import bookworm, debian, feed, flaws, repairs

LIBSSL = Package("libssl3", "3.0.14-1~deb12u2", "openssl", "3.0.14-1~deb12u2")


def test_a_flaw_is_found_by_the_source_that_debian_names() -> None:
    content = debian(("openssl", "3.0.15-1~deb12u1"), ("bash", "5.3"))
    assert flaws(content, bookworm(LIBSSL, Package("zlib1g", "1:1.2", "zlib"))) == [
        OpenAdvisory(id="CVE-2026-0001", package="libssl3", installed="3.0.14-1~deb12u2", repairable=True)
    ]


@pytest.mark.parametrize(
    ("fixed", "found"),
    [
        ("3.0.15-1~deb12u1", True),
        ("3.0.14-1~deb12u2", None),
        ("3.0.14-1~deb12u1", None),
        # An epoch outweighs every number after it, and 0: is the same as none.
        ("1:1.0-1", True),
        ("0:3.0.14-1~deb12u3", True),
        ("0:3.0.14-1~deb12u1", None),
    ],
)
def test_versions_are_ordered_as_dpkg_orders_them(fixed: str, found: bool | None) -> None:
    assert repairs(debian(("openssl", fixed)), bookworm(LIBSSL)).get("libssl3") is found


def test_what_debian_calls_earlier_than_version_0_is_not_repaired_yet() -> None:
    assert repairs(debian(("openssl", "0")), bookworm(LIBSSL)) == {"libssl3": False}


def test_the_version_of_the_source_is_compared_and_the_packages_own_where_it_is_named_itself() -> None:
    compiler = Package("gcc", "4:12.2.0-3", "gcc-defaults", "1.203")
    content = debian(("gcc-defaults", "1.204"), ("gcc", "4:12.2.0-4"))
    assert [(flaw.id, flaw.package) for flaw in flaws(content, bookworm(compiler))] == [
        ("CVE-2026-0001", "gcc"),
        ("CVE-2026-0002", "gcc"),
    ]
    # Rebuilt packages bear a version that is later than that of their source.
    rebuilt = Package("bash", "5.2.15-2+b2", "bash", "5.2.15-2")
    assert repairs(debian(("bash", "5.2.15-2+b1")), bookworm(rebuilt)) == {"bash": True}


def test_a_flaw_of_one_package_of_a_source_is_not_hidden_by_another_of_a_later_version() -> None:
    tool = Package("openssl-tool", "9:1", "openssl", "9:1")
    assert repairs(debian(("openssl", "3.0.15-1")), bookworm(LIBSSL, tool)) == {"libssl3": True}


def test_a_signed_kernel_has_the_flaws_of_the_kernel() -> None:
    image = Package("linux-image-6.1.0-28-amd64", "6.1.119-1", "linux-signed-amd64", "6.1.119+1")
    assert repairs(debian(("linux", "6.1.120-1")), bookworm(image)) == {"linux-image-6.1.0-28-amd64": True}


def test_a_document_of_another_release_is_false_of_the_host_and_does_not_speak_for_it() -> None:
    known = feed(debian(("openssl", "9")))
    bullseye = Inventory("debian:11", (LIBSSL,), "11")
    assert (known.whole_for("debian:12"), known.whole_for("debian:11")) == (True, False)
    assert (list(known.releases), list(known.open_on(bullseye))) == (["debian:12"], [])


def test_a_document_of_few_definitions_proves_flaws_alone() -> None:
    known = feed(debian(("openssl", "9"), count=3))
    assert not known.whole_for("debian:12")
    assert len(list(known.open_on(bookworm(LIBSSL)))) == 1


@pytest.mark.parametrize(
    ("stamp", "moment"),
    [
        ("2026-11-19T00:00:00", datetime(2026, 11, 19, tzinfo=UTC)),
        ("2026-11-19T00:00:00.188-04:00", datetime(2026, 11, 19, 4, tzinfo=UTC).replace(microsecond=188_000)),
        ("2026-11-19T08:00:00+08:00", datetime(2026, 11, 19, tzinfo=UTC)),
    ],
)
def test_the_generators_time_is_the_date_of_the_feed(stamp: str, moment: datetime) -> None:
    assert feed(debian(stamp=stamp)).as_of == moment
