"""Facts about people, service accounts, directories and cloud accounts."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from scanner.facts.field import internal, personal, public, secret_adjacent
from scanner.model import Fact, Instant

AuthenticatorKind = Literal[
    "password",
    "sms",
    "voice",
    "email",
    "push",
    "totp_software",
    "otp_hardware",
    "fido2_synced",
    "fido2_bound",
    "smart_card",
    "platform_bound",
    "certificate_software",
]


class User(Fact, frozen=True, kw_only=True):
    """One account that can sign in: of a person, a service, or for emergencies."""

    kind: ClassVar[str] = "user"
    population: ClassVar[bool] = True

    enabled: Annotated[bool | None, internal("The account may sign in now.")] = None
    category: Annotated[
        Literal["person", "service", "shared", "break_glass"] | None, internal("Whom the account serves.")
    ] = None
    external: Annotated[bool | None, internal("Its holder belongs to another institution.")] = None
    display_name: Annotated[str | None, personal("Name of the holder as the source shows it.")] = None
    login: Annotated[str | None, personal("Name typed at sign-in.")] = None


class SignIn(Fact, frozen=True, kw_only=True):
    """What a sign-in of this user really has to satisfy, after every policy and exclusion."""

    kind: ClassVar[str] = "user"

    mfa: Annotated[
        Literal["not_required", "report_only", "enforced", "no_password"] | None,
        internal("What the policy does about a second factor; no_password: none opens an interactive session."),
    ] = None
    excluded: Annotated[bool | None, internal("An exclusion takes this user out of the policy.")] = None
    policy: Annotated[str | None, internal("Name of the policy that decides.")] = None
    legacy_protocols: Annotated[
        Literal["blocked", "allowed"] | None, internal("Protocols that cannot carry a second factor.")
    ] = None
    remembered: Annotated[
        Literal["never", "limited", "unlimited"] | None, internal("Whether a passed factor is remembered.")
    ] = None
    remembered_hours: Annotated[int | None, internal("Hours for which it is remembered, where limited.")] = None
    conditions: Annotated[
        list[str] | None, internal("Dynamic attributes that decide: location, device_health, risk, time, behaviour.")
    ] = None
    trusted_network_bypass: Annotated[bool | None, internal("Coming from a trusted network lifts the conditions.")] = (
        None
    )
    revocation: Annotated[
        Literal["continuous", "timed", "at_expiry"] | None, internal("When a withdrawn right ends a running session.")
    ] = None
    revocation_minutes: Annotated[int | None, internal("Minutes until then, where timed.")] = None


class Authenticator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One method that this user may sign in with."""

    method: Annotated[AuthenticatorKind | None, internal("What it is.")] = None
    usable: Annotated[bool | None, internal("Policy lets it be used alone or as the deciding factor.")] = None


class Authenticators(Fact, frozen=True, kw_only=True):
    """The methods a user may sign in with, fallbacks included."""

    kind: ClassVar[str] = "user"

    methods: Annotated[list[Authenticator] | None, secret_adjacent("Registered methods; empty means none.")] = None


class Credentials(Fact, frozen=True, kw_only=True):
    """Long-lived secrets of a user, never their values."""

    kind: ClassVar[str] = "user"

    password: Annotated[
        Literal["none", "expires", "never_expires"] | None, secret_adjacent("Password and its ageing.")
    ] = None
    access_keys: Annotated[int | None, secret_adjacent("Number of active long-lived API keys.")] = None
    access_keys_need_mfa: Annotated[bool | None, secret_adjacent("Using a key is refused without a second factor.")] = (
        None
    )
    oldest_access_key: Annotated[Instant | None, secret_adjacent("When the oldest active key was made.")] = None
    password_required: Annotated[bool | None, secret_adjacent("False: the account may have an empty password.")] = None
    password_managed: Annotated[
        bool | None, secret_adjacent("The directory makes and renews the password; nobody knows it.")
    ] = None
    password_changed_at: Annotated[Instant | None, secret_adjacent("When the password was last set.")] = None


class PasswordPolicy(Fact, frozen=True, kw_only=True):
    """The rules for passwords that really apply to this user, fine-grained ones included."""

    kind: ClassVar[str] = "user"

    name: Annotated[str | None, internal("Which policy wins.")] = None
    min_length: Annotated[int | None, internal("Fewest characters.")] = None
    complexity: Annotated[bool | None, internal("Several kinds of characters are demanded.")] = None
    remembered: Annotated[int | None, internal("Former passwords that may not come back.")] = None
    lockout_attempts: Annotated[int | None, internal("Wrong attempts until the account is locked; 0 means never.")] = (
        None
    )
    max_age_days: Annotated[int | None, internal("Days until a password must be changed; 0 means never.")] = None


class LogonRestriction(Fact, frozen=True, kw_only=True):
    """How a directory narrows or widens the ways in which an account may prove itself."""

    kind: ClassVar[str] = "user"

    smart_card_required: Annotated[bool | None, internal("Interactive sign-in takes a smart card.")] = None
    key_credentials: Annotated[int | None, secret_adjacent("Public keys registered for sign-in.")] = None
    preauthentication: Annotated[bool | None, internal("False: anyone may ask for material to guess against.")] = None
    protected: Annotated[bool | None, internal("Member of Protected Users: no weak protocol, no delegation.")] = None
    delegation: Annotated[
        Literal["none", "constrained", "protocol_transition", "unconstrained"] | None,
        internal("In whose name it may act: nobody's, towards named services, without their proof, or anywhere."),
    ] = None
    may_be_delegated: Annotated[bool | None, internal("Services may act in its name.")] = None
    silo: Annotated[str | None, internal("Authentication silo or policy that it is assigned to; 'none'.")] = None
    restriction: Annotated[
        Literal["none", "audited", "enforced"] | None, internal("What that silo or policy does.")
    ] = None
    weak_encryption: Annotated[bool | None, internal("DES or RC4 is allowed for it by name.")] = None
    service_names: Annotated[int | None, internal("Service principal names; tickets for them can be guessed at.")] = (
        None
    )


class Activity(Fact, frozen=True, kw_only=True):
    """When the account was last used."""

    kind: ClassVar[str] = "user"

    ever_signed_in: Annotated[bool | None, internal("False means never.")] = None
    last_sign_in: Annotated[Instant | None, personal("Last sign-in known to the source.")] = None
    idle_since: Annotated[
        Instant | None, internal("Last sign-in, or creation where it never signed in; day precision suffices.")
    ] = None


class Employment(Fact, frozen=True, kw_only=True):
    """What the personnel system says of the holder."""

    kind: ClassVar[str] = "user"

    state: Annotated[Literal["active", "left"] | None, internal("Whether the holder still works here.")] = None
    left_at: Annotated[Instant | None, internal("When the holder left.")] = None
    disabled_at: Annotated[Instant | None, internal("When the account was disabled; none while it is enabled.")] = None


class AccountExpiry(Fact, frozen=True, kw_only=True):
    """Whether the account ends by itself."""

    kind: ClassVar[str] = "user"

    expires: Annotated[Literal["never", "on_date"] | None, internal("Whether an end is set.")] = None
    expires_at: Annotated[Instant | None, internal("The end, where one is set.")] = None


class Privilege(Fact, frozen=True, kw_only=True):
    """What effective privilege the account holds, nested groups and delegations included."""

    kind: ClassVar[str] = "user"

    privileged: Annotated[bool | None, internal("It can change systems, rights or security settings.")] = None
    daily_work: Annotated[bool | None, internal("The same account is used for mail and office work.")] = None
    standing: Annotated[bool | None, internal("Privilege is held permanently.")] = None
    eligible: Annotated[bool | None, internal("Privilege can be activated for a limited time.")] = None
    activation: Annotated[Literal["none", "automatic", "approved"] | None, internal("What activation asks for.")] = None
    activation_hours: Annotated[int | None, internal("Longest activation in hours.")] = None
    residual: Annotated[bool | None, internal("Marks of a privilege that it no longer holds remain.")] = None


class Directory(Fact, frozen=True, kw_only=True):
    """One directory domain or tenant and its domain-wide settings."""

    kind: ClassVar[str] = "directory"
    population: ClassVar[bool] = True

    name: Annotated[str | None, internal("DNS name of the domain.")] = None
    ldap_signing: Annotated[
        Literal["none", "negotiated", "required"] | None, internal("LDAPServerIntegrity of the domain controllers.")
    ] = None
    channel_binding: Annotated[
        Literal["never", "supported", "always"] | None, internal("LdapEnforceChannelBinding of the domain controllers.")
    ] = None


class Trust(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One trust of a directory to another."""

    partner: Annotated[str | None, internal("Domain at the other end.")] = None
    inbound_users: Annotated[bool | None, internal("Users of the partner may sign in here.")] = None
    sid_filtering: Annotated[bool | None, internal("Foreign SIDs are filtered (trustAttributes 0x4).")] = None
    selective_authentication: Annotated[bool | None, internal("Access is granted per host (trustAttributes 0x10).")] = (
        None
    )


class Trusts(Fact, frozen=True, kw_only=True):
    """The trusts of a directory."""

    kind: ClassVar[str] = "directory"

    trusts: Annotated[list[Trust] | None, internal("Trusts; empty means none.")] = None


class DirectoryDefence(Fact, frozen=True, kw_only=True):
    """Settings of a directory on which its other defences rest."""

    kind: ClassVar[str] = "directory"

    functional_level: Annotated[int | None, internal("Level of the domain, by msDS-Behavior-Version.")] = None
    forest_level: Annotated[int | None, internal("The same of its forest.")] = None
    machine_quota: Annotated[int | None, internal("Computers that any account may join.")] = None
    smart_card_secrets_renewed: Annotated[
        bool | None, internal("Secrets behind smart-card-only accounts are renewed (Windows 2016 level).")
    ] = None
    ticket_key_changed_at: Annotated[Instant | None, secret_adjacent("When the key of all tickets was changed.")] = None
    silos_enforced: Annotated[int | None, internal("Authentication silos that are enforced.")] = None
    local_passwords: Annotated[
        Literal["none", "legacy", "current"] | None, internal("Which LAPS the schema has room for.")
    ] = None


class Account(Fact, frozen=True, kw_only=True):
    """One cloud account or subscription."""

    kind: ClassVar[str] = "account"
    population: ClassVar[bool] = True

    name: Annotated[str | None, internal("Its alias.")] = None
    provider: Annotated[Literal["aws", "azure"] | None, public("Who runs the cloud.")] = None


class RootUser(Fact, frozen=True, kw_only=True):
    """The owner identity of a cloud account."""

    kind: ClassVar[str] = "account"

    mfa: Annotated[Literal["none", "virtual", "hardware"] | None, secret_adjacent("Its second factor.")] = None
    access_keys: Annotated[int | None, secret_adjacent("Number of API keys it holds.")] = None
    ever_used: Annotated[bool | None, internal("False means never.")] = None
    last_used: Annotated[Instant | None, internal("When it was last used, by password or key.")] = None


class RoleTrust(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One principal that may take on a role of the account."""

    role: Annotated[str | None, internal("Name of the role.")] = None
    principal: Annotated[
        Literal["same_account", "organization", "foreign_account", "federated", "service", "anyone"] | None,
        internal("Who may take it on."),
    ] = None
    demands_external_id: Annotated[bool | None, internal("Only with an identifier agreed beforehand.")] = None
    demands_mfa: Annotated[bool | None, internal("Only after a second factor.")] = None
    session_hours: Annotated[int | None, internal("Longest session, in hours, rounded up.")] = None


class RoleTrusts(Fact, frozen=True, kw_only=True):
    """Who may take on roles of a cloud account."""

    kind: ClassVar[str] = "account"

    trusts: Annotated[list[RoleTrust] | None, internal("One for each role and principal; empty means none.")] = None


class AccountAdministration(Fact, frozen=True, kw_only=True):
    """Who can do everything in a cloud account."""

    kind: ClassVar[str] = "account"

    full_administrators: Annotated[int | None, internal("Principals with every action on every resource.")] = None
    unconditional_grants: Annotated[int | None, internal("Of these, grants without any condition.")] = None
