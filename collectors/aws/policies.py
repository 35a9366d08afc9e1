"""What IAM policies allow, in three values; what cannot be decided stays undecided."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from scanner.errors import Malformed

_EVERYTHING = re.compile(r"\*+(:\*+)?")
_EVERY_RESOURCE = re.compile(r"\*+|arn:[*:]+")
_READING = ("get", "list", "describe", "head", "batchget", "lookup", "search", "view", "check", "simulate")
_HANDS_OUT = frozenset({"redshift", "redshift-serverless", "sso", "sts", "cognito-identity", "rolesanywhere"})
"""Services whose reading calls hand out credentials."""
_OWN = frozenset(
    {
        "iam:changepassword",
        "iam:createaccesskey",
        "iam:createvirtualmfadevice",
        "iam:deactivatemfadevice",
        "iam:deleteaccesskey",
        "iam:deletevirtualmfadevice",
        "iam:enablemfadevice",
        "iam:resyncmfadevice",
        "iam:updateaccesskey",
        "sts:getsessiontoken",
    }
)
"""What users do to their own credentials, and so may do before they have a second factor."""
_TIMES = frozenset({"aws:currenttime", "aws:epochtime", "aws:tokenissuetime"})
_OWN_NAME = "${aws:username}"


@dataclass(frozen=True)
class Statement:
    """One statement of a policy; actions in lower case."""

    allows: bool
    actions: tuple[str, ...]
    all_but: bool
    """The actions are those that it does not speak of."""
    resources: tuple[str, ...]
    resources_all_but: bool
    conditions: Mapping[str, Any]

    @property
    def on_everything(self) -> bool:
        """Every resource, or every one but a few."""
        return self.resources_all_but or any(_EVERY_RESOURCE.fullmatch(resource) for resource in self.resources)

    @property
    def every_action(self) -> bool:
        """Every action, or every one but some that leave IAM open."""
        if self.all_but:
            return not any(action in {"iam:*", "*", "*:*"} for action in self.actions)
        return any(_EVERYTHING.fullmatch(action) for action in self.actions)

    @property
    def own(self) -> bool:
        """It speaks only of the credentials of whoever asks."""
        return bool(self.resources) and not self.resources_all_but and all(_OWN_NAME in item for item in self.resources)


@dataclass(frozen=True)
class Power:
    """What a principal may do by its policies; None is undecided. Denials and boundaries are left out: it errs high."""

    full: bool | None
    unconditional: bool | None
    privileged: bool | None
    standing: bool | None
    keys_need_second_factor: bool | None
    """False only says that none of these policies demands it."""


def statements(document: object) -> tuple[Statement, ...]:
    """Statements of a policy, from an object or from JSON text as the API encodes it; raises Malformed."""
    return tuple(statement(item) for item in items_of(document))


def items_of(document: object) -> list[Mapping[str, Any]]:
    """The statements of a policy as they stand in it, from an object or from JSON text; raises Malformed."""
    if isinstance(document, str):
        try:
            document = json.loads(unquote(document) if document.lstrip().startswith("%") else document)
        except (ValueError, RecursionError) as error:
            raise Malformed(f"a policy that is not JSON: {error}") from None
    if not isinstance(document, Mapping):
        raise Malformed("a policy that is no object")
    given = document.get("Statement")
    items: list[Any] = given if isinstance(given, list) else [given]
    if not all(isinstance(item, Mapping) for item in items):
        raise Malformed("a policy without statements")
    return items


def trusted(document: object) -> Iterator[str]:
    """Whom a trust policy lets in: ARNs, account numbers, ``*``; raises Malformed."""
    for item in items_of(document):
        if item.get("Effect") != "Allow":
            continue
        who = item.get("Principal", "*")
        if isinstance(who, Mapping):
            yield from texts(who.get("AWS", []))
        else:
            yield from texts(who)


def power(held: Iterable[Statement], *, whole: bool) -> Power:
    """What these statements give together; ``whole`` is false where a policy that counts could not be read."""
    found = tuple(held)
    allowed = [statement for statement in found if statement.allows]
    full = [statement for statement in allowed if statement.every_action and statement.on_everything]
    privileged = [statement for statement in allowed if statement in full or _changes_rights(statement)]
    harmless = all(_harmless(statement) for statement in allowed)
    refused = any(_demands_second_factor(statement) for statement in found)

    def settled(present: bool, absent: bool = True) -> bool | None:
        return True if present else (False if whole and absent else None)

    lasting = any(not _ends(statement) for statement in privileged)
    return Power(
        full=settled(bool(full)),
        unconditional=settled(any(not statement.conditions for statement in full)),
        privileged=settled(bool(privileged), harmless),
        standing=True if lasting else (False if whole and harmless and not privileged else None),
        keys_need_second_factor=settled(refused),
    )


def _ends(statement: Statement) -> bool:
    """Whether a condition on the time may end it."""
    asked = [one for one in statement.conditions.values() if isinstance(one, Mapping)]
    return any(str(key).lower() in _TIMES for one in asked for key in one) or len(asked) < len(statement.conditions)


def statement(given: Mapping[str, Any]) -> Statement:
    """One statement of a policy; raises Malformed."""
    if given.get("Effect") not in ("Allow", "Deny"):
        raise Malformed("a policy has a statement without effect")
    all_but, away = "NotAction" in given, "NotResource" in given
    actions = texts(given.get("NotAction" if all_but else "Action"))
    conditions = given.get("Condition") or {}
    if not isinstance(conditions, Mapping):
        raise Malformed("a policy has a condition that is no object")
    return Statement(
        allows=given["Effect"] == "Allow",
        actions=tuple(action.lower() for action in actions),
        all_but=all_but,
        resources=tuple(texts(given.get("NotResource" if away else "Resource"))),
        resources_all_but=away,
        conditions=conditions,
    )


def texts(given: object) -> list[str]:
    """A text or a list of texts, as policies have either; raises Malformed."""
    items = given if isinstance(given, list) else [given]
    if not all(isinstance(item, str) for item in items):
        raise Malformed("a policy lists something that is no text")
    return [str(item) for item in items]


def _changes_rights(statement: Statement) -> bool:
    if statement.all_but:
        return statement.on_everything
    for action in statement.actions:
        service, _, verb = action.partition(":")
        if service == "iam" and not _reads(action) and not (action == "iam:changepassword" or statement.own):
            return True
        if verb.strip("*") == "" and "*" in action and statement.on_everything:
            return True
    return False


def _harmless(statement: Statement) -> bool:
    if statement.all_but:
        return False
    return all(
        _reads(action) or action == "iam:changepassword" or (action in _OWN and statement.own)
        for action in statement.actions
    )


def _reads(action: str) -> bool:
    service, _, verb = action.partition(":")
    if not verb.startswith(_READING) or "credential" in verb or "token" in verb:
        return action == "iam:generatecredentialreport"
    return "*" not in service and "?" not in service and service not in _HANDS_OUT


def _demands_second_factor(statement: Statement) -> bool:
    """A denial of everything, but for one's own credentials, unless a second factor was given.

    Only ``BoolIfExists`` counts: requests by long-lived keys do not carry the attribute at all, so ``Bool`` lets
    them by.
    """
    if statement.allows or not statement.on_everything or statement.resources_all_but:
        return False
    if set(statement.conditions) != {"BoolIfExists"}:
        return False
    asked = statement.conditions["BoolIfExists"]
    if not isinstance(asked, Mapping) or [str(key).lower() for key in asked] != ["aws:multifactorauthpresent"]:
        return False
    (value,) = asked.values()
    if {str(item).lower() for item in (value if isinstance(value, list) else [value])} != {"false"}:
        return False
    if statement.all_but:
        return all(action in _OWN or (action.startswith("iam:") and _reads(action)) for action in statement.actions)
    return any(_EVERYTHING.fullmatch(action) for action in statement.actions)
