"""Collector ``aws``: accounts of Amazon Web Services, read-only, bulk calls first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from collectors.aws import account, identity, network, organization, storage, trail
from collectors.aws.credential_report import CredentialReport
from collectors.aws.look import Asked, Look, Settings, text
from collectors.aws.operations import (
    ALLOWED,
    CALLER,
    MEMBERS,
    PERMISSIONS,
    REGIONS,
    SOURCES,
)
from collectors.aws.recording import Recording, captured_at
from collectors.aws.source import OF_LOG, OF_SEGMENT, OF_STORE, PROMISED, PROMISES
from collectors.ports.aws import ASSUME_ROLE, opened
from scanner.errors import Malformed, ReadError
from scanner.model import (
    Access,
    Gap,
    GapWhy,
    PlannedCall,
    Record,
    SourceIdentity,
    Target,
    narrowed,
    promised_facts,
)

_REGIONAL = (*OF_SEGMENT, *OF_STORE, *OF_LOG, "Placement")
QUERIES = (
    ("User", "IAM users: iam:GetAccountAuthorizationDetails, every page"),
    ("Segment", "security groups, subnets: ec2:DescribeSecurityGroups, ec2:DescribeSubnets, all pages of all regions"),
    ("DataStore", "S3 buckets and EBS volumes: s3:ListBuckets, ec2:DescribeVolumes, every page of every region"),
    ("LogSource", "trails: cloudtrail:DescribeTrails of every region"),
    ("Account", "the account that answers: sts:GetCallerIdentity"),
)


def connect(access: Access) -> Asked:
    """What answers for a target: its recording where it has captures, otherwise AWS."""
    target = access.target
    settings = Settings.of(target)
    if target.captures is None:
        return opened(access, ALLOWED, home_region=settings.home_region)
    implied = frozenset(source.call.permission for source in SOURCES if source.implied)
    return Recording(access, target.captures, regions=settings.regions or (), implied=implied)


class AwsCollector:
    """Reads IAM, EC2, S3, EBS, KMS and CloudTrail of one account, or of every account of its organization.

    Options: ``home_region``, ``regions`` (a list; what it leaves out stays open), ``assume_role`` and ``external_id``,
    ``organization_role`` (name of a role in every account, assumed in one after the other),
    ``category_tag``, ``zone_tag``, ``sensitive_tag`` (names of tags), ``captured_at`` (of a recording),
    ``other_stores`` and ``other_logs`` (``"none"``: the institution says that services not read hold none).
    """

    name = "aws"
    version = "1"
    permissions = PERMISSIONS

    def __init__(self, connect: Callable[[Access], Asked] = connect) -> None:
        self._connect = connect

    def promises(self, target: Target) -> frozenset[str]:
        """What the account can speak for, or the target's own shorter list."""
        return narrowed(PROMISES, target)

    def plan(self, target: Target) -> Iterator[PlannedCall]:
        """One line per call; those of a region are made in each, those of an asset for each."""
        if target.captures is not None:
            yield PlannedCall(host="localhost", login="-", call=f"read *.json in {target.captures}")
            return
        promised = promised_facts(self.promises(target)) & PROMISED
        host = target.address or "amazonaws.com"
        login = target.credential or "ambient"
        settings = Settings.of(target)
        if isinstance(role := target.options.get("assume_role"), str):
            yield PlannedCall(host=host, login=login, call=f"{ASSUME_ROLE.permission} {role}")
        if settings.organization_role is not None:
            for call in (MEMBERS.call.permission, f"{ASSUME_ROLE.permission} {organization.every_role(settings)}"):
                yield PlannedCall(host=host, login=login, call=call)
        for source in SOURCES:
            if promised & set(source.facts):
                yield PlannedCall(host=host, login=login, call=source.call.permission)

    def read(self, access: Access) -> Iterator[Record]:
        """Facts, gaps and captures as they come, then one census per promised fact."""
        target = access.target
        promised = promised_facts(self.promises(target)) & PROMISED
        settings = Settings.of(target)
        now: Callable[[], datetime] = access.now
        if target.captures is not None:
            made_at = captured_at(target)
            if made_at is None:
                detail = "the recording does not say when it was made; set options.captured_at, with its zone"
                for fact in sorted(promised):
                    yield Gap(fact=fact, why=GapWhy.MALFORMED, detail=detail)
                return
            recorded_at = made_at
            now = lambda: recorded_at  # noqa: E731

        look = Look(self._connect(access), promised=promised, settings=settings, now=now)
        if settings.organization_role is None:
            yield from _account(look)
        else:
            yield from organization.read(look, _account)
        yield from look.censuses(dict(QUERIES))


def _account(look: Look) -> Iterator[Record]:
    """All of one account, each record after what it was read from."""
    for record in _records(look):
        yield from look.taken()
        yield record
    yield from look.taken()


def _records(look: Look) -> Iterator[Record]:
    try:
        caller = look.ask(CALLER)
        number = text(caller, "Account")
        if not organization.is_number(number):
            raise Malformed(f"{number[:20]!r} is no account number")
        if look.member not in {"", number}:
            raise Malformed(f"account {number} answers in its place")
        parts = text(caller, "Arn").split(":")
        look.partition = parts[1] if len(parts) > 1 and parts[1] else "aws"
        look.account = number
    except ReadError as error:
        yield from look.lost(CALLER, error)
        return
    yield SourceIdentity(kind="aws_account", value=look.account)
    yield SourceIdentity(kind="aws_caller", value=text(caller, "Arn"))
    report: CredentialReport | None = None
    if look.wants("User", "Credentials", "Activity", "Authenticators", "SignIn", "PasswordPolicy", "RootUser"):
        for found in identity.report_of(look):
            if isinstance(found, CredentialReport):
                report = found
            else:
                yield found
    yield from account.read(look, report)
    yield from identity.read(look, report)
    if look.wants(*_REGIONAL):
        yield from _regions(look)
        yield from network.read(look)
        yield from storage.read(look)
        yield from trail.read(look)


def _regions(look: Look) -> Iterator[Gap]:
    """Settle in which regions to look.

    Three things that must not be mixed up: a region never opted into holds nothing and is left out; an empty list is
    an answer that cannot be true; a region that refuses is asked, and each refusal is a gap of its own.
    """
    named = look.settings.regions
    try:
        listed = look.ask(REGIONS)["Regions"]
        open_ones = sorted(text(one, "RegionName") for one in listed if text(one, "OptInStatus") != "not-opted-in")
        if not open_ones:
            raise Malformed("the list of regions is empty")
    except ReadError as error:
        yield from look.lost(REGIONS, error)
        look.regions = named if named is not None else (look.settings.home_region,)
        return
    look.regions = tuple(open_ones) if named is None else named
    left_out = sorted(set(open_ones) - set(look.regions))
    if left_out:
        detail = f"not looked at, by the target's option regions: {', '.join(left_out)}"
        for fact in _REGIONAL:
            yield from look.gap(fact, GapWhy.UNSEEN, detail)


COLLECTOR = AwsCollector()
