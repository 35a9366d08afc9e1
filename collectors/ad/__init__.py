"""Collector ``ad``: domains of Active Directory over LDAP, or the LDIF of an earlier reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from collectors.ad import attributes
from collectors.ad.forest import ForestReading, places
from collectors.ad.reading import FACTS
from collectors.ports.directory import Address, DirectoryPort
from scanner.errors import Unreachable
from scanner.model import (
    Access,
    Permission,
    PlannedCall,
    Record,
    Target,
    narrowed,
    promised_facts,
)

_NAMES = tuple(sorted(FACTS))
_OF_DOMAIN = tuple(name for name in attributes.of_groups(attributes.SETTINGS) if name not in attributes.GROUP)
_ENTRANCE = frozenset(
    {
        "Authenticators",
        "SignIn.mfa",
        "SignIn.excluded",
        "SignIn.policy",
        "SignIn.legacy_protocols",
        "SignIn.conditions",
        "SignIn.trusted_network_bypass",
        "SignIn.revocation",
    }
)
_IN_PART = frozenset({"Directory.name", "Privilege.privileged", "Privilege.standing", "Privilege.residual"})
PROMISED = (FACTS - {"Directory", "Privilege"} - promised_facts(_ENTRANCE)) | _IN_PART
"""What a domain speaks of; other fields of these two are left to other sources, and how one signs in to the ways in."""


def connect(access: Access) -> DirectoryPort:
    """A session with a live directory; raises ReadError."""
    from collectors.ports import ldap  # ldap3 costs every command some megabytes, and most never speak LDAP

    return ldap.connect(access)


class AdCollector:
    """Reads users, computers, groups, trusts and settings of a domain or more; secrets are never asked for.

    Absence counts only where the right to read is shown: the DACL of the object is weighed against the token of our own
    session. Options: those of ``collectors.ports.ldap.connect``; ``external_units``, ``service_units``,
    ``person_units``, ``shared_units`` and ``break_glass_units``, each a list of distinguished names under which
    accounts belong to others, to services, to persons, to several persons, to emergencies; ``entrance``, true where
    people sign in at the directory itself and nothing in front of it asks for more; ``domains``, addresses of
    controllers of further domains of the forest, read with the same credential; ``read_elsewhere``, DNS names of
    domains that other targets read. A domain of the forest that is in neither leaves the listings open.
    """

    name = "ad"
    version = "1"
    never_ask = attributes.NEVER_ASK
    permissions: tuple[Permission, ...] = (
        Permission(
            name="sign in as an ordinary account of the domain, over LDAPS or StartTLS",
            why="nothing is shown to an anonymous session",
            facts=_NAMES,
        ),
        Permission(
            name="List Contents on every unit and container, Read Permissions on every object",
            why="what may not be listed is left out without a word, and only the DACL shows what may be read",
            facts=_NAMES,
        ),
        Permission(
            name="Read Property on " + ", ".join(attributes.OBJECT),
            why="an attribute that may not be read is left out without a word",
            facts=_NAMES,
        ),
        Permission(
            name="Read Property on member of every group",
            why="nested groups are worked out from both ends of a membership",
            facts=("Placement", "Privilege", "LogonRestriction"),
        ),
        Permission(
            name="Read Property on the domain itself: " + ", ".join(_OF_DOMAIN),
            why="what the domain demands of passwords, and which defences it has switched on, stands there",
            facts=("PasswordPolicy", "LogonRestriction", "SignIn", "DirectoryDefence"),
        ),
        Permission(
            name="List Contents on the Password Settings Container, Read Property on what stands in it",
            why="an ordinary account sees which settings win and not what they demand, which then stays unknown",
            facts=("PasswordPolicy",),
        ),
        Permission(
            name="List Contents and Read Property on Partitions and AuthN Policy Configuration of the configuration",
            why="the domains of the forest, its authentication policies and silos stand there",
            facts=("DirectoryDefence", "LogonRestriction"),
        ),
        Permission(
            name="List Contents on the schema, Read Property on the definitions in it",
            why="an entry of a DACL names attributes by GUIDs that only the schema explains, and what the whole schema "
            "lacks no object has",
            facts=_NAMES,
        ),
    )

    def __init__(self, open_port: Callable[[Access], DirectoryPort] = connect) -> None:
        self._open = open_port

    def promises(self, target: Target) -> frozenset[str]:
        """What a domain can yield, or the target's own shorter list; with ``entrance`` also how one signs in."""
        return narrowed(PROMISED | _ENTRANCE if target.options.get("entrance") is True else PROMISED, target)

    def plan(self, target: Target) -> Iterator[PlannedCall]:
        """One login and six searches a domain, each with the attributes that the promised facts take."""
        if target.captures is not None:
            yield PlannedCall(host="localhost", login="-", call=f"read *.ldif in {target.captures}")
            return
        promised = promised_facts(self.promises(target))
        for place in places(target):
            yield from self._planned(place, promised)

    def _planned(self, target: Target, promised: frozenset[str]) -> Iterator[PlannedCall]:
        try:
            address = Address.parse(target.address)
        except Unreachable as error:
            yield PlannedCall(host=target.address or "(no address)", login="-", call=str(error))
            return
        host, login = f"{address.host}:{address.port}", target.credential or "-"
        way = "LDAPS" if address.at_once else "StartTLS"
        yield PlannedCall(host=host, login=login, call=f"one {target.options.get('bind', 'simple')} bind over {way}")
        for what, asked in (
            ("the server itself (rootDSE)", attributes.ROOT),
            ("schema: definitions of these attributes and classes", attributes.SCHEMA),
            ("configuration: domains of the forest", attributes.CONFIGURATION),
            ("configuration: authentication policies and silos", attributes.CONFIGURATION),
            ("groups, foreign principals and settings for passwords", attributes.of_groups(promised)),
            ("every object of the domain", attributes.of_objects(promised)),
        ):
            yield PlannedCall(host=host, login=login, call=f"search {what}: {', '.join(asked)}")

    def read(self, access: Access) -> Iterator[Record]:
        """Facts and gaps as the pages come, then a census of each listing, complete only if nothing was hidden."""
        yield from ForestReading(access, self._open, self.promises(access.target)).records()


COLLECTOR = AdCollector()
