"""Every account of an organization: which there are, and each of them read with a role of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from collectors.aws.look import KNOWN, Look, Settings, text
from collectors.aws.operations import MEMBERS
from scanner.errors import Malformed, ReadError
from scanner.facts import Account
from scanner.model import Gap, GapWhy, Record

_NUMBER = re.compile(r"\d{12}", re.ASCII)
_ROLE = re.compile(r"(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,64}", re.ASCII)
ACTIVE = "ACTIVE"


def is_number(given: str) -> bool:
    """Whether it is the number of an account."""
    return _NUMBER.fullmatch(given) is not None


def every_role(settings: Settings) -> str:
    """The role in whichever account, as a plan shows it."""
    return f"arn:aws:iam::*:role/{settings.organization_role}"


def read(look: Look, account: Callable[[Look], Iterator[Record]]) -> Iterator[Record]:
    """The account that answers, read with the credential itself, then every other one with the role in it.

    A listing is whole only where every account was; one account that cannot be read costs no other anything.
    """
    yield from account(look)
    if not look.account:
        return
    role = look.settings.organization_role or ""
    if _ROLE.fullmatch(role) is None:
        yield from _open(look, "the option organization_role is no name of a role; no other account was read")
        return
    found: dict[str, str] = {}
    for one in _members(look):
        if isinstance(one, Gap):
            yield one
        else:
            number, state = one
            found[number] = ACTIVE if ACTIVE in {state, found.get(number)} else state
    yield from look.taken()
    for number, state in sorted(found.items()):
        if number == look.account:
            continue
        with look.inside(number, f"arn:{look.partition}:iam::{number}:role/{role}") as inside:
            yield from account(inside) if state == ACTIVE else _closed(inside, state)
            if not inside.account:
                yield from inside.saw(_row(inside))


def _members(look: Look) -> Iterator[tuple[str, str] | Gap]:
    """Number and state of each account of the organization, the caller's own included, and what is wrong with them.

    A list that is denied, one that is empty, one that names an account twice and an account without an organization
    are told apart, and each leaves every listing open.
    """
    try:
        answer = look.find(MEMBERS)
    except ReadError as error:
        yield from look.lost(MEMBERS, error)
        return
    if answer is None:
        yield from _open(look, "the account belongs to no organization; leave out the option organization_role")
        return
    listed = answer["Accounts"]
    numbers: list[str] = []
    for one in listed:
        try:
            number, state = _member(one)
        except Malformed as error:
            yield from look.lost(MEMBERS, error)
            continue
        if number in numbers:
            yield from look.lost(MEMBERS, Malformed(f"account {number} is listed twice, perhaps in place of another"))
        numbers.append(number)
        yield number, state
    if not listed:
        yield from look.lost(MEMBERS, Malformed("the list of accounts is empty, and lacks the one that answers"))
    elif look.account not in numbers:
        yield from look.lost(MEMBERS, Malformed(f"the list leaves out account {look.account}, which answers"))


def _member(one: Mapping[str, Any]) -> tuple[str, str]:
    """Number and state of a listed account: by State, or by Status, which it replaced in September 2026."""
    number = text(one, "Id")
    if not is_number(number):
        raise Malformed(f"{number[:20]!r} is no account number")
    return number, text(one, "State" if one.get("State") is not None else "Status")


def _open(look: Look, detail: str) -> Iterator[Gap]:
    for fact in look.promised:
        yield from look.gap(fact, GapWhy.UNSUPPORTED, detail)


def _closed(look: Look, state: str) -> Iterator[Record]:
    """An account that is suspended or not yet open: it exists, and nothing in it can be read."""
    detail = f"account {look.member} is {state[:40]}: nothing in it can be read"
    home = f"account:aws:{look.member}"
    for fact in look.promised:
        if fact == "Account":
            yield from look.gap(fact, GapWhy.UNSEEN, detail, asset=home, field="name")
        else:
            yield from look.gap(fact, GapWhy.UNSEEN, detail, asset=home if KNOWN[fact].kind == "account" else None)


def _row(look: Look) -> Account:
    """An account of which the organization says that it exists, and nobody anything else."""
    return Account(asset=f"account:aws:{look.member}", observed_at=look.begun, name=None, provider="aws")
