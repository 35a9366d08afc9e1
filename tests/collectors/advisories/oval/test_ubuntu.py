from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collectors.advisories.feed import Inventory, Package
from tests.collectors.advisories.oval.documents import NONE, definition, document, feed, filled, flaws, laid, repairs

JAMMY = "Ubuntu 22.04 LTS"
RELEASE = {
    "definitions": '<definition class="inventory" id="oval:com.ubuntu.jammy:def:100" version="1"><metadata><title>Check'
    " that Ubuntu 22.04 LTS (jammy) is installed.</title><description/></metadata><criteria>"
    '<criterion test_ref="t:unix" comment="c"/><criterion test_ref="t:jammy" comment="c"/></criteria></definition>',
    "tests": '<ind:family_test id="t:unix" check="at least one" check_existence="at_least_one_exists" version="1"'
    ' comment="c"><ind:object object_ref="o:unix"/><ind:state state_ref="s:unix"/></ind:family_test>'
    '<ind:textfilecontent54_test id="t:jammy" check="at least one" check_existence="at_least_one_exists" version="1"'
    ' comment="c"><ind:object object_ref="o:jammy"/><ind:state state_ref="s:jammy"/></ind:textfilecontent54_test>',
    "objects": '<ind:family_object id="o:unix" version="1"/><ind:textfilecontent54_object id="o:jammy" version="1">'
    '<ind:filepath>/etc/lsb-release</ind:filepath><ind:pattern operation="pattern match">'
    r'^[\s\S]*DISTRIB_CODENAME=([a-z]+)$</ind:pattern><ind:instance datatype="int">1</ind:instance>'
    "</ind:textfilecontent54_object>",
    "states": '<ind:family_state id="s:unix" version="1"><ind:family>unix</ind:family></ind:family_state>'
    '<ind:textfilecontent54_state id="s:jammy" version="1"><ind:subexpression>jammy</ind:subexpression>'
    "</ind:textfilecontent54_state>",
}
ADVISORY = (
    "<advisory><severity>{word}</severity><rights>r</rights><public_date>2026-09-01 17:15:00 UTC</public_date>"
    '<cve href="https://x" priority="{lower}" public="20260902" cvss_score="9.8" cvss_vector="{vector}"'
    ' cvss_severity="critical">CVE-2026-0001</cve></advisory>'
)
KERNEL = {
    "tests": '<unix:uname_test id="t:running" version="1" check="at least one" comment="Is kernel linux running?">'
    '<unix:object object_ref="o:uname"/><unix:state state_ref="s:running"/></unix:uname_test>'
    '<ind:variable_test id="t:kernel" version="1" check_existence="at_least_one_exists" check="at least one"'
    ' comment="c"><ind:object object_ref="o:kernel"/><ind:state state_ref="s:kernel"/></ind:variable_test>',
    "objects": '<unix:uname_object id="o:uname" version="1"/><ind:variable_object id="o:kernel" version="1">'
    "<ind:var_ref>v:kernel</ind:var_ref></ind:variable_object>",
    "states": '<unix:uname_state id="s:running" version="1"><unix:os_release operation="pattern match">'
    r"5.15.0-\d+(-generic|-generic-64k|-lowlatency)</unix:os_release></unix:uname_state>"
    '<ind:variable_state id="s:kernel" version="1"><ind:value datatype="debian_evr_string" operation="less than">'
    "0:5.15.0-91</ind:value></ind:variable_state>",
    "variables": '<local_variable id="v:kernel" version="1" datatype="debian_evr_string" comment="c"><concat>'
    "<literal_component>0:</literal_component>"
    r'<regex_capture pattern="^([\d|\.]+-\d+)[-|\w]+$"><object_component object_ref="o:uname"'
    ' item_field="os_release"/></regex_capture></concat></local_variable>',
}
NAMES = {
    "tests": '<linux:dpkginfo_test id="t:fixed" version="1" check_existence="at_least_one_exists" check="at least one"'
    ' comment="c"><linux:object object_ref="o:ssl"/><linux:state state_ref="s:ssl"/></linux:dpkginfo_test>'
    '<linux:dpkginfo_test id="t:open" version="1" check_existence="at_least_one_exists" check="at least one"'
    ' comment="c"><linux:object object_ref="o:ssl"/></linux:dpkginfo_test>',
    "objects": '<linux:dpkginfo_object id="o:ssl" version="1" comment="c"><linux:name var_ref="v:ssl"'
    ' var_check="at least one"/></linux:dpkginfo_object>',
    "states": '<linux:dpkginfo_state id="s:ssl" version="1" comment="c"><linux:evr datatype="debian_evr_string"'
    ' operation="less than">0:3.0.2-0ubuntu1.18</linux:evr></linux:dpkginfo_state>',
    "variables": '<constant_variable id="v:ssl" version="1" datatype="string" comment="c"><value>libssl3</value>'
    "<value>openssl</value></constant_variable>",
}


def jammy(*packages: Package, release: str = "ubuntu:22.04", kernel: str = "5.15.0-90-generic") -> Inventory:
    return Inventory(release, packages, release.partition(":")[2], kernel)


def ubuntu(test: str, advisory: str = "", kind: str = "vulnerability", references: tuple[str, ...] = ()) -> bytes:
    """One definition with a part that must hold, as Ubuntu nests it."""
    criteria = (
        '<criteria><extend_definition definition_ref="oval:com.ubuntu.jammy:def:100" comment="c"'
        f' applicability_check="true"/><criteria operator="OR">{test}</criteria></criteria>'
    )
    own = definition(1, criteria, platform=JAMMY, advisory=advisory, kind=kind, references=references)
    return document(**laid(RELEASE, NONE, KERNEL, NAMES, {"definitions": own + filled(JAMMY)}))


def one(id: str) -> str:
    return f'<criterion test_ref="t:{id}" comment="c"/>'


OLD = Package("libssl3", "3.0.2-0ubuntu1.17", "openssl")
NEW = Package("openssl", "3.0.2-0ubuntu1.18", "openssl")


def test_packages_are_named_by_a_variable_and_each_that_is_too_old_is_told() -> None:
    assert repairs(ubuntu(one("fixed")), jammy(OLD, NEW)) == {"libssl3": True}
    assert repairs(ubuntu(one("fixed")), jammy(NEW)) == {}


def test_without_a_state_the_package_alone_has_the_flaw_and_no_repair() -> None:
    assert repairs(ubuntu(one("open")), jammy(OLD, NEW)) == {"libssl3": False, "openssl": False}


def test_only_the_packages_that_are_named_are_meant() -> None:
    assert repairs(ubuntu(one("open")), jammy(Package("libssl-dev", "1", "openssl"))) == {}


def test_another_release_is_not_meant_even_by_a_document_that_is_held_against_it() -> None:
    noble = jammy(OLD, release="ubuntu:24.04")
    assert list(feed(ubuntu(one("open"))).open_on(noble)) == []


def test_a_release_whose_name_is_not_known_leaves_it_open() -> None:
    assert repairs(ubuntu(one("open")), jammy(OLD, release="ubuntu:30.04")) == {"libssl3": None}


@pytest.mark.parametrize(
    ("kernel", "found"),
    [
        ("5.15.0-90-generic", {"linux": True}),
        ("5.15.0-91-generic", {}),
        ("5.15.0-100-generic", {}),
        ("5.15.0-90-aws", {}),
        ("6.8.0-40-generic", {}),
        ("", {None: None}),
    ],
)
def test_the_kernel_that_runs_decides_not_the_one_that_is_installed(
    kernel: str, found: dict[str | None, bool | None]
) -> None:
    content = ubuntu(f'<criteria operator="AND">{one("running")}{one("kernel")}</criteria>')
    image = Package("linux-image-5.15.0-200-generic", "5.15.0-200.1", "linux-signed")
    assert repairs(content, jammy(image, kernel=kernel)) == found


def test_a_kernel_of_another_make_has_no_version_that_is_compared() -> None:
    assert repairs(ubuntu(one("kernel")), jammy(OLD, kernel="5.15.0-rc1")) == {"linux": None}


@pytest.mark.parametrize(
    ("word", "vector", "severity"),
    [
        ("Medium", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "critical"),
        ("Medium", "", "medium"),
        ("Negligible", "none", "low"),
        ("Untriaged", "CVSS:4.0/AV:N", None),
    ],
)
def test_weight_and_day_are_those_that_the_feed_says(word: str, vector: str, severity: str | None) -> None:
    advisory = ADVISORY.format(word=word, lower=word.lower(), vector=vector)
    (flaw,) = flaws(ubuntu(one("fixed"), advisory), jammy(OLD))
    assert (flaw.severity, flaw.published) == (severity, datetime(2026, 9, 1, tzinfo=UTC))


def test_a_notice_of_several_flaws_bears_its_own_name_and_day() -> None:
    advisory = (
        '<advisory from="security@ubuntu.com"><severity>High</severity><issued date="2026-10-01"/>'
        '<cve href="https://x" priority="low" public="20260101">CVE-2026-0001</cve></advisory>'
    )
    references = ("USN-7000-1", "CVE-2026-0001", "CVE-2026-0002")
    (flaw,) = flaws(ubuntu(one("open"), advisory, "patch", references), jammy(OLD))
    assert (flaw.id, flaw.severity, flaw.published) == ("USN-7000-1", "high", datetime(2026, 10, 1, tzinfo=UTC))
    # What is missing is a patch, so there is one.
    assert flaw.repairable is True
