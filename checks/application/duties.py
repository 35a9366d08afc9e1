"""4-1 Duties: roles are kept apart, rights are least, and privileged work is authorised on its own."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import (
    Account,
    AccountAdministration,
    Application,
    Device,
    Entitlements,
    LocalAdministrators,
    Privilege,
    RootUser,
    User,
)


@check(over=User)
def privileged_account_is_not_for_daily_work(user: Subject) -> Claim:
    """An account that holds privilege is not the one used for mail and office work."""
    privilege = user[Privilege]
    return Claim(
        applies=user.enabled & privilege.privileged,
        holds=~privilege.daily_work,
        shows={"daily_work": privilege.daily_work},
    )


@check(over=Application)
def roles_are_separated(application: Subject) -> Claim:
    """By the application's own export, nobody with a privileged role holds an ordinary one, and it is granted apart."""
    entitlements = application[Entitlements]
    apart = entitlements.roles.all(lambda role: ~role.privileged | ((role.also_ordinary == 0) & role.approved_apart))
    return Claim(
        applies=True,
        holds=(entitlements.exported_by == "application") & apart,
        shows={"exported_by": entitlements.exported_by},
    )


@check(over=Account)
def full_administrators_are_few(account: Subject, *, count: int) -> Claim:
    """Few can do everything in the cloud account, and none of them without any condition."""
    administration = account[AccountAdministration]
    return Claim(
        applies=True,
        holds=(administration.full_administrators <= count) & (administration.unconditional_grants == 0),
        shows={
            "full_administrators": administration.full_administrators,
            "unconditional_grants": administration.unconditional_grants,
        },
    )


@check(over=Device)
def local_administrators_are_personal(device: Subject) -> Claim:
    """No enabled local administrator is built in or shared, so that each act has one name."""
    return Claim(
        applies=~device.external & (device.category != "mobile"),
        holds=device[LocalAdministrators].members.all(
            lambda member: ~member.enabled | member.category.is_in(["person", "group", "service"]), empty=True
        ),
    )


@check(over=Account)
def root_user_is_not_used(account: Subject, *, days: int) -> Claim:
    """The owner identity of the cloud account was never used, or not within the last days."""
    root = account[RootUser]
    return Claim(
        applies=True,
        holds=~root.ever_used | account.clock.past(root.last_used.later(days=days)),
        shows={"ever_used": root.ever_used, "last_used": root.last_used},
    )
