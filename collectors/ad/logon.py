"""How an account may prove itself: smart card, delegation, pre-authentication, encryption, silos, Protected Users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from collectors.ad import decode
from collectors.ad.silos import OF_SILOS, Effect, ForestTable
from collectors.ad.view import Seen, View
from scanner.facts import Authenticators, LogonRestriction, SignIn
from scanner.facts.identity import Authenticator, AuthenticatorKind

OF_CONTROL = tuple(
    f"LogonRestriction.{name}"
    for name in ("smart_card_required", "preauthentication", "delegation", "may_be_delegated", "weak_encryption")
)
"""What userAccountControl decides here."""
SMART_CARD = 0x40000
UNCONSTRAINED = 0x80000
NOT_DELEGATED = 0x100000
DES_ONLY = 0x200000
NO_PREAUTHENTICATION = 0x400000
PROTOCOL_TRANSITION = 0x1000000
_WEAK = 0x7
"""Bits of msDS-SupportedEncryptionTypes: two kinds of DES, and RC4 (MS-KILE 2.2.7)."""
Delegation = Literal["none", "constrained", "protocol_transition", "unconstrained"]


@dataclass(frozen=True)
class Traits:
    """What an account says of itself; accounts alike share one."""

    smart_card: bool | None
    keys: int | None
    preauthentication: bool | None
    delegation: Delegation | None
    not_delegated: bool | None
    silo: str | None
    restriction: Effect | None
    weak: bool | None
    names: int | None


def traits(view: View, control: Seen[int], forest: ForestTable, level: int | None) -> Traits:
    """Everything but membership in Protected Users, which is known only when all groups are."""
    flags = control.value
    silo, restriction = forest.effect(view, level)
    return Traits(
        smart_card=None if flags is None else bool(flags & SMART_CARD),
        keys=view.count("msDS-KeyCredentialLink", "LogonRestriction.key_credentials", "Authenticators.methods"),
        preauthentication=None if flags is None else not flags & NO_PREAUTHENTICATION,
        delegation=delegation(view, flags, "LogonRestriction.delegation"),
        not_delegated=None if flags is None else bool(flags & NOT_DELEGATED),
        silo=silo,
        restriction=restriction,
        weak=_weak(view, flags),
        names=view.count("servicePrincipalName", "LogonRestriction.service_names"),
    )


def delegation(view: View, flags: int | None, *serves: str) -> Delegation | None:
    """In whose name an account may act.

    That others may act towards it in anybody's name (msDS-AllowedToActOnBehalfOfOtherIdentity) counts as constrained:
    the grant stands at the service, and is seen there.
    """
    if flags is None:
        return None
    if flags & (UNCONSTRAINED | PROTOCOL_TRANSITION):
        return "unconstrained" if flags & UNCONSTRAINED else "protocol_transition"
    towards = view.values("msDS-AllowedToDelegateTo", *serves)
    if towards:
        return "constrained"
    from_others = view.values("msDS-AllowedToActOnBehalfOfOtherIdentity", *serves)
    if from_others:
        return "constrained"
    return None if towards is None or from_others is None else "none"


def _weak(view: View, flags: int | None) -> bool | None:
    """By name only: what a controller takes where nothing is said is a setting of the controller."""
    if flags is not None and flags & DES_ONLY:
        return True
    kinds = view.one("msDS-SupportedEncryptionTypes", decode.flags, "LogonRestriction.weak_encryption")
    if kinds.value is not None and kinds.value & _WEAK:
        return True
    return None if flags is None or not kinds.shown else False


def restriction(
    asset: str, at: datetime, account: Traits, protected: bool | None, level: int | None
) -> LogonRestriction:
    """The fact of one account."""
    shielded = shields(protected, level)
    return LogonRestriction(
        asset=asset,
        observed_at=at,
        smart_card_required=account.smart_card,
        key_credentials=account.keys,
        preauthentication=account.preauthentication,
        protected=protected,
        delegation=account.delegation,
        may_be_delegated=_may_be_delegated(account.not_delegated, shielded),
        silo=account.silo,
        restriction=account.restriction,
        weak_encryption=account.weak,
        service_names=account.names,
    )


def shields(protected: bool | None, level: int | None) -> bool | None:
    """Whether the controllers hold weak protocols and delegation off: of Protected Users, from 2012 R2 on."""
    if protected is False or (level is not None and level < OF_SILOS):
        return False
    return None if level is None else protected


def _may_be_delegated(not_delegated: bool | None, shielded: bool | None) -> bool | None:
    if not_delegated or shielded:
        return False
    return None if not_delegated is None or shielded is None else True


def sign_in(asset: str, at: datetime, account: Traits, shielded: bool | None, renewed: bool | None) -> SignIn:
    """What the directory itself asks for, where it is the way in.

    A smart card that is demanded while the secret behind it stays the same keeps nobody out who has that secret. How
    long a ticket stands for a passed factor is a setting of group policies, which are not read.
    """
    asks = account.smart_card if not account.smart_card else renewed
    return SignIn(
        asset=asset,
        observed_at=at,
        mfa=None if asks is None else "enforced" if asks else "not_required",
        excluded=False,
        policy=None if account.smart_card is None else "smart card" if account.smart_card else "password",
        legacy_protocols=None if shielded is None else "blocked" if shielded else "allowed",
        conditions=[],
        trusted_network_bypass=False,
        revocation="at_expiry",
    )


def authenticators(asset: str, at: datetime, account: Traits) -> Authenticators:
    """Every way in; a list that may lack one is no list."""
    methods = None
    if account.smart_card is not None and account.keys is not None:
        ways: list[tuple[AuthenticatorKind, bool]] = [("password", not account.smart_card)]
        ways += [("platform_bound", True)] if account.keys else []
        ways += [("smart_card", True)] if account.smart_card else []
        methods = [Authenticator(method=method, usable=usable) for method, usable in ways]
    return Authenticators(asset=asset, observed_at=at, methods=methods)
