"""What is asked of the directory, by name, and what is never asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

NEVER_ASK = (
    "ms-Mcs-AdmPwd",
    "msLAPS-Password",
    "msLAPS-EncryptedPassword",
    "msLAPS-EncryptedPasswordHistory",
    "msLAPS-EncryptedDSRMPassword",
    "msLAPS-EncryptedDSRMPasswordHistory",
    "msDS-ManagedPassword",
    "msFVE-RecoveryPassword",
    "msFVE-KeyPackage",
    "unicodePwd",
    "userPassword",
    "dBCSPwd",
    "ntPwdHistory",
    "lmPwdHistory",
    "supplementalCredentials",
    "trustAuthIncoming",
    "trustAuthOutgoing",
    "*",
)
"""Secrets, and the wildcard that would bring them."""

ROOT = (
    "currentTime",
    "defaultNamingContext",
    "schemaNamingContext",
    "configurationNamingContext",
    "dnsHostName",
    "tokenGroups",
)
"""Of the server itself; tokenGroups there are the SIDs of our own session, well-known ones included."""

SCHEMA = (
    "objectClass",
    "lDAPDisplayName",
    "schemaIDGUID",
    "attributeSecurityGUID",
    "searchFlags",
    "possSuperiors",
    "systemPossSuperiors",
    "nTSecurityDescriptor",
)

GROUP = ("objectClass", "objectSid", "sAMAccountName", "member", "memberOf", "nTSecurityDescriptor")
RULES = {
    "min_length": ("minPwdLength", "msDS-MinimumPasswordLength"),
    "complexity": ("pwdProperties", "msDS-PasswordComplexityEnabled"),
    "remembered": ("pwdHistoryLength", "msDS-PasswordHistoryLength"),
    "lockout_attempts": ("lockoutThreshold", "msDS-LockoutThreshold"),
    "max_age_days": ("maxPwdAge", "msDS-MaximumPasswordAge"),
}
"""Where a rule for passwords stands: at the domain itself, and in fine-grained settings."""
LEVEL = "msDS-Behavior-Version"
QUOTA = "ms-DS-MachineAccountQuota"
RENEWAL = "msDS-ExpirePasswordsOnSmartCardOnlyAccounts"
SETTINGS: Mapping[str, tuple[str, ...]] = {
    "PasswordPolicy": tuple(name for names in RULES.values() for name in names),
    "LogonRestriction": (LEVEL,),
    "SignIn": (LEVEL, RENEWAL),
    "DirectoryDefence": (LEVEL, QUOTA, RENEWAL),
}
"""What the groups' search asks besides, of the domain itself and its password settings, by the fact that takes it."""

CONFIGURATION = (
    "objectClass",
    "nCName",
    "dnsRoot",
    "systemFlags",
    LEVEL,
    "msDS-AuthNPolicyEnforced",
    "msDS-AuthNPolicySiloEnforced",
    "msDS-AuthNPolicySiloMembers",
    "nTSecurityDescriptor",
)
"""Of the forest's domains, authentication policies and silos."""

_ALWAYS = ("objectClass", "objectSid", "memberOf", "manager")
"""Whose an object is, and whom it refers to: without these nobody knows whether a listing is whole."""
_CONTROL = "userAccountControl"
_GROUPS = ("primaryGroupID", "sIDHistory")
_TRUSTS = ("trustPartner", "trustDirection", "trustAttributes")
DELEGATION = (_CONTROL, "msDS-AllowedToDelegateTo", "msDS-AllowedToActOnBehalfOfOtherIdentity")
LEGACY_LAPS = "ms-Mcs-AdmPwdExpirationTime"
CURRENT_LAPS = "msLAPS-PasswordExpirationTime"
_LOGON = (
    *DELEGATION,
    *_GROUPS,
    "msDS-SupportedEncryptionTypes",
    "servicePrincipalName",
    "msDS-KeyCredentialLink",
    "msDS-AssignedAuthNPolicySilo",
    "msDS-AssignedAuthNPolicy",
)
OF_FACTS: Mapping[str, tuple[str, ...]] = {
    "User": ("sAMAccountName", "displayName", _CONTROL, "accountExpires"),
    "Activity": ("lastLogonTimestamp", "whenCreated"),
    "AccountExpiry": ("accountExpires",),
    "Credentials": (_CONTROL, "msDS-UserPasswordExpiryTimeComputed", "pwdLastSet"),
    "PasswordPolicy": (_CONTROL, "msDS-ResultantPSO"),
    "LogonRestriction": _LOGON,
    "SignIn": (_CONTROL, *_GROUPS),
    "Authenticators": (_CONTROL, "msDS-KeyCredentialLink"),
    "Privilege": (*_GROUPS, "adminCount", "trustAttributes"),
    "Placement": ("sAMAccountName", "dNSHostName", *_GROUPS),
    "Device": ("sAMAccountName", "dNSHostName", _CONTROL, "operatingSystem"),
    "OperatingSystem": ("operatingSystem", "operatingSystemVersion"),
    "MachineAccount": ("lastLogonTimestamp", "whenCreated", *DELEGATION, LEGACY_LAPS, CURRENT_LAPS),
    "Directory": (),
    "Trusts": _TRUSTS,
    "DirectoryDefence": ("pwdLastSet", LEGACY_LAPS, CURRENT_LAPS),
}
"""Attributes of an object, by the fact that takes them."""

COUNTED = frozenset({"servicePrincipalName", "msDS-KeyCredentialLink"})
"""Attributes of which only the number of values is kept; what they hold goes into no record."""
LATER = frozenset(
    {
        "msDS-ResultantPSO",
        "msDS-SupportedEncryptionTypes",
        "msDS-KeyCredentialLink",
        "msDS-AssignedAuthNPolicySilo",
        "msDS-AssignedAuthNPolicy",
        "msDS-AllowedToActOnBehalfOfOtherIdentity",
        LEGACY_LAPS,
        CURRENT_LAPS,
        RENEWAL,
    }
)
"""Attributes that older schemas lack, or that an extension brings: where the whole schema lacks one, none has it."""

CLASSES = (
    "user",
    "inetOrgPerson",
    "computer",
    "group",
    "msDS-ManagedServiceAccount",
    "msDS-GroupManagedServiceAccount",
    "trustedDomain",
    "domainDNS",
    "organizationalUnit",
    "container",
    "builtinDomain",
    "lostAndFound",
    "foreignSecurityPrincipal",
    "dMD",
    "msDS-PasswordSettings",
    "crossRef",
    "crossRefContainer",
    "msDS-AuthNPolicy",
    "msDS-AuthNPolicies",
    "msDS-AuthNPolicySilo",
    "msDS-AuthNPolicySilos",
)
"""Classes whose GUIDs an entry of a DACL may name, and of which we ask where they may stand."""


def of_objects(facts: Iterable[str]) -> tuple[str, ...]:
    """What is asked of every object where these facts are promised: nothing that no fact takes."""
    wanted = set(facts)
    taken = [name for fact, names in OF_FACTS.items() if fact in wanted for name in names]
    return (*dict.fromkeys((*_ALWAYS, *taken)), "nTSecurityDescriptor")


def of_groups(facts: Iterable[str]) -> tuple[str, ...]:
    """What is asked of groups, foreign principals, the domain itself and its password settings."""
    wanted = set(facts)
    taken = [name for fact, names in SETTINGS.items() if fact in wanted for name in names]
    return tuple(dict.fromkeys((*GROUP, *taken)))


OBJECT = of_objects(OF_FACTS)
DECLARED = tuple(sorted({*ROOT, *SCHEMA, *of_groups(SETTINGS), *OBJECT, *CONFIGURATION}))
"""Everything that any search of this collector asks for."""


def schema_query() -> str:
    """The filter for the definitions of all attributes and classes above, and for the schema itself."""
    names = sorted({*of_groups(SETTINGS), *OBJECT, *CONFIGURATION, *CLASSES})
    return "(|(objectClass=dMD)" + "".join(f"(lDAPDisplayName={name})" for name in names) + ")"
