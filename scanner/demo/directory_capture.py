"""A domain of the lab bank as LDIF, as an ordinary account of it would be shown it."""

from __future__ import annotations

import base64
import hashlib
import struct
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from scanner.demo.directory import ADMINISTRATORS, PATRONS, UNSHOWN, Domain, DomainAccount, filetime

ROOT = (
    "currentTime", "defaultNamingContext", "schemaNamingContext", "configurationNamingContext", "dnsHostName",
    "tokenGroups",
)  # fmt: skip
SCHEMA = (
    "objectClass", "lDAPDisplayName", "schemaIDGUID", "attributeSecurityGUID", "searchFlags", "possSuperiors",
    "systemPossSuperiors", "nTSecurityDescriptor",
)  # fmt: skip
CONFIGURATION = (
    "objectClass", "nCName", "dnsRoot", "systemFlags", "msDS-Behavior-Version", "msDS-AuthNPolicyEnforced",
    "msDS-AuthNPolicySiloEnforced", "msDS-AuthNPolicySiloMembers", "nTSecurityDescriptor",
)  # fmt: skip
GROUP = ("objectClass", "objectSid", "sAMAccountName", "member", "memberOf", "nTSecurityDescriptor")
OBJECT = (
    "objectClass", "objectSid", "sAMAccountName", "displayName", "userAccountControl", "accountExpires",
    "lastLogonTimestamp", "whenCreated", "primaryGroupID", "sIDHistory", "adminCount", "memberOf", "manager",
    "dNSHostName", "trustPartner", "trustDirection", "trustAttributes", "nTSecurityDescriptor",
)  # fmt: skip
CLASSES = (
    "user", "inetOrgPerson", "computer", "group", "msDS-ManagedServiceAccount", "msDS-GroupManagedServiceAccount",
    "trustedDomain", "domainDNS", "organizationalUnit", "container", "builtinDomain", "lostAndFound",
    "foreignSecurityPrincipal", "crossRef", "crossRefContainer",
)  # fmt: skip
USERS = "Domain Users"
RIDS = {ADMINISTRATORS: 512, USERS: 513}
FIRST_ACCOUNT = 2001
FIRST_GROUP = 1101
MADE_AT = "20240301000000.0Z"
_EVERYBODY = ("S-1-1-0", "S-1-5-11")
_READ = 0x10 | 0x4 | 0x20000
"""Read Property, List Contents, Read Permissions."""

Value = str | bytes
Values = dict[str, Value | list[str] | list[bytes]]


def domain_sid(domain: Domain) -> str:
    """Made up from its name, the same on every machine."""
    parts = struct.unpack("<III", hashlib.sha256(f"ztgrade lab bank {domain.dns}".encode()).digest()[:12])
    return "-".join(["S-1-5-21", *map(str, parts)])


def account_sids(domain: Domain) -> dict[str, str]:
    """SID by name of the account, counted up in their order."""
    sid = domain_sid(domain)
    return {one.name: f"{sid}-{FIRST_ACCOUNT + place}" for place, one in enumerate(domain.accounts)}


def domain_keys(domain: Domain, sid: str | None = None, accounts: Mapping[str, str] | None = None) -> dict[str, str]:
    """Key under which a reading of the domain knows an asset, by its key in the description.

    ``sid`` and ``accounts``, SID by name, are those of the capture unless a domain that was really set up gave others.
    """
    own = domain_sid(domain) if sid is None else sid
    known = account_sids(domain) if accounts is None else accounts
    users = {one.key: f"user:{domain.dns}:{known[one.name]}" for one in domain.accounts}
    return {domain.key: f"directory:ad:{own}", **users}


def domain_captures(domain: Domain) -> dict[str, bytes]:
    """One LDIF file: the server itself, the schema, groups, and every object."""
    return {"domain.ldif": b"version: 1\n" + b"".join(_lines(domain))}


def _lines(domain: Domain) -> Iterator[bytes]:
    configuration = f"CN=Configuration,{domain.base}"
    schema = f"CN=Schema,{configuration}"
    yield _requesting(ROOT)
    yield _record(
        "",
        {
            "currentTime": datetime.fromisoformat(domain.observed_at).strftime("%Y%m%d%H%M%S.0Z"),
            "defaultNamingContext": domain.base,
            "schemaNamingContext": schema,
            "configurationNamingContext": configuration,
            "dnsHostName": f"dc1.{domain.dns}",
            "tokenGroups": [sid_bytes(sid) for sid in _EVERYBODY],
        },
    )
    yield _requesting(SCHEMA)
    for name in sorted({*CONFIGURATION, *GROUP, *OBJECT, *CLASSES}):
        kind = "classSchema" if name in CLASSES else "attributeSchema"
        given: Values = {"lDAPDisplayName": name, "schemaIDGUID": _guid(name), "searchFlags": "0"}
        yield _record(f"CN={name},{schema}", {"objectClass": ["top", kind], **given})
    yield _requesting(CONFIGURATION)
    yield from _forest(domain, f"CN=Partitions,{configuration}")
    yield _requesting(GROUP)
    yield from _groups(domain)
    yield _requesting(OBJECT)
    yield from _objects(domain)


def _forest(domain: Domain, partitions: str) -> Iterator[bytes]:
    """The list of the forest's domains: this one alone."""
    shown = {"nTSecurityDescriptor": _descriptor(domain_sid(domain))}
    listed: Values = {"nCName": domain.base, "dnsRoot": domain.dns, "systemFlags": "3"}
    yield _record(partitions, {"objectClass": ["top", "crossRefContainer"], "msDS-Behavior-Version": "7", **shown})
    name = domain.dns.partition(".")[0].upper()
    yield _record(f"CN={name},{partitions}", {"objectClass": ["top", "crossRef"], **listed, **shown})


def _groups(domain: Domain) -> Iterator[bytes]:
    sid = domain_sid(domain)
    names = [ADMINISTRATORS, USERS, *domain.groups]
    for place, name in enumerate(names):
        members = [one.dn for one in domain.accounts if name in one.groups]
        hidden = ("member",) if name == UNSHOWN else ()
        values: Values = {
            "objectClass": ["top", "group"],
            "objectSid": sid_bytes(f"{sid}-{RIDS.get(name, FIRST_GROUP + place)}"),
            "sAMAccountName": name,
            "nTSecurityDescriptor": _descriptor(sid, hidden),
        }
        if members:
            values["member"] = members
        yield _record(_group_dn(domain, name), values)


def _group_dn(domain: Domain, name: str) -> str:
    return f"CN={name},{'CN=Users' if name in RIDS else PATRONS},{domain.base}"


def _objects(domain: Domain) -> Iterator[bytes]:
    sid = domain_sid(domain)
    shown = {"nTSecurityDescriptor": _descriptor(sid)}
    head: Values = {"objectClass": ["top", "domain", "domainDNS"], "objectSid": sid_bytes(sid), **shown}
    yield _record(domain.base, head)
    for name in ("Users", "System"):
        yield _record(f"CN={name},{domain.base}", {"objectClass": ["top", "container"], **shown})
    for unit in domain.units:
        yield _record(unit, {"objectClass": ["top", "organizationalUnit"], **shown})
    sids = account_sids(domain)
    for account in domain.accounts:
        yield _record(account.dn, _account(domain, account, sids[account.name]))
    for trust in domain.trusts:
        hidden = ("trustAttributes", "trustDirection", "trustPartner") if trust.flags is None else ()
        values: Values = {
            "objectClass": ["top", "leaf", "trustedDomain"],
            "nTSecurityDescriptor": _descriptor(sid, hidden),
        }
        if trust.flags is not None:
            values |= {
                "trustPartner": trust.partner,
                "trustDirection": str(trust.direction),
                "trustAttributes": str(trust.flags),
            }
        yield _record(f"CN={trust.partner},CN=System,{domain.base}", values)


def _account(domain: Domain, account: DomainAccount, sid: str) -> Values:
    values: Values = {
        "objectClass": ["top", "person", "organizationalPerson", "user"],
        "objectSid": sid_bytes(sid),
        "sAMAccountName": account.name,
        "displayName": account.display_name,
        "userAccountControl": str(512 if account.enabled else 514),
        "accountExpires": "0" if account.expires_at is None else str(filetime(account.expires_at)),
        "whenCreated": MADE_AT,
        "primaryGroupID": str(RIDS[USERS]),
        "nTSecurityDescriptor": _descriptor(domain_sid(domain), account.hidden),
    }
    if account.marked:
        values["adminCount"] = "1"
    if account.last_sign_in is not None:
        values["lastLogonTimestamp"] = str(filetime(account.last_sign_in))
    if account.groups:
        values["memberOf"] = [_group_dn(domain, name) for name in account.groups]
    return {name: value for name, value in values.items() if name not in account.hidden}


def sid_bytes(text: str) -> bytes:
    """The binary form of ``S-1-...`` (MS-DTYP 2.4.2.2)."""
    _, _, authority, *rest = text.split("-")
    return bytes([1, len(rest)]) + int(authority).to_bytes(6, "big") + struct.pack(f"<{len(rest)}I", *map(int, rest))


def _guid(name: str) -> bytes:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"ztgrade lab bank {name.lower()}").bytes_le


def _descriptor(domain_sid: str, hidden: Iterable[str] = ()) -> bytes:
    """Everybody who signed in may read it (MS-DTYP 2.4.6), but for the attributes that are hidden."""
    who = sid_bytes("S-1-5-11")
    denied = [_ace(6, struct.pack("<II", 0x10, 1) + _guid(name) + who) for name in sorted(hidden)]
    listed = b"".join([*denied, _ace(0, struct.pack("<I", _READ) + who)])
    dacl = struct.pack("<BBHHH", 4, 0, 8 + len(listed), len(denied) + 1, 0) + listed
    owner = sid_bytes(f"{domain_sid}-{RIDS[ADMINISTRATORS]}")
    return struct.pack("<BBHIIII", 1, 0, 0x8004, 20, 0, 0, 20 + len(owner)) + owner + dacl


def _ace(kind: int, body: bytes) -> bytes:
    return struct.pack("<BBH", kind, 0, len(body) + 4) + body


def _requesting(names: Iterable[str]) -> bytes:
    """What ldapsearch writes above an answer."""
    return b"\n# requesting: " + " ".join(names).encode() + b"\n"


def _record(dn: str, values: Mapping[str, Value | list[str] | list[bytes]]) -> bytes:
    lines = [f"dn: {dn}" if dn else "dn:"]
    for name, given in values.items():
        for value in given if isinstance(given, list) else [given]:
            if isinstance(value, bytes) or not value.isascii():
                raw = value if isinstance(value, bytes) else value.encode()
                lines.append(f"{name}:: {base64.b64encode(raw).decode()}")
            else:
                lines.append(f"{name}: {value}")
    return ("\n" + "\n".join(lines) + "\n").encode()
