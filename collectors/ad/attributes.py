"""What is asked of the directory, by name, and what is never asked."""

from __future__ import annotations

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
)

GROUP = ("objectClass", "objectSid", "sAMAccountName", "member", "memberOf", "nTSecurityDescriptor")

OBJECT = (
    "objectClass",
    "objectSid",
    "sAMAccountName",
    "displayName",
    "userAccountControl",
    "accountExpires",
    "lastLogonTimestamp",
    "whenCreated",
    "msDS-UserPasswordExpiryTimeComputed",
    "primaryGroupID",
    "sIDHistory",
    "memberOf",
    "manager",
    "dNSHostName",
    "operatingSystem",
    "operatingSystemVersion",
    "trustPartner",
    "trustDirection",
    "trustAttributes",
    "nTSecurityDescriptor",
)

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
)
"""Classes whose GUIDs an entry of a DACL may name, and of which we ask where they may stand."""

DECLARED = tuple(sorted({*ROOT, *SCHEMA, *GROUP, *OBJECT}))
"""Everything that any search of this collector asks for."""


def schema_query() -> str:
    """The filter for the definitions of all attributes and classes above."""
    names = sorted({*GROUP, *OBJECT, *CLASSES})
    return "(|" + "".join(f"(lDAPDisplayName={name})" for name in names) + ")"
