"""Accounts of class user: who may sign in, since when not, until when, with what password, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from collectors.ad import decode, logon
from collectors.ad.groups import GroupTable, Membership
from collectors.ad.logon import Traits
from collectors.ad.passwords import NEVER_EXPIRES, NOT_REQUIRED
from collectors.ad.settings import Settings
from collectors.ad.view import Domain, Seen, View
from scanner.facts import AccountExpiry, Activity, Credentials, Placement, User
from scanner.model import Fact, GapWhy

DISABLED = 0x2
TRUST_ACCOUNT = 0x800
_OF_CONTROL = (
    "User.enabled",
    "Credentials.password",
    "Credentials.password_required",
    "SignIn.mfa",
    "Authenticators.methods",
    *logon.OF_CONTROL,
)
_MANAGED = {b"msDS-ManagedServiceAccount", b"msDS-GroupManagedServiceAccount"}
_KRBTGT = 502
_OF_GROUPS = ("Privilege.privileged", "Privilege.standing", "LogonRestriction.protected")


@dataclass(frozen=True, slots=True)
class Account:
    """What is kept of an account until every descriptor has been weighed."""

    asset: str
    sid: str
    membership: Membership
    marked: bool | None
    """adminCount is set."""
    traits: Traits


def facts(view: View, domain: Domain, sid: str, table: GroupTable, settings: Settings) -> Iterator[Fact | Account]:
    """The facts of one account, each with every field that is shown; last what its privilege is worked out from."""
    at = domain.observed_at
    control = view.one("userAccountControl", decode.flags, *_OF_CONTROL)
    expiry = view.one("accountExpires", decode.filetime, "AccountExpiry.expires", "AccountExpiry.expires_at")
    yield User(
        asset=view.asset,
        observed_at=at,
        enabled=_enabled(view, control, expiry, domain),
        category=_category(view, sid, control, domain),
        external=_external(view, domain),
        display_name=view.one("displayName", decode.text, "User.display_name").value,
        login=view.one("sAMAccountName", decode.text, "User.login").value,
    )
    yield activity(view, domain)
    yield AccountExpiry(
        asset=view.asset,
        observed_at=at,
        expires=None if not expiry.shown else "never" if expiry.value is None else "on_date",
        expires_at=expiry.value,
    )
    yield Credentials(
        asset=view.asset,
        observed_at=at,
        password=_password(view, control),
        access_keys=0,
        password_required=None if control.value is None else not control.value & NOT_REQUIRED,
        password_managed=_managed(view),
        password_changed_at=_changed(view),
    )
    if "PasswordPolicy" in settings.promised:
        yield settings.passwords.of(view, sid, control)
    membership = membership_of(view, domain, table, "Placement.groups", *_OF_GROUPS)
    yield placed(view, domain, membership, host_name="none")
    marks = view.one("adminCount", decode.number, "Privilege.residual")
    yield Account(
        view.asset,
        sid,
        membership,
        bool(marks.value) if marks.shown else None,
        settings.shared(logon.traits(view, control, settings.forest, settings.level)),
    )


def _enabled(view: View, control: Seen[int], expiry: Seen[datetime | None], domain: Domain) -> bool | None:
    """Not disabled and not past its end; a lock that opens by itself is not looked at."""
    if control.value is None:
        return None
    if control.value & DISABLED:
        return False
    if not expiry.shown:
        view.lose(GapWhy.DENIED, "accountExpires is not shown: the account may have ended", ("User.enabled",))
        return None
    return expiry.value is None or expiry.value > domain.observed_at


def _managed(view: View) -> bool:
    return bool(_MANAGED & set(view.entry.values.get("objectclass", ())))


def _changed(view: View) -> datetime | None:
    """When the password was set; 0 stands for "to be changed at the next sign-in", which hides the time."""
    place = "Credentials.password_changed_at"
    changed = view.one("pwdLastSet", decode.filetime, place)
    if changed.shown and changed.value is None:
        said = "pwdLastSet is 0: no password was set, or it is to be changed at the next sign-in"
        view.lose(GapWhy.UNSUPPORTED, said, (place,))
    return changed.value


def _category(
    view: View, sid: str, control: Seen[int], domain: Domain
) -> Literal["person", "service", "shared", "break_glass"] | None:
    if any(decode.under(view.entry.dn, unit) for unit in domain.break_glass_units):
        return "break_glass"
    if any(decode.under(view.entry.dn, unit) for unit in domain.shared_units):
        return "shared"
    if _managed(view) or sid == f"{domain.sid}-{_KRBTGT}":
        return "service"
    if control.value is not None and control.value & TRUST_ACCOUNT:
        return "service"
    if any(decode.under(view.entry.dn, unit) for unit in domain.service_units):
        return "service"
    if any(decode.under(view.entry.dn, unit) for unit in domain.person_units):
        return "person"
    return None


def _external(view: View, domain: Domain) -> bool | None:
    if domain.external_units is None:
        return None
    return any(decode.under(view.entry.dn, unit) for unit in domain.external_units)


def activity(view: View, domain: Domain, fact: str = "Activity") -> Activity:
    """``lastLogonTimestamp`` is replicated and up to 14 days behind: the true last sign-in is not earlier."""
    names = ("ever_signed_in", "last_sign_in", "idle_since") if fact == "Activity" else ("ever_signed_in", "idle_since")
    served = tuple(f"{fact}.{name}" for name in names)
    last = view.one("lastLogonTimestamp", decode.filetime, *served)
    idle_since = last.value
    if last.shown and last.value is None:
        idle_since = view.one("whenCreated", decode.generalized_time, served[-1]).value
    return Activity(
        asset=view.asset,
        observed_at=domain.observed_at,
        ever_signed_in=last.value is not None if last.shown else None,
        last_sign_in=last.value,
        idle_since=idle_since,
    )


def _password(view: View, control: Seen[int]) -> Literal["expires", "never_expires"] | None:
    """Whether the password ages under the policy that really applies, fine-grained ones included."""
    if _managed(view):
        return "expires"  # the directory renews it, whatever the policies say
    if control.value is None:
        return None
    if control.value & NEVER_EXPIRES:
        return "never_expires"
    name = "msDS-UserPasswordExpiryTimeComputed"
    ends = view.one(name, decode.number, "Credentials.password")
    if ends.value is None:
        if ends.shown:
            view.lose(GapWhy.UNSUPPORTED, f"the server does not work out {name}", ("Credentials.password",))
        return None
    return "never_expires" if ends.value == decode.NEVER else "expires"


def membership_of(view: View, domain: Domain, table: GroupTable, *serves: str) -> Membership:
    """Groups of an account or computer; what is hidden on the way is a gap for each ``Fact.field`` served."""
    rid = view.one("primaryGroupID", decode.number)
    old = view.values("sIDHistory", *serves)
    history = []
    for raw in old or ():
        try:
            history.append(decode.sid_text(raw))
        except ValueError as error:
            view.lose(GapWhy.MALFORMED, f"sIDHistory: {error}", serves)
            old = None
    primary = None if rid.value is None else f"{domain.sid}-{rid.value}"
    membership = table.of(view.entry.dn, view.values("memberOf"), primary, history)
    if not membership.whole:
        view.lose(GapWhy.DENIED, membership.flaw, serves)
    return membership if old is not None else replace(membership, whole=False, flaw="sIDHistory is not shown")


def placed(view: View, domain: Domain, membership: Membership, *, host_name: str | None) -> Placement:
    """Where an account or computer stands."""
    unit = view.entry.dn
    while unit and not unit.lower().startswith("ou="):
        unit = decode.parent(unit)
    return Placement(
        asset=view.asset,
        observed_at=domain.observed_at,
        directory=domain.key,
        groups=list(membership.names) if membership.whole else None,
        organizational_unit=unit or "none",
        account="none",
        host_name=host_name,
    )
