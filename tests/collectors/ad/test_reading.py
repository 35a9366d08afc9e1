"""What the collector makes of entries: absence proved or not, nesting, holes, and what was never asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collectors.ad import AdCollector, attributes, decode
from scanner.errors import LoginRefused, Truncated
from scanner.facts import AccountExpiry, Activity, Credentials, Device, Placement, Privilege, Trusts, User
from scanner.model import Capture, Gap, GapWhy, Record, SourceIdentity, promised_facts
from tests.collectors.ad import forest
from tests.collectors.ad.asking import AskingAccess, ad_target, by_login, closed, keep, whole_gaps
from tests.collectors.ad.forest import AUTHENTICATED, BASE, DOMAIN_SID, OURS, READ, RecordedPort, ace, descriptor, guid
from tests.collectors.ad.reading import gaps_of, reading
from tests.collectors.stage import NOW, facts

OF_DIRECTORY = {"Directory", "Trusts", "DirectoryDefence"}
"""Facts of which the domain itself is the whole listing."""


def test_a_domain_shown_whole_is_closed() -> None:
    records = reading(forest.small())

    assert closed(records) == promised_facts(AdCollector().promises(ad_target()))
    assert by_login(records, User)["ann"] == User(
        asset=f"user:corp.test:{DOMAIN_SID}-1101", observed_at=NOW, enabled=True, display_name="Ann", login="ann"
    )
    assert by_login(records, AccountExpiry)["ann"].expires == "never"
    assert by_login(records, Credentials)["ben"].password == "never_expires"
    assert by_login(records, Placement)["ann"].groups == ["Domain Admins", "Domain Users", "inner"]
    assert {name: row.privileged for name, row in by_login(records, Privilege).items()} == {"ann": True, "ben": False}


@pytest.mark.parametrize(
    ("sd", "shown"),
    [
        (descriptor(ace("A", READ, AUTHENTICATED)), True),
        (descriptor(ace("OA", 0x10, AUTHENTICATED, guid("lastLogonTimestamp"))), True),
        (descriptor(ace("OA", 0x10, AUTHENTICATED, guid("user"))), True),
        (descriptor(ace("A", 0x80000000, OURS)), True),
        (descriptor(ace("A", 0x10000000, OURS)), True),
        (descriptor(dacl=False), True),
        (descriptor(ace("OA", 0x10, AUTHENTICATED)), True),
        (descriptor(), False),
        (descriptor(ace("A", READ, f"{DOMAIN_SID}-999")), False),
        (descriptor(ace("A", READ, AUTHENTICATED, flags=8)), False),
        (descriptor(ace("XA", READ, AUTHENTICATED)), False),
        (descriptor(ace("OA", 0x10, AUTHENTICATED, guid("displayName"))), False),
        (descriptor(ace("D", 0x10, OURS), ace("A", READ, AUTHENTICATED)), False),
        (descriptor(ace("OD", 0x10, OURS, guid("lastLogonTimestamp")), ace("A", READ, AUTHENTICATED)), False),
        (descriptor(ace("OD", 0x10, OURS, guid("user")), ace("A", READ, AUTHENTICATED)), False),
        (descriptor(ace("A", READ, AUTHENTICATED), ace("D", 0x10, OURS)), True),
        (None, False),
        (b"\x01\x00 no descriptor", False),
    ],
)
def test_an_absent_attribute_means_never_only_where_it_may_be_read(sd: bytes | None, shown: bool) -> None:
    port = forest.small()
    port.objects.append(forest.user("eva", 1103, sd=sd))

    records = reading(port)
    activity = by_login(records, Activity)["eva"]

    assert activity.ever_signed_in is (False if shown else None)
    assert (activity.idle_since is not None) is shown
    assert (("Activity", "ever_signed_in") in gaps_of(records, activity.asset)) is not shown


def test_a_property_set_stands_for_its_attributes() -> None:
    port = forest.small()
    sd = descriptor(ace("OD", 0x10, OURS, guid("account restrictions")), ace("A", READ, AUTHENTICATED))
    port.objects.append(forest.user("eva", 1103, sd=sd, userAccountControl=None))

    eva = by_login(reading(port), User)["eva"]

    assert eva.enabled is None


def test_our_own_object_is_read_by_the_right_of_self() -> None:
    sd = descriptor(ace("A", READ, "S-1-5-10"))
    port = forest.small()
    port.objects += [forest.user("ours", 1100, sd=sd), forest.user("other", 1103, sd=sd)]

    activity = by_login(reading(port), Activity)

    assert (activity["ours"].ever_signed_in, activity["other"].ever_signed_in) == (False, None)


def test_a_confidential_attribute_takes_the_control_right_too() -> None:
    definitions = [
        replace(one, values={**one.values, "searchflags": (b"128",)}) if "lastLogon" in one.dn else one
        for one in forest.schema()
    ]

    assert by_login(reading(forest.small(definitions=definitions)), Activity)["ann"].ever_signed_in is None


def test_without_a_token_nothing_is_known_to_be_absent_or_listed() -> None:
    for itself in (forest.root("S-1-5-7"), replace(forest.root(), values={**forest.root().values, "tokengroups": ()})):
        records = reading(forest.small(itself=itself))

        assert by_login(records, Activity)["ann"].ever_signed_in is None
        assert closed(records) == OF_DIRECTORY


def test_without_the_schema_nothing_is_known_to_be_absent() -> None:
    port = forest.small(definitions=[])
    denied = descriptor(ace("OD", 0x4, OURS, guid("organizationalUnit")), ace("A", READ, AUTHENTICATED))
    port.objects[1] = forest.entry(f"OU=People,{BASE}", "top", "organizationalUnit", sd=denied)

    records = reading(port)

    assert by_login(records, Activity)["ann"].ever_signed_in is None
    assert closed(records) == OF_DIRECTORY


def test_what_was_not_asked_for_is_not_absent() -> None:
    port = forest.small()
    port.objects = [replace(one, asked=frozenset()) for one in port.objects]

    records = reading(port)

    assert by_login(records, Activity)["ann"].ever_signed_in is None
    assert any("asked for" in row.detail for row in records if isinstance(row, Gap))


@pytest.mark.parametrize("sd", [descriptor(), None, descriptor(ace("D", 0x4, OURS), ace("A", READ, AUTHENTICATED))])
def test_a_unit_without_a_proved_right_to_list_opens_the_listing(sd: bytes | None) -> None:
    port = forest.small()
    port.objects[1] = forest.entry(f"OU=People,{BASE}", "top", "organizationalUnit", sd=sd)

    records = reading(port)

    assert closed(records) == OF_DIRECTORY
    assert set(whole_gaps(records)) == promised_facts(AdCollector().promises(ad_target())) - OF_DIRECTORY
    assert by_login(records, Privilege)["ben"].privileged is None


@pytest.mark.parametrize("attribute", ["manager", "memberOf"])
def test_whoever_is_referred_to_and_not_shown_opens_the_listing(attribute: str) -> None:
    port = forest.small()
    referring: dict[str, Any] = {attribute: f"CN=unseen,OU=Hidden,{BASE}"}
    port.objects.append(forest.user("eva", 1103, **referring))

    records = reading(port)

    assert "User" not in closed(records)
    assert any("cn=unseen" in detail for detail in whole_gaps(records)["User"])


def test_references_to_other_partitions_do_not_open_the_listing() -> None:
    port = forest.small()
    elsewhere = [f"CN=x,CN=Users,DC=child,{BASE}", "CN=y,DC=other,DC=test", f"CN=z,CN=Configuration,{BASE}"]
    port.groups.append(forest.group("mixed", 1203, *elsewhere))

    assert "User" in closed(reading(port))


@pytest.mark.parametrize("missing", ["objectsid", "objectclass"])
def test_an_object_that_does_not_say_who_it_is_opens_the_listing(missing: str) -> None:
    port = forest.small()
    whole = forest.user("eva", 1103)
    port.objects.append(replace(whole, values={name: v for name, v in whole.values.items() if name != missing}))

    records = reading(port)

    assert "eva" not in by_login(records, User)
    assert "User" not in closed(records)


def test_delegated_power_and_other_domains_leave_privilege_open() -> None:
    delegated, forested = forest.small(), forest.small()
    sd = descriptor(ace("A", 0x40000, f"{DOMAIN_SID}-1202"), ace("A", READ, AUTHENTICATED))
    delegated.objects.append(forest.user("eva", 1103, sd=sd))
    forested.objects.append(
        forest.entry(f"CN=up.test,CN=System,{BASE}", "top", "trustedDomain", trustAttributes="32", trustDirection="3")
    )

    assert by_login(reading(delegated), Privilege)["ben"].privileged is None
    assert by_login(reading(forested), Privilege)["ben"].privileged is None
    assert by_login(reading(forested), Privilege)["ann"].privileged is True


def test_everyone_among_the_administrators_makes_all_privileged() -> None:
    port = forest.small()
    everyone = f"CN=S-1-5-11,CN=ForeignSecurityPrincipals,{BASE}"
    port.groups[1] = forest.group("Domain Admins", 512, everyone, f"CN=inner,OU=Groups,{BASE}")
    sid = decode.sid_bytes("S-1-5-11")
    asked = attributes.GROUP
    port.groups.append(forest.entry(everyone, "top", "foreignSecurityPrincipal", asked=asked, objectSid=sid))

    assert by_login(reading(port), Privilege)["ben"].privileged is True


def test_old_sids_count() -> None:
    port = forest.small()
    port.objects.append(forest.user("eva", 1103, sIDHistory=decode.sid_bytes(f"{DOMAIN_SID}-512")))

    assert by_login(reading(port), Privilege)["eva"].privileged is True


def test_hidden_old_sids_leave_membership_open() -> None:
    port = forest.small()
    sd = descriptor(ace("OD", 0x10, OURS, guid("sIDHistory")), ace("A", READ, AUTHENTICATED))
    port.objects.append(forest.user("eva", 1103, sd=sd))

    records = reading(port)

    assert by_login(records, Privilege)["eva"].privileged is None
    assert by_login(records, Placement)["eva"].groups is None


def test_a_clock_that_runs_elsewhere_is_named_and_ours_counts() -> None:
    itself = forest.root()
    port = forest.small(itself=replace(itself, values={**itself.values, "currenttime": (b"20261121010000.0Z",)}))

    records = reading(port)

    assert {row.observed_at for row in facts(records)} == {NOW}
    assert [row.value for row in records if isinstance(row, SourceIdentity) and row.kind == "clock_offset"] == [
        "+86400 seconds from ours, which counts"
    ]


def test_membership_is_known_from_either_end_and_unknown_from_none() -> None:
    closed_to_us = descriptor(ace("OD", 0x10, OURS, guid("member")), ace("A", READ, AUTHENTICATED))
    both = descriptor(ace("OD", 0x10, OURS, guid("memberOf")), ace("A", READ, AUTHENTICATED))
    by_user, by_nobody = forest.small(), forest.small()
    for port in (by_user, by_nobody):
        port.groups.append(forest.group("quiet", 1203, sd=closed_to_us))
    by_nobody.objects.append(forest.user("eva", 1103, sd=both))

    assert by_login(reading(by_user), Placement)["ben"].groups == ["Domain Users", "staff"]
    assert by_login(reading(by_nobody), Placement)["eva"].groups is None
    assert by_login(reading(by_nobody), Privilege)["eva"].privileged is None


def test_members_handed_out_in_ranges_are_all_read() -> None:
    port = forest.small()
    dn = f"CN=large,OU=Groups,{BASE}"
    people = [f"CN=p{number},OU=People,{BASE}" for number in range(7)]
    raw = tuple(name.encode() for name in people)
    whole = forest.group("large", 1203)
    port.groups.append(replace(whole, values={**whole.values, "member;range=0-1": raw[:2]}))
    port.ranges[dn] = raw
    port.objects += [forest.user(f"p{number}", 1300 + number) for number in range(7)]

    placed = by_login(reading(port), Placement)

    assert {name for name, row in placed.items() if "large" in (row.groups or ())} == {f"p{n}" for n in range(7)}


def test_ranges_that_end_early_are_truncated() -> None:
    port = forest.small()
    whole = forest.group("large", 1203)
    port.groups.append(replace(whole, values={**whole.values, "member;range=0-1": (b"CN=a", b"CN=b")}))
    port.ranges[whole.dn] = (b"CN=a", b"CN=b")

    records = reading(port)

    assert {row.why for row in records if isinstance(row, Gap)} == {GapWhy.TRUNCATED}


def test_a_reading_that_breaks_off_closes_nothing() -> None:
    port = forest.small(fails_after=(6, Truncated("the connection broke off")))

    records = reading(port)

    assert closed(records) == set()
    assert set(whole_gaps(records)) == promised_facts(AdCollector().promises(ad_target()))
    assert port.asked[-1] == ("closed",)


def test_a_refused_login_is_a_gap_for_everything() -> None:
    def refused(access: object) -> RecordedPort:
        raise LoginRefused("wrong password")

    records = list(AdCollector(refused).read(AskingAccess(ad_target("ldaps://dc"))))

    assert {row.why for row in records if isinstance(row, Gap)} == {GapWhy.DENIED}
    assert set(whole_gaps(records)) == promised_facts(AdCollector().promises(ad_target()))


def test_a_hidden_trust_list_is_not_empty() -> None:
    port = forest.small()
    port.objects.append(forest.entry(f"CN=System,{BASE}", "top", "container", sd=descriptor()))

    assert [row.trusts for row in reading(port) if isinstance(row, Trusts)] == [None]
    assert [row.trusts for row in reading(forest.small()) if isinstance(row, Trusts)] == [[]]


def test_computers_and_managed_accounts_are_told_apart() -> None:
    port = forest.small()
    pc = forest.user("PC$", 1104, operatingSystem="Windows 11", primaryGroupID="513")
    gmsa = forest.user("g$", 1105)
    port.objects += [
        replace(pc, values={**pc.values, "objectclass": (b"top", b"user", b"computer")}),
        replace(
            gmsa, values={**gmsa.values, "objectclass": (b"user", b"computer", b"msDS-GroupManagedServiceAccount")}
        ),
    ]

    records = reading(port)

    assert [row.host_name for row in records if isinstance(row, Device)] == ["PC"]
    assert by_login(records, User)["g$"].category == "service"


def test_units_of_the_estate_say_who_is_external_and_whom_an_account_serves() -> None:
    port = forest.small()
    port.objects.append(forest.user("vic", 1106, unit="OU=Vendors"))

    users = by_login(
        reading(port, external_units=[f"OU=Vendors,{BASE}"], person_units=[f"ou=people,{BASE.lower()}"]), User
    )

    assert {name: (row.external, row.category) for name, row in users.items()} == {
        "ann": (False, "person"), "ben": (False, "person"), "vic": (True, None),
    }  # fmt: skip


def test_a_value_that_makes_no_sense_is_malformed() -> None:
    port = forest.small()
    port.objects.append(forest.user("eva", 1103, userAccountControl="many", accountExpires="-5"))

    records = reading(port)
    eva = by_login(records, User)["eva"]

    assert (eva.enabled, by_login(records, AccountExpiry)["eva"].expires) == (None, None)
    assert GapWhy.MALFORMED in {row.why for row in records if isinstance(row, Gap) and row.asset == eva.asset}


def test_an_end_in_the_past_disables_and_a_hidden_end_leaves_open() -> None:
    port = forest.small()
    no_end = descriptor(ace("OD", 0x10, OURS, guid("accountExpires")), ace("A", READ, AUTHENTICATED))
    port.objects += [
        forest.user("past", 1103, accountExpires="132000000000000000"),
        forest.user("hidden", 1104, sd=no_end, accountExpires=None),
        forest.user("off", 1105, sd=no_end, accountExpires=None, userAccountControl="514"),
    ]

    users = by_login(reading(port), User)

    assert {name: users[name].enabled for name in ("past", "hidden", "off")} == {
        "past": False, "hidden": None, "off": False,
    }  # fmt: skip


def rich(hidden: str = "") -> RecordedPort:
    """A domain in which every attribute says something, and one may be hidden everywhere."""
    port = forest.small()
    pc = forest.user("PC$", 1104, operatingSystem="Windows 11", operatingSystemVersion="10", dNSHostName="pc.corp.test")
    port.objects += [
        forest.user("eva", 1103, manager=f"CN=unseen,{BASE}", lastLogonTimestamp="134000000000000000"),
        forest.user("old", 1107, sIDHistory=decode.sid_bytes(f"{DOMAIN_SID}-512"), displayName="Old"),
        forest.user("lost", 1108, memberOf=f"CN=gone,OU=Groups,{BASE}"),
        replace(pc, values={**pc.values, "objectclass": (b"top", b"user", b"computer")}),
        forest.entry(
            f"CN=t,CN=System,{BASE}",
            "top",
            "trustedDomain",
            trustPartner="t.test",
            trustDirection="3",
            trustAttributes="4",
        ),
    ]
    closed_to_us = descriptor(ace("OD", 0x10, OURS, guid(hidden)), ace("A", READ, AUTHENTICATED))
    if hidden:
        port.objects = [
            replace(one, values={name: found for name, found in one.values.items() if name != hidden.lower()})
            for one in port.objects
        ]
    if hidden and hidden != "nTSecurityDescriptor":
        port.objects = [
            replace(one, values={**one.values, "ntsecuritydescriptor": (closed_to_us,)}) for one in port.objects
        ]
    return port


@pytest.mark.parametrize("attribute", attributes.OBJECT)
def test_every_attribute_that_is_asked_for_is_needed(attribute: str) -> None:
    def told(port: RecordedPort) -> list[Record]:
        return [row for row in reading(port) if not isinstance(row, Capture)]

    assert told(rich(attribute)) != told(rich())


def test_nothing_is_asked_for_beyond_the_declared() -> None:
    port = forest.small()
    reading(port)
    names = {name.split(";")[0] for asked in port.asked[:-1] for name in asked}

    assert names <= set(attributes.DECLARED)
    assert not {name.lower() for name in attributes.DECLARED} & {name.lower() for name in AdCollector.never_ask}
    planned = " ".join(call.call for call in AdCollector().plan(ad_target("ldaps://dc")))
    assert all(name in planned for name in attributes.DECLARED)


def test_what_is_kept_holds_only_what_was_asked_and_reads_back_the_same(tmp_path: Path) -> None:
    port = forest.small()
    port.objects[-1] = replace(port.objects[-1], values={**port.objects[-1].values, "unicodepwd": (b"secret",)})
    records = reading(port)

    folder = keep(records, tmp_path)
    again = list(AdCollector().read(AskingAccess(ad_target(captures=folder))))

    assert b"secret" not in b"".join(path.read_bytes() for path in folder.iterdir())
    assert facts(again) == facts(records)
    assert closed(again) == closed(records)


def test_losses_beyond_the_first_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collectors.ad.view.NAMED", 2)
    port = forest.small()
    port.objects += [forest.user(f"u{number}", 2000 + number, sd=descriptor()) for number in range(5)]

    rows = [
        row for row in reading(port) if isinstance(row, Gap) and (row.fact, row.field) == ("Activity", "ever_signed_in")
    ]

    assert [row.count for row in rows] == [1, 1, 3]
