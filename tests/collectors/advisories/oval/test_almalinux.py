from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collectors.advisories.feed import Inventory, Package
from tests.collectors.advisories.oval.documents import (
    NONE,
    definition,
    document,
    feed,
    filled,
    flaws,
    laid,
    package_test,
)

ALMA = "AlmaLinux 9"
RELEASE = {
    "tests": '<linux:rpmverifyfile_test id="t:none-of-it" check="none satisfy" version="635" comment="AlmaLinux must be'
    ' installed"><linux:object object_ref="o:release"/><linux:state state_ref="s:any"/></linux:rpmverifyfile_test>'
    '<linux:rpmverifyfile_test id="t:nine" check="at least one" version="635" comment="AlmaLinux 9 is installed">'
    '<linux:object object_ref="o:release"/><linux:state state_ref="s:nine"/></linux:rpmverifyfile_test>',
    "objects": '<linux:rpmverifyfile_object id="o:release" version="635"><linux:behaviors noconfigfiles="true"/>'
    '<linux:name operation="pattern match"/><linux:epoch operation="pattern match"/>'
    '<linux:version operation="pattern match"/><linux:release operation="pattern match"/>'
    '<linux:arch operation="pattern match"/><linux:filepath>/etc/redhat-release</linux:filepath>'
    "</linux:rpmverifyfile_object>",
    "states": '<linux:rpmverifyfile_state id="s:any" version="635"><linux:name operation="pattern match">'
    "^almalinux-release</linux:name></linux:rpmverifyfile_state>"
    '<linux:rpmverifyfile_state id="s:nine" version="635"><linux:name operation="pattern match">^almalinux-release'
    r'</linux:name><linux:version operation="pattern match">^9[^\d]</linux:version></linux:rpmverifyfile_state>',
}
KEY = '<linux:signature_keyid operation="equals">d36cb86cb86b3716</linux:signature_keyid>'
ARCH = '<linux:arch datatype="string" operation="pattern match">aarch64|i686|x86_64</linux:arch>'
ADVISORY = (
    '<advisory from="packager@almalinux.org"><severity>Important</severity><issued date="2026-10-05"/>'
    '<updated date="2026-10-06"/><cve cvss3="8.2/CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:L/A:H" impact="important"'
    ' public="20260420">CVE-2026-0001</cve></advisory>'
)


def alma(packages: str, *, arch: str = "", advisory: str = ADVISORY) -> bytes:
    """One advisory as AlmaLinux nests it; ``packages`` are the criteria of its packages."""
    criteria = (
        '<criteria operator="OR"><criterion comment="AlmaLinux must be installed" test_ref="t:none-of-it"/>'
        '<criteria operator="AND"><criterion comment="AlmaLinux 9 is installed" test_ref="t:nine"/>'
        f'<criteria operator="OR">{packages}</criteria></criteria></criteria>'
    )
    own = definition(1, criteria, platform=ALMA, kind="patch", advisory=advisory)
    return document(
        **laid(
            RELEASE,
            NONE,
            package_test("old", "zlib", "0:1.2.11-41.el9", rpm=True, more=arch),
            package_test("key", "zlib", rpm=True, more=KEY),
            {"definitions": own + filled(ALMA)},
        )
    )


OLD_ONLY = '<criterion test_ref="t:old" comment="zlib is earlier than 0:1.2.11-41.el9"/>'
SIGNED = f'<criteria operator="AND">{OLD_ONLY}<criterion test_ref="t:key" comment="zlib is signed"/></criteria>'


def nine(version: str, *more: Package, system_version: str = "9.4") -> Inventory:
    return Inventory("almalinux:9", (Package("zlib", version, "zlib"), *more), system_version, "5.14.0-427.el9.x86_64")


def told(content: bytes, inventory: Inventory) -> list[tuple[str | None, bool | None]]:
    return [(flaw.package, flaw.repairable) for flaw in flaws(content, inventory)]


def test_an_advisory_is_told_with_name_weight_and_day() -> None:
    (flaw,) = flaws(alma(OLD_ONLY), nine("1.2.11-40.el9"))
    assert (flaw.id, flaw.package, flaw.installed) == ("CVE-2026-0001", "zlib", "1.2.11-40.el9")
    assert (flaw.severity, flaw.published, flaw.repairable) == ("high", datetime(2026, 10, 5, tzinfo=UTC), True)


@pytest.mark.parametrize(
    ("version", "open_"), [("1.2.11-41.el9", False), ("1:1.0-1.el9", False), ("1.2.9-99.el9", True)]
)
def test_versions_are_ordered_as_rpm_orders_them(version: str, open_: bool) -> None:
    assert bool(told(alma(OLD_ONLY), nine(version))) is open_


def test_who_signed_a_package_is_not_known_so_an_old_one_may_have_the_flaw() -> None:
    assert told(alma(SIGNED), nine("1.2.11-40.el9")) == [("zlib", None)]


def test_what_is_not_old_has_no_flaw_whoever_signed_it() -> None:
    assert told(alma(SIGNED), nine("1.2.11-41.el9")) == []


def test_for_which_processor_a_package_is_is_not_known_either() -> None:
    assert told(alma(OLD_ONLY, arch=ARCH), nine("1.2.11-40.el9")) == [("zlib", None)]
    assert told(alma(OLD_ONLY, arch=ARCH), nine("1.2.11-41.el9")) == []
    assert dict(feed(alma(SIGNED, arch=ARCH)).undecided) == {
        "rpminfo_test arch": 1,
        "rpminfo_test signature_keyid": 1,
    }


def test_the_release_is_that_of_the_package_that_names_it_or_else_of_the_system() -> None:
    release = Package("almalinux-release", "9.5-1.el9", "almalinux-release")
    assert told(alma(OLD_ONLY), nine("1", release, system_version="9")) == [("zlib", True)]
    # Of the system alone the part after the dot would have to be known.
    assert told(alma(OLD_ONLY), nine("1", system_version="9")) == [("zlib", None)]


def test_rocky_is_not_almalinux() -> None:
    known = feed(alma(OLD_ONLY))
    assert (list(known.releases), known.whole_for("rocky:9")) == (["almalinux:9"], False)
