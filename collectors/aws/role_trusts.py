"""Who may take on the roles of an account, by their trust policies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from collectors.aws.look import Look, text
from collectors.aws.posture_operations import ROLES
from collectors.aws.resource_policies import Grant, grants
from collectors.ports.aws import Answer
from scanner.errors import Malformed, ReadError
from scanner.facts import RoleTrusts
from scanner.facts.identity import RoleTrust
from scanner.model import GapWhy, Record

_ASSUMING = ("sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity")
_ACCOUNT = re.compile(r"(?:arn:[^:]*:(?:iam|sts)::)?(\d{12})(?::.*)?", re.ASCII | re.DOTALL)
_SECONDS = 3600
Who = Literal["same_account", "organization", "foreign_account", "federated", "service", "anyone"]


def read(look: Look, details: Answer, organization: str | None) -> Iterator[Record]:
    """One fact of the account; ``organization`` is the id of its own, empty without one, None where not known."""
    if not look.wants("RoleTrusts"):
        return
    longest: dict[str, int] = {}
    try:
        for role in look.ask(ROLES)["Roles"]:
            seconds = role.get("MaxSessionDuration")
            if type(seconds) is not int:
                raise Malformed("a role without its longest session")
            longest[text(role, "Arn")] = -(-seconds // _SECONDS)
    except ReadError as error:
        longest = {}
        yield from look.lost(ROLES, error, asset=look.home)
    trusts: list[RoleTrust] = []
    whole = True
    for role in sorted(details["RoleDetailList"], key=lambda one: str(one.get("RoleName"))):
        try:
            name, arn = text(role, "RoleName"), text(role, "Arn")
            held = grants(role.get("AssumeRolePolicyDocument"), resource="*")
            trusts += _of_role(name, held, look.account, organization, longest.get(arn))
        except Malformed as error:
            whole = False
            detail = f"a role's trust policy cannot be understood: {error}"
            yield from look.gap("RoleTrusts", GapWhy.MALFORMED, detail, asset=look.home, field="trusts")
    dark = [
        one for one in trusts if None in (one.principal, one.demands_external_id, one.demands_mfa, one.session_hours)
    ]
    if dark:
        detail = f"role {dark[0].role}: a principal, a refusal or the longest session is not understood or not known"
        yield from look.gap("RoleTrusts", GapWhy.UNSEEN, detail, asset=look.home, field="trusts")
    yield from look.saw(RoleTrusts(asset=look.home, observed_at=look.begun, trusts=trusts if whole else None))


def _of_role(
    name: str, held: tuple[Grant, ...], account: str, organization: str | None, hours: int | None
) -> Iterator[RoleTrust]:
    """Only a fixed external id, a second factor that must be there, and one's own organization narrow a trust."""
    refuses = any(not grant.statement.allows for grant in held)
    for grant in held:
        if not grant.statement.allows or not grant.speaks_of(_ASSUMING):
            continue
        external = grant.pinned("sts:externalid")
        second = ("bool", "aws:multifactorauthpresent", ["true"]) in list(grant.conditions)
        for who in _principals(grant, account, organization):
            yield RoleTrust(
                role=name,
                principal=who,
                demands_external_id=external or (None if refuses else False),
                demands_mfa=second or (None if refuses else False),
                session_hours=hours,
            )


def _principals(grant: Grant, account: str, organization: str | None) -> Iterator[Who | None]:
    if grant.all_but:
        yield _narrowed(grant, "anyone", organization)
        return
    for kind, given in grant.principals.items():
        for principal in given:
            if kind == "Service":
                yield "service"
            elif kind == "Federated":
                yield "federated"
            elif kind == "AWS" and "*" in principal:
                yield _narrowed(grant, "anyone", organization)
            elif kind == "AWS" and (known := _ACCOUNT.fullmatch(principal)):
                own = known.group(1) == account
                yield "same_account" if own else _narrowed(grant, "foreign_account", organization)
            else:
                yield None  # such as the id of a user that is no more


def _narrowed(grant: Grant, who: Who, organization: str | None) -> Who | None:
    """Whom the condition on the organization leaves: one's own is not another's."""
    if not grant.pinned("aws:principalorgid"):
        return who
    if organization is None:
        return None
    named = {value for _, key, values in grant.conditions if key == "aws:principalorgid" for value in values}
    return "organization" if named == {organization} else "foreign_account"


def organization_of(answer: Mapping[str, Any] | None) -> str:
    """Id of the organization of the account, empty where it belongs to none; raises Malformed."""
    if answer is None:
        return ""
    held = answer.get("Organization")
    return text(held if isinstance(held, Mapping) else {}, "Id")
