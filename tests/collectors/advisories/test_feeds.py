from __future__ import annotations

import bz2
import hashlib
import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.section import Section
from collectors.advisories import debian_tracker, osv
from collectors.advisories.feed import Feed, Inventory, Package, open_flaws, release_of
from collectors.endpoint import COLLECTOR
from scanner.errors import Malformed
from scanner.facts import Advisories
from scanner.facts.device import OpenAdvisory
from scanner.model import Capture, GapWhy, Record, iso
from tests.collectors.advisories.oval.documents import debian
from tests.collectors.fleet_store import NOW_MS, Written, at, fleet_target, laptop
from tests.collectors.stage import gaps, read

FETCHED = datetime(2026, 11, 19, 12, tzinfo=UTC)
GRAVE = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def record(id: str = "CVE-2026-1", package: str = "openssl", **other: Any) -> dict[str, Any]:
    """One record as osv.dev has it."""
    events = other.pop("events", [{"introduced": "0"}, {"fixed": "3.0.15-1~deb12u1"}])
    affected: dict[str, Any] = {
        "package": {"ecosystem": other.pop("ecosystem", "Debian:12"), "name": package},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    affected |= other.pop("affected", {})
    return {
        "schema_version": "1.7.0",
        "id": id,
        "modified": "2026-11-19T00:00:00Z",
        "published": "2026-09-01T00:00:00Z",
        "severity": [{"type": "CVSS_V3", "score": GRAVE}],
        "affected": [affected],
    } | other


def packed(*records: dict[str, Any] | bytes) -> bytes:
    """A ZIP as osv.dev gives for a whole system."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as folder:
        for number, each in enumerate(records):
            folder.writestr(f"{number}.json", each if isinstance(each, bytes) else json.dumps(each))
    return stream.getvalue()


def tracker(**packages: Any) -> bytes:
    return json.dumps(packages).encode()


def flaws(feed: Feed, *packages: Package, release: str = "debian:12") -> list[OpenAdvisory]:
    return open_flaws([feed], Inventory(release, packages))


OPENSSL = Package("libssl3", "3.0.14-1~deb12u2", "openssl")


def test_a_package_is_found_by_its_source_and_told_with_weight_and_day() -> None:
    (flaw,) = flaws(osv.read(packed(record()), "all.zip"), OPENSSL, Package("bash", "5.2-1"))
    assert (flaw.id, flaw.package, flaw.installed, flaw.severity) == (
        "CVE-2026-1", "libssl3", "3.0.14-1~deb12u2", "critical",
    )  # fmt: skip
    assert (flaw.published, flaw.repairable) == (datetime(2026, 9, 1, tzinfo=UTC), True)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"events": [{"introduced": "0"}, {"fixed": "3.0.14-1~deb12u2"}]}, []),
        ({"events": [{"introduced": "3.0.14-1~deb12u3"}]}, []),
        ({"events": [{"introduced": "0"}]}, [False]),
        ({"events": [{"introduced": "0"}, {"last_affected": "3.0.14-1~deb12u2"}]}, [False]),
        ({"events": [{"introduced": "0"}, {"fixed": "1"}, {"introduced": "3.0"}, {"fixed": "3.1"}]}, [True]),
        ({"affected": {"ranges": [], "versions": ["3.0.14-1~deb12u2"]}}, [False]),
        ({"affected": {"ranges": [], "versions": ["3.0.14-1~deb12u1"]}}, []),
        ({"affected": {"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}}, [False]),
        ({"withdrawn": "2026-10-01T00:00:00Z"}, []),
        ({"ecosystem": "Debian:11"}, []),
        ({"ecosystem": "PyPI"}, []),
        ({"package": "libssl3"}, []),
    ],
)
def test_which_versions_have_the_flaw_follows_the_events(change: dict[str, Any], found: list[bool]) -> None:
    feed = osv.read(packed(record(**change)), "all.zip")
    assert [flaw.repairable for flaw in flaws(feed, OPENSSL)] == found


def test_a_signed_kernel_has_the_flaws_of_the_kernel_it_was_built_from() -> None:
    feed = osv.read(packed(record(package="linux", events=[{"introduced": "0"}, {"fixed": "6.1.120-1"}])), "all.zip")
    image = Package("linux-image-6.1.0-28-amd64", "6.1.119-1", "linux-signed-amd64")
    assert [flaw.package for flaw in flaws(feed, image)] == ["linux-image-6.1.0-28-amd64"]
    assert flaws(feed, Package("linux-base", "4.9", "")) == []


def test_rpm_names_a_package_or_its_source() -> None:
    events = [{"introduced": "0"}, {"fixed": "0:3.2.2-6.el9_5.1"}]
    for name in ("openssl-libs", "openssl"):
        feed = osv.read(packed(record(ecosystem="AlmaLinux:9", package=name, events=events)), "all.zip")
        sound, open_ = (Package("openssl-libs", f"1:3.2.2-6.el9_5{end}", "openssl") for end in (".1", ""))
        assert flaws(feed, sound, release="almalinux:9") == []
        # Epoch 1 is later than any version of epoch 0, so only one without it is open.
        assert flaws(feed, open_, release="almalinux:9") == []
        bare = Package("openssl-libs", "3.2.2-6.el9_5", "openssl")
        assert [flaw.repairable for flaw in flaws(feed, bare, release="almalinux:9")] == [True]


def test_a_package_with_a_version_of_its_own_is_compared_by_that_of_its_source() -> None:
    feed = osv.read(packed(record(package="gcc-defaults", events=[{"introduced": "0"}, {"fixed": "1.210"}])), "all.zip")
    # By its own version 4:12.2.0-3 it would never be found.
    assert len(flaws(feed, Package("gcc", "4:12.2.0-3", "gcc-defaults", "1.203"))) == 1
    assert flaws(feed, Package("gcc", "4:12.2.0-3", "gcc-defaults", "1.210")) == []
    events = [{"introduced": "0"}, {"fixed": "4:5.32.1-481.el9"}]
    perl = osv.read(packed(record(ecosystem="Rocky Linux:9", package="perl", events=events)), "all.zip")
    assert len(flaws(perl, Package("perl-Errno", "1.30-480.el9", "perl", "5.32.1-480.el9"), release="rocky:9")) == 1
    assert flaws(perl, Package("perl-Errno", "1.30-481.el9", "perl", "5.32.1-481.el9"), release="rocky:9") == []


def test_the_tracker_tells_what_is_repaired_open_or_not_settled() -> None:
    def state(**said: str) -> dict[str, Any]:
        return {"releases": {"bookworm": {"urgency": "high"} | said, "sid": {"status": "open"}}}

    feed = debian_tracker.read(
        tracker(
            openssl={
                "CVE-2026-1": state(status="resolved", fixed_version="3.0.15-1~deb12u1"),
                "CVE-2026-2": state(status="resolved", fixed_version="0"),
                "CVE-2026-3": state(status="resolved", fixed_version="3.0.1-1"),
                "CVE-2026-4": state(status="open", urgency="not yet assigned"),
                "CVE-2026-5": state(status="undetermined", urgency="unimportant"),
            }
        ),
        "tracker.json",
        FETCHED,
    )
    assert [(flaw.id, flaw.severity, flaw.published, flaw.repairable) for flaw in flaws(feed, OPENSSL)] == [
        ("CVE-2026-1", "high", None, True),
        ("CVE-2026-4", None, None, False),
        ("CVE-2026-5", "low", None, None),
    ]


def test_two_feeds_of_one_flaw_are_laid_together() -> None:
    first = osv.read(packed(record("DEBIAN-CVE-2026-1001", severity=[])), "all.zip")
    second = debian_tracker.read(
        tracker(openssl={"CVE-2026-1001": {"releases": {"bookworm": {"status": "open", "urgency": "medium"}}}}),
        "tracker.json",
        FETCHED,
    )
    (flaw,) = open_flaws([first, second], Inventory("debian:12", (OPENSSL,)))
    assert (flaw.severity, flaw.repairable, flaw.published) == ("medium", True, datetime(2026, 9, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "version", "release"),
    [
        ("Debian GNU/Linux", "12", "debian:12"),
        ("Debian GNU/Linux", "12.8", "debian:12"),
        ("Ubuntu", "24.04", "ubuntu:24.04"),
        ("AlmaLinux", "9.4", "almalinux:9"),
        ("Rocky Linux", "9.5", "rocky:9"),
        ("Red Hat Enterprise Linux", "9.4", "rhel:9"),
        ("Fedora Linux", "42", None),
        ("Debian GNU/Linux", None, None),
        ("Debian GNU/Linux", "sid", None),
    ],
)
def test_systems_are_named_as_feeds_name_them(name: str, version: str | None, release: str | None) -> None:
    assert release_of(name, version) == release


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "all"),
        (b"[]", "holds no record"),
        (b"\xff{", "all"),
        (b'{"id": 1}', "Expected `str`"),
        (b'{"id": "X"}', "modified"),
        (b'{"id": "X", "modified": "2026-11-19"}', "all"),
        (b"[" * 5000, "all"),
        (b"PK\x03\x04 cut off", "the ZIP cannot be read"),
        (packed(), "holds no record"),
        (packed(record(), b"{", b"\xff", b"["), "1.json"),
    ],
)
def test_a_file_of_osv_that_is_not_in_order_is_refused_by_name(content: bytes, said: str) -> None:
    with pytest.raises(Malformed, match=r"^all") as refused:
        osv.read(content, "all")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "tracker"),
        (b"{}", "names no package"),
        (b'{"a": {"CVE-1": {"releases": []}}}', "Expected"),
        (b'{"a": {"CVE-1": {"releases": {"bookworm": {"status": "fixed"}}}}}', "a: CVE-1: bookworm"),
        (b'{"a": {"CVE-1": {"releases": {"bookworm": {"status": "resolved"}}}}}', "without fixed_version"),
    ],
)
def test_a_file_of_the_tracker_that_is_not_in_order_is_refused_by_name(content: bytes, said: str) -> None:
    with pytest.raises(Malformed, match=r"^tracker") as refused:
        debian_tracker.read(content, "tracker", FETCHED)
    assert said in str(refused.value)


# Through the source of endpoints


def software(*packages: dict[str, str], cut: bool = False) -> Section:
    """What an agent tells of software."""
    given = packages or ({"name": "libssl3", "version": "3.0.14-1~deb12u2", "source": "openssl"},)
    lists = {f"{name}s": [one[name] for one in given if name in one] for name in ("name", "version")}
    lists["sources"] = [one.get("source", "") for one in given]
    values = {"publishers": [{"publisher": "Debian"} | lists], "installed": len(given), "cut": cut}
    return Section("software", 1, "seen", "", "2026-11-20T00:59:00Z", values)


def told(folder: Path, feeds: list[dict[str, str]], *sections: Section) -> tuple[list[Advisories], list[Record]]:
    store = Written(folder)
    store.add([*laptop("software"), *(sections or (software(),))])
    records = read(COLLECTOR, fleet_target(store.close(), advisories=feeds))
    return [record for record in records if isinstance(record, Advisories)], records


def feed_file(folder: Path, content: bytes, kind: str = "osv", **other: str) -> dict[str, str]:
    path = folder / f"{kind}.data"
    path.write_bytes(content)
    return {"kind": kind, "file": str(path)} | other


def test_an_agent_is_held_against_the_feeds(tmp_path: Path) -> None:
    (advisories,), records = told(tmp_path, [feed_file(tmp_path, packed(record()))])
    assert [flaw.id for flaw in advisories.unrepaired or ()] == ["CVE-2026-1"]
    assert (advisories.feeds, advisories.feed_at) == (["osv:osv.data"], datetime(2026, 11, 19, tzinfo=UTC))
    kept = [record for record in records if isinstance(record, Capture) and record.name.startswith("feed")]
    assert json.loads(kept[0].content)["releases"] == ["debian:12"]


def test_what_is_known_is_as_old_as_the_oldest_feed(tmp_path: Path) -> None:
    old = iso(at(NOW_MS) - timedelta(days=90))
    content = tracker(openssl={"CVE-2026-9": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "0"}}}})
    feeds = [feed_file(tmp_path, packed(record())), feed_file(tmp_path, content, "debian-tracker", fetched=old)]
    (advisories,), _ = told(tmp_path, feeds)
    assert iso(advisories.observed_at) == old


@pytest.mark.parametrize(
    ("content", "why", "said"),
    [
        (packed(record(ecosystem="Debian:11")), GapWhy.UNSUPPORTED, "no whole feed speaks of debian:12"),
        (json.dumps(record()).encode(), GapWhy.UNSUPPORTED, "no whole feed"),
        (b"{", GapWhy.MALFORMED, "osv.data"),
        (packed(record(events=[{"introduced": "0"}, {"fixed": "no version"}])), GapWhy.MALFORMED, "no version"),
    ],
)
def test_a_feed_that_cannot_tell_leaves_a_gap_and_no_fact(
    tmp_path: Path, content: bytes, why: GapWhy, said: str
) -> None:
    found, records = told(tmp_path, [feed_file(tmp_path, content)])
    (gap,) = gaps(records, "Advisories")
    assert (found, gap.why) == ([], why)
    assert said in gap.detail


def test_a_feed_that_was_lost_is_missed_though_another_is_there(tmp_path: Path) -> None:
    feeds = [feed_file(tmp_path, packed(record())), {"kind": "osv", "file": str(tmp_path / "gone.zip")}]
    found, records = told(tmp_path, feeds)
    (gap,) = gaps(records, "Advisories")
    assert (found, gap.why) == ([], GapWhy.UNREACHABLE)
    assert "gone.zip" in gap.detail


@pytest.mark.parametrize(
    ("section", "why"),
    [
        (software(cut=True), GapWhy.TRUNCATED),
        (software({"name": "x"}), GapWhy.MALFORMED),
        (software({"name": "openssl", "version": "not a version"}), GapWhy.MALFORMED),
        (replace(software({"name": "openssl", "version": "3"}), schema_version=3), GapWhy.UNSUPPORTED),
        (Section("software", 1, "denied", "switched off", "2026-11-20T00:59:00Z"), GapWhy.DENIED),
    ],
)
def test_software_that_is_not_known_has_no_flaws_that_are_known(tmp_path: Path, section: Section, why: GapWhy) -> None:
    found, records = told(tmp_path, [feed_file(tmp_path, packed(record()))], section)
    (gap,) = gaps(records, "Advisories")
    assert (found, gap.why) == ([], why)


def test_definitions_of_oval_are_held_against_an_agent_as_they_are_published(tmp_path: Path) -> None:
    content = bz2.compress(debian(("openssl", "3.0.15-1~deb12u1"), ("bash", "9")))
    (advisories,), records = told(tmp_path, [feed_file(tmp_path, content, "oval")])
    assert [(flaw.id, flaw.repairable) for flaw in advisories.unrepaired or ()] == [("CVE-2026-0001", True)]
    assert (advisories.feeds, advisories.feed_at) == (["oval:oval.data"], datetime(2026, 11, 19, tzinfo=UTC))
    (kept,) = (record for record in records if isinstance(record, Capture) and record.name.startswith("feed"))
    assert json.loads(kept.content) == {
        "feed": "oval:oval.data",
        "sha256": hashlib.sha256(content).hexdigest(),
        "as_of": "2026-11-19T00:00:00Z",
        "releases": ["debian:12"],
        "undecided_tests": {},
    }


@pytest.mark.parametrize(
    ("content", "why", "said"),
    [
        (debian(("openssl", "9"), count=5), GapWhy.UNSUPPORTED, "no whole feed speaks of debian:12"),
        (debian(("openssl", "9")).replace(b"Linux 12", b"Linux 11"), GapWhy.UNSUPPORTED, "no whole feed speaks"),
        (bz2.compress(debian(("openssl", "9")))[:-9], GapWhy.MALFORMED, "oval.data is cut off"),
        (debian(("openssl", "9"))[:-9], GapWhy.MALFORMED, "oval.data: not whole XML"),
    ],
)
def test_definitions_of_oval_that_cannot_tell_leave_a_gap_and_no_fact(
    tmp_path: Path, content: bytes, why: GapWhy, said: str
) -> None:
    found, records = told(tmp_path, [feed_file(tmp_path, content, "oval")])
    (gap,) = gaps(records, "Advisories")
    assert (found, gap.why) == ([], why)
    assert said in gap.detail


def test_old_definitions_of_oval_prove_nothing_of_today(tmp_path: Path) -> None:
    old = debian(("openssl", "1"), stamp="2026-08-19T00:00:00")
    (advisories,), _ = told(tmp_path, [feed_file(tmp_path, old, "oval")])
    assert advisories.observed_at == advisories.feed_at == datetime(2026, 8, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("feeds", "options.advisories is no list; expected a list of { kind"),
        (["osv"], "entry 1 of options.advisories is no table"),
        ([{"kind": "osv"}], "entry 1 of options.advisories: file must be the path of a file that you fetched"),
        ([{"kind": "osv", "file": ""}], "file must be the path"),
        ([{"file": "x"}], "lacks kind; expected one of osv, debian-tracker, oval"),
        ([{"kind": "osv", "file": "x"}, {"kind": "nvd", "file": "x"}],
         "entry 2 of options.advisories: kind 'nvd' is not known; expected one of osv, debian-tracker, oval"),
        ([{"kind": "osv", "file": "x", "path": "y"}], "there is no key 'path'; expected kind, file and fetched"),
        ([{"kind": "debian-tracker", "file": "x"}], "lacks fetched: the tracker's file bears no date; say when"),
        ([{"kind": "osv", "file": "x", "fetched": "yesterday"}],
         "fetched is 'yesterday'; expected a time with its zone, such as 2026-11-20T01:00:00Z"),
        ([{"kind": "osv", "file": "x", "fetched": "2026-11-19T00:00:00"}], "expected a time with its zone"),
    ],
)  # fmt: skip
def test_feeds_that_are_not_named_in_order_are_told(tmp_path: Path, wrong: Any, said: str) -> None:
    store = Written(tmp_path)
    store.add(laptop())
    records = read(COLLECTOR, fleet_target(store.close(), advisories=wrong))
    assert {gap.why for gap in gaps(records)} == {GapWhy.MALFORMED}
    assert all(said in gap.detail for gap in gaps(records))
