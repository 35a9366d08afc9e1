"""Against a real Samba domain controller: what is shown, what is hidden, how logins and connections fail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ldap3  # type: ignore[import-untyped]
import pytest

from collectors.ad import COLLECTOR, attributes
from collectors.ad.rights import Rights, schema_of
from collectors.ad.source import LiveSource
from collectors.ports import ldap
from collectors.ports.directory import Entry
from scanner.facts import (
    AccountExpiry,
    Activity,
    Authenticators,
    Credentials,
    Device,
    DirectoryDefence,
    LogonRestriction,
    MachineAccount,
    OperatingSystem,
    PasswordPolicy,
    Placement,
    Privilege,
    SignIn,
    Trusts,
    User,
)
from scanner.model import Fact, Gap, GapWhy, Record, SourceIdentity, promised_facts
from tests.collectors.ad.asking import AskingAccess, ad_target, by_login, closed, keep, whole_gaps
from tests.collectors.stage import facts
from tests.lab import samba
from tests.lab.breaking import cutting, refused_logins
from tests.lab.samba import DomainController

OF_ACCOUNTS = {
    "User",
    "Activity",
    "AccountExpiry",
    "Credentials",
    "PasswordPolicy",
    "LogonRestriction",
    "Privilege",
    "Placement",
}
ON_GROUPS = {
    ("Privilege", "privileged"),
    ("Privilege", "standing"),
    ("LogonRestriction", "protected"),
    ("LogonRestriction", "may_be_delegated"),
}
"""What rests on all groups being seen."""
SERVED = {
    "sAMAccountName": {("User", "login")},
    "displayName": {("User", "display_name")},
    "userAccountControl": {
        ("User", "enabled"),
        ("Credentials", "password"),
        ("Credentials", "password_required"),
        ("PasswordPolicy", "min_length"),
        ("PasswordPolicy", "max_age_days"),
        ("LogonRestriction", "smart_card_required"),
        ("LogonRestriction", "preauthentication"),
        ("LogonRestriction", "delegation"),
        ("LogonRestriction", "may_be_delegated"),
        ("LogonRestriction", "weak_encryption"),
    },
    "accountExpires": {("User", "enabled"), ("AccountExpiry", "expires"), ("AccountExpiry", "expires_at")},
    "lastLogonTimestamp": {("Activity", "ever_signed_in"), ("Activity", "last_sign_in"), ("Activity", "idle_since")},
    "whenCreated": {("Activity", "idle_since")},
    "primaryGroupID": {("Placement", "groups"), *ON_GROUPS},
    "sIDHistory": {("Placement", "groups"), *ON_GROUPS},
    "pwdLastSet": {("Credentials", "password_changed_at")},
    "adminCount": {("Privilege", "residual")},
    "msDS-ResultantPSO": {
        ("PasswordPolicy", name)
        for name in ("name", "min_length", "complexity", "remembered", "lockout_attempts", "max_age_days")
    },
    "msDS-AllowedToDelegateTo": {("LogonRestriction", "delegation")},
    "msDS-AllowedToActOnBehalfOfOtherIdentity": {("LogonRestriction", "delegation")},
    "msDS-SupportedEncryptionTypes": {("LogonRestriction", "weak_encryption")},
    "servicePrincipalName": {("LogonRestriction", "service_names")},
    "msDS-KeyCredentialLink": {("LogonRestriction", "key_credentials")},
    "msDS-AssignedAuthNPolicySilo": {("LogonRestriction", "silo"), ("LogonRestriction", "restriction")},
    "msDS-AssignedAuthNPolicy": {("LogonRestriction", "silo"), ("LogonRestriction", "restriction")},
    "msDS-UserPasswordExpiryTimeComputed": {("Credentials", "password")},
    "memberOf": set(),  # the groups' own member lists tell it
    "manager": set(),
}
"""What each attribute decides; where it is hidden these and no others are lost."""


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DomainController]:
    with samba.domain_controller(tmp_path_factory.mktemp("samba")) as running:
        yield running


@pytest.fixture(scope="module")
def ask(domain: DomainController) -> Callable[..., tuple[list[Record], AskingAccess]]:
    """Reads the domain as one account, with other options where given."""

    def reading(account: str = "svc-scan", password: str = samba.PASSWORD, **changes: Any) -> tuple[list[Record], Any]:
        address = changes.pop("address", f"ldaps://{domain.address}")
        seconds = changes.pop("seconds", 300)
        options = {"ca_file": str(domain.ca_file), "server_name": domain.server_name} | changes
        access = AskingAccess(ad_target(address, seconds=seconds, **options), f"{account}@corp.test", password)
        return list(COLLECTOR.read(access)), access

    return reading


@pytest.fixture(scope="module")
def seen(ask: Callable[..., Any]) -> list[Record]:
    """All that an ordinary account is shown."""
    records: list[Record] = ask(external_units=["ou=vendors,dc=corp,dc=test"])[0]
    return records


def test_an_ordinary_account_closes_every_listing(seen: list[Record]) -> None:
    assert closed(seen) == promised_facts(COLLECTOR.promises(ad_target()))
    assert whole_gaps(seen) == {}


def test_accounts_are_told_apart(seen: list[Record]) -> None:
    users = by_login(seen, User)

    assert {name: users[name].enabled for name in ("alice", "bob", "ended", "dave", "krbtgt")} == {
        "alice": True, "bob": False, "ended": False, "dave": True, "krbtgt": False,
    }  # fmt: skip
    assert (users["victor"].external, users["alice"].external) == (True, False)
    assert (users["krbtgt"].category, users["alice"].category) == ("service", None)
    assert re.fullmatch(r"user:corp\.test:S-1-5-21-\d+-\d+-\d+-\d+", users["alice"].asset)
    assert by_login(seen, Credentials)["carol"].password == "never_expires"
    assert by_login(seen, Credentials)["alice"].password == "expires"
    assert by_login(seen, AccountExpiry)["dave"].expires == "on_date"
    assert by_login(seen, AccountExpiry)["alice"].expires == "never"


def test_activity_is_the_last_sign_in_or_the_creation(seen: list[Record]) -> None:
    activity = by_login(seen, Activity)

    assert activity["eve"].idle_since is not None
    assert activity["eve"].idle_since.date().isoformat() == "2026-01-02"
    assert (activity["alice"].ever_signed_in, activity["alice"].last_sign_in) == (False, None)
    assert activity["alice"].idle_since is not None


def test_privilege_comes_by_nested_groups_and_not_by_admin_count(seen: list[Record]) -> None:
    privilege = by_login(seen, Privilege)

    assert {name: privilege[name].privileged for name in ("alice", "Administrator", "former", "bob")} == {
        "alice": True, "Administrator": True, "former": False, "bob": False,
    }  # fmt: skip
    assert privilege["helpdesk"].privileged is None  # may reset a password: neither plain nor proved powerful
    assert {row.daily_work for row in privilege.values()} == {None}


def test_placement_names_nested_groups_unit_and_domain(seen: list[Record]) -> None:
    alice = by_login(seen, Placement)["alice"]

    assert {"team-a", "team-b", "Domain Admins", "Administrators", "Domain Users"} <= set(alice.groups or ())
    assert alice.organizational_unit == "OU=People,DC=corp,DC=test"
    assert alice.directory in {row.asset for row in facts(seen)}


def test_computers_are_devices(seen: list[Record]) -> None:
    devices = {row.host_name: row for row in seen if isinstance(row, Device)}
    systems = {row.asset: row for row in seen if isinstance(row, OperatingSystem)}

    assert set(devices) == {"dc1.corp.test", "ws1.corp.test", "SRV1"}
    assert (devices["ws1.corp.test"].category, devices["SRV1"].category) == (None, "server")
    assert systems[devices["ws1.corp.test"].asset].version == "10.0 (22631)"


def test_trusts_say_who_may_come_in_and_what_is_filtered(seen: list[Record]) -> None:
    (trusts,) = [row.trusts for row in seen if isinstance(row, Trusts)]

    assert [(t.partner, t.inbound_users, t.sid_filtering, t.selective_authentication) for t in trusts or ()] == [
        ("filtered.test", True, True, True),
        ("inward.test", False, False, False),
        ("open.test", True, False, False),
    ]


def test_one_login_six_searches_and_only_declared_attributes(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    binds: list[bool] = []
    search, bind = ldap3.Connection.search, ldap3.Connection.bind

    def noting(self: Any, *given: Any, **named: Any) -> Any:
        asked.append(named["attributes"])
        return search(self, *given, **named)

    def binding(self: Any, *given: Any, **named: Any) -> Any:
        binds.append(True)
        return bind(self, *given, **named)

    monkeypatch.setattr(ldap3.Connection, "search", noting)
    monkeypatch.setattr(ldap3.Connection, "bind", binding)
    records, access = ask()

    assert (len(binds), len(asked), access.log["login"]) == (1, 6, 1)
    (told,) = [row.value for row in records if isinstance(row, SourceIdentity) and row.kind == "requests"]
    assert told == f"{access.target.address}: logins 1, searches 6"
    names = {name for wanted in asked for name in wanted}
    assert names <= set(attributes.DECLARED)
    assert not {name.lower() for name in names} & {name.lower() for name in COLLECTOR.never_ask}


@pytest.mark.parametrize("attribute", sorted(SERVED))
def test_a_hidden_attribute_is_a_gap_and_never_a_value(
    ask: Callable[..., Any], domain: DomainController, blind: list[Record], attribute: str
) -> None:
    number = json.loads((domain.folder / "denied.json").read_text()).index(attribute)
    clear = by_login(ask.clear, User)[f"hides-{number}"].asset  # type: ignore[attr-defined]
    lost = {(row.fact, row.field) for row in blind if isinstance(row, Gap) and row.asset == clear}

    for fact in facts(blind):
        if fact.asset == clear:
            for name in {field for kind, field in SERVED[attribute] if kind == type(fact).__name__}:
                assert getattr(fact, name) is None, (type(fact).__name__, name)
    beside = ON_GROUPS  # other users of this reading hide what everybody's privilege rests on
    assert lost | beside == SERVED[attribute] | beside
    said = [row.detail for row in blind if isinstance(row, Gap) and row.asset == clear]
    assert any(attribute in detail for detail in said) or not SERVED[attribute]


@pytest.fixture(scope="module")
def blind(ask: Callable[..., Any], seen: list[Record]) -> list[Record]:
    """What the account is shown from which one attribute of each of several users is hidden."""
    ask.clear = seen  # type: ignore[attr-defined]
    records: list[Record] = ask("svc-noattr")[0]
    return records


def test_a_hidden_sid_leaves_the_listing_open(blind: list[Record]) -> None:
    assert not closed(blind) & OF_ACCOUNTS
    assert any("does not show its SID" in detail for detail in whole_gaps(blind)["User"])


@pytest.mark.parametrize("account", ["svc-scan", "svc-noattr", "svc-noreferred", "svc-nogroup"])
def test_the_rights_worked_out_are_those_that_the_server_grants(domain: DomainController, account: str) -> None:
    _, whole = session(domain, samba.ADMINISTRATOR)
    rights, shown = session(domain, f"{account}@corp.test")
    wrong = [
        (dn, name)
        for dn, entry in shown.items()
        for name in set(whole[dn].values) - {"ntsecuritydescriptor"}  # shown by Read Permissions, no property right
        if (name in entry.values) != (name in rights.of(entry).readable)
    ]

    assert wrong == []
    assert sum(len(entry.values) for entry in shown.values()) > 1000


def session(domain: DomainController, account: str) -> tuple[Rights, dict[str, Entry]]:
    """The rights of an account and every object as it is shown to it."""
    target = ad_target(f"ldaps://{domain.address}", ca_file=str(domain.ca_file), server_name=domain.server_name)
    port = ldap.connect(AskingAccess(target, account, samba.PASSWORD))
    source = LiveSource(port)
    root = source.root()
    schema = schema_of(list(source.schema((root.first("schemanamingcontext") or b"").decode())))
    objects = {entry.dn: entry for entry in source.objects(samba.BASE)}
    port.close()
    return Rights(frozenset(root.values["tokengroups"]), schema), objects


def test_memberships_are_also_told_by_the_groups(
    domain: DomainController, seen: list[Record], blind: list[Record]
) -> None:
    number = json.loads((domain.folder / "denied.json").read_text()).index("memberOf")

    for name in ("groups", "organizational_unit"):
        told = [getattr(by_login(rows, Placement)[f"hides-{number}"], name) for rows in (seen, blind)]
        assert told[0] == told[1]


def test_a_unit_that_may_not_be_listed_leaves_the_listing_open(ask: Callable[..., Any], seen: list[Record]) -> None:
    records, _ = ask("svc-nolist")

    assert set(by_login(seen, User)) - set(by_login(records, User)) == {"silent"}
    assert not closed(records) & OF_ACCOUNTS
    assert whole_gaps(records)["User"] == ["no right is shown to list what stands in OU=Silent,DC=corp,DC=test"]
    assert {row.trusts for row in records if isinstance(row, Trusts)} == {None}
    assert by_login(records, Privilege)["bob"].privileged is None


def test_whoever_a_group_names_and_nobody_shows_leaves_the_listing_open(ask: Callable[..., Any]) -> None:
    records, _ = ask("svc-noreferred")

    assert "referred" not in by_login(records, User)
    assert not closed(records) & OF_ACCOUNTS
    assert any("cn=referred,ou=referred" in detail for detail in whole_gaps(records)["User"])


def test_a_hidden_nesting_makes_nobody_ordinary(ask: Callable[..., Any]) -> None:
    records, _ = ask("svc-nogroup")
    alice = by_login(records, User)["alice"].asset

    assert by_login(records, Privilege)["alice"].privileged is not False
    assert by_login(records, Placement)["alice"].groups is None
    assert any(row.asset == alice and row.field == "groups" for row in records if isinstance(row, Gap))


def test_what_was_read_is_kept_and_reads_back_the_same(seen: list[Record], tmp_path: Path) -> None:
    target = ad_target(captures=keep(seen, tmp_path), external_units=["ou=vendors,dc=corp,dc=test"])

    again = list(COLLECTOR.read(AskingAccess(target)))

    assert [row for row in facts(again) if row not in facts(seen)] == []
    assert facts(again) == facts(seen)
    assert closed(again) == closed(seen)


def test_start_tls_reads_the_same(ask: Callable[..., Any], seen: list[Record], domain: DomainController) -> None:
    records, _ = ask(address=f"ldap://{domain.address}")

    assert {row.asset for row in facts(records)} == {row.asset for row in facts(seen)}
    assert [row.kind for row in records if isinstance(row, SourceIdentity)] == [
        "tls_certificate",
        "domain_controller",
        "domain_sid",
        "requests",
    ]


# What binds accounts


@pytest.fixture(scope="module")
def bound(ask: Callable[..., Any]) -> list[Record]:
    """What an ordinary account is shown where the directory itself is the way in."""
    records: list[Record] = ask(entrance=True)[0]
    return records


def test_what_narrows_a_sign_in_is_read_from_the_account(bound: list[Record]) -> None:
    rows = by_login(bound, LogonRestriction)
    names = ("card", "roastable", "weak", "shielded", "delegate", "siloed", "not-admitted")

    assert {name: restrictions(rows[name]) for name in names} == {
        "card": {"smart_card_required": True},
        "roastable": {"preauthentication": False},
        "weak": {"weak_encryption": True},
        "shielded": {"protected": True, "may_be_delegated": False},
        "delegate": {"delegation": "protocol_transition"},
        "siloed": {"silo": "tier0", "restriction": "enforced"},
        "not-admitted": {"silo": "tier0"},
    }
    assert (rows["keyed"].key_credentials, rows["kerberoastable"].service_names) == (1, 1)
    assert restrictions(rows["alice"]) == {}


def restrictions(row: LogonRestriction) -> dict[str, object]:
    """What differs from an account that nothing marks."""
    plain = LogonRestriction(
        asset=row.asset,
        observed_at=row.observed_at,
        smart_card_required=False,
        key_credentials=0,
        preauthentication=True,
        protected=False,
        delegation="none",
        may_be_delegated=True,
        silo="none",
        restriction="none",
        weak_encryption=False,
        service_names=0,
    )
    return {name: getattr(row, name) for name in row.__struct_fields__ if getattr(row, name) != getattr(plain, name)}


def test_the_rules_for_passwords_are_those_that_win(bound: list[Record]) -> None:
    rows = by_login(bound, PasswordPolicy)
    names = ("alice", "pso-shown", "pso-hidden", "empty", "carol", "Administrator")
    found = {name: (rows[name].name, rows[name].min_length, rows[name].lockout_attempts) for name in names}

    assert found == {
        "alice": ("domain", 7, 5),
        "pso-shown": ("shown", 14, 3),
        "pso-hidden": ("hidden", None, None),  # it applies, and an ordinary account may not see what it demands
        "empty": ("domain", 0, 5),
        "carol": ("domain", 7, 5),
        "Administrator": ("domain", 7, 0),
    }
    assert (rows["alice"].max_age_days, rows["carol"].max_age_days) == (42, 0)


def test_an_administrator_is_shown_what_every_policy_demands(ask: Callable[..., Any]) -> None:
    rows = by_login(ask("Administrator")[0], PasswordPolicy)

    assert (rows["pso-hidden"].name, rows["pso-hidden"].min_length) == ("hidden", 20)


def test_passwords_say_when_they_were_set_and_who_renews_them(bound: list[Record]) -> None:
    rows = by_login(bound, Credentials)

    assert rows["aged"].password_changed_at == datetime(2020, 1, 1, tzinfo=UTC)
    assert rows["renew"].password_changed_at is None
    assert (rows["empty"].password_required, rows["alice"].password_required) == (False, True)
    assert (rows["gmsa1$"].password_managed, rows["alice"].password_managed) == (True, False)


def test_marks_of_a_former_privilege_are_told_from_those_of_a_present_one(bound: list[Record]) -> None:
    rows = by_login(bound, Privilege)

    assert (rows["former"].residual, rows["former"].standing) == (True, False)
    assert (rows["Administrator"].residual, rows["Administrator"].standing) == (False, True)
    assert rows["krbtgt"].residual is False


def test_the_directory_as_the_way_in_asks_for_what_it_asks_for(bound: list[Record]) -> None:
    ways, methods = by_login(bound, SignIn), by_login(bound, Authenticators)

    assert {name: (ways[name].mfa, ways[name].legacy_protocols) for name in ("card", "shielded", "alice")} == {
        "card": ("enforced", "allowed"),
        "shielded": ("not_required", "blocked"),
        "alice": ("not_required", "allowed"),
    }
    assert [(one.method, one.usable) for one in methods["card"].methods or ()] == [
        ("password", False),
        ("smart_card", True),
    ]


def test_the_domain_and_its_computers_say_how_they_are_defended(bound: list[Record]) -> None:
    (defence,) = [row for row in bound if isinstance(row, DirectoryDefence)]
    names = {row.asset: row.host_name for row in bound if isinstance(row, Device)}
    machines = {names[row.asset]: row for row in bound if isinstance(row, MachineAccount)}
    systems = {names[row.asset]: row for row in bound if isinstance(row, OperatingSystem)}

    assert (defence.functional_level, defence.forest_level, defence.machine_quota) == (7, 7, 10)
    assert (defence.smart_card_secrets_renewed, defence.silos_enforced, defence.local_passwords) == (True, 1, None)
    assert defence.ticket_key_changed_at is not None
    assert {name: row.delegation for name, row in machines.items()} == {
        "dc1.corp.test": "unconstrained",
        "SRV1": "unconstrained",
        "ws1.corp.test": "none",
    }
    assert {row.local_password for row in machines.values()} == {"none"}
    assert str(systems["ws1.corp.test"].supported_until) == "2026-11-10 23:59:59+00:00"
    assert systems["SRV1"].supported_until is None  # it does not say its build


# Logins and connections that fail


def lost(records: list[Record]) -> tuple[set[GapWhy], str]:
    """Why everything promised was lost; nothing else may have come."""
    assert all(isinstance(row, Gap) for row in records)
    rows = [row for row in records if isinstance(row, Gap)]
    assert {row.fact for row in rows} == promised_facts(COLLECTOR.promises(ad_target()))
    return {row.why for row in rows}, rows[0].detail


@pytest.mark.parametrize(
    ("account", "password", "said"),
    [
        ("svc-scan", "not this one", "wrong password"),
        ("nobody-at-all", "x", "wrong password"),  # as Windows does, it does not tell who exists
        ("bob", samba.PASSWORD, "disabled"),
        ("ended", samba.PASSWORD, "expired"),
        ("locked", samba.PASSWORD, "locked"),
    ],
)
def test_a_refused_login_is_tried_once_and_says_why(
    ask: Callable[..., Any], domain: DomainController, account: str, password: str, said: str
) -> None:
    before = refused_logins(domain, account)

    records, access = ask(account, password)

    assert access.log == {"login": 1}
    why, detail = lost(records)
    assert (why, said in detail) == ({GapWhy.DENIED}, True)
    assert refused_logins(domain, account) - before == (account == "svc-scan")
    assert password not in detail or len(password) < 2


def test_an_unknown_authority_and_a_wrong_name_are_not_trusted(
    ask: Callable[..., Any], tmp_path: Path, domain: DomainController
) -> None:
    system = ask(ca_file=None)[0]
    name = ask(server_name="dc2.corp.test")[0]

    assert lost(system)[0] == lost(name)[0] == {GapWhy.UNREACHABLE}
    assert "not trusted" in lost(system)[1]
    assert "Hostname mismatch" in lost(name)[1]


def test_a_server_that_falls_silent_mid_page_is_unreachable_in_time(
    ask: Callable[..., Any], domain: DomainController
) -> None:
    with cutting(domain.address, 250_000, stall=True) as address:
        records, _ = ask(address=address, seconds=4)

    assert closed(records) == set()
    gaps = [row for row in records if isinstance(row, Gap) and row.asset is None and row.field is None]
    assert {row.fact for row in gaps} == promised_facts(COLLECTOR.promises(ad_target()))
    assert {row.why for row in gaps} == {GapWhy.UNREACHABLE}


@pytest.mark.parametrize("after", [60_000, 250_000])
def test_a_connection_that_breaks_off_mid_page_is_truncated(
    ask: Callable[..., Any], domain: DomainController, after: int
) -> None:
    with cutting(domain.address, after) as address:
        records, access = ask(address=address)

    assert access.log["login"] == 1
    assert closed(records) == set()
    gaps = [row for row in records if isinstance(row, Gap) and row.asset is None and row.field is None]
    assert {(row.fact, row.why) for row in gaps} == {
        (fact, GapWhy.TRUNCATED) for fact in promised_facts(COLLECTOR.promises(ad_target()))
    }


def test_pages_are_put_together(ask: Callable[..., Any], seen: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ldap, "PAGE", 10)

    records, access = ask()

    assert access.log["call"] > 20
    assert {row.asset for row in facts(records)} == {row.asset for row in facts(seen)}
    assert isinstance(facts(records)[0], Fact)
