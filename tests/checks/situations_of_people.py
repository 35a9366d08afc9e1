"""Known false passes about people and their accounts, as a directory and a cloud account tell them."""

from __future__ import annotations

from typing import Any

from scanner.model import Outcome
from tests.checks.situation import Situation, ago

FAIL, UNKNOWN = Outcome.FAIL, Outcome.UNKNOWN
PERSON = {"enabled": True, "category": "person", "external": False}
VENDOR = {"enabled": True, "category": "person", "external": True}
PASSWORD_ONLY: dict[str, Any] = {
    "mfa": "not_required",
    "excluded": False,
    "policy": "password",
    "legacy_protocols": "allowed",
    "conditions": [],
    "trusted_network_bypass": False,
    "revocation": "at_expiry",
}
"""What a domain says of an account where the domain itself is the way in."""
STRICT: dict[str, Any] = {
    "mfa": "enforced",
    "excluded": False,
    "legacy_protocols": "blocked",
    "remembered": "never",
    "conditions": ["device_health", "risk"],
    "trusted_network_bypass": False,
    "revocation": "continuous",
}
"""What a front end that does everything right says of it."""
KEY = {"password": "none", "access_keys": 1, "access_keys_need_mfa": True, "oldest_access_key": ago(days=30)}
ACCOUNT = {"provider": "aws"}
DOMAIN = {"name": "corp.example"}
TRUST = {"partner": "partner.example", "inbound_users": True, "sid_filtering": True, "selective_authentication": True}
PARTNER_ROLE = {"role": "auditor", "principal": "foreign_account", "demands_external_id": True, "demands_mfa": False}


def way(method: str, usable: bool = True) -> dict[str, object]:
    """One authenticator."""
    return {"method": method, "usable": usable}


PEOPLE = (
    Situation(
        item="1-1",
        says="A smart card is demanded, and the hash behind it is never renewed: whoever has the hash needs no card.",
        said={
            "ad": {
                "User": PERSON,
                "SignIn": PASSWORD_ONLY | {"policy": "smart card"},
                "LogonRestriction": {"smart_card_required": True},
            }
        },
        judged={"1-1/mfa-enforced": FAIL},
        mended={"ad": {"SignIn": {"mfa": "enforced"}}},
    ),
    Situation(
        item="1-1",
        says="Capable is not enforced: a key is registered, and the password alone still opens the session.",
        said={
            "ad": {
                "User": PERSON,
                "SignIn": PASSWORD_ONLY,
                "LogonRestriction": {"key_credentials": 1},
                "Authenticators": {"methods": [way("password"), way("platform_bound")]},
            }
        },
        judged={"1-1/mfa-enforced": FAIL, "1-2/phishing-resistant": FAIL},
        mended={
            "ad": {
                "SignIn": {"mfa": "enforced"},
                "Authenticators": {"methods": [way("password", usable=False), way("platform_bound")]},
            }
        },
    ),
    Situation(
        item="1-1",
        says="The gateway asks for a second factor, the domain behind it for a password: nobody may pick a witness.",
        said={"ad": {"User": PERSON, "SignIn": PASSWORD_ONLY}, "idp": {"SignIn": STRICT}},
        judged={"1-1/mfa-enforced": UNKNOWN, "1-1/legacy-blocked": UNKNOWN},
        mended={"ad": {"SignIn": {"mfa": "enforced", "legacy_protocols": "blocked"}}},
    ),
    Situation(
        item="1-1",
        says="The gateway trusts a device for ever, of which the domain behind it knows nothing.",
        said={
            "ad": {"User": PERSON, "SignIn": PASSWORD_ONLY},
            "idp": {"SignIn": STRICT | {"remembered": "unlimited"}},
        },
        judged={"1-1/factor-forgotten": FAIL},
        mended={"idp": {"SignIn": {"remembered": "never"}}},
    ),
    Situation(
        item="1-1",
        says="Only protected users are kept off protocols that carry no second factor, and this account is none.",
        said={"ad": {"User": PERSON, "SignIn": PASSWORD_ONLY, "LogonRestriction": {"protected": False}}},
        judged={"1-1/legacy-blocked": FAIL},
        mended={"ad": {"SignIn": {"legacy_protocols": "blocked"}}},
    ),
    Situation(
        item="1-1",
        says="The console user has a password and no second factor; that others of the account have one helps nobody.",
        said={"aws": {"User": PERSON, "SignIn": {"mfa": "not_required", "excluded": False}}},
        judged={"1-1/mfa-enforced": FAIL},
        mended={"aws": {"SignIn": {"mfa": "enforced"}}},
    ),
    Situation(
        item="1-1",
        says="The console asks for a second factor and the key beside it works without.",
        said={"aws": {"User": PERSON, "Credentials": KEY | {"access_keys_need_mfa": False}}},
        judged={"1-1/keys-refused": FAIL},
        mended={"aws": {"Credentials": {"access_keys_need_mfa": True}}},
    ),
    Situation(
        item="1-1",
        says="No password opens the console, so that no factor is asked for, and a key opens everything else.",
        said={
            "aws": {
                "User": PERSON,
                "SignIn": {"mfa": "no_password", "excluded": False},
                "Credentials": KEY | {"access_keys": 2, "access_keys_need_mfa": False},
            }
        },
        judged={"1-1/keys-refused": FAIL},
        mended={"aws": {"Credentials": {"access_keys_need_mfa": True}}},
    ),
    Situation(
        item="1-1",
        says="The policies that could refuse the key were not read, and not refused is what they may say.",
        said={"aws": {"User": PERSON, "Credentials": KEY | {"access_keys_need_mfa": None}}},
        judged={"1-1/keys-refused": UNKNOWN},
        mended={"aws": {"Credentials": {"access_keys_need_mfa": True}}},
    ),
    Situation(
        item="1-1",
        says="The owner identity has a second factor and a key that goes around it.",
        said={"aws": {"Account": ACCOUNT, "RootUser": {"mfa": "hardware", "access_keys": 1}}},
        judged={"1-1/root-protected": FAIL},
        mended={"aws": {"RootUser": {"access_keys": 0}}},
    ),
    Situation(
        item="1-1",
        says="Every user has a second factor except the one who owns the account.",
        said={"aws": {"Account": ACCOUNT, "RootUser": {"mfa": "none", "access_keys": 0}}},
        judged={"1-1/root-protected": FAIL},
        mended={"aws": {"RootUser": {"mfa": "virtual"}}},
    ),
    Situation(
        item="1-2",
        says="A code shown by software counts as a second factor, and hands itself over to a false page.",
        said={
            "aws": {
                "User": PERSON,
                "Authenticators": {"methods": [way("password", usable=False), way("totp_software")]},
            }
        },
        judged={"1-2/phishing-resistant": FAIL, "1-2/bound-carrier": FAIL},
        mended={"aws": {"Authenticators": {"methods": [way("otp_hardware"), way("password", usable=False)]}}},
    ),
    Situation(
        item="1-2",
        says="A bound key is registered and a weaker device stays usable beside it.",
        said={
            "aws": {"User": PERSON, "Authenticators": {"methods": [way("fido2_bound"), way("totp_software")]}},
        },
        judged={"1-2/phishing-resistant": FAIL},
        mended={"aws": {"Authenticators": {"methods": [way("fido2_bound")]}}},
    ),
    Situation(
        item="1-2",
        says="A passkey that syncs to other devices is shown where one bound to a carrier is claimed.",
        said={"aws": {"User": PERSON, "Authenticators": {"methods": [way("fido2_synced")]}}},
        judged={"1-2/bound-carrier": FAIL},
        mended={"aws": {"Authenticators": {"methods": [way("fido2_bound")]}}},
    ),
    Situation(
        item="1-2",
        says="The registered keys may not be read; without them a list that shows no weak method is no list.",
        said={"ad": {"User": PERSON, "Authenticators": {}, "LogonRestriction": {"smart_card_required": True}}},
        judged={"1-2/phishing-resistant": UNKNOWN, "1-2/bound-carrier": UNKNOWN},
        mended={"ad": {"Authenticators": {"methods": [way("password", usable=False), way("smart_card")]}}},
    ),
    Situation(
        item="1-3",
        says="The staff of a vendor share one account, which passes every second factor.",
        said={"ad": {"User": VENDOR | {"category": "shared"}}, "idp": {"SignIn": STRICT}},
        judged={"1-3/external-assurance": FAIL},
        mended={"ad": {"User": {"category": "person"}}},
    ),
    Situation(
        item="1-3",
        says="The policy binds staff, and guests are excluded from it.",
        said={"ad": {"User": VENDOR}, "idp": {"SignIn": STRICT | {"excluded": True}}},
        judged={"1-3/external-assurance": FAIL},
        mended={"idp": {"SignIn": {"excluded": False}}},
    ),
    Situation(
        item="1-3",
        says="No unit is named for outsiders, so a vendor looks like one of the staff.",
        said={
            "ad": {
                "User": VENDOR | {"external": None},
                "AccountExpiry": {"expires": "never"},
                "SignIn": PASSWORD_ONLY,
            }
        },
        judged={"1-3/external-assurance": UNKNOWN, "1-3/external-expiry": UNKNOWN},
        mended={
            "ad": {
                "User": {"external": True},
                "AccountExpiry": {"expires": "on_date", "expires_at": ago(days=-90)},
                "SignIn": {"mfa": "enforced"},
            }
        },
    ),
    Situation(
        item="1-3",
        says="The contract ends and the account of the vendor does not.",
        said={"ad": {"User": VENDOR, "AccountExpiry": {"expires": "never"}}},
        judged={"1-3/external-expiry": FAIL},
        mended={"ad": {"AccountExpiry": {"expires": "on_date", "expires_at": ago(days=-90)}}},
    ),
    Situation(
        item="1-3",
        says="The partner's word is taken unseen: its trust filters no foreign identifiers.",
        said={"ad": {"Directory": DOMAIN, "Trusts": {"trusts": [TRUST | {"sid_filtering": False}]}}},
        judged={"1-3/trusts-filtered": FAIL},
        mended={"ad": {"Trusts": {"trusts": [TRUST]}}},
    ),
    Situation(
        item="1-3",
        says="One trust is in order, and another admits a whole forest to every host.",
        said={"ad": {"Directory": DOMAIN, "Trusts": {"trusts": [TRUST, TRUST | {"selective_authentication": False}]}}},
        judged={"1-3/trusts-filtered": FAIL},
        mended={"ad": {"Trusts": {"trusts": [TRUST, TRUST]}}},
    ),
    Situation(
        item="1-3",
        says="The container of trusts may not be read, and shows itself empty.",
        said={"ad": {"Directory": DOMAIN}},
        judged={"1-3/trusts-filtered": UNKNOWN},
        mended={"ad": {"Trusts": {"trusts": []}}},
    ),
    Situation(
        item="1-3",
        says="A partner's whole account may take on a role, and no identifier was agreed.",
        said={
            "aws": {
                "Account": ACCOUNT,
                "RoleTrusts": {"trusts": [PARTNER_ROLE, PARTNER_ROLE | {"demands_external_id": False}]},
            }
        },
        judged={"1-3/roles-guarded": FAIL},
        mended={"aws": {"RoleTrusts": {"trusts": [PARTNER_ROLE]}}},
    ),
    Situation(
        item="1-3",
        says="Anyone may take on a role who knows an identifier, and identifiers are no secrets.",
        said={"aws": {"Account": ACCOUNT, "RoleTrusts": {"trusts": [PARTNER_ROLE | {"principal": "anyone"}]}}},
        judged={"1-3/roles-guarded": FAIL},
        mended={"aws": {"RoleTrusts": {"trusts": []}}},
    ),
    Situation(
        item="1-3",
        says="A role names a partner, and the condition in its policy is of a kind that nobody understood.",
        said={"aws": {"Account": ACCOUNT, "RoleTrusts": {"trusts": [PARTNER_ROLE | {"demands_external_id": None}]}}},
        judged={"1-3/roles-guarded": UNKNOWN},
        mended={"aws": {"RoleTrusts": {"trusts": [PARTNER_ROLE]}}},
    ),
    Situation(
        item="1-5",
        says="Groups under a new name: nothing that changes from session to session decides at sign-in.",
        said={"ad": {"User": PERSON, "SignIn": PASSWORD_ONLY}},
        judged={"1-5/dynamic-conditions": FAIL},
        mended={"ad": {"SignIn": {"conditions": ["device_health"]}}},
    ),
    Situation(
        item="1-5",
        says="A silo that only records is offered as a condition on the device.",
        said={
            "ad": {
                "User": PERSON,
                "SignIn": PASSWORD_ONLY,
                "LogonRestriction": {"silo": "tier-zero", "restriction": "audited"},
            }
        },
        judged={"1-5/dynamic-conditions": FAIL},
        mended={"ad": {"SignIn": {"conditions": ["device_health"]}}},
    ),
    Situation(
        item="1-5",
        says="Conditions decide until one comes from the office, whose address lifts them all.",
        said={"ad": {"User": PERSON}, "idp": {"SignIn": STRICT | {"trusted_network_bypass": True}}},
        judged={"1-5/dynamic-conditions": FAIL},
        mended={"idp": {"SignIn": {"trusted_network_bypass": False}}},
    ),
    Situation(
        item="1-5",
        says="A disabled account goes on working until its ticket runs out.",
        said={"ad": {"User": PERSON, "SignIn": PASSWORD_ONLY}},
        judged={"1-5/revocable": FAIL},
        mended={"ad": {"SignIn": {"revocation": "continuous"}}},
    ),
    Situation(
        item="1-5",
        says="Condition keys could stand in policies of the cloud account; nobody weighed them for this user.",
        said={"aws": {"User": PERSON, "SignIn": {"mfa": "enforced", "excluded": False}}},
        judged={"1-5/dynamic-conditions": UNKNOWN, "1-5/revocable": UNKNOWN},
        mended={
            "idp": {"SignIn": {"conditions": ["risk"], "trusted_network_bypass": False, "revocation": "continuous"}}
        },
    ),
)
"""Items 1-1 to 1-3 and 1-5."""
