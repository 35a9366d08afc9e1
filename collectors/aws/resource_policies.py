"""Policies that stand with a thing itself and say whom they let in: of buckets, of keys, of roles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from collectors.aws.policies import Statement, items_of, statement, texts
from scanner.errors import Malformed

_KINDS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
_PINS = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourcevpc",
        "aws:sourcevpce",
    }
)
"""Condition keys of which a fixed value leaves out the public."""
_NO_BAR = frozenset({"aws:referer", "aws:securetransport", "aws:useragent", "s3:delimiter", "s3:max-keys", "s3:prefix"})
"""Condition keys that anybody can satisfy."""


@dataclass(frozen=True)
class Grant:
    """One statement, and whom it speaks of."""

    statement: Statement
    principals: Mapping[str, tuple[str, ...]]
    """By kind: AWS, Service, Federated, CanonicalUser."""
    all_but: bool
    """The principals are those that it does not speak of."""

    @property
    def everyone(self) -> bool:
        """Everybody in the world, or everybody but a few."""
        return self.all_but or any("*" in given for given in self.principals.get("AWS", ()))

    @property
    def conditions(self) -> Iterator[tuple[str, str, list[str]]]:
        """Operator and key in lower case, and the values; values of another shape are given as texts."""
        for operator, asked in self.statement.conditions.items():
            for key, value in asked.items() if isinstance(asked, Mapping) else (("", asked),):
                values = value if isinstance(value, list) else [value]
                yield str(operator).lower(), str(key).lower(), [_written(one) for one in values]

    @property
    def keys(self) -> frozenset[str]:
        """Condition keys, in lower case."""
        return frozenset(key for _, key, _ in self.conditions)

    def pinned(self, *keys: str) -> bool:
        """Whether one of the keys must have one of some fixed values, and be there at all."""
        return any(
            key in keys
            and operator in {"stringequals", "stringlike", "arnequals", "arnlike"}
            and bool(values)
            and all(value and not re.search(r"[*?]|\$\{", value) for value in values)
            for operator, key, values in self.conditions
        )

    def speaks_of(self, actions: Iterable[str]) -> bool:
        """Whether one of these actions, in lower case, is among its own."""
        named = [action for action in actions if any(_like(own, action) for own in self.statement.actions)]
        return len(named) < len(list(actions)) if self.statement.all_but else bool(named)

    @property
    def public(self) -> bool | None:
        """Whether it admits everybody; None where a condition is not understood."""
        if not self.statement.allows or not self.everyone or self.pinned(*_PINS):
            return False
        return True if self.keys <= _NO_BAR else None


def grants(document: object, *, resource: str | None = None) -> tuple[Grant, ...]:
    """Statements with their principals; ``resource`` where such policies name none. Raises Malformed."""
    return tuple(_grant(item, resource) for item in items_of(document))


def _grant(item: Mapping[str, Any], resource: str | None) -> Grant:
    given = {**item}
    if resource is not None and "Resource" not in item and "NotResource" not in item:
        given["Resource"] = resource
    all_but = "NotPrincipal" in item
    who = item.get("NotPrincipal" if all_but else "Principal")
    if isinstance(who, str):
        who = {"AWS": who}
    if not isinstance(who, Mapping) or not who or not who.keys() <= _KINDS:
        raise Malformed("a policy has a statement without principals")
    return Grant(statement(given), {str(kind): tuple(texts(names)) for kind, names in who.items()}, all_but)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _like(pattern: str, action: str) -> bool:
    parts = "".join(".*" if sign == "*" else "." if sign == "?" else re.escape(sign) for sign in pattern)
    return re.fullmatch(parts, action) is not None
