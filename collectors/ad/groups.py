"""Which groups an account is in, nested ones included: worked out here from member and memberOf of every group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from collectors.ad import decode
from collectors.ad.rights import Rights
from collectors.ad.view import View
from collectors.ports.directory import Entry

EVERYONE = ("S-1-1-0", "S-1-5-11", "S-1-5-15")
"""Principals that stand for every account that signed in; as members they stand under a name of their own."""
_BUILT_IN = ("S-1-5-32-544", "S-1-5-32-548", "S-1-5-32-549", "S-1-5-32-550", "S-1-5-32-551")
PROTECTED_USERS = 525
_RIDS = (512, 516, 518, 519, 520, 521, 526, 527)


def administrators(domain_sid: str) -> frozenset[str]:
    """SIDs of the built-in groups that can change systems, rights or security settings.

    Administrators, account, server, print and backup operators; domain, schema and enterprise administrators, domain
    controllers, creators of group policy, read-only domain controllers, key administrators.
    """
    return frozenset((*_BUILT_IN, *(f"{domain_sid}-{rid}" for rid in _RIDS)))


def marked(domain_sid: str) -> frozenset[str]:
    """SIDs of the groups whose members AdminSDHolder marks with adminCount: those above, and Replicator."""
    return administrators(domain_sid) | {"S-1-5-32-552"}


@dataclass
class Group:
    """One group or foreign principal: names in folded form; ``parents`` None where memberOf is not shown."""

    dn: str
    sid: str | None
    name: str | None
    parents: frozenset[str] | None
    members_shown: bool
    is_group: bool


@dataclass(frozen=True)
class Membership:
    """Groups of one account; ``whole`` only if nothing on the way was hidden, otherwise ``flaw`` says what was."""

    sids: frozenset[str]
    names: tuple[str, ...]
    whole: bool
    flaw: str


class GroupTable:
    """Every group that was shown, and who is in it."""

    def __init__(self, domain_sid: str) -> None:
        self.domain_sid = domain_sid
        self.referred: dict[str, str] = {}
        """Names that a group refers to, folded, and one place where."""
        self._groups: dict[str, Group] = {}
        self._by_sid: dict[str, str] = {}
        self._holders: dict[str, set[str]] = {}
        self._known: dict[frozenset[str], Membership] = {}
        self._hidden_members = ""

    def add(self, entry: Entry, rights: Rights) -> None:
        """Note one group or foreign principal; the first record of a name counts."""
        dn = decode.folded(entry.dn)
        if dn in self._groups:
            return
        view = View(entry, "", rights.of(entry))
        is_group = b"group" in entry.values.get("objectclass", ())
        members = view.values("member") if is_group else ()
        parents = view.values("memberOf")
        group = Group(
            dn=dn,
            sid=view.one("objectSid", decode.sid_text).value,
            name=view.one("sAMAccountName", decode.text).value,
            parents=None if parents is None else self._names(parents, entry.dn),
            members_shown=members is not None,
            is_group=is_group,
        )
        self._groups[dn] = group
        if group.sid is not None:
            self._by_sid[group.sid] = dn
        for member in self._names(members or (), entry.dn):
            self._holders.setdefault(member, set()).add(dn)
        if not group.members_shown and not self._hidden_members:
            self._hidden_members = entry.dn

    def __contains__(self, dn: str) -> bool:
        return decode.folded(dn) in self._groups

    def of(
        self, dn: str, member_of: tuple[bytes, ...] | None, primary: str | None, history: Iterable[str]
    ) -> Membership:
        """Groups of an account by its name, its memberOf (None: not shown), its primary group's SID, its old SIDs."""
        own = decode.folded(dn)
        direct = set(self._holders.get(own, ()))
        flaw = ""
        if member_of is None and self._hidden_members:
            flaw = f"neither memberOf nor the members of {self._hidden_members} are shown"
        direct |= self._names(member_of or (), dn)
        if primary is None:
            flaw = flaw or "primaryGroupID is not shown"
        elif primary in self._by_sid:
            direct.add(self._by_sid[primary])
        else:
            flaw = flaw or f"the primary group {primary} is not shown"
        old = frozenset(history)
        direct |= {self._by_sid[sid] for sid in (*old, *EVERYONE) if sid in self._by_sid}
        found = self._closure(frozenset(direct))
        return Membership(found.sids | old, found.names, found.whole and not flaw, flaw or found.flaw)

    def _closure(self, direct: frozenset[str]) -> Membership:
        known = self._known.get(direct)
        if known is not None:
            return known
        seen: set[str] = set()
        waiting = list(direct)
        flaw = ""
        sids, names = set(), set()
        while waiting:
            dn = waiting.pop()
            if dn in seen:
                continue
            seen.add(dn)
            group = self._groups.get(dn)
            if group is None:
                flaw = flaw or f"group {dn} is not shown"
                continue
            if group.is_group:
                if group.sid is None or group.name is None:
                    flaw = flaw or f"group {dn} does not show its name and SID"
                if group.name is not None:
                    names.add(group.name)
            if group.sid is not None:
                sids.add(group.sid)
            waiting.extend(self._holders.get(dn, ()))
            if group.parents is not None:
                waiting.extend(group.parents)
            elif self._hidden_members:
                flaw = flaw or f"neither memberOf of {dn} nor the members of {self._hidden_members} are shown"
        found = Membership(frozenset(sids), tuple(sorted(names)), not flaw, flaw)
        self._known[direct] = found
        return found

    def _names(self, values: Iterable[bytes], place: str) -> frozenset[str]:
        names = frozenset(decode.folded(value.decode("utf-8", "replace")) for value in values)
        for name in names:
            self.referred.setdefault(name, place)
        return names
