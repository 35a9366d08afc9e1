"""Authentication policies and silos of the forest, and what they do to an account."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from collectors.ad import decode
from collectors.ad.attributes import LEVEL
from collectors.ad.rights import Rights
from collectors.ad.view import View
from collectors.ports.directory import Entry
from scanner.model import GapWhy

OF_SILOS = 6
"""Functional level, that of Windows Server 2012 R2, below which neither silos nor Protected Users do all they say."""
Effect = Literal["none", "audited", "enforced"]
_SERVES = ("LogonRestriction.silo", "LogonRestriction.restriction")


@dataclass(frozen=True)
class _Rule:
    name: str
    enforced: bool | None
    members: frozenset[str] | None


@dataclass
class ForestTable:
    """What the configuration shows: domains of the forest, its level, policies and silos."""

    domains: dict[str, str] = field(default_factory=dict)
    """DNS names by the folded distinguished name of each domain."""
    domains_shown: bool = False
    """Whether the list of domains is whole."""
    level: int | None = None
    silos_shown: bool = False
    _rules: dict[str, _Rule] = field(default_factory=dict)
    _silos: set[str] = field(default_factory=set)
    _classless: bool = False
    """Something among policies and silos does not show what it is."""

    def add(self, entry: Entry, rights: Rights) -> None:
        """Note one object; the first record of a name counts."""
        classes = entry.values.get("objectclass", ())
        grant = rights.of(entry)
        view = View(entry, "", grant)
        dn = decode.folded(entry.dn)
        if not classes:
            self._hidden(dn)
        elif b"crossRefContainer" in classes:
            self.domains_shown = grant.lists
            self.level = view.one(LEVEL, decode.number).value
        elif b"msDS-AuthNPolicySilos" in classes:
            self.silos_shown = grant.lists
        elif b"crossRef" in classes:
            self._domain(view)
        elif b"msDS-AuthNPolicySilo" in classes and dn not in self._rules:
            members = view.values("msDS-AuthNPolicySiloMembers")
            names = None if members is None else frozenset(decode.folded(m.decode("utf-8", "replace")) for m in members)
            self._rules[dn] = _Rule(decode.own_name(entry.dn), _enforced(view, "msDS-AuthNPolicySiloEnforced"), names)
            self._silos.add(dn)
        elif b"msDS-AuthNPolicy" in classes and dn not in self._rules:
            self._rules[dn] = _Rule(decode.own_name(entry.dn), _enforced(view, "msDS-AuthNPolicyEnforced"), None)

    def silos_enforced(self) -> int | None:
        """How many silos are enforced; None where one may be hidden or does not say."""
        found = [self._rules[dn].enforced for dn in sorted(self._silos)]
        hidden = None in found or not self.silos_shown or self._classless
        return None if hidden else sum(map(bool, found))

    def _hidden(self, dn: str) -> None:
        """Note an object that does not show what it is: a domain among the partitions, else a policy or a silo."""
        if decode.parent(dn).startswith("cn=partitions,"):
            self.domains.setdefault(dn, f"(hidden) {dn}")
        elif dn.startswith("cn=partitions,"):
            self.domains_shown = False
        else:
            self._classless = True

    def has_others(self, dns: str) -> bool:
        """Whether the forest shows a domain besides this one."""
        return any(name != dns for name in self.domains.values())

    def _domain(self, view: View) -> None:
        flags = view.one("systemFlags", decode.flags).value
        name = view.one("nCName", decode.text).value
        host = view.one("dnsRoot", decode.text).value
        if flags is None or name is None:
            self.domains.setdefault(decode.folded(view.entry.dn), f"(hidden) {view.entry.dn}")
        elif flags & _OF_A_DOMAIN:
            self.domains.setdefault(decode.folded(name), (host or decode.dns_name(name)).lower())

    def effect(self, view: View, level: int | None) -> tuple[str | None, Effect | None]:
        """Silo or policy of an account, 'none' without one, and what it does (MS-KILE 3.3.5.4 and 3.3.5.5)."""
        silo = view.one("msDS-AssignedAuthNPolicySilo", decode.text, *_SERVES)
        policy = view.one("msDS-AssignedAuthNPolicy", decode.text, *_SERVES)
        if not silo.shown or not policy.shown:
            return None, None
        name: str | None = "none"
        for assigned in (silo.value, policy.value):
            if assigned is None:
                continue
            rule = self._rules.get(decode.folded(assigned))
            if rule is None:
                view.lose(GapWhy.DENIED, f"{assigned} is assigned and not shown", _SERVES[1:])
                return decode.own_name(assigned), None
            if assigned is silo.value:
                if rule.members is None:
                    view.lose(GapWhy.DENIED, f"the members of {assigned} are not shown", _SERVES[1:])
                    return rule.name, None
                if decode.folded(view.entry.dn) not in rule.members:
                    name = rule.name
                    continue
            return rule.name, self._does(view, rule, level)
        return name, "none"

    def _does(self, view: View, rule: _Rule, level: int | None) -> Effect | None:
        if level is None or rule.enforced is None:
            what = "the functional level of the domain" if level is None else f"whether {rule.name} is enforced"
            view.lose(GapWhy.DENIED, f"{what} is not shown", _SERVES[1:])
            return None
        if level < OF_SILOS:
            return "none"
        return "enforced" if rule.enforced else "audited"


_OF_A_DOMAIN = 0x2
"""Bit of systemFlags of a crossRef: its partition is a domain (MS-ADTS 6.1.1.2.1.1.5)."""


def _enforced(view: View, attribute: str) -> bool | None:
    """Not set means that it only audits."""
    seen = view.one(attribute, decode.boolean)
    return bool(seen.value) if seen.shown else None
