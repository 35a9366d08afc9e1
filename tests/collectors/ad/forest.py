"""A small domain in the shape in which a directory gives it: entries, descriptors, schema, and a port that has them."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collectors.ad import attributes, decode, ldif
from collectors.ports.directory import Entry, Scope
from scanner.errors import ReadError

BASE = "DC=corp,DC=test"
CONFIGURATION = f"CN=Configuration,{BASE}"
SCHEMA = f"CN=Schema,{CONFIGURATION}"
DOMAIN_SID = "S-1-5-21-1-2-3"
OURS = f"{DOMAIN_SID}-1100"
AUTHENTICATED = "S-1-5-11"
READ = 0x10 | 0x4 | 0x20000
GROUPS = attributes.of_groups(attributes.SETTINGS)
NOW = b"20261120010000.0Z"


def guid(name: str) -> bytes:
    """A GUID for a name of the schema, always the same."""
    return uuid.uuid5(uuid.NAMESPACE_OID, name.lower()).bytes_le


def ace(kind: str, mask: int, sid: str, what: bytes | None = None, flags: int = 0) -> bytes:
    """One entry: ``A`` allow, ``D`` deny, ``OA`` and ``OD`` for what a GUID names, ``XA`` allow on a condition."""
    number = {"A": 0, "D": 1, "OA": 5, "OD": 6, "XA": 9}[kind]
    body = struct.pack("<I", mask)
    if kind in {"OA", "OD"}:
        body += struct.pack("<I", 1 if what else 0) + (what or b"")
    body += decode.sid_bytes(sid)
    return struct.pack("<BBH", number, flags, len(body) + 4) + body


def descriptor(*aces: bytes, owner: str = f"{DOMAIN_SID}-512", dacl: bool = True) -> bytes:
    """A self-relative security descriptor."""
    who = decode.sid_bytes(owner)
    listed = struct.pack("<BBHHH", 4, 0, 8 + sum(map(len, aces)), len(aces), 0) + b"".join(aces)
    head = struct.pack("<BBHIIII", 1, 0, 0x8004 if dacl else 0x8000, 20, 0, 0, 20 + len(who) if dacl else 0)
    return head + who + (listed if dacl else b"")


OPEN = descriptor(ace("A", READ, AUTHENTICATED))


def named(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by the names that a directory gives them: with hyphens, which no keyword may hold."""
    return {name.replace("_", "-"): value for name, value in values.items()}


def entry(
    dn: str, *classes: str, asked: Iterable[str] = attributes.OBJECT, sd: bytes | None = OPEN, **values: Any
) -> Entry:
    """One entry; values are texts, bytes or lists of them, underscores in names stand for hyphens."""
    given = {"objectClass": list(classes)} | named(values)
    raw = {
        name.lower(): tuple(
            value.encode() if isinstance(value, str) else bytes(value)
            for value in (found if isinstance(found, list) else [found])
        )
        for name, found in given.items()
    }
    if sd is not None:
        raw["ntsecuritydescriptor"] = (sd,)
    return Entry(dn, raw, frozenset(name.lower() for name in asked))


def user(name: str, rid: int, unit: str = "OU=People", sd: bytes | None = OPEN, **values: Any) -> Entry:
    """A user that is enabled, never signed in, and in Domain Users."""
    usual: dict[str, Any] = {
        "objectSid": decode.sid_bytes(f"{DOMAIN_SID}-{rid}"),
        "sAMAccountName": name,
        "userAccountControl": "512",
        "accountExpires": "0",
        "whenCreated": "20260101000000.0Z",
        "msDS-UserPasswordExpiryTimeComputed": "134000000000000000",
        "pwdLastSet": "133900000000000000",
        "primaryGroupID": "513",
    }
    kept = {key: value for key, value in (usual | named(values)).items() if value is not None}
    return entry(f"CN={name},{unit},{BASE}", "top", "person", "organizationalPerson", "user", sd=sd, **kept)


def group(name: str, rid: int, *members: str, sd: bytes | None = OPEN, **values: Any) -> Entry:
    """A group with members by distinguished name."""
    more: dict[str, Any] = {"member": list(members)} if members else {}
    sid = decode.sid_bytes(f"{DOMAIN_SID}-{rid}")
    dn = f"CN={name},OU=Groups,{BASE}"
    asked = GROUPS
    return entry(dn, "top", "group", asked=asked, sd=sd, objectSid=sid, sAMAccountName=name, **(more | values))


def schema() -> list[Entry]:
    """The schema, with definitions of everything that is asked for; userAccountControl is in a property set."""
    found = [entry(SCHEMA, "top", "dMD", asked=attributes.SCHEMA)]
    for name in sorted({*GROUPS, *attributes.OBJECT, *attributes.CONFIGURATION, *attributes.CLASSES}):
        values: dict[str, Any] = {"lDAPDisplayName": name, "schemaIDGUID": guid(name), "searchFlags": "0"}
        if name == "userAccountControl":
            values["attributeSecurityGUID"] = guid("account restrictions")
        found.append(entry(f"CN={name},{SCHEMA}", "top", "classSchema", asked=attributes.SCHEMA, sd=None, **values))
    return found


def root(*token: str) -> Entry:
    """The server itself."""
    return entry(
        "",
        asked=attributes.ROOT,
        sd=None,
        currentTime=NOW,
        defaultNamingContext=BASE,
        schemaNamingContext=SCHEMA,
        configurationNamingContext=CONFIGURATION,
        tokenGroups=[decode.sid_bytes(sid) for sid in token or (OURS, "S-1-1-0", AUTHENTICATED)],
    )


def containers(sd: bytes = OPEN) -> list[Entry]:
    """The domain and its units."""
    head = entry(BASE, "top", "domain", "domainDNS", objectSid=decode.sid_bytes(DOMAIN_SID), sd=sd)
    units = ("People", "Groups", "Vendors")
    return [head, *(entry(f"OU={name},{BASE}", "top", "organizationalUnit", sd=sd) for name in units)]


def domain(sd: bytes | None = OPEN, **values: Any) -> Entry:
    """The domain itself, as the search for groups and settings gives it: 7 characters, 42 days, level 2016."""
    usual: dict[str, Any] = {
        "minPwdLength": "7",
        "pwdProperties": "1",
        "pwdHistoryLength": "24",
        "lockoutThreshold": "5",
        "maxPwdAge": "-36288000000000",
        "msDS-Behavior-Version": "7",
        "ms-DS-MachineAccountQuota": "10",
        "msDS-ExpirePasswordsOnSmartCardOnlyAccounts": "TRUE",
    }
    kept = {key: value for key, value in (usual | named(values)).items() if value is not None}
    return entry(BASE, "top", "domain", "domainDNS", asked=GROUPS, sd=sd, **kept)


def password_settings(name: str, sd: bytes | None = OPEN, **values: Any) -> Entry:
    """Fine-grained settings for passwords: 14 characters, locked after 3."""
    usual: dict[str, Any] = {
        "msDS-MinimumPasswordLength": "14",
        "msDS-PasswordComplexityEnabled": "FALSE",
        "msDS-PasswordHistoryLength": "12",
        "msDS-LockoutThreshold": "3",
        "msDS-MaximumPasswordAge": "-9223372036854775808",
    }
    dn = f"CN={name},CN=Password Settings Container,CN=System,{BASE}"
    return entry(dn, "top", "msDS-PasswordSettings", asked=GROUPS, sd=sd, **(usual | named(values)))


def configured(name: str, *classes: str, place: str = "", sd: bytes | None = OPEN, **values: Any) -> Entry:
    """One object of the configuration."""
    dn = f"CN={name},{place}{CONFIGURATION}"
    return entry(dn, "top", *classes, asked=attributes.CONFIGURATION, sd=sd, **values)


PARTITIONS = "CN=Partitions,"
SILOS = "CN=AuthN Silos,CN=AuthN Policy Configuration,CN=Services,"
POLICIES = "CN=AuthN Policies,CN=AuthN Policy Configuration,CN=Services,"


def partition(name: str, context: str, flags: str = "3") -> Entry:
    """A domain of the forest, by the distinguished name of its partition."""
    host = decode.dns_name(context)
    return configured(name, "crossRef", place=PARTITIONS, nCName=context, dnsRoot=host, systemFlags=flags)


def silo(name: str, *members: str, enforced: str | None = "TRUE") -> Entry:
    """An authentication silo that admits members by distinguished name."""
    values: dict[str, Any] = {"msDS-AuthNPolicySiloMembers": list(members)} if members else {}
    values |= {"msDS-AuthNPolicySiloEnforced": enforced} if enforced else {}
    return configured(name, "msDS-AuthNPolicySilo", place=SILOS, **values)


def configuration() -> list[Entry]:
    """A forest of one domain, with no silo."""
    return [
        configured("Partitions", "crossRefContainer", msDS_Behavior_Version="7"),
        partition("CORP", BASE),
        configured("AuthN Silos", "msDS-AuthNPolicySilos", place=SILOS.removeprefix("CN=AuthN Silos,")),
        configured("AuthN Policies", "msDS-AuthNPolicies", place=POLICIES.removeprefix("CN=AuthN Policies,")),
    ]


@dataclass
class RecordedPort:
    """A directory that gives what it holds and notes what it was asked."""

    groups: list[Entry]
    objects: list[Entry]
    definitions: list[Entry] = field(default_factory=schema)
    settings: list[Entry] = field(default_factory=lambda: [domain()])
    forest: list[Entry] = field(default_factory=configuration)
    itself: Entry = field(default_factory=root)
    fails_after: tuple[int, ReadError] | None = None
    ranges: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def root(self, wanted: tuple[str, ...]) -> Entry:
        self.asked.append(wanted)
        return self.itself

    def search(
        self, base: str, scope: Scope, query: str, attributes: tuple[str, ...], *, descriptors: bool = False
    ) -> Iterator[Entry]:
        self.asked.append(attributes)
        if ";range=" in attributes[0]:
            yield self._rest(base, attributes[0])
            return
        found = self.definitions if base == SCHEMA else None
        if decode.under(base, CONFIGURATION) and found is None:
            found = [one for one in self.forest if decode.under(one.dn, base)]
        if found is None:
            found = [*self.groups, *self.settings] if "group" in query else self.everything()
        for number, one in enumerate(found):
            if base == BASE and "group" not in query and self.fails_after and number == self.fails_after[0]:
                raise self.fails_after[1]
            yield one

    def everything(self) -> list[Entry]:
        return [*self.objects, *(Entry(one.dn, one.values, self.objects[0].asked) for one in self.groups)]

    def _rest(self, dn: str, asked: str) -> Entry:
        name, low = asked.removesuffix("-*").split(";range=")
        rest = self.ranges[dn][int(low) : int(low) + 2]
        last = int(low) + len(rest) >= len(self.ranges[dn])
        high = "*" if last else str(int(low) + len(rest) - 1)
        return Entry(dn, {f"{name};range={low}-{high}": rest}, frozenset({asked}))

    def certificate(self) -> str | None:
        return "ab" * 32

    def close(self) -> None:
        self.asked.append(("closed",))


def write(folder: Path, port: RecordedPort) -> None:
    """What the port holds, as an LDIF file."""
    content = ldif.written([port.itself, *port.definitions, *port.forest, *port.groups, *port.settings, *port.objects])
    (folder / "domain.ldif").write_bytes(content)


def denied() -> RecordedPort:
    """The same domain as an account sees it to which no DACL gives anything."""
    port = small()
    hidden = {"useraccountcontrol", "accountexpires", "memberof", "displayname"}
    port.objects = [
        Entry(
            one.dn,
            {k: v for k, v in one.values.items() if k not in hidden} | {"ntsecuritydescriptor": (descriptor(),)},
            one.asked,
        )
        for one in port.objects
    ]
    return port


def small(**changes: Any) -> RecordedPort:
    """Two units, an administrator by nesting, an ordinary user."""
    ann, ben = f"CN=ann,OU=People,{BASE}", f"CN=ben,OU=People,{BASE}"
    inner, outer = f"CN=inner,OU=Groups,{BASE}", f"CN=Domain Admins,OU=Groups,{BASE}"
    groups = [
        group("Domain Users", 513),
        group("Domain Admins", 512, inner),
        group("inner", 1201, ann, memberOf=outer),
        group("staff", 1202, ben),
    ]
    objects = [
        *containers(),
        user("ann", 1101, memberOf=inner, displayName="Ann"),
        user("ben", 1102, memberOf=f"CN=staff,OU=Groups,{BASE}", userAccountControl="66048"),
    ]
    return RecordedPort(groups, objects, **changes)
