"""Trails as streams of events, by answers written by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from scanner.errors import AccessDenied
from scanner.facts import LogDelivery, LogForwarding, LogSource
from scanner.model import Census, Fact, Gap, Record
from tests.collectors.aws.losses import Remembered, seen
from tests.collectors.aws.recorded import REGION, TRAIL, account

MANAGEMENT = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}
NAMED = TRAIL.replace(":", "%3A").replace("/", "%2F")


def trail(
    selectors: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **changes: Any
) -> list[Record]:
    files: dict[str, Any] = account()
    files[f"describe-trails.{REGION}.json"]["trailList"][0] |= changes
    if selectors is not None:
        files[f"get-event-selectors.{REGION}.{NAMED}.json"] = selectors
    if status is not None:
        files[f"get-trail-status.{REGION}.{NAMED}.json"] = status
    return seen(Remembered(files))


def of(records: list[Record], kind: type[Fact]) -> dict[str, Any]:
    return {one.asset.rpartition("#")[2]: one for one in records if type(one) is kind and "#" in one.asset}


def told(records: list[Record], fact: str, field: str | None) -> bool:
    return any(isinstance(one, Gap) and (one.fact, one.field) == (fact, field) and one.asset for one in records)


@pytest.mark.parametrize(
    ("selectors", "pillars"),
    [
        ({"EventSelectors": [MANAGEMENT]}, {"management": "identity"}),
        ({"EventSelectors": [{**MANAGEMENT, "ReadWriteType": "ReadOnly"}]}, {"management": None}),
        ({"EventSelectors": [{**MANAGEMENT, "IncludeManagementEvents": False}]}, {"management": None}),
        (
            {"EventSelectors": [{**MANAGEMENT, "IncludeManagementEvents": False, "DataResources": [{"Type": "x"}]}]},
            {"data": "data"},
        ),
        (
            {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]},
            {"management": "identity"},
        ),
        (
            {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}]},
            {"data": "data"},
        ),
        ({"EventSelectors": [], "AdvancedEventSelectors": []}, {"management": None}),
    ],
)
def test_streams_are_what_the_selectors_let_through(selectors: dict[str, Any], pillars: dict[str, str | None]) -> None:
    records = trail(selectors)

    assert {stream: one.pillar for stream, one in of(records, LogSource).items()} == pillars
    if None in pillars.values():
        assert any(isinstance(one, Gap) and (one.fact, one.field) == ("LogSource", "pillar") for one in records)


def test_a_trail_without_global_events_carries_no_identity() -> None:
    records = trail(IncludeGlobalServiceEvents=False)

    assert of(records, LogSource)["management"].pillar is None
    assert told(records, "LogSource", "pillar")


@pytest.mark.parametrize(
    ("status", "ever", "last"),
    [
        ({"IsLogging": True, "LatestDeliveryTime": "2026-11-20T00:00:00Z"}, True, datetime(2026, 11, 20, tzinfo=UTC)),
        ({"IsLogging": False, "LatestDeliveryTime": "2026-01-01T00:00:00Z"}, True, datetime(2026, 1, 1, tzinfo=UTC)),
        ({"IsLogging": False}, False, None),
        ({"IsLogging": True}, None, None),
    ],
)
def test_only_a_delivery_is_an_arrival(status: dict[str, Any], ever: bool | None, last: datetime | None) -> None:
    records = trail(status=status)
    delivery = of(records, LogDelivery)["management"]

    assert (delivery.ever_arrived, delivery.last_arrived) == (ever, last)
    assert told(records, "LogDelivery", "ever_arrived") is (ever is None)


def test_destinations_are_the_bucket_and_the_log_group() -> None:
    group = f"arn:aws:logs:{REGION}:123456789012:log-group:trail"

    assert of(trail(CloudWatchLogsLogGroupArn=group), LogForwarding)["management"].destinations == [group, "s3://logs"]


def whole(records: list[Record]) -> set[str]:
    """Fact types whose listing is called complete."""
    return {one.fact for one in records if isinstance(one, Census) and one.complete}


def test_selectors_that_are_denied_leave_every_listing_of_streams_open() -> None:
    files: dict[str, Any] = account()
    before = whole(seen(Remembered(files)))
    files[f"get-event-selectors.{REGION}.{NAMED}.json"] = AccessDenied("AccessDenied: no right")

    assert before - whole(seen(Remembered(files))) >= {"Placement"}
