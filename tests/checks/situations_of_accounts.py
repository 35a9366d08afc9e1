"""Known false passes about the life of accounts and the privilege they hold, as both sources tell them."""

from __future__ import annotations

from scanner.model import Outcome
from tests.checks.situation import Situation, ago
from tests.checks.situations_of_people import ACCOUNT, KEY, PERSON
from tests.scanner.miniature import STALE

FAIL, UNKNOWN = Outcome.FAIL, Outcome.UNKNOWN
SERVICE = {"enabled": True, "category": "service", "external": False}
SECRET = {"password": "expires", "password_managed": False, "password_changed_at": ago(days=30)}
ADMINISTRATOR = {"privileged": True, "standing": False}
ASKED_FOR = {"eligible": True, "activation": "approved", "activation_hours": 4}
ROOT = {"mfa": "hardware", "access_keys": 0, "ever_used": True, "last_used": ago(days=400)}
ROLE = {"name": "administrator", "privileged": True, "holders": 2, "also_ordinary": 0, "approved_apart": True}

ACCOUNTS = (
    Situation(
        item="1-7",
        says="The directory disabled the leaver's account, and another place says that it still lives.",
        said={
            "ad": {"User": PERSON | {"enabled": False}},
            "saas": {"User": {"enabled": True}},
            "hr": {"Employment": {"state": "left", "left_at": ago(days=30), "disabled_at": ago(days=30)}},
        },
        judged={"1-7/leavers-disabled": UNKNOWN},
        mended={"saas": {"User": {"enabled": False}}},
    ),
    Situation(
        item="1-7",
        says="Somebody ran the script when the auditors came: disabled, weeks after the holder left.",
        said={
            "ad": {"User": PERSON | {"enabled": False}},
            "hr": {"Employment": {"state": "left", "left_at": ago(days=90), "disabled_at": ago(days=20)}},
        },
        judged={"1-7/leavers-disabled": FAIL},
        mended={"hr": {"Employment": {"disabled_at": ago(days=89.5)}}},
    ),
    Situation(
        item="1-7",
        says="Never used is not never idle: the account was made last year and nobody signed in since.",
        said={
            "ad": {"User": PERSON, "Activity": {"ever_signed_in": False, "idle_since": ago(days=300)}},
        },
        judged={"1-7/dormant-disabled": FAIL},
        mended={"ad": {"Activity": {"idle_since": ago(days=3)}}},
    ),
    Situation(
        item="1-7",
        says="The attribute of last use may not be read, and an account without one looks as if it were new.",
        said={"ad": {"User": PERSON, "Activity": {}}},
        judged={"1-7/dormant-disabled": UNKNOWN},
        mended={"ad": {"Activity": {"idle_since": ago(days=3)}}},
    ),
    Situation(
        item="1-7",
        says="Keys are said to be rotated, and the oldest is from last year.",
        said={"aws": {"User": PERSON, "Credentials": KEY | {"oldest_access_key": ago(days=400)}}},
        judged={"1-7/keys-fresh": FAIL},
        mended={"aws": {"Credentials": {"oldest_access_key": ago(days=30)}}},
    ),
    Situation(
        item="1-7",
        says="The password of a service account is complex, known to many, and six years old.",
        said={
            "ad": {
                "User": SERVICE,
                "Credentials": SECRET | {"password": "never_expires", "password_changed_at": ago(days=2200)},
            }
        },
        judged={"1-7/service-secrets-fresh": FAIL},
        mended={"ad": {"Credentials": {"password_managed": True}}},
    ),
    Situation(
        item="1-7",
        says="The password of a service expires by policy, and nobody has changed it for two years.",
        said={"ad": {"User": SERVICE, "Credentials": SECRET | {"password_changed_at": ago(days=730)}}},
        judged={"1-7/service-secrets-fresh": FAIL},
        mended={"ad": {"Credentials": {"password_changed_at": ago(days=30)}}},
    ),
    Situation(
        item="1-7",
        says="A service runs under what looks like the account of a person: nobody named the unit it lies in.",
        said={
            "ad": {
                "User": SERVICE | {"category": None},
                "Credentials": SECRET | {"password_changed_at": ago(days=2200)},
            }
        },
        judged={"1-7/service-secrets-fresh": UNKNOWN},
        mended={"ad": {"User": {"category": "service"}, "Credentials": {"password_changed_at": ago(days=100)}}},
    ),
    Situation(
        item="1-7",
        says="The policy of the domain demands long passwords, and a flag exempts the account from having one.",
        said={
            "ad": {
                "User": PERSON,
                "Credentials": SECRET | {"password_required": False},
                "PasswordPolicy": {"name": "domain", "min_length": 0},
            }
        },
        judged={"1-7/password-required": FAIL},
        mended={"ad": {"Credentials": {"password_required": True}, "PasswordPolicy": {"min_length": 14}}},
    ),
    Situation(
        item="1-7",
        says="The administrator left the group and kept what it had done to the account.",
        said={"ad": {"User": PERSON, "Privilege": {"privileged": False, "standing": False, "residual": True}}},
        judged={"1-7/no-residual-privilege": FAIL},
        mended={"ad": {"Privilege": {"residual": False}}},
    ),
    Situation(
        item="1-7",
        says="The account bears the mark, and whether it still holds the privilege could not be read.",
        said={"ad": {"User": PERSON, "Privilege": {"privileged": None, "standing": None, "residual": None}}},
        judged={"1-7/no-residual-privilege": UNKNOWN},
        mended={"ad": {"Privilege": {"privileged": True, "standing": True, "residual": False}}},
    ),
    Situation(
        item="every",
        says="The policy is enforced for all, and the group that is exempt from it holds the administrators.",
        said={
            "ad": {"User": PERSON, "Privilege": ADMINISTRATOR},
            "idp": {"SignIn": {"mfa": "enforced", "excluded": True}},
        },
        judged={"1-1/mfa-enforced": FAIL},
        mended={"idp": {"SignIn": {"excluded": False}}},
    ),
    Situation(
        item="every",
        says="Evidence older than the period: the row was right a month ago.",
        said={
            "ad": {
                "User": PERSON,
                "Activity": {"observed_at": STALE, "idle_since": ago(days=31)},
                "Privilege": {"observed_at": STALE, "residual": False},
            }
        },
        judged={"1-7/dormant-disabled": UNKNOWN, "1-7/no-residual-privilege": UNKNOWN},
        mended={"ad": {"Activity": {"observed_at": ago(days=1)}, "Privilege": {"observed_at": ago(days=1)}}},
    ),
    Situation(
        item="4-1",
        says="Two roles and one account: who administers the domain reads mail with the same account.",
        said={"ad": {"User": PERSON, "Privilege": ADMINISTRATOR}, "idp": {"Privilege": {"daily_work": True}}},
        judged={"4-1/admin-apart": FAIL},
        mended={"idp": {"Privilege": {"daily_work": False}}},
    ),
    Situation(
        item="4-1",
        says="Privilege through a group within a group that may not be read: an ordinary account, by its looks.",
        said={
            "ad": {"User": PERSON, "Privilege": {"privileged": None, "standing": None}},
            "idp": {"Privilege": {"daily_work": True, **ASKED_FOR, "activation": "automatic"}},
        },
        judged={"4-1/admin-apart": UNKNOWN, "4-2/just-in-time": UNKNOWN, "4-2/activation-approved": UNKNOWN},
        mended={
            "ad": {"Privilege": {"privileged": True, "standing": False}},
            "idp": {"Privilege": {"daily_work": False, "activation": "approved"}},
        },
    ),
    Situation(
        item="4-1",
        says="The directory's groups stand in for the roles inside the application, which nobody exported.",
        said={
            "cmdb": {"Application": {}},
            "ad-export": {"Entitlements": {"exported_by": "directory", "roles": [ROLE]}},
        },
        judged={"4-1/roles-separated": FAIL},
        mended={"ad-export": {"Entitlements": {"exported_by": "application"}}},
    ),
    Situation(
        item="4-1",
        says="The directory renews the password of a local administrator, and whoever asks for it is still nameless.",
        said={
            "ad": {
                "Device": {"category": "server", "external": False},
                "MachineAccount": {"local_password": "current", "local_password_due": ago(days=-20)},
            }
        },
        judged={"4-1/local-administrators": UNKNOWN},
        mended={"agents": {"LocalAdministrators": {"members": [{"category": "built_in", "enabled": False}]}}},
    ),
    Situation(
        item="4-1",
        says="Nobody is called administrator, and fourteen may do everything.",
        said={
            "aws": {
                "Account": ACCOUNT,
                "AccountAdministration": {"full_administrators": 14, "unconditional_grants": 0},
            }
        },
        judged={"4-1/administrators-counted": FAIL},
        mended={"aws": {"AccountAdministration": {"full_administrators": 2}}},
    ),
    Situation(
        item="4-1",
        says="Two administrators only, both from anywhere, at any time and with a password.",
        said={
            "aws": {
                "Account": ACCOUNT,
                "AccountAdministration": {"full_administrators": 2, "unconditional_grants": 2},
            }
        },
        judged={"4-1/administrators-counted": FAIL},
        mended={"aws": {"AccountAdministration": {"unconditional_grants": 0}}},
    ),
    Situation(
        item="4-1",
        says="Some policies could not be read, and administrators were counted in the rest.",
        said={
            "aws": {
                "Account": ACCOUNT,
                "AccountAdministration": {"full_administrators": None, "unconditional_grants": 0},
            }
        },
        judged={"4-1/administrators-counted": UNKNOWN},
        mended={"aws": {"AccountAdministration": {"full_administrators": 2}}},
    ),
    Situation(
        item="4-1",
        says="Roles are there for every task, and the work is done as the owner of the account.",
        said={"aws": {"Account": ACCOUNT, "RootUser": ROOT | {"last_used": ago(days=2)}}},
        judged={"4-1/root-idle": FAIL},
        mended={"aws": {"RootUser": {"last_used": ago(days=200)}}},
    ),
    Situation(
        item="4-1",
        says="The owner identity was used at some time, and the report has no word on when.",
        said={"aws": {"Account": ACCOUNT, "RootUser": ROOT | {"last_used": None}}},
        judged={"4-1/root-idle": UNKNOWN},
        mended={"aws": {"RootUser": {"ever_used": False}}},
    ),
    Situation(
        item="4-2",
        says="Eligible and permanent: activation is asked for, and the membership never ends anyway.",
        said={
            "ad": {"User": PERSON, "Privilege": ADMINISTRATOR | {"standing": True}},
            "idp": {"Privilege": ASKED_FOR},
        },
        judged={"4-2/just-in-time": FAIL},
        mended={"ad": {"Privilege": {"standing": False}}},
    ),
    Situation(
        item="4-2",
        says="Just in time at the portal, and a permanent administrator of the domain behind it.",
        said={
            "ad": {"User": PERSON, "Privilege": ADMINISTRATOR | {"standing": True}},
            "portal": {"Privilege": {"standing": False, **ASKED_FOR}},
        },
        judged={"4-2/just-in-time": UNKNOWN},
        mended={"ad": {"Privilege": {"standing": False}}},
    ),
    Situation(
        item="4-2",
        says="Activated in the morning, without anybody's leave, until the evening.",
        said={
            "ad": {"User": PERSON, "Privilege": ADMINISTRATOR},
            "idp": {"Privilege": ASKED_FOR | {"activation": "automatic", "activation_hours": 24}},
        },
        judged={"4-2/just-in-time": FAIL, "4-2/activation-approved": FAIL},
        mended={"idp": {"Privilege": {"activation": "approved", "activation_hours": 4}}},
    ),
    Situation(
        item="4-2",
        says="Sessions are short, and the policy that gives everything hangs on the user for good.",
        said={"aws": {"User": PERSON, "Privilege": {"privileged": True, "standing": True}}},
        judged={"4-2/just-in-time": FAIL},
        mended={"aws": {"Privilege": {"standing": False}}, "idp": {"Privilege": ASKED_FOR}},
    ),
)
"""Items 1-7, 4-1 and 4-2, and what may befall every item."""
