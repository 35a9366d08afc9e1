"""Small OVAL documents in the shapes that their makers publish.

Written by hand after the generators that the makers publish (Debian: webwml english/security/oval; Ubuntu:
ubuntu-cve-tracker scripts/oval_lib.py; AlmaLinux: Red Hat's, renamed) and the OVAL language 5.11.2; none is
a copy of a published file. ``filled`` adds definitions of a package that no host has, as a whole feed has thousands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from collectors.advisories.feed import Inventory, Package, open_flaws
from collectors.advisories.oval.feed import WHOLE_FROM, OvalFeed, read_feed
from scanner.facts.device import OpenAdvisory

_NAMESPACES = " ".join(
    f'xmlns{prefix}="http://oval.mitre.org/XMLSchema/oval-{part}"'
    for prefix, part in (
        ("", "definitions-5"),
        (":oval", "common-5"),
        (":ind", "definitions-5#independent"),
        (":linux", "definitions-5#linux"),
        (":unix", "definitions-5#unix"),
    )
)
STAMP = "2026-11-19T00:00:00"


def document(
    *,
    definitions: str = "",
    tests: str = "",
    objects: str = "",
    states: str = "",
    variables: str = "",
    stamp: str = STAMP,
    start: str = "",
) -> bytes:
    """A document of these sections."""
    sections = "".join(
        f"<{name}>{text}</{name}>"
        for name, text in (
            ("definitions", definitions),
            ("tests", tests),
            ("objects", objects),
            ("states", states),
            ("variables", variables),
        )
        if text
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{start}<oval_definitions {_NAMESPACES}><generator>'
        "<oval:product_name>maker</oval:product_name><oval:schema_version>5.11.1</oval:schema_version>"
        f"<oval:timestamp>{stamp}</oval:timestamp></generator>{sections}</oval_definitions>"
    ).encode()


def definition(
    number: int,
    criteria: str,
    *,
    platform: str = "Debian GNU/Linux 12",
    kind: str = "vulnerability",
    references: Sequence[str] = (),
    advisory: str = "",
    maker: str = "org.debian",
) -> str:
    """One definition, of CVE-2026-NUMBER unless ``references`` say otherwise."""
    named = references or (f"CVE-2026-{number:04}",)
    return (
        f'<definition id="oval:{maker}:def:{number}" version="1" class="{kind}"><metadata><title>t</title>'
        f'<affected family="unix"><platform>{platform}</platform></affected>'
        + "".join(f'<reference source="{id.partition("-")[0]}" ref_id="{id}" ref_url="https://x"/>' for id in named)
        + f"<description>{'words ' * 20}</description>{advisory}</metadata>{criteria}</definition>"
    )


def filled(platform: str, count: int = WHOLE_FROM, test: str = "t:none") -> str:
    """Definitions that are false of every host."""
    criteria = f'<criteria><criterion test_ref="{test}"/></criteria>'
    return "".join(definition(900_000 + number, criteria, platform=platform) for number in range(count))


def package_test(
    id: str, name: str, earlier_than: str = "", *, rpm: bool = False, check: str = "at least one", more: str = ""
) -> dict[str, str]:
    """A test, its object and its state, all under one name."""
    kind, datatype = ("rpminfo", "evr_string") if rpm else ("dpkginfo", "debian_evr_string")
    state = f'<linux:state state_ref="s:{id}"/>' if earlier_than or more else ""
    evr = f'<linux:evr datatype="{datatype}" operation="less than">{earlier_than}</linux:evr>' if earlier_than else ""
    return {
        "tests": f'<linux:{kind}_test id="t:{id}" version="1" check="{check}"'
        f' check_existence="at_least_one_exists" comment="c"><linux:object object_ref="o:{id}"/>{state}'
        f"</linux:{kind}_test>",
        "objects": f'<linux:{kind}_object id="o:{id}" version="1"><linux:name>{name}</linux:name>'
        f"</linux:{kind}_object>",
        "states": f'<linux:{kind}_state id="s:{id}" version="1">{more}{evr}</linux:{kind}_state>' if state else "",
    }


def laid(*parts: dict[str, str]) -> dict[str, str]:
    """Sections, laid together."""
    names = sorted({name for part in parts for name in part})
    return {name: "".join(part.get(name, "") for part in parts) for name in names}


NONE = package_test("none", "no-such-package", "1")
DEBIAN_RELEASE = {
    "tests": '<ind:textfilecontent54_test id="t:release" version="1" check="all"'
    ' check_existence="at_least_one_exists" comment="Debian GNU/Linux 12 is installed">'
    '<ind:object object_ref="o:release"/><ind:state state_ref="s:release"/></ind:textfilecontent54_test>'
    '<unix:uname_test id="t:all" version="1" check="all" check_existence="at_least_one_exists" comment="all">'
    '<unix:object object_ref="o:uname"/></unix:uname_test>',
    "objects": '<ind:textfilecontent54_object id="o:release" version="1"><ind:path>/etc</ind:path>'
    '<ind:filename>debian_version</ind:filename><ind:pattern operation="pattern match">(\\d+)\\.\\d</ind:pattern>'
    '<ind:instance datatype="int">1</ind:instance></ind:textfilecontent54_object>'
    '<unix:uname_object id="o:uname" version="1"/>',
    "states": '<ind:textfilecontent54_state id="s:release" version="1">'
    '<ind:subexpression operation="equals">12</ind:subexpression></ind:textfilecontent54_state>',
}


def debian_criteria(test: str) -> str:
    """As Debian nests them."""
    return (
        '<criteria comment="Release section" operator="AND"><criterion test_ref="t:release" comment="Debian 12 is'
        ' installed"/><criteria comment="Architecture section" operator="OR"><criteria comment="Architecture'
        ' independent section" operator="AND"><criterion test_ref="t:all" comment="all architecture"/>'
        f'<criterion test_ref="{test}" comment="DPKG is earlier than"/></criteria></criteria></criteria>'
    )


def debian(
    *tests: tuple[str, str], extra: dict[str, str] | None = None, count: int = WHOLE_FROM, **other: str
) -> bytes:
    """Debian's document: a definition for each source and the version that repairs it, ``0`` where none does."""
    made = [package_test(str(n), source, f"0:{fixed}" if ":" not in fixed else fixed, check="all")
            for n, (source, fixed) in enumerate(tests, start=1)]  # fmt: skip
    own = {
        "definitions": "".join(definition(n, debian_criteria(f"t:{n}")) for n in range(1, len(tests) + 1))
        + filled("Debian GNU/Linux 12", count)
    }
    return document(**laid(DEBIAN_RELEASE, NONE, *made, own, extra or {}), **other)


def custom(criteria: str, *parts: dict[str, str], platform: str = "Debian GNU/Linux 12", kind: str = "vulnerability",
           advisory: str = "", references: Sequence[str] = (), more: str = "") -> bytes:  # fmt: skip
    """One definition with these criteria, among enough others."""
    own = definition(1, criteria, platform=platform, kind=kind, advisory=advisory, references=references)
    return document(**laid(DEBIAN_RELEASE, NONE, *parts, {"definitions": own + more + filled(platform)}))


def feed(content: bytes) -> OvalFeed:
    """What is read of a document that lies there unpacked."""
    return read_feed([content], "feed.xml")


def flaws(content: bytes, inventory: Inventory) -> list[OpenAdvisory]:
    """What a host has by a document."""
    return open_flaws([feed(content)], inventory)


def repairs(content: bytes, inventory: Inventory) -> dict[str | None, bool | None]:
    """Whether a repair is told, by package; packages without a flaw are not there."""
    return {flaw.package: flaw.repairable for flaw in flaws(content, inventory)}


def bookworm(*packages: Package, **other: str) -> Inventory:
    """A host with Debian 12."""
    return Inventory("debian:12", packages, **({"version": "12", "kernel": "6.1.0-28-amd64"} | other))


def pieces(content: bytes, size: int) -> Iterable[bytes]:
    """A document as it comes from a disk."""
    return (content[at : at + size] for at in range(0, len(content), size))
