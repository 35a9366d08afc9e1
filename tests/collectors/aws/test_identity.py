"""Users, their credentials and the root user, by answers written by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from collectors.aws.identity import kind_of
from scanner.errors import Malformed
from scanner.facts import AccountAdministration, Activity, Authenticators, Credentials, Privilege, RootUser, User
from scanner.model import Fact, Gap, GapWhy, Record
from tests.collectors.aws.lab import ACCOUNT
from tests.collectors.aws.losses import Remembered, seen
from tests.collectors.aws.recorded import account, line, person, report

DETAILS = "get-account-authorization-details.json"
REPORT = "get-credential-report.json"


def one_user(cells: dict[str, str] | None, files: dict[str, Any] | None = None, **changes: Any) -> list[Record]:
    """The account with a single user ``ann`` in place of its own; no line of the report where ``cells`` is None."""
    given: dict[str, Any] = {**account(), **(files or {})}
    given[DETAILS] = {**given[DETAILS], "UserDetailList": [person("ann", **changes)]}
    given[REPORT] = report(*([line("ann", **cells)] if cells is not None else []))
    return seen(Remembered(given))


def of(records: list[Record], kind: type[Fact]) -> Any:
    return next((one for one in records if type(one) is kind and "AIDAANN" in one.asset), None)


def gaps(records: list[Record], fact: str, field: str | None = None) -> list[Gap]:
    return [one for one in records if isinstance(one, Gap) and (one.fact, one.field) == (fact, field)]


@pytest.mark.parametrize(
    ("cells", "enabled"),
    [
        ({"password_enabled": "true"}, True),
        ({"access_key_2_active": "true"}, True),
        ({"cert_1_active": "true"}, True),
        ({}, False),
        ({"access_key_1_active": "no idea"}, None),
    ],
)
def test_a_user_is_enabled_by_any_credential_that_works(cells: dict[str, str], enabled: bool | None) -> None:
    records = one_user(cells)

    assert of(records, User).enabled is enabled
    assert bool(gaps(records, "User", "enabled")) is (enabled is None)


def test_a_key_of_a_single_service_is_a_credential_too() -> None:
    name = "list-service-specific-credentials.json"
    listed = {"ServiceSpecificCredentials": [{"UserName": "ann", "Status": "Active"}]}

    assert of(one_user({}, {name: listed}), User).enabled is True
    assert of(one_user({}, {name: Malformed("HTML")}), User).enabled is None


def test_a_user_whom_the_report_does_not_name_has_no_credentials_made_up() -> None:
    records = one_user(None)

    assert of(records, User).enabled is None
    assert of(records, Credentials) is of(records, Activity) is of(records, Authenticators) is None
    assert all(gaps(records, fact) for fact in ("Credentials", "Activity", "Authenticators"))


@pytest.mark.parametrize(
    ("cells", "password", "keys"),
    [
        ({}, "none", 0),
        ({"password_enabled": "true", "password_next_rotation": "2027-01-01T00:00:00+00:00"}, "expires", 0),
        ({"password_enabled": "true", "password_next_rotation": "N/A"}, "never_expires", 0),
        ({"password_enabled": "true", "password_next_rotation": "not_supported"}, None, 0),
        ({"access_key_1_active": "true", "access_key_2_active": "true"}, "none", 2),
        ({"access_key_1_active": "?"}, "none", None),
    ],
)
def test_passwords_and_keys_are_as_the_report_has_them(
    cells: dict[str, str], password: str | None, keys: int | None
) -> None:
    found = of(one_user(cells), Credentials)

    assert (found.password, found.access_keys) == (password, keys)


def test_the_oldest_active_key_counts() -> None:
    cells = {
        "access_key_1_active": "false",
        "access_key_1_last_rotated": "2020-01-01T00:00:00+00:00",
        "access_key_2_active": "true",
        "access_key_2_last_rotated": "2026-01-01T00:00:00+00:00",
    }
    assert of(one_user(cells), Credentials).oldest_access_key == datetime(2026, 1, 1, tzinfo=UTC)

    records = one_user({**cells, "access_key_1_active": "true", "access_key_1_last_rotated": "N/A"})
    assert of(records, Credentials).oldest_access_key is None
    assert gaps(records, "Credentials", "oldest_access_key")


def test_never_used_is_said_only_of_users_younger_than_the_notes() -> None:
    young = of(one_user({}), Activity)
    old = one_user({}, CreateDate="2014-01-01T00:00:00+00:00")
    used = of(one_user({"access_key_1_last_used_date": "2026-11-01T00:00:00+00:00"}), Activity)

    assert (young.ever_signed_in, young.idle_since) == (False, datetime(2024, 3, 1, tzinfo=UTC))
    assert (of(old, Activity).ever_signed_in, of(old, Activity).idle_since) == (None, None)
    assert gaps(old, "Activity", "idle_since")
    assert (used.ever_signed_in, used.idle_since) == (True, datetime(2026, 11, 1, tzinfo=UTC))


def test_second_factors_are_told_apart_by_their_serial_numbers() -> None:
    assert kind_of(f"arn:aws:iam::{ACCOUNT}:mfa/ann") == "totp_software"
    assert kind_of(f"arn:aws-us-gov:iam::{ACCOUNT}:u2f/user/ann/k") == "fido2_synced"
    assert kind_of("GAHT12345678") == "otp_hardware"
    assert kind_of(f"arn:aws:iam::{ACCOUNT}:sms-mfa/ann") == "sms"
    with pytest.raises(Malformed):
        kind_of(f"arn:aws:iam::{ACCOUNT}:telepathy/ann")


def test_a_security_key_is_taken_for_the_weaker_kind_and_that_is_said() -> None:
    devices = {"MFADevices": [{"UserName": "ann", "SerialNumber": f"arn:aws:iam::{ACCOUNT}:u2f/user/ann/k"}]}
    records = one_user({"password_enabled": "true", "mfa_active": "true"}, {"list-mfa-devices.ann.json": devices})

    assert [(one.method, one.usable) for one in of(records, Authenticators).methods] == [
        ("password", False),
        ("fido2_synced", True),
    ]
    assert gaps(records, "Authenticators", "methods")


def test_a_second_factor_that_is_not_listed_is_no_absence() -> None:
    records = one_user({"mfa_active": "true"}, {"list-mfa-devices.ann.json": {"MFADevices": []}})

    assert of(records, Authenticators) is None
    assert gaps(records, "Authenticators")


def test_nothing_says_that_a_key_needs_no_second_factor_inside_an_organization() -> None:
    cells = {"access_key_1_active": "true"}
    inside = one_user(cells, {"describe-organization.json": {"Organization": {"Id": "o-1"}}})

    assert of(one_user(cells, {"describe-organization.json": None}), Credentials).access_keys_need_mfa is False
    assert of(inside, Credentials).access_keys_need_mfa is None
    assert gaps(inside, "Credentials", "access_keys_need_mfa")


def test_whoever_a_role_lets_in_by_name_may_have_its_power() -> None:
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"}}]}
    files = account()
    files[DETAILS]["RoleDetailList"] = [
        {"RoleName": "r", "AssumeRolePolicyDocument": trust, "AttachedManagedPolicies": [], "RolePolicyList": []}
    ]

    assert of(one_user({}), Privilege).privileged is False
    assert of(one_user({}, files), Privilege).privileged is None


def test_an_unread_policy_rules_no_privilege_out() -> None:
    attached = [{"PolicyName": "x", "PolicyArn": "arn:aws:iam::aws:policy/Unread"}]
    administrator = [{"PolicyName": "x", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}]

    assert of(one_user({}, AttachedManagedPolicies=attached), Privilege).privileged is None
    assert of(one_user({}, GroupList=["nobody-knows"]), Privilege).privileged is None
    assert of(one_user({}, AttachedManagedPolicies=administrator), Privilege).privileged is True


@pytest.mark.parametrize("gone", ["GroupList", "AttachedManagedPolicies"])
def test_a_listing_of_policies_that_is_missing_rules_nothing_out(gone: str) -> None:
    files = account()
    del files[DETAILS]["UserDetailList"][1][gone]
    records = seen(Remembered(files))
    robots = [one for one in records if isinstance(one, Privilege) and "ROBOT" in one.asset]

    assert all(one.privileged is None for one in robots)
    assert next(one for one in records if isinstance(one, AccountAdministration)).full_administrators is None


def root(second: int, keys: int, cells: dict[str, str], devices: list[dict[str, Any]]) -> tuple[RootUser, list[Record]]:
    files: dict[str, Any] = account()
    files["get-account-summary.json"] = {"SummaryMap": {"AccountMFAEnabled": second, "AccountAccessKeysPresent": keys}}
    files[REPORT] = report(root=cells)
    files["list-virtual-mfa-devices.json"] = {"VirtualMFADevices": devices}
    records = seen(Remembered(files))
    return next(one for one in records if isinstance(one, RootUser)), records


def test_the_root_user_is_seen_by_summary_report_and_devices() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}"
    virtual = [{"SerialNumber": f"{arn}:mfa/root-account-mfa-device", "User": {"Arn": f"{arn}:root"}}]
    others = [{"SerialNumber": f"{arn}:mfa/ann", "User": {"Arn": f"{arn}:user/ann"}}]

    assert root(1, 0, {"mfa_active": "true"}, virtual)[0].mfa == "virtual"
    assert root(1, 0, {"mfa_active": "true"}, others)[0].mfa == "hardware"
    assert root(0, 0, {"mfa_active": "false"}, others)[0].mfa == "none"
    assert root(1, 1, {"access_key_1_active": "true"}, [])[0].access_keys == 1


def test_where_summary_and_report_differ_on_the_root_user_nothing_is_settled() -> None:
    found, records = root(1, 0, {"mfa_active": "false"}, [])
    assert found.mfa is None
    assert gaps(records, "RootUser", "mfa")[0].why is GapWhy.CONFLICT

    found, records = root(1, 0, {"access_key_1_active": "true"}, [])
    assert found.access_keys is None
    assert gaps(records, "RootUser", "access_keys")[0].why is GapWhy.CONFLICT

    found, _ = root(1, 1, {"access_key_1_active": "false"}, [])
    assert found.access_keys is None


def test_what_the_report_says_is_as_old_as_the_report() -> None:
    files = account()
    files[REPORT] = {**report(line("chang"), line("robot")), "GeneratedTime": "2026-01-01T00:00:00Z"}
    old = {type(one): one for one in seen(Remembered(files)) if isinstance(one, (User, Activity, RootUser))}

    assert {one.observed_at for one in old.values()} == {datetime(2026, 1, 1, tzinfo=UTC)}
