"""Several domains of a forest: each through its own session, none forgotten, and nobody ordinary by ignorance.

Only recorded domains: a second real controller cannot be had beside the first on one host.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from collectors.ad import AdCollector, decode
from collectors.ports.directory import Entry
from scanner.errors import LoginRefused, ReadError, Truncated, Unreachable
from scanner.facts import Directory, Privilege, User
from scanner.model import Access, Census, Gap, GapWhy, Record
from tests.collectors.ad import forest
from tests.collectors.ad.asking import AskingAccess, ad_target, by_login, closed, keep, whole_gaps
from tests.collectors.ad.forest import BASE, DOMAIN_SID, RecordedPort
from tests.collectors.ad.reading import reading
from tests.collectors.stage import NOW, facts

CHILD = f"DC=child,{BASE}"
CHILD_SID = "S-1-5-21-4-5-6"
OF_DIRECTORY = {"Directory", "Trusts", "DirectoryDefence"}


def in_forest(port: RecordedPort) -> RecordedPort:
    """The same domain, in a forest that has a child domain and a partition for names."""
    names = f"DC=ForestDnsZones,{BASE}"
    port.forest += [forest.partition("CHILD", CHILD), forest.partition("zones", names, flags="5")]
    return port


def child() -> RecordedPort:
    """The child domain, as its own controller shows it."""

    old, new = decode.sid_bytes(DOMAIN_SID)[8:], decode.sid_bytes(CHILD_SID)[8:]
    port = in_forest(forest.small())

    def moved(one: Entry) -> Entry:
        values = {
            name: found
            if name == "ntsecuritydescriptor"
            else tuple(value.replace(BASE.encode(), CHILD.encode()).replace(old, new) for value in found)
            for name, found in one.values.items()
        }
        return replace(one, dn=one.dn.replace(BASE, CHILD), values=values)

    return replace(
        port,
        itself=replace(port.itself, values={**port.itself.values, "defaultnamingcontext": (CHILD.encode(),)}),
        groups=[moved(one) for one in port.groups],
        settings=[moved(one) for one in port.settings],
        objects=[moved(one) for one in port.objects],
    )


@dataclass
class Ports:
    """Hands out a domain for each address, and notes which were asked."""

    by_address: dict[str, RecordedPort | ReadError]
    asked: list[tuple[str, object]]

    def __call__(self, access: Access) -> RecordedPort:
        self.asked.append((access.target.address, access.target.options.get("server_name")))
        found = self.by_address[access.target.address]
        if isinstance(found, ReadError):
            raise found
        return found


def both(second: RecordedPort | ReadError, **options: Any) -> tuple[list[Record], Ports]:
    ports = Ports({"ldaps://dc": in_forest(forest.small()), "ldaps://child": second}, [])
    target = ad_target("ldaps://dc", domains=["ldaps://child"], server_name="dc.corp.test", **options)
    return list(AdCollector(ports).read(AskingAccess(target, at=NOW))), ports


def test_a_domain_that_nobody_reads_leaves_the_listings_open_by_name() -> None:
    records = reading(in_forest(forest.small()))

    assert closed(records) == OF_DIRECTORY
    assert any("child.corp.test" in detail for detail in whole_gaps(records)["User"])
    assert not any("dnszones" in detail for detail in whole_gaps(records)["User"])


def test_a_domain_that_another_target_reads_leaves_them_closed() -> None:
    records = reading(in_forest(forest.small()), read_elsewhere=["Child.corp.test"])

    assert "User" in closed(records)
    assert whole_gaps(records) == {}


def test_groups_of_other_domains_leave_nobody_ordinary() -> None:
    rows = by_login(reading(in_forest(forest.small()), read_elsewhere=["child.corp.test"]), Privilege)

    assert {name: (row.privileged, row.standing) for name, row in rows.items()} == {
        "ann": (True, True),
        "ben": (None, None),
    }


@pytest.mark.parametrize("listed", [[], forest.configuration()])
def test_others_that_are_not_named_leave_the_listings_open_too(listed: list[Entry]) -> None:
    port = forest.small(forest=listed)
    trust = forest.entry(
        f"CN=child,CN=System,{BASE}",
        "top",
        "trustedDomain",
        trustAttributes="32",
        trustDirection="3",
        trustPartner="child.corp.test",
    )
    port.objects.append(trust)

    records = reading(port)

    assert closed(records) == OF_DIRECTORY
    assert any("the list of them is not shown" in detail for detail in whole_gaps(records)["User"])


def test_a_partition_that_does_not_say_what_it_is_counts_as_a_domain() -> None:
    port = in_forest(forest.small())
    port.forest[-2] = replace(port.forest[-2], values={"objectclass": (b"top", b"crossRef")})

    assert "User" not in closed(reading(port))


def test_further_domains_are_read_each_at_its_address() -> None:
    records, ports = both(child())
    users = [row for row in records if isinstance(row, User)]

    assert ports.asked == [("ldaps://dc", "dc.corp.test"), ("ldaps://child", None)]
    assert {row.asset.rpartition("-")[0] for row in users} == {
        f"user:corp.test:{DOMAIN_SID}",
        f"user:child.corp.test:{CHILD_SID}",
    }
    assert {row.name for row in records if isinstance(row, Directory)} == {"corp.test", "child.corp.test"}
    assert {"User", "Directory", "Placement"} <= closed(records)
    (census,) = [row for row in records if isinstance(row, Census) and row.fact == "User"]
    assert (census.n, census.query) == (4, f"(objectClass=*) below {BASE} and {CHILD}")


@pytest.mark.parametrize("error", [Unreachable("no route"), Truncated("broke off")])
def test_a_domain_that_cannot_be_read_closes_nothing_and_is_named(error: ReadError) -> None:
    records, _ = both(error)

    assert closed(records) == set()
    assert "ann" in by_login(records, User)
    assert whole_gaps(records)["User"] == [str(error)]


def test_a_refused_login_is_not_tried_at_the_other_domains() -> None:
    ports = Ports({"ldaps://dc": LoginRefused("wrong password"), "ldaps://child": child()}, [])
    target = ad_target("ldaps://dc", domains=["ldaps://child"])

    records = list(AdCollector(ports).read(AskingAccess(target, at=NOW)))

    assert [address for address, _ in ports.asked] == ["ldaps://dc"]
    assert {row.why for row in records if isinstance(row, Gap)} == {GapWhy.DENIED}


def test_what_was_kept_of_several_domains_reads_back_the_same(tmp_path: Path) -> None:
    records, _ = both(child())

    again = list(AdCollector().read(AskingAccess(ad_target(captures=keep(records, tmp_path)))))

    assert len(list(tmp_path.iterdir())) == 4
    assert sorted(facts(again), key=str) == sorted(facts(records), key=str)
    assert closed(again) == closed(records)


def test_the_plan_names_every_domain() -> None:
    calls = list(AdCollector().plan(ad_target("ldaps://dc", domains=["ldap://child:3389"])))

    assert {call.host for call in calls} == {"dc:636", "child:3389"}
    assert len(calls) == 14
