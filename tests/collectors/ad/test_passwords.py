"""Passwords: what an account has, and which rules really apply to it; hidden rules never become the domain's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collectors.ad import decode
from scanner.facts import Credentials, PasswordPolicy, User
from scanner.model import Gap, GapWhy
from tests.collectors.ad import forest
from tests.collectors.ad.asking import by_login
from tests.collectors.ad.forest import BASE, DOMAIN_SID
from tests.collectors.ad.reading import gaps_of, hiding, reading

STRICT = f"CN=strict,CN=Password Settings Container,CN=System,{BASE}"
RULES = ("min_length", "complexity", "remembered", "lockout_attempts", "max_age_days")


def rules(policy: PasswordPolicy) -> tuple[object, ...]:
    return tuple(getattr(policy, name) for name in RULES)


def test_without_fine_grained_settings_those_of_the_domain_apply() -> None:
    policy = by_login(reading(forest.small()), PasswordPolicy)["ann"]

    assert (policy.name, *rules(policy)) == ("domain", 7, True, 24, 5, 42)


def test_fine_grained_settings_that_win_apply() -> None:
    port = forest.small()
    port.settings.append(forest.password_settings("strict"))
    port.objects.append(forest.user("eva", 1103, msDS_ResultantPSO=STRICT.lower()))

    policy = by_login(reading(port), PasswordPolicy)["eva"]

    assert (policy.name, *rules(policy)) == ("strict", 14, False, 12, 3, 0)


def test_hidden_settings_that_win_are_a_gap_and_never_those_of_the_domain() -> None:
    port = forest.small()
    port.objects.append(forest.user("eva", 1103, msDS_ResultantPSO=STRICT))

    records = reading(port)
    policy = by_login(records, PasswordPolicy)["eva"]

    assert (policy.name, *rules(policy)) == ("strict", None, None, None, None, None)
    assert {("PasswordPolicy", name) for name in RULES} <= gaps_of(records, policy.asset)


def test_whether_any_settings_win_takes_the_right_to_see_it() -> None:
    port = forest.small()
    port.objects.append(forest.user("eva", 1103, sd=hiding("msDS-ResultantPSO")))

    records = reading(port)
    policy = by_login(records, PasswordPolicy)["eva"]

    assert (policy.name, *rules(policy)) == (None,) * 6
    assert ("PasswordPolicy", "name") in gaps_of(records, policy.asset)


def test_rules_of_the_domain_that_are_hidden_are_gaps() -> None:
    records = reading(forest.small(settings=[forest.domain(sd=hiding("minPwdLength"), minPwdLength=None)]))
    policy = by_login(records, PasswordPolicy)["ann"]

    assert (policy.min_length, policy.remembered) == (None, 24)
    assert gaps_of(records, policy.asset) >= {("PasswordPolicy", "min_length")}


def test_a_domain_that_is_not_shown_has_no_rules() -> None:
    records = reading(forest.small(settings=[]))

    assert rules(by_login(records, PasswordPolicy)["ann"]) == (None,) * 5


def test_an_account_is_exempt_where_its_flags_say_so() -> None:
    port = forest.small()
    port.objects += [
        forest.user("empty", 1103, userAccountControl="544"),
        forest.user("hidden", 1104, userAccountControl=None, sd=hiding("userAccountControl")),
    ]

    policy = by_login(reading(port), PasswordPolicy)

    assert (policy["empty"].min_length, policy["empty"].max_age_days) == (0, 42)
    assert (policy["ben"].min_length, policy["ben"].max_age_days) == (7, 0)
    assert (policy["hidden"].min_length, policy["hidden"].max_age_days, policy["hidden"].remembered) == (None, None, 24)


@pytest.mark.parametrize(("flags", "attempts"), [("1", 0), ("9", 5), (None, None)])
def test_the_built_in_administrator_is_locked_only_where_the_domain_says_so(
    flags: str | None, attempts: int | None
) -> None:
    sd = forest.OPEN if flags else hiding("pwdProperties")
    port = forest.small(settings=[forest.domain(sd=sd, pwdProperties=flags)])
    port.objects.append(forest.user("Administrator", 500))

    policy = by_login(reading(port), PasswordPolicy)

    assert (policy["Administrator"].lockout_attempts, policy["ann"].lockout_attempts) == (attempts, 5)


def test_an_account_that_may_have_an_empty_password_is_told() -> None:
    """Held against a known false pass: such an account looks like any other."""
    port = forest.small()
    port.objects.append(forest.user("empty", 1103, userAccountControl="544"))

    credentials = by_login(reading(port), Credentials)

    assert (credentials["empty"].password_required, credentials["ann"].password_required) == (False, True)


def test_an_old_static_password_of_a_service_is_told_from_a_managed_one() -> None:
    """Held against a known false pass: both are service accounts, and only one renews its password by itself."""
    port = forest.small()
    gmsa = forest.user("gmsa$", 1105, pwdLastSet="134000000000000000")
    port.objects += [
        forest.user("svc", 1104, pwdLastSet="132000000000000000", userAccountControl="66048"),
        replace(
            gmsa, values={**gmsa.values, "objectclass": (b"user", b"computer", b"msDS-GroupManagedServiceAccount")}
        ),
    ]

    credentials = by_login(reading(port), Credentials)

    assert (credentials["svc"].password_managed, credentials["gmsa$"].password_managed) == (False, True)
    assert credentials["svc"].password_changed_at == decode.filetime(b"132000000000000000")
    assert (credentials["svc"].password, credentials["gmsa$"].password) == ("never_expires", "expires")


@pytest.mark.parametrize("changed", ["0", None])
def test_a_password_that_is_to_be_changed_has_no_time(changed: str | None) -> None:
    port = forest.small()
    port.objects.append(forest.user("eva", 1103, pwdLastSet=changed))

    records = reading(port)
    eva = by_login(records, Credentials)["eva"]

    assert eva.password_changed_at is None
    assert ("Credentials", "password_changed_at") in gaps_of(records, eva.asset)


def test_a_rule_that_is_not_understood_is_malformed() -> None:
    records = reading(forest.small(settings=[forest.domain(maxPwdAge="12")]))
    policy = by_login(records, PasswordPolicy)["ann"]

    assert policy.max_age_days is None
    assert GapWhy.MALFORMED in {row.why for row in records if isinstance(row, Gap) and row.asset == policy.asset}


def test_rules_are_asked_for_only_where_they_are_promised() -> None:
    port = forest.small()

    records = reading(port, promises=("User", "Activity"))

    asked = {name for wanted in port.asked for name in wanted}
    assert not asked & {"minPwdLength", "msDS-ResultantPSO", "pwdLastSet", "servicePrincipalName"}
    assert by_login(records, PasswordPolicy) == {}
    assert by_login(records, Credentials) == {}
    assert f"user:corp.test:{DOMAIN_SID}-1101" in {row.asset for row in by_login(records, User).values()}
