"""CloudTrail: each trail as streams of events, by what it is set to carry, and when it last delivered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors.aws.look import Look, instant, items, text
from collectors.aws.operations import TRAIL_EVENTS, TRAIL_STATUS, TRAILS
from collectors.aws.placement import placed
from collectors.aws.source import OF_LOG
from scanner.errors import Malformed, ReadError
from scanner.facts import LogDelivery, LogForwarding, LogSource
from scanner.model import GapWhy, Record

RECORDED = ["result", "what", "when", "who"]
"""What every CloudTrail record carries: userIdentity, eventName, eventTime, errorCode."""


@dataclass(frozen=True)
class Carried:
    """What a trail is set to carry."""

    management: bool
    data: bool


def read(look: Look) -> Iterator[Record]:
    """Streams of every trail; the listing stays open, for other services keep logs too."""
    if not look.wants(*OF_LOG, "Placement"):
        return
    if look.settings.other_logs != "none":
        detail = (
            "streams of other services (flow logs, event data stores, load balancers) are not read; "
            'the target\'s option other_logs = "none" says that there are none'
        )
        yield from look.gap("LogSource", GapWhy.UNSUPPORTED, detail)
    yield from look.unsaid("LogForwarding", "encrypted", "AWS does not say how it carries events to the bucket")
    trails: dict[str, tuple[Mapping[str, Any], str]] = {}
    for region in look.regions:
        try:
            for trail in look.ask(TRAILS, region)["trailList"]:
                trails.setdefault(text(trail, "TrailARN"), (trail, text(trail, "HomeRegion")))
        except ReadError as error:
            yield from look.lost(TRAILS, error, region=region)
    for arn, (trail, home) in sorted(trails.items()):
        yield from _trail(look, arn, trail, home)


def _trail(look: Look, arn: str, trail: Mapping[str, Any], home: str) -> Iterator[Record]:
    carried: Carried | None = None
    ever: bool | None = None
    last: datetime | None = None
    lost: list[ReadError] = []
    try:
        carried = _carried(look.ask(TRAIL_EVENTS, home, TrailName=arn))
    except ReadError as error:
        lost.append(error)
    name = str(trail.get("Name") or arn)
    streams = ["management"] if carried is None or carried.management or not carried.data else []
    streams += ["data"] if carried is not None and carried.data else []
    if carried is None:
        yield from look.lost(TRAIL_EVENTS, lost[0], region=home)
        for fact in (*OF_LOG, "Placement"):
            detail = f"whether trail {name} has a stream of data events is not known"
            yield from look.gap(fact, lost[0].why, detail)
    status_lost: ReadError | None = None
    try:
        ever, last = _delivered(look.ask(TRAIL_STATUS, home, Name=arn))
    except ReadError as error:
        status_lost = error
    for stream in streams:
        asset = look.key("log_source", f"{arn}#{stream}")
        if status_lost is not None:
            yield from look.lost(TRAIL_STATUS, status_lost, asset=asset, region=home)
        elif ever is None:
            detail = "the trail is on, and AWS names no delivery yet"
            for field in ("ever_arrived", "last_arrived"):
                yield from look.gap("LogDelivery", GapWhy.UNSEEN, detail, asset=asset, field=field)
        pillar, carries = _told(stream, carried, trail)
        if pillar is None and carried is not None:
            detail = (
                "without global service events it carries no sign-in and no change of rights"
                if carried.management
                else "it is set to carry neither all management events nor any data event"
            )
            yield from look.gap("LogSource", GapWhy.UNSEEN, detail, asset=asset, field="pillar")
            if carries is None:
                yield from look.gap("LogDelivery", GapWhy.UNSEEN, detail, asset=asset, field="carries")
        where: Any = pillar
        yield from look.saw(
            LogSource(asset=asset, observed_at=look.begun, pillar=where, name=f"{name} ({stream} events)"),
            LogDelivery(asset=asset, observed_at=look.begun, ever_arrived=ever, last_arrived=last, carries=carries),
            LogForwarding(asset=asset, observed_at=look.begun, destinations=_destinations(trail)),
            placed(look, asset, None),
        )
        yield from look.gap("Placement", GapWhy.UNSUPPORTED, "tags of trails are not read", asset=asset, field="tags")


def _told(stream: str, carried: Carried | None, trail: Mapping[str, Any]) -> tuple[str | None, list[str] | None]:
    if carried is None:
        return None, None
    if stream == "data":
        return "data", sorted([*RECORDED, "data_access"])
    if not carried.management:
        return None, None
    identity = trail.get("IncludeGlobalServiceEvents") is True
    return ("identity" if identity else None), sorted([*RECORDED, "privileged_operations"])


def _destinations(trail: Mapping[str, Any]) -> list[str]:
    bucket, group = trail.get("S3BucketName"), trail.get("CloudWatchLogsLogGroupArn")
    found = [f"s3://{bucket}"] if bucket else []
    return sorted([*found, *([str(group)] if group else [])])


def _delivered(status: Mapping[str, Any]) -> tuple[bool | None, datetime | None]:
    """Whether and when the trail last delivered; None where it is on and AWS names no delivery."""
    logging, last = status.get("IsLogging"), status.get("LatestDeliveryTime")
    if not isinstance(logging, bool):
        raise Malformed("the status does not say whether the trail is on")
    if last:
        return True, instant(last)
    return (None, None) if logging else (False, None)


def _carried(answer: Mapping[str, Any]) -> Carried:
    """Whether all management events, and any data events, are carried; raises Malformed."""
    plain, advanced = answer.get("EventSelectors"), answer.get("AdvancedEventSelectors")
    if not plain and not advanced:
        raise Malformed("the answer has no event selectors")
    plain = items(answer, "EventSelectors", optional=True)
    advanced = items(answer, "AdvancedEventSelectors", optional=True)
    management = data = False
    for selector in plain:
        # Reading, or writing, alone is not the stream of management events.
        whole = selector.get("ReadWriteType", "All") != "ReadOnly"
        management = management or (selector.get("IncludeManagementEvents", True) is True and whole)
        data = data or bool(selector.get("DataResources"))
    for selector in advanced:
        fields = {str(one.get("Field")): one for one in items(selector, "FieldSelectors")}
        category = items(fields.get("eventCategory", {}), "Equals", str, optional=True)
        reads_only = "true" in items(fields.get("readOnly", {}), "Equals", str, optional=True)
        management = management or ("Management" in category and not reads_only)
        data = data or "Data" in category
    return Carried(management, data)
