"""What it takes to read feeds of flaws of full size and to hold a fleet against them.

    python benchmarks/advisory_feeds.py [HOSTS] [PACKAGES]

Each feed is synthesised at the size that its maker publishes, is read in a process of its own as the collector
``endpoint`` reads it, and every host is held against it. Hosts differ in their versions; each has a kernel, whose
source has thousands of flaws, and PACKAGES packages in all.
"""

from __future__ import annotations

import bz2
import io
import json
import random
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agent.section import Section
from benchmarks.measured import MEGABYTE, run
from collectors.advisories.matching import Matching, Named, read_feed
from scanner.facts import Advisories

SOURCES = 8_000
"""Sources of which flaws are known; a host has packages of some hundred of them."""
OF_THE_KERNEL = 8_000
DEFINITIONS = 52_000
"""About as many as Debian has for one release; with their texts 100 MB."""
RECORDS = 60_000
"""About as many as osv.dev has for Debian."""
FLAVOURS = 12
"""Kernels that Ubuntu maintains beside each other in one release."""
WORDS = "A flaw was found in the way in which the program handled input that an attacker had made for it. " * 6
NOW = datetime(2026, 11, 23, tzinfo=UTC)
_ROOT = (
    '<?xml version="1.0"?><oval_definitions xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5"'
    ' xmlns:oval="http://oval.mitre.org/XMLSchema/oval-common-5"'
    ' xmlns:ind="http://oval.mitre.org/XMLSchema/oval-definitions-5#independent"'
    ' xmlns:linux="http://oval.mitre.org/XMLSchema/oval-definitions-5#linux"'
    ' xmlns:unix="http://oval.mitre.org/XMLSchema/oval-definitions-5#unix"><generator><oval:schema_version>5.11.2'
    "</oval:schema_version><oval:timestamp>2026-11-22T00:00:00</oval:timestamp></generator>\n"
)


def flawed() -> Iterator[tuple[int, str, str]]:
    """Number, source, and the version that repairs it; empty where none does."""
    chance = random.Random(1)
    for number in range(DEFINITIONS):
        kernel = number < OF_THE_KERNEL
        source = "linux" if kernel else f"source-{chance.randrange(SOURCES)}"
        fixed = f"6.1.{chance.randrange(150)}-1" if kernel else f"1.{chance.randrange(20)}-{chance.randrange(9)}"
        yield number, source, "" if chance.random() < 0.2 else fixed


def definition(number: int, platform: str, criteria: str, advisory: str) -> str:
    """One definition with as many words as usual."""
    cve = f"CVE-2026-{number:05}"
    return (
        f'<definition id="oval:org.maker:def:{number + 1000}" version="1" class="vulnerability"><metadata><title>{cve}'
        f'</title><affected family="unix"><platform>{platform}</platform><product>p</product></affected>'
        f'<reference source="CVE" ref_id="{cve}" ref_url="https://example.org/{cve}"/>'
        f"<description>{WORDS}</description>{advisory}</metadata>{criteria}</definition>\n"
    )


def sections(parts: dict[str, list[str]]) -> str:
    """The sections in the order of the language."""
    names = ("definitions", "tests", "objects", "states", "variables")
    return "".join(f"<{name}>\n{''.join(parts[name])}</{name}>\n" for name in names if parts[name])


def empty() -> dict[str, list[str]]:
    """Sections without anything in them."""
    return {name: [] for name in ("definitions", "tests", "objects", "states", "variables")}


def debian() -> str:
    """In the shape of oval-definitions-bookworm.xml."""
    parts = empty()
    parts["tests"].append(
        '<ind:textfilecontent54_test id="tst:1" check="all" check_existence="at_least_one_exists" comment="c" version='
        '"1"><ind:object object_ref="obj:1"/><ind:state state_ref="ste:1"/></ind:textfilecontent54_test>'
        '<unix:uname_test id="tst:2" check="all" comment="c" version="1"><unix:object object_ref="obj:2"/>'
        "</unix:uname_test>\n"
    )
    parts["objects"].append(
        '<ind:textfilecontent54_object id="obj:1" version="1"><ind:path>/etc</ind:path><ind:filename>debian_version'
        '</ind:filename><ind:pattern operation="pattern match">(\\d+)\\.\\d</ind:pattern>'
        '</ind:textfilecontent54_object><unix:uname_object id="obj:2" version="1"/>\n'
    )
    parts["states"].append(
        '<ind:textfilecontent54_state id="ste:1" version="1"><ind:subexpression operation="equals">12'
        "</ind:subexpression></ind:textfilecontent54_state>\n"
    )
    named: set[str] = set()
    for number, source, fixed in flawed():
        id = f"oval:org.debian.oval:{{}}:{number + 10}"
        criteria = (
            '<criteria comment="Release section" operator="AND"><criterion test_ref="tst:1" comment="Debian 12 is'
            ' installed"/><criteria comment="Architecture section" operator="OR"><criteria comment="Architecture'
            ' independent section" operator="AND"><criterion test_ref="tst:2" comment="all architecture"/><criterion'
            f' test_ref="{id.format("tst")}" comment="{source} DPKG is earlier than {fixed or 0}"/></criteria>'
            "</criteria></criteria>"
        )
        parts["definitions"].append(definition(number, "Debian GNU/Linux 12", criteria, "<debian><moreinfo/></debian>"))
        parts["tests"].append(
            f'<linux:dpkginfo_test id="{id.format("tst")}" version="1" check="all" check_existence='
            f'"at_least_one_exists" comment="{source} is earlier than {fixed or 0}"><linux:object object_ref='
            f'"oval:org.debian.oval:obj:{source}"/><linux:state state_ref="{id.format("ste")}"/>'
            "</linux:dpkginfo_test>\n"
        )
        parts["states"].append(
            f'<linux:dpkginfo_state id="{id.format("ste")}" version="1"><linux:evr datatype="debian_evr_string"'
            f' operation="less than">0:{fixed or 0}</linux:evr></linux:dpkginfo_state>\n'
        )
        if source not in named:
            named.add(source)
            parts["objects"].append(
                f'<linux:dpkginfo_object id="oval:org.debian.oval:obj:{source}" version="1"><linux:name>{source}'
                "</linux:name></linux:dpkginfo_object>\n"
            )
    return _ROOT + sections(parts) + "</oval_definitions>"


def ubuntu() -> str:
    """In the shape of com.ubuntu.noble.cve.oval.xml: names by variables, and every flaw of the kernel by flavour."""
    parts = empty()
    parts["definitions"].append(
        '<definition class="inventory" id="oval:com.ubuntu.noble:def:100" version="1"><metadata><title>t</title>'
        '</metadata><criteria><criterion test_ref="tst:101" comment="c"/></criteria></definition>\n'
    )
    parts["tests"].append(
        '<ind:textfilecontent54_test id="tst:101" check="at least one" comment="c" version="1"><ind:object object_ref='
        '"obj:101"/><ind:state state_ref="ste:101"/></ind:textfilecontent54_test>\n'
    )
    parts["objects"].append(
        '<ind:textfilecontent54_object id="obj:101" version="1"><ind:filepath>/etc/lsb-release</ind:filepath>'
        '<ind:pattern operation="pattern match">^[\\s\\S]*DISTRIB_CODENAME=([a-z]+)$</ind:pattern>'
        '</ind:textfilecontent54_object><unix:uname_object id="obj:uname" version="1"/>\n'
    )
    parts["states"].append(
        '<ind:textfilecontent54_state id="ste:101" version="1"><ind:subexpression>noble</ind:subexpression>'
        "</ind:textfilecontent54_state>\n"
    )
    parts["variables"].append(
        '<local_variable id="var:kernel" version="1" datatype="debian_evr_string" comment="c"><concat>'
        '<literal_component>0:</literal_component><regex_capture pattern="^([\\d|\\.]+-\\d+)[-|\\w]+$">'
        '<object_component object_ref="obj:uname" item_field="os_release"/></regex_capture></concat></local_variable>\n'
    )
    for flavour in range(FLAVOURS):
        parts["tests"].append(
            f'<unix:uname_test id="tst:run:{flavour}" version="1" check="at least one" comment="c"><unix:object'
            f' object_ref="obj:uname"/><unix:state state_ref="ste:run:{flavour}"/></unix:uname_test>\n'
        )
        parts["states"].append(
            f'<unix:uname_state id="ste:run:{flavour}" version="1"><unix:os_release operation="pattern match">'
            f"6.8.0-\\d+(-generic-{flavour}|-lowlatency-{flavour})</unix:os_release></unix:uname_state>\n"
        )
    versions: set[str] = set()
    named: set[str] = set()
    for number, source, fixed in flawed():
        advisory = (
            "<advisory><severity>High</severity><rights>r</rights><public_date>2026-09-01 17:15:00 UTC</public_date>"
            '<cve href="h" priority="high" public="20260901"'
            f' cvss_vector="CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H">CVE-2026-{number:05}</cve></advisory>'
        )
        inner = ""
        if source == "linux":
            abi = fixed.rpartition(".")[2].partition("-")[0] or "999"
            if abi not in versions:
                versions.add(abi)
                parts["tests"].append(
                    f'<ind:variable_test id="tst:abi:{abi}" version="1" check="at least one" comment="c"><ind:object'
                    f' object_ref="obj:abi"/><ind:state state_ref="ste:abi:{abi}"/></ind:variable_test>\n'
                )
                parts["states"].append(
                    f'<ind:variable_state id="ste:abi:{abi}" version="1"><ind:value datatype="debian_evr_string"'
                    f' operation="less than">0:6.8.0-{abi}</ind:value></ind:variable_state>\n'
                )
            for flavour in range(FLAVOURS):
                inner += (
                    f'<criteria operator="AND"><criterion test_ref="tst:run:{flavour}" comment="Is kernel linux'
                    f' running?"/><criterion test_ref="tst:abi:{abi}" comment="linux package in noble was'
                    ' vulnerable but has been fixed"/></criteria>'
                )
        else:
            id = f"oval:com.ubuntu.noble:{{}}:{number}"
            inner = f'<criterion test_ref="{id.format("tst")}" comment="{source} package in noble was vulnerable"/>'
            state = f'<linux:state state_ref="{id.format("ste")}"/>' if fixed else ""
            parts["tests"].append(
                f'<linux:dpkginfo_test id="{id.format("tst")}" version="1" check_existence="at_least_one_exists"'
                f' check="at least one" comment="c"><linux:object object_ref="oval:com.ubuntu.noble:obj:{source}"/>'
                f"{state}</linux:dpkginfo_test>\n"
            )
            if state:
                parts["states"].append(
                    f'<linux:dpkginfo_state id="{id.format("ste")}" version="1"><linux:evr'
                    f' datatype="debian_evr_string" operation="less than">0:{fixed}</linux:evr>'
                    "</linux:dpkginfo_state>\n"
                )
            if source not in named:
                named.add(source)
                parts["objects"].append(
                    f'<linux:dpkginfo_object id="oval:com.ubuntu.noble:obj:{source}" version="1"><linux:name'
                    f' var_ref="var:{source}" var_check="at least one"/></linux:dpkginfo_object>\n'
                )
                values = "".join(f"<value>{source}{end}</value>" for end in ("", "-bin", "-tools", "-data"))
                parts["variables"].append(
                    f'<constant_variable id="var:{source}" version="1" datatype="string" comment="c">{values}'
                    "</constant_variable>\n"
                )
        criteria = (
            '<criteria><extend_definition definition_ref="oval:com.ubuntu.noble:def:100" comment="c"/>'
            f'<criteria operator="OR">{inner}</criteria></criteria>'
        )
        parts["definitions"].append(definition(number, "Ubuntu 24.04 LTS", criteria, advisory))
    parts["objects"].append(
        '<ind:variable_object id="obj:abi" version="1"><ind:var_ref>var:kernel</ind:var_ref></ind:variable_object>\n'
    )
    return _ROOT + sections(parts) + "</oval_definitions>"


def osv() -> bytes:
    """In the shape of all.zip of osv.dev: records of which each speaks of several releases."""
    stream = io.BytesIO()
    known = list(flawed())
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as folder:
        for number in range(RECORDS):
            _, source, fixed = known[number % DEFINITIONS]
            events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
            affected = [
                {
                    "package": {"ecosystem": f"Debian:{release}", "name": source},
                    "ranges": [{"type": "ECOSYSTEM", "events": events}],
                    "versions": [f"1.{step}-{source[-2:]}" for step in range(30)] if source != "linux" else [],
                }
                for release in (11, 12, 13)
            ]
            record = {
                "id": f"DEBIAN-CVE-2026-{number:05}",
                "modified": "2026-11-22T00:00:00Z",
                "published": "2026-09-01T00:00:00Z",
                "details": WORDS,
                "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
                "affected": affected,
            }
            folder.writestr(f"DEBIAN-CVE-2026-{number:05}.json", json.dumps(record))
    return stream.getvalue()


def hosts(system: str, count: int, packages: int) -> Iterator[dict[str, Section]]:
    """What agents tell; every host has versions of its own."""
    at = "2026-11-22T23:00:00Z"
    for number in range(count):
        chance = random.Random(number)
        kernel = chance.randrange(130, 150)
        rows = [(name, f"6.1.{kernel}-1", "linux") for name in ("linux-libc-dev", "linux-headers", "linux-image")]
        for source in chance.sample(range(SOURCES), (packages - 3) // 2):
            version = f"1.{chance.randrange(10, 20)}-{chance.randrange(9)}"
            rows += [(f"source-{source}{end}", version, f"source-{source}") for end in ("", "-bin")]
        lists = dict(zip(("names", "versions", "sources"), map(list, zip(*rows, strict=True)), strict=True))
        told = {"publishers": [{"publisher": "maker"} | lists], "installed": len(rows), "cut": False}
        name, version = ("Ubuntu", "24.04") if system == "ubuntu" else ("Debian GNU/Linux", "12")
        running = f"6.8.0-{kernel}-generic-{chance.randrange(FLAVOURS)}"
        yield {
            "operating_system": Section(
                "operating_system", 1, "seen", "", at, {"name": name, "version": version, "kernel": running}
            ),
            "software": Section("software", 1, "seen", "", at, told),
        }


def hold(kind: str, system: str, file: Path, count: int, packages: int) -> None:
    """Read one feed and hold every host against it; prints what was found as JSON."""
    started = time.process_time()
    feed, _ = read_feed(Named(kind, file, None))
    read = time.process_time() - started
    matching = Matching([feed])
    found = told = 0
    started = time.process_time()
    for sections in hosts(system, count, packages):
        for record in matching.of(sections, "device:fleet:x", NOW):
            assert isinstance(record, Advisories), record
            told += 1
            found += len(record.unrepaired or ())
    held = time.process_time() - started
    # What the kernel tells of a child counts its parent's memory too.
    told_of = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(told_of["VmHWM"].split()[0])
    report = {"read": read, "held": held, "hosts": told, "flaws": found, "peak": peak / 1024}
    print(json.dumps(report))


def main() -> None:
    """Synthesise, measure, print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    packages = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    print(f"{count} hosts with {packages} packages each; {DEFINITIONS} flaws, {OF_THE_KERNEL} of the kernel\n")
    with tempfile.TemporaryDirectory() as place:
        for label, kind, system, content in (
            ("OVAL, Debian's shape", "oval", "debian", debian().encode()),
            ("OVAL, Ubuntu's shape", "oval", "ubuntu", ubuntu().encode()),
            ("OSV, all.zip", "osv", "debian", osv()),
        ):
            file = Path(place) / f"{kind}-{system}"
            file.write_bytes(bz2.compress(content) if kind == "oval" else content)
            sizes = f"{len(content) / MEGABYTE:.0f} MB"
            if kind == "oval":
                sizes += f", {file.stat().st_size / MEGABYTE:.0f} MB as bz2"
            del content
            cost = run([sys.executable, __file__, "hold", kind, system, file, str(count), str(packages)])
            told = cost.report
            print(f"{label} ({sizes})")
            each = 1000 * told["held"] / told["hosts"]
            held = f"{told['hosts']} hosts held against it in {told['held']:.1f} s, {each:.0f} ms each"
            print(f"  processor: read in {told['read']:.1f} s, {held}")
            flaws = f"{told['flaws'] / told['hosts']:.0f} flaws a host"
            print(f"  {flaws}; {told['peak']:.0f} MB peak; {cost.wall:.0f} s wall\n", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["hold"]:
        hold(sys.argv[2], sys.argv[3], Path(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]))
    else:
        main()
