"""Who may reach a bucket, in clear text or not, and whether its content is removed in time."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors.aws.look import Look, instant, items, text
from collectors.aws.posture_operations import (
    ACCOUNT_BLOCK,
    BUCKET_ACL,
    BUCKET_BLOCK,
    BUCKET_LIFECYCLE,
    BUCKET_OWNERSHIP,
    BUCKET_POLICY,
)
from collectors.aws.resource_policies import Grant, grants
from collectors.ports.aws import Answer
from scanner.errors import Malformed, ReadError
from scanner.facts import Retention, StoreExposure
from scanner.facts.kleene import every, negated, some
from scanner.model import GapWhy, Record

_GROUPS = "http://acs.amazonaws.com/groups/"
_EVERYBODY = frozenset({f"{_GROUPS}global/AllUsers", f"{_GROUPS}global/AuthenticatedUsers"})
_OPENING = frozenset({"READ", "WRITE", "WRITE_ACP", "FULL_CONTROL"})
_CONTENT = (
    "s3:abortmultipartupload",
    "s3:deletebucketpolicy",
    "s3:deleteobject",
    "s3:deleteobjectversion",
    "s3:getobject",
    "s3:getobjectacl",
    "s3:getobjecttorrent",
    "s3:getobjectversion",
    "s3:listbucket",
    "s3:listbucketversions",
    "s3:putbucketacl",
    "s3:putbucketpolicy",
    "s3:putobject",
    "s3:putobjectacl",
    "s3:putobjectversionacl",
    "s3:restoreobject",
)
"""Reading, listing or writing content, or giving oneself the right to."""
_TRANSPORT = frozenset({"aws:securetransport", "s3:tlsversion"})


@dataclass(frozen=True)
class Block:
    """Which public grants have no effect; the parts that only refuse new ones close nothing that is already open."""

    lists: bool | None
    policies: bool | None

    @property
    def whole(self) -> bool:
        """Nothing is left to be opened."""
        return self.lists is True and self.policies is True

    def with_that_of(self, other: Block) -> Block:
        """That of an account and of a bucket together: the stricter one counts."""
        return Block(some(self.lists, other.lists), some(self.policies, other.policies))


UNKNOWN = Block(None, None)


def of_account(look: Look) -> Iterator[Record | Block]:
    """The block of the whole account as the last thing, if it could be had."""
    try:
        yield _block(look.find(ACCOUNT_BLOCK, AccountId=look.account))
    except ReadError as error:
        yield from look.lost(ACCOUNT_BLOCK, error)


def read(look: Look, asset: str, name: str, region: str, around: Block) -> Iterator[Record]:
    """Exposure and retention of one bucket; ``around`` is the block of its account."""
    if look.wants("StoreExposure"):
        yield from _exposure(look, asset, name, region, around)
    if look.wants("Retention"):
        yield from _retention(look, asset, name, region)


def _exposure(look: Look, asset: str, name: str, region: str, around: Block) -> Iterator[Record]:
    block = around
    if not around.whole:
        own = UNKNOWN
        try:
            own = _block(look.find(BUCKET_BLOCK, region, Bucket=name))
        except ReadError as error:
            yield from look.lost(BUCKET_BLOCK, error, asset=asset)
        block = around.with_that_of(own)
    by_policy: bool | None = None
    clear: bool | None = None
    try:
        answer = look.find(BUCKET_POLICY, region, Bucket=name)
        held = () if answer is None else grants(text(answer, "Policy"))
        by_policy, clear = opened_by(held), answers_in_clear(held, f"arn:{look.partition}:s3:::{name}")
        if clear is None:
            detail = "a statement of the bucket policy refuses some requests without TLS, and not plainly all of them"
            yield from look.gap("StoreExposure", GapWhy.UNSEEN, detail, asset=asset, field="clear_transport")
        if by_policy is None and block.policies is not True:
            detail = "the bucket policy neither opens the bucket plainly nor keeps it closed"
            yield from look.gap("StoreExposure", GapWhy.UNSEEN, detail, asset=asset, field="public")
    except ReadError as error:
        yield from look.lost(BUCKET_POLICY, error, asset=asset)
    by_list: bool | None = False
    if block.lists is not True and every(by_policy, negated(block.policies)) is not True:
        by_list = yield from _lists(look, asset, name, region)
    public = some(every(by_list, negated(block.lists)), every(by_policy, negated(block.policies)))
    yield from look.saw(StoreExposure(asset=asset, observed_at=look.begun, public=public, clear_transport=clear))


def _lists(look: Look, asset: str, name: str, region: str) -> Generator[Record, None, bool | None]:
    """Whether access lists open the bucket or what is in it; those of single objects are not read."""
    try:
        answer = look.find(BUCKET_OWNERSHIP, region, Bucket=name)
        if answer is not None and _lists_are_off(answer):
            return False
    except ReadError as error:
        yield from look.lost(BUCKET_OWNERSHIP, error, asset=asset)
    try:
        if opened_by_list(look.ask(BUCKET_ACL, region, Bucket=name)):
            return True
    except ReadError as error:
        yield from look.lost(BUCKET_ACL, error, asset=asset)
    detail = "access lists of single objects count here, and are not read"
    yield from look.gap("StoreExposure", GapWhy.UNSEEN, detail, asset=asset, field="public")
    return None


def _retention(look: Look, asset: str, name: str, region: str) -> Iterator[Record]:
    policy: Any = None
    try:
        answer = look.find(BUCKET_LIFECYCLE, region, Bucket=name)
        policy = "none" if answer is None else removal(items(answer, "Rules"), look.begun)
        if policy is None:
            detail = "rules remove a part of the content only"
            yield from look.gap("Retention", GapWhy.UNSEEN, detail, asset=asset, field="policy")
    except ReadError as error:
        yield from look.lost(BUCKET_LIFECYCLE, error, asset=asset)
    yield from look.saw(Retention(asset=asset, observed_at=look.begun, policy=policy))


def _block(answer: Answer | None) -> Block:
    if answer is None:
        return Block(False, False)
    given = answer.get("PublicAccessBlockConfiguration")
    ignored, restricted = (
        given.get(name) if isinstance(given, Mapping) else None
        for name in ("IgnorePublicAcls", "RestrictPublicBuckets")
    )
    if not isinstance(ignored, bool) or not isinstance(restricted, bool):
        raise Malformed("the public access block does not say what it blocks")
    return Block(ignored, restricted)


def opened_by(held: tuple[Grant, ...]) -> bool | None:
    """Whether a bucket policy lets everybody at the content; None where it neither does so plainly nor rules it out."""
    opening: bool | None = False
    for grant in held:
        if grant.public is not False:
            opening = some(opening, True if grant.public and grant.speaks_of(_CONTENT) else None)
    refused = any(
        not grant.statement.allows and grant.everyone and grant.keys != {"aws:securetransport"} for grant in held
    )
    return None if opening is True and refused else opening


def answers_in_clear(held: tuple[Grant, ...], bucket: str) -> bool | None:
    """False only where every request without TLS is refused to everybody, for the bucket and all of its objects.

    A refusal of everything on conditions of another kind is not understood.
    """
    covered: list[str] = []
    doubtful = False
    for grant in held:
        spoken = grant.statement
        whole = spoken.all_but or any(action in {"s3:*", "*"} for action in spoken.actions)
        if spoken.allows or grant.all_but or not grant.everyone or not whole:
            continue
        if [_without_tls(*asked) for asked in grant.conditions] == [True] and not spoken.all_but:
            covered += () if spoken.resources_all_but else spoken.resources
        else:
            doubtful = doubtful or not grant.keys or bool(grant.keys & _TRANSPORT)
    starts = [
        "" if one == "*" else one[:-1] for one in covered if one.endswith("*") and not re.search(r"[*?$]", one[:-1])
    ]
    of_bucket = bucket in covered or any(bucket.startswith(start) for start in starts)
    if of_bucket and any(f"{bucket}/".startswith(start) for start in starts):
        return False
    return None if doubtful else True


def _without_tls(operator: str, key: str, values: list[str]) -> bool:
    refused = {value.lower() for value in values} == {"false"}
    return operator in {"bool", "boolifexists"} and key == "aws:securetransport" and refused


def opened_by_list(answer: Answer) -> bool:
    """Whether an access list plainly lets everybody in, or everybody with an account of AWS; raises Malformed."""
    opening = False
    for grant in items(answer, "Grants"):
        grantee = grant.get("Grantee")
        if not isinstance(grantee, Mapping):
            raise Malformed("an access list has a grant to nobody")
        kind, right = text(grantee, "Type"), text(grant, "Permission")
        if kind == "Group":
            opening = opening or (text(grantee, "URI") in _EVERYBODY and right in _OPENING)
    return opening


def _lists_are_off(answer: Answer) -> bool:
    controls = answer.get("OwnershipControls")
    rules = items(controls if isinstance(controls, Mapping) else {}, "Rules")
    return [text(rule, "ObjectOwnership") for rule in rules] == ["BucketOwnerEnforced"]


def removal(rules: list[Mapping[str, Any]], now: datetime) -> str | None:
    """``executing`` where a rule in force removes all current content; ``on_paper`` where one is off, or yet to begin.

    ``none`` where no rule removes any of it, None where only a part of it is removed.
    """
    states: set[str] = set()
    for rule in rules:
        expiry = rule.get("Expiration")
        if expiry is not None and not isinstance(expiry, Mapping):
            raise Malformed("a lifecycle rule has an expiration that is no object")
        status = text(rule, "Status")
        if expiry and ("Days" in expiry or "Date" in expiry):
            begun = "Days" in expiry or instant(expiry["Date"]) <= now
            states.add("later" if not begun else "partly" if status == "Enabled" and _narrow(rule) else status)
    if "Enabled" in states:
        return "executing"
    if "partly" in states:
        return None
    return "on_paper" if states else "none"


def _narrow(rule: Mapping[str, Any]) -> bool:
    """Whether the rule is limited to some objects: by a prefix, a tag or a size."""
    given = rule.get("Filter")
    if given is None:
        return rule.get("Prefix") != ""
    return not isinstance(given, Mapping) or any(value != "" for value in given.values())
