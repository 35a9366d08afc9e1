"""The domain itself and its trusts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from collectors.ad import decode
from collectors.ad.rights import Rights
from collectors.ad.view import Domain, View
from collectors.ports.directory import Entry
from scanner.facts import Directory, Trusts
from scanner.facts.identity import Trust
from scanner.model import Gap, GapWhy

OUTBOUND = 0x2
SID_FILTERING = 0x4
FOREST_TRANSITIVE = 0x8
SELECTIVE = 0x10
WITHIN_FOREST = 0x20
TREAT_AS_EXTERNAL = 0x40


@dataclass
class TrustList:
    """The trusts of a domain as they are read (MS-ADTS 6.1.6.7.9 and .12)."""

    domain: Domain
    trusts: list[Trust] = field(default_factory=list)
    forest_has_others: bool = False
    """A trust lies within the forest, or may: it has domains that this reading does not see."""
    within_forest: bool = False
    """A trust says that it lies within the forest."""
    gaps: list[Gap] = field(default_factory=list)

    def add(self, entry: Entry, rights: Rights) -> None:
        """Note one trusted domain."""
        view = View(entry, self.domain.key, rights.of(entry))
        direction = view.one("trustDirection", decode.number, "Trusts.trusts")
        flags = view.one("trustAttributes", decode.flags, "Trusts.trusts")
        partner = view.one("trustPartner", decode.text, "Trusts.trusts").value
        kind = flags.value or 0 if flags.shown else None
        if kind is None or kind & WITHIN_FOREST:
            self.forest_has_others = True
        self.within_forest = self.within_forest or bool(kind and kind & WITHIN_FOREST)
        self.trusts.append(
            Trust(
                partner=partner,
                inbound_users=None if direction.value is None else bool(direction.value & OUTBOUND),
                sid_filtering=None if kind is None else _filtered(kind),
                selective_authentication=None if kind is None else bool(kind & SELECTIVE),
            )
        )
        for place, why, detail in dict.fromkeys(view.lost):
            fact, _, name = place.partition(".")
            self.gaps.append(Gap(fact=fact, why=why, detail=f"{entry.dn}: {detail}", asset=self.domain.key, field=name))

    def facts(self, holes: Iterable[str]) -> list[Directory | Trusts | Gap]:
        """The domain, its trusts (unless some may be hidden), and what neither can say."""
        key, at = self.domain.key, self.domain.observed_at
        hidden = next(iter(holes), None)
        found: list[Directory | Trusts | Gap] = [
            Directory(asset=key, observed_at=at, name=self.domain.dns),
            Trusts(
                asset=key,
                observed_at=at,
                trusts=None if hidden else sorted(self.trusts, key=lambda trust: trust.partner or ""),
            ),
            *self.gaps,
        ]
        if hidden:
            detail = f"a trust may stand where nothing is shown: {hidden}"
            found.append(Gap(fact="Trusts", why=GapWhy.DENIED, detail=detail, asset=key, field="trusts"))
        for name in ("ldap_signing", "channel_binding"):
            detail = "it stands in the registry of each domain controller, not in the directory"
            found.append(Gap(fact="Directory", why=GapWhy.UNSUPPORTED, detail=detail, asset=key, field=name))
        return found


def _filtered(flags: int) -> bool:
    """A forest trust filters foreign SIDs unless it is treated as external; any other only where it is marked."""
    return bool(flags & SID_FILTERING or (flags & FOREST_TRANSITIVE and not flags & TREAT_AS_EXTERNAL))
