"""How an account may prove itself: flags, delegation, silos, Protected Users, and the directory as the way in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collectors.ad import AdCollector
from collectors.ports.directory import Entry
from scanner.facts import Authenticators, LogonRestriction, SignIn
from scanner.model import Capture
from tests.collectors.ad import forest
from tests.collectors.ad.asking import AskingAccess, ad_target, by_login, keep
from tests.collectors.ad.forest import BASE, RecordedPort
from tests.collectors.ad.reading import gaps_of, hiding, reading
from tests.collectors.stage import facts

SMART_CARD = str(512 | 0x40000)
SILO = f"CN=tier0,{forest.SILOS}{forest.CONFIGURATION}"
POLICY = f"CN=tight,{forest.POLICIES}{forest.CONFIGURATION}"
EVA = f"CN=eva,OU=People,{BASE}"


def with_eva(port: RecordedPort | None = None, **values: Any) -> RecordedPort:
    """A small domain, and in it one more user."""
    port = port or forest.small()
    port.objects.append(forest.user("eva", 1103, **values))
    return port


def eva(port: RecordedPort, **options: Any) -> LogonRestriction:
    return by_login(reading(port, **options), LogonRestriction)["eva"]


def protected_users(*members: str) -> Entry:
    return forest.group("Protected Users", 525, *members)


@pytest.mark.parametrize(
    ("flag", "field", "plain", "marked"),
    [
        (0x40000, "smart_card_required", False, True),
        (0x400000, "preauthentication", True, False),
        (0x100000, "may_be_delegated", True, False),
        (0x200000, "weak_encryption", False, True),
        (0x80000, "delegation", "none", "unconstrained"),
        (0x1000000, "delegation", "none", "protocol_transition"),
    ],
)
def test_each_flag_is_read(flag: int, field: str, plain: object, marked: object) -> None:
    flagged = eva(with_eva(userAccountControl=str(512 | flag)))
    unflagged = eva(with_eva())

    assert (getattr(unflagged, field), getattr(flagged, field)) == (plain, marked)


def test_hidden_flags_say_nothing() -> None:
    records = reading(with_eva(userAccountControl=None, sd=hiding("userAccountControl")))
    row = by_login(records, LogonRestriction)["eva"]
    fields = {"smart_card_required", "preauthentication", "may_be_delegated", "weak_encryption", "delegation"}

    assert {getattr(row, name) for name in fields} == {None}
    assert {("LogonRestriction", name) for name in fields} <= gaps_of(records, row.asset)


@pytest.mark.parametrize("attribute", ["msDS-AllowedToDelegateTo", "msDS-AllowedToActOnBehalfOfOtherIdentity"])
def test_delegation_towards_named_services_is_constrained_and_hidden_is_not_none(attribute: str) -> None:
    constrained: dict[str, Any] = {attribute: "cifs/srv1"}

    assert eva(with_eva(**constrained)).delegation == "constrained"
    assert eva(with_eva(sd=hiding(attribute))).delegation is None


@pytest.mark.parametrize(("kinds", "weak"), [("24", False), ("28", True), ("3", True), ("0", False), (None, False)])
def test_weak_encryption_is_what_is_allowed_by_name(kinds: str | None, weak: bool) -> None:
    values: dict[str, Any] = {} if kinds is None else {"msDS-SupportedEncryptionTypes": kinds}

    assert eva(with_eva(**values)).weak_encryption is weak
    assert eva(with_eva(sd=hiding("msDS-SupportedEncryptionTypes"))).weak_encryption is None


def test_keys_and_service_names_are_counted_and_kept_nowhere() -> None:
    port = with_eva(msDS_KeyCredentialLink=["B:4:key1:x", "B:4:key2:x"], servicePrincipalName="http/hidden")

    records = reading(port)
    row = by_login(records, LogonRestriction)["eva"]
    kept = b"".join(one.content for one in records if isinstance(one, Capture))

    assert (row.key_credentials, row.service_names) == (2, 1)
    assert b"key1" not in kept and b"hidden" not in kept and b"msds-keycredentiallink: 2" in kept
    assert eva(with_eva(sd=hiding("msDS-KeyCredentialLink"))).key_credentials is None
    assert eva(with_eva(sd=hiding("servicePrincipalName"))).service_names is None


# Protected Users


def test_protected_users_count_by_nesting() -> None:
    port = with_eva(memberOf=f"CN=inner2,OU=Groups,{BASE}")
    port.groups += [
        forest.group("inner2", 1210, EVA, memberOf=f"CN=Protected Users,OU=Groups,{BASE}"),
        protected_users(f"CN=inner2,OU=Groups,{BASE}"),
    ]

    rows = by_login(reading(port), LogonRestriction)

    assert (rows["eva"].protected, rows["eva"].may_be_delegated) == (True, False)
    assert (rows["ben"].protected, rows["ben"].may_be_delegated) == (False, True)


def test_where_groups_may_be_hidden_nobody_is_known_to_be_unprotected() -> None:
    port = with_eva()
    port.objects[1] = forest.entry(f"OU=People,{BASE}", "top", "organizationalUnit", sd=forest.descriptor())

    records = reading(port)
    row = by_login(records, LogonRestriction)["eva"]

    assert (row.protected, row.may_be_delegated) == (None, None)
    assert ("LogonRestriction", "protected") in gaps_of(records, row.asset)


@pytest.mark.parametrize(("level", "delegable"), [("5", True), ("6", False), (None, None)])
def test_below_its_functional_level_the_group_shields_from_nothing(level: str | None, delegable: bool | None) -> None:
    sd = forest.OPEN if level else hiding("msDS-Behavior-Version")
    port = with_eva(forest.small(settings=[forest.domain(sd=sd, msDS_Behavior_Version=level)]))
    port.groups.append(protected_users(EVA))

    row = eva(port)

    assert (row.protected, row.may_be_delegated) == (True, delegable)


# Silos and authentication policies


@pytest.mark.parametrize(
    ("silo", "name", "effect"),
    [
        (forest.silo("tier0", EVA), "tier0", "enforced"),
        (forest.silo("tier0", EVA, enforced="FALSE"), "tier0", "audited"),
        (forest.silo("tier0", EVA, enforced=None), "tier0", "audited"),
        (forest.silo("tier0"), "tier0", "none"),
        (None, "tier0", None),
    ],
)
def test_a_silo_does_what_it_says_to_those_it_admits(silo: Entry | None, name: str, effect: str | None) -> None:
    port = with_eva(msDS_AssignedAuthNPolicySilo=SILO)
    port.forest += [silo] if silo else []

    records = reading(port)
    row = by_login(records, LogonRestriction)["eva"]

    assert (row.silo, row.restriction) == (name, effect)
    assert (("LogonRestriction", "restriction") in gaps_of(records, row.asset)) is (effect is None)


def test_a_policy_counts_where_no_silo_does() -> None:
    port = with_eva(msDS_AssignedAuthNPolicySilo=SILO, msDS_AssignedAuthNPolicy=POLICY)
    port.forest += [
        forest.silo("tier0"),
        forest.configured("tight", "msDS-AuthNPolicy", place=forest.POLICIES, msDS_AuthNPolicyEnforced="TRUE"),
    ]

    assert (eva(port).silo, eva(port).restriction) == ("tight", "enforced")


def test_no_silo_is_none_only_where_it_would_be_shown() -> None:
    assert (eva(with_eva()).silo, eva(with_eva()).restriction) == ("none", "none")
    hidden = eva(with_eva(sd=hiding("msDS-AssignedAuthNPolicySilo")))
    assert (hidden.silo, hidden.restriction) == (None, None)


def test_an_older_schema_has_no_silos_and_no_keys() -> None:
    port = with_eva()
    port.definitions = [
        one for one in port.definitions if "AssignedAuthNPolicy" not in one.dn and "KeyCredential" not in one.dn
    ]
    whole = eva(port)
    port.definitions[0] = replace(port.definitions[0], values={"objectclass": (b"top", b"dMD")})
    hidden = eva(port)

    assert (whole.silo, whole.key_credentials) == ("none", 0)
    assert (hidden.silo, hidden.key_credentials) == (None, None)


def test_below_its_functional_level_a_silo_does_nothing() -> None:
    older = forest.small(settings=[forest.domain(msDS_Behavior_Version="5")])
    port = with_eva(older, msDS_AssignedAuthNPolicySilo=SILO)
    port.forest.append(forest.silo("tier0", EVA))

    assert eva(port).restriction == "none"


# The directory as the way in


def sign_in(port: RecordedPort, **options: Any) -> SignIn:
    return by_login(reading(port, entrance=True, **options), SignIn)["eva"]


@pytest.mark.parametrize(
    ("renewal", "level", "mfa"),
    [
        ("TRUE", "7", "enforced"),
        ("FALSE", "7", "not_required"),
        (None, "7", "not_required"),
        ("TRUE", "6", "not_required"),
    ],
)
def test_a_smart_card_counts_only_where_the_secret_behind_it_is_renewed(
    renewal: str | None, level: str, mfa: str
) -> None:
    """Held against a known false pass: the flag is set, and the hash behind it opens the door for ever."""
    domain = forest.domain(msDS_ExpirePasswordsOnSmartCardOnlyAccounts=renewal, msDS_Behavior_Version=level)
    port = with_eva(forest.small(settings=[domain]), userAccountControl=SMART_CARD)

    assert sign_in(port).mfa == mfa
    assert by_login(reading(port, entrance=True), SignIn)["ben"].mfa == "not_required"


def test_hidden_renewal_leaves_the_smart_card_open() -> None:
    sd = hiding("msDS-ExpirePasswordsOnSmartCardOnlyAccounts")
    settings = [forest.domain(sd=sd, msDS_ExpirePasswordsOnSmartCardOnlyAccounts=None)]
    port = with_eva(forest.small(settings=settings), userAccountControl=SMART_CARD)

    records = reading(port, entrance=True)
    row = by_login(records, SignIn)["eva"]

    assert row.mfa is None
    assert ("SignIn", "mfa") in gaps_of(records, row.asset)


def test_weak_protocols_are_blocked_for_protected_users_alone() -> None:
    port = with_eva()
    port.groups.append(protected_users(EVA))

    rows = by_login(reading(port, entrance=True), SignIn)

    assert (rows["eva"].legacy_protocols, rows["ben"].legacy_protocols) == ("blocked", "allowed")
    assert (rows["eva"].excluded, rows["eva"].remembered, rows["eva"].revocation) == (False, None, "at_expiry")


def test_every_way_in_is_told() -> None:
    port = with_eva(msDS_KeyCredentialLink="B:4:key1:x", userAccountControl=SMART_CARD)

    rows = by_login(reading(port, entrance=True), Authenticators)

    assert [(one.method, one.usable) for one in rows["eva"].methods or ()] == [
        ("password", False),
        ("platform_bound", True),
        ("smart_card", True),
    ]
    assert [(one.method, one.usable) for one in rows["ben"].methods or ()] == [("password", True)]


def test_a_list_that_may_lack_a_way_in_is_no_list() -> None:
    records = reading(with_eva(sd=hiding("msDS-KeyCredentialLink")), entrance=True)
    row = by_login(records, Authenticators)["eva"]

    assert row.methods is None
    assert ("Authenticators", "methods") in gaps_of(records, row.asset)


@pytest.mark.parametrize("entrance", [None, False, "yes"])
def test_sign_in_is_left_to_others_unless_the_directory_is_the_way_in(entrance: object) -> None:
    options: dict[str, Any] = {} if entrance is None else {"entrance": entrance}
    records = reading(with_eva(), **options)

    assert not {"SignIn", "Authenticators"} & AdCollector().promises(ad_target(**options))
    assert not [row for row in records if isinstance(row, (SignIn, Authenticators))]


def test_what_is_kept_reads_back_the_same(tmp_path: Path) -> None:
    port = with_eva(
        msDS_KeyCredentialLink=["B:4:key1:x", "B:4:key2:x"],
        servicePrincipalName="http/x",
        msDS_AssignedAuthNPolicySilo=SILO,
    )
    port.forest.append(forest.silo("tier0", EVA))
    records = reading(port, entrance=True)

    folder = keep(records, tmp_path)
    again = list(AdCollector().read(AskingAccess(ad_target(captures=folder, entrance=True))))

    assert facts(again) == facts(records)
