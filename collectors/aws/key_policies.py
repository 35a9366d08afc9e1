"""Whether a key is kept apart, by its policy: from those who run the account, and use from administration."""

from __future__ import annotations

import re

from collectors.aws.resource_policies import Grant

_USING = (
    "kms:decrypt",
    "kms:encrypt",
    "kms:generatedatakey",
    "kms:generatedatakeywithoutplaintext",
    "kms:reencryptfrom",
    "kms:reencryptto",
)
_RULING = (
    "kms:cancelkeydeletion",
    "kms:deleteimportedkeymaterial",
    "kms:disablekey",
    "kms:disablekeyrotation",
    "kms:enablekey",
    "kms:importkeymaterial",
    "kms:putkeypolicy",
    "kms:schedulekeydeletion",
    "kms:updatealias",
)
_FOR_SERVICES = ("bool", "kms:grantisforawsresource", ["true"])
_NAMED = re.compile(r"arn:[^:]*:iam::\d{12}:(?:role|user)/[^*?]+", re.ASCII)


def apart(held: tuple[Grant, ...], account: str) -> bool | None:
    """Whether other principals use the key than rule it, and none of it is left to the account's own policies.

    False where the policy leaves the use of the key to whoever gives out rights in the account, or to everybody; None
    where it does neither plainly. Refusals are left out: they only narrow what is said here.
    """
    users: set[str] = set()
    rulers: set[str] = set()
    doubtful = False
    for grant in held:
        if not grant.statement.allows:
            continue
        uses, rules = grant.speaks_of(_USING), _rules(grant)
        whole = re.compile(rf"arn:[^:]*:iam::{account}:root|{account}|\*")
        delegates = any(whole.fullmatch(name) for name in grant.principals.get("AWS", ()))
        if uses and delegates and not grant.all_but and not grant.statement.conditions:
            return False
        if not uses and not rules:
            continue
        names = {f"{kind}:{name}" for kind, given in grant.principals.items() for name in given}
        doubtful = doubtful or grant.all_but or not all(map(_is_one, names))
        users |= names if uses else set()
        rulers |= names if rules else set()
    return True if users and rulers and not doubtful and not users & rulers else None


def _rules(grant: Grant) -> bool:
    """Whether it lets somebody change the key or hand it on; grants that only services may be given are use."""
    hands_on = grant.speaks_of(("kms:creategrant",)) and _FOR_SERVICES not in list(grant.conditions)
    return hands_on or grant.speaks_of(_RULING)


def _is_one(name: str) -> bool:
    """Whether it names one role, user or service, by the only name that it goes by here."""
    kind, _, principal = name.partition(":")
    return kind == "Service" or (kind == "AWS" and _NAMED.fullmatch(principal) is not None)
