"""What our session may read, and who may change things: DACLs weighed once per distinct security descriptor."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from collectors.ad import attributes, decode, descriptor
from collectors.ad.descriptor import Ace, Descriptor
from collectors.ports.directory import Entry

LIST_CONTENTS = 0x00000004
WRITE_VALIDATED = 0x00000008
READ_PROPERTY = 0x00000010
WRITE_PROPERTY = 0x00000020
CONTROL_ACCESS = 0x00000100
WRITE_DAC = 0x00040000
WRITE_OWNER = 0x00080000
GENERIC_ALL = 0x10000000
GENERIC_WRITE = 0x40000000
GENERIC_READ = 0x80000000
CONFIDENTIAL = 128
"""Bit of searchFlags: reading takes the control access right as well."""

SELF = decode.sid_bytes("S-1-5-10")
CREATOR_OWNER = decode.sid_bytes("S-1-3-0")
OWNER_RIGHTS = decode.sid_bytes("S-1-3-4")
POWERFUL = frozenset(
    uuid.UUID(name).bytes_le
    for name in (
        "00299570-246d-11d0-a768-00aa006e0529",  # reset a password
        "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2",  # replicate the directory
        "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2",  # replicate its secrets
        "89e95b76-444d-4c62-991a-0facbeda640c",  # replicate a filtered set
        "bf9679c0-0de6-11d0-a285-00aa003049e2",  # member
        "bc0ac240-79a9-11d0-9020-00c04fc2d4cf",  # property set of membership
        "bf967a68-0de6-11d0-a285-00aa003049e2",  # userAccountControl
        "4c164200-20c0-11d0-a768-00aa006e0529",  # property set of account restrictions
        "f3a64788-5306-11d1-a9c5-0000f80367c1",  # servicePrincipalName
        "00fbf30c-91fe-11d1-aebc-0000f80367c1",  # altSecurityIdentities
        "e48d0154-bcf8-11d1-8702-00c04fb96050",  # property set of public information, which holds both
        "5b47d60f-6090-40b2-9f37-2a4de88f3063",  # msDS-KeyCredentialLink
        "3f78c3e5-f79a-46bd-a0b8-9d18116ddc79",  # msDS-AllowedToActOnBehalfOfOtherIdentity
        "f30e3bbe-9ff0-11d1-b603-0000f80367c1",  # gPLink
        "bf9679a8-0de6-11d0-a285-00aa003049e2",  # scriptPath
    )
)
"""Extended rights and properties (MS-ADA, MS-ADTS) that give power over other accounts, hosts or rights."""


@dataclass(frozen=True)
class Definition:
    """What the schema says of an attribute or class: the GUIDs that an entry of a DACL may name it by."""

    guids: frozenset[bytes]
    confidential: bool = False


@dataclass(frozen=True)
class Schema:
    """Definitions by name in lower case, and the classes below which accounts, groups and trusts may stand.

    ``head`` is the schema itself: who may list it knows that what it does not define exists nowhere.
    """

    definitions: Mapping[str, Definition] = field(default_factory=dict)
    holders: frozenset[str] = frozenset()
    head: Entry | None = None


@dataclass(frozen=True)
class Grant:
    """What one descriptor lets our session do: readable attributes in lower case, and whether it may list."""

    readable: frozenset[str] = frozenset()
    lists: bool = False


class Rights:
    """The rights of one session, from its token and the schema."""

    def __init__(self, token: frozenset[bytes], schema: Schema) -> None:
        self._token = token
        self._schema = schema
        self._grants: dict[tuple[bytes, str, bool], Grant] = {}
        self._names = tuple(sorted({name.lower() for name in attributes.DECLARED}))
        self._undefined: frozenset[str] = frozenset()
        self.powerful: set[bytes] = set()
        """SIDs to which some descriptor seen gives power; owners included, for they may change the DACL."""
        if schema.head is not None and schema.definitions and self.of(schema.head).lists:
            later = frozenset(name.lower() for name in attributes.LATER)
            self._undefined = later - frozenset(schema.definitions)
            self._grants.clear()

    def defines(self, attribute: str) -> bool | None:
        """Whether the schema has room for an attribute; None where it has not been shown whole."""
        if attribute.lower() in self._schema.definitions:
            return True
        return False if attribute.lower() in self._undefined else None

    def of(self, entry: Entry) -> Grant:
        """What may be read of an entry; nothing where its descriptor was not given or cannot be understood."""
        raw = entry.first("ntsecuritydescriptor")
        if raw is None:
            return Grant()
        classes = entry.values.get("objectclass", ())
        kind = classes[-1].decode("ascii", "replace").lower() if classes else ""
        key = (raw, kind, entry.first("objectsid") in self._token)
        if key not in self._grants:
            self._grants[key] = self._weigh(raw, kind, key[2])
        return self._grants[key]

    def _weigh(self, raw: bytes, kind: str, ourselves: bool) -> Grant:
        try:
            parsed = descriptor.parse(raw)
        except ValueError:
            return Grant()
        self.powerful |= set(_powerful(parsed))
        token = self._token | ({SELF} if ourselves else set())
        if parsed.owner in token:
            token |= {OWNER_RIGHTS}
        definition = self._schema.definitions.get(kind)
        of_class = definition.guids if definition else frozenset()
        readable = set(self._undefined)
        for name in self._names:
            wanted = self._schema.definitions.get(name)
            if wanted is None:
                continue
            guids = wanted.guids | of_class
            if allowed(parsed, token, READ_PROPERTY, guids, strict=definition is None) and (
                not wanted.confidential or allowed(parsed, token, CONTROL_ACCESS, guids, strict=definition is None)
            ):
                readable.add(name)
        lists = allowed(parsed, token, LIST_CONTENTS, of_class, strict=definition is None)
        return Grant(frozenset(readable), lists)


def allowed(
    parsed: Descriptor, token: frozenset[bytes], right: int, guids: frozenset[bytes], *, strict: bool = False
) -> bool:
    """Whether the DACL gives one right to a token; the first entry that speaks of it decides (MS-DTYP 2.5.3.2).

    ``guids`` name what is to be read: the attribute, its property set, the class of the object. ``strict``, where the
    schema does not explain the class: a denial that names anything at all is taken to mean it.
    """
    if parsed.dacl is None:
        return True
    for ace in parsed.dacl:
        if ace.inherit_only or ace.sid not in token:
            continue
        if ace.guid is not None and ace.guid not in guids and not (strict and ace.deny):
            continue
        if _mask(ace) & right:
            return not ace.deny
    return False


def _mask(ace: Ace) -> int:
    mask = ace.mask
    if mask & GENERIC_ALL:
        mask |= 0x000F01FF
    if mask & GENERIC_READ:
        mask |= LIST_CONTENTS | READ_PROPERTY
    if mask & GENERIC_WRITE:
        mask |= WRITE_VALIDATED | WRITE_PROPERTY
    return mask


def _powerful(parsed: Descriptor) -> set[bytes]:
    found = {parsed.owner} if parsed.owner is not None else set()
    if parsed.dacl is None:
        found.add(decode.sid_bytes("S-1-1-0"))
    for ace in parsed.dacl or ():
        if ace.deny or ace.sid in {SELF, CREATOR_OWNER}:
            continue
        mask = _mask(ace)
        scoped = mask & (WRITE_PROPERTY | WRITE_VALIDATED | CONTROL_ACCESS)
        if mask & (WRITE_DAC | WRITE_OWNER) or (scoped and (ace.guid is None or ace.guid in POWERFUL)):
            found.add(ace.sid)
    return found


def schema_of(entries: list[Entry]) -> Schema:
    """The definitions in what the schema was asked for; an entry that lacks its name or GUID defines nothing."""
    definitions = {}
    head = None
    holders = {"organizationalunit", "container", "builtindomain", "domaindns", "lostandfound"}
    for entry in entries:
        if b"dMD" in entry.values.get("objectclass", ()):
            head = entry
        name, guid = entry.first("ldapdisplayname"), entry.first("schemaidguid")
        if name is None or guid is None or len(guid) != 16:
            continue
        group = entry.first("attributesecurityguid")
        try:
            flags = decode.flags(entry.first("searchflags") or b"0")
        except ValueError:
            continue
        definitions[name.decode("ascii", "replace").lower()] = Definition(
            frozenset({guid, group} if group else {guid}), bool(flags & CONFIDENTIAL)
        )
        for attribute in ("possuperiors", "systempossuperiors"):
            holders |= {value.decode("ascii", "replace").lower() for value in entry.values.get(attribute, ())}
    return Schema(definitions, frozenset(holders), head)
