"""Rules for passwords: those of the domain, fine-grained ones, and which of them really apply to an account."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from collectors.ad import decode
from collectors.ad.attributes import RULES
from collectors.ad.rights import Rights
from collectors.ad.view import Domain, Seen, View
from collectors.ports.directory import Entry
from scanner.facts import PasswordPolicy
from scanner.model import GapWhy

ValueT = TypeVar("ValueT")
NOT_REQUIRED = 0x20
NEVER_EXPIRES = 0x10000
_COMPLEX = 0x1
_LOCKS_ADMINISTRATOR = 0x8
_ADMINISTRATOR = 500
_SERVES = {name: f"PasswordPolicy.{name}" for name in RULES}
OF_DOMAIN = "domain"
"""Name of the policy of the domain itself."""


@dataclass(frozen=True)
class Rules:
    """One policy; None, and a loss, for each rule that is not shown."""

    numbers: dict[str, int | None]
    complexity: bool | None
    lost: tuple[tuple[str, GapWhy, str], ...]


@dataclass
class PasswordRules:
    """The policies of a domain as they are read."""

    domain: Domain
    _fine: dict[str, Rules] = field(default_factory=dict)
    _own: Rules | None = None
    _locks_administrator: bool | None = None

    def add(self, entry: Entry, rights: Rights) -> None:
        """Note the domain itself, or one fine-grained policy; the first record of each counts."""
        if decode.folded(entry.dn) == decode.folded(self.domain.base):
            self._own = self._own or self._rules(entry, rights)
        elif b"msDS-PasswordSettings" in entry.values.get("objectclass", ()):
            self._fine.setdefault(decode.folded(entry.dn), self._rules(entry, rights))

    def _rules(self, entry: Entry, rights: Rights) -> Rules:
        fine = int(decode.folded(entry.dn) != decode.folded(self.domain.base))
        view = View(entry, "", rights.of(entry))
        numbers = {}
        for rule in ("min_length", "remembered", "lockout_attempts", "max_age_days"):
            read = decode.days if rule == "max_age_days" else decode.number
            numbers[rule] = _given(view, RULES[rule][fine], view.one(RULES[rule][fine], read, _SERVES[rule]), rule)
        if fine:
            place = RULES["complexity"][1]
            complexity = _given(view, place, view.one(place, decode.boolean, _SERVES["complexity"]), "complexity")
        else:
            place = RULES["complexity"][0]
            flags = _given(view, place, view.one(place, decode.flags, _SERVES["complexity"]), "complexity")
            complexity = None if flags is None else bool(flags & _COMPLEX)
            self._locks_administrator = None if flags is None else bool(flags & _LOCKS_ADMINISTRATOR)
        lost = tuple((where, why, f"{entry.dn}: {detail}") for where, why, detail in view.lost)
        return Rules(numbers, complexity, lost)

    def of(self, view: View, sid: str, control: Seen[int]) -> PasswordPolicy:
        """What applies to one account: the fine-grained policy that wins, otherwise the domain's, less exemptions.

        msDS-ResultantPSO names the winner even to those who may not see it; the domain's own policy counts only where
        it is shown that there is no winner.
        """
        name, rules = self._winner(view)
        if rules is None:
            return PasswordPolicy(asset=view.asset, observed_at=self.domain.observed_at, name=name)
        view.lost.extend(rules.lost)
        numbers = dict(rules.numbers)
        for rule, mark in (("min_length", NOT_REQUIRED), ("max_age_days", NEVER_EXPIRES)):
            if control.value is None:
                view.lose(GapWhy.DENIED, "userAccountControl, which may exempt it, is not shown", (_SERVES[rule],))
                numbers[rule] = None
            elif control.value & mark:
                numbers[rule] = 0
        if sid == f"{self.domain.sid}-{_ADMINISTRATOR}" and not self._locks_administrator:
            # The built-in administrator is locked only where pwdProperties says so (DOMAIN_LOCKOUT_ADMINS).
            if self._locks_administrator is None:
                view.lose(GapWhy.DENIED, "pwdProperties of the domain is not shown", (_SERVES["lockout_attempts"],))
            numbers["lockout_attempts"] = None if self._locks_administrator is None else 0
        return PasswordPolicy(
            asset=view.asset,
            observed_at=self.domain.observed_at,
            name=name,
            complexity=rules.complexity,
            **numbers,
        )

    def _winner(self, view: View) -> tuple[str | None, Rules | None]:
        demands = tuple(_SERVES.values())
        winner = view.one("msDS-ResultantPSO", decode.text, "PasswordPolicy.name", *demands)
        if winner.value is not None:
            found = self._fine.get(decode.folded(winner.value))
            if found is None:
                view.lose(GapWhy.DENIED, f"{winner.value} applies, and what it demands is not shown", demands)
            return decode.own_name(winner.value), found
        if not winner.shown:
            return None, None
        if self._own is None:
            view.lose(GapWhy.DENIED, f"the policy of {self.domain.base} itself is not shown", demands)
        return OF_DOMAIN, self._own


def _given(view: View, attribute: str, seen: Seen[ValueT], rule: str) -> ValueT | None:
    """A rule always has a value, so that one that is absent though it may be read is not understood."""
    if seen.shown and seen.value is None:
        view.lose(GapWhy.UNSUPPORTED, f"{attribute} has no value", (_SERVES[rule],))
    return seen.value
