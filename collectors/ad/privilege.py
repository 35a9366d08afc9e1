"""What is known of an account only at the end: its privilege, and what rests on groups being seen whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from collectors.ad import logon
from collectors.ad.groups import PROTECTED_USERS, administrators, marked
from collectors.ad.settings import Settings
from collectors.ad.users import Account
from collectors.ad.view import View
from scanner.facts import Privilege
from scanner.model import Fact, GapWhy

_PRIVILEGE = ("Privilege.privileged", "Privilege.standing")
_RESIDUAL = ("Privilege.residual",)


@dataclass(frozen=True)
class Weighing:
    """What the whole reading showed: who holds rights over others, and where something may be hidden."""

    settings: Settings
    powerful: frozenset[str]
    """SIDs to which rights over other objects are delegated."""
    forest_has_others: bool
    """Other domains of the forest hold groups that are not read here."""
    hidden: str
    """A place where something may be hidden; empty where there is none."""

    def facts(self, account: Account, view: View) -> Iterator[Fact]:
        """Facts of one account; what they lack is noted in ``view``."""
        domain = self.settings.domain
        privileged = self._privileged(account, view)
        yield Privilege(
            asset=account.asset,
            observed_at=domain.observed_at,
            privileged=privileged,
            standing=privileged,  # the time that a membership has left to live is not asked for
            residual=self._residual(account, privileged, view),
        )
        if not self.settings.promised & {"LogonRestriction", "SignIn", "Authenticators"}:
            return
        protected = self._protected(account, view)
        level, renewed = self.settings.level, self.settings.renewed
        shielded = logon.shields(protected, level)
        if shielded is None:
            served = ("LogonRestriction.may_be_delegated", "SignIn.legacy_protocols")
            view.lose(GapWhy.DENIED, "membership in Protected Users, or the functional level, is not shown", served)
        if account.traits.smart_card and renewed is None:
            view.lose(GapWhy.DENIED, "whether secrets behind smart cards are renewed is not shown", ("SignIn.mfa",))
        yield logon.restriction(account.asset, domain.observed_at, account.traits, protected, level)
        yield logon.sign_in(account.asset, domain.observed_at, account.traits, shielded, renewed)
        yield logon.authenticators(account.asset, domain.observed_at, account.traits)

    def _privileged(self, account: Account, view: View) -> bool | None:
        """adminCount does not count: it stays on those who have long left. False takes proof, true takes one group."""
        groups = account.membership
        if groups.sids & administrators(self.settings.domain.sid):
            return True
        held = sorted((groups.sids | {account.sid}) & self.powerful)
        if held:
            said = f"rights over other objects are delegated to {held[0]}; what they amount to is not weighed"
            view.lose(GapWhy.UNSUPPORTED, said, _PRIVILEGE)
            return None
        if self.forest_has_others:
            view.lose(GapWhy.UNSUPPORTED, "groups of other domains of the forest are not read", _PRIVILEGE)
            return None
        if self.hidden:
            said = f"groups or rights may stand where nothing is shown: {self.hidden}"
            view.lose(GapWhy.DENIED, said, _PRIVILEGE)
            return None
        return False if groups.whole else None

    def _residual(self, account: Account, privileged: bool | None, view: View) -> bool | None:
        """A mark counts as left behind only on an account that is in none of the groups that are marked."""
        if not account.marked:
            return account.marked
        if account.membership.sids & marked(self.settings.domain.sid):
            return False
        if account.sid == f"{self.settings.domain.sid}-502":  # krbtgt is marked by its own name
            return False
        if privileged is None:
            view.lose(GapWhy.UNSUPPORTED, "it is marked by adminCount, and its privilege is not known", _RESIDUAL)
        return None if privileged is None else not privileged

    def _protected(self, account: Account, view: View) -> bool | None:
        if f"{self.settings.domain.sid}-{PROTECTED_USERS}" in account.membership.sids:
            return True
        if self.hidden:
            said = f"groups may stand where nothing is shown: {self.hidden}"
            view.lose(GapWhy.DENIED, said, ("LogonRestriction.protected",))
            return None
        return False if account.membership.whole else None
