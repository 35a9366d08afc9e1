"""Settings of the domain that decide about many accounts at once, read before any account is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from collectors.ad import decode
from collectors.ad.attributes import CURRENT_LAPS, LEVEL, QUOTA, RENEWAL
from collectors.ad.logon import Traits
from collectors.ad.passwords import PasswordRules
from collectors.ad.rights import Rights
from collectors.ad.silos import ForestTable
from collectors.ad.view import Domain, View
from collectors.ports.directory import Entry
from scanner.facts import DirectoryDefence
from scanner.model import GapWhy

OF_RENEWAL = 7
"""Functional level, that of Windows Server 2016, from which secrets behind smart cards can be renewed."""
_KEY = "DirectoryDefence.ticket_key_changed_at"


@dataclass
class Settings:
    """What the domain itself, its password settings, the forest and the schema say."""

    domain: Domain
    rights: Rights
    forest: ForestTable
    promised: frozenset[str]
    passwords: PasswordRules = field(init=False)
    view: View = field(init=False)
    """The domain itself as a directory, and what of it was lost."""
    level: int | None = None
    renewed: bool | None = None
    ticket_key: datetime | None = None
    _quota: int | None = None
    _head_seen: bool = False
    _key_seen: bool = False
    _traits: dict[Traits, Traits] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with nothing seen."""
        self.passwords = PasswordRules(self.domain)
        self.view = View(Entry(self.domain.base), self.domain.key, self.rights.of(Entry("")))

    def add(self, entry: Entry) -> None:
        """Note the domain itself or one of its password settings; the first record of each counts."""
        self.passwords.add(entry, self.rights)
        if self._head_seen or decode.folded(entry.dn) != decode.folded(self.domain.base):
            return
        self._head_seen = True
        self.view = view = View(entry, self.domain.key, self.rights.of(entry))
        self.level = view.one(
            LEVEL, decode.number, "DirectoryDefence.functional_level", "DirectoryDefence.smart_card_secrets_renewed"
        ).value
        self._quota = view.one(QUOTA, decode.number, "DirectoryDefence.machine_quota").value
        renewed = view.one(RENEWAL, decode.boolean, "DirectoryDefence.smart_card_secrets_renewed")
        if self.level is not None and renewed.shown:
            self.renewed = bool(renewed.value) and self.level >= OF_RENEWAL

    def ticket_account(self, view: View) -> None:
        """Note the account whose password is the key of all tickets."""
        self._key_seen = True
        changed = view.one("pwdLastSet", decode.filetime, _KEY)
        self.ticket_key = changed.value
        self.view.lost.extend(lost for lost in view.lost if lost[0] == _KEY)

    def shared(self, traits: Traits) -> Traits:
        """The same traits, held once for all accounts that have them."""
        return self._traits.setdefault(traits, traits)

    def defence(self) -> DirectoryDefence:
        """The fact, once every object has been seen; what it lacks is noted in ``view``."""
        lacking = []
        if not self._head_seen:
            lacking += [
                (name, f"{self.domain.base} itself is not shown")
                for name in ("functional_level", "machine_quota", "smart_card_secrets_renewed")
            ]
        if self.ticket_key is None:
            said = "it does not say when" if self._key_seen else "it is not shown"
            lacking.append(("ticket_key_changed_at", f"krbtgt: {said}"))
        silos = self.forest.silos_enforced()
        if silos is None:
            lacking.append(("silos_enforced", "the silos of the forest are not all shown"))
        if self.forest.level is None:
            lacking.append(("forest_level", "the partitions of the forest are not shown"))
        laps = self._local_passwords()
        if laps is None:
            lacking.append(("local_passwords", "the schema shows no definition of msLAPS-PasswordExpirationTime"))
        for name, said in lacking:
            self.view.lose(GapWhy.DENIED, said, (f"DirectoryDefence.{name}",))
        return DirectoryDefence(
            asset=self.domain.key,
            observed_at=self.domain.observed_at,
            functional_level=self.level,
            forest_level=self.forest.level,
            machine_quota=self._quota,
            smart_card_secrets_renewed=self.renewed,
            ticket_key_changed_at=self.ticket_key,
            silos_enforced=silos,
            local_passwords=laps,
        )

    def _local_passwords(self) -> Literal["current"] | None:
        """A definition that is hidden cannot be told from one that is not there: only what is seen is said."""
        return "current" if self.rights.defines(CURRENT_LAPS) else None
