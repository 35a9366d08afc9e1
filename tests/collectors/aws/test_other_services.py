"""What the institution says of services that are not read: it closes a listing only in so many words."""

from __future__ import annotations

import pytest

from scanner.model import Census
from tests.collectors.aws.losses import Remembered, Without, seen
from tests.collectors.aws.recorded import account


def closed(fact: str, right: str = "", **options: str) -> bool:
    records = seen(Without(Remembered(account()), {right}), **options)
    return next(one.complete for one in records if isinstance(one, Census) and one.fact == fact)


@pytest.mark.parametrize(("fact", "option"), [("DataStore", "other_stores"), ("LogSource", "other_logs")])
def test_stores_and_logs_stay_open_until_the_estate_says_that_there_are_no_others(fact: str, option: str) -> None:
    assert not closed(fact)
    assert not closed(fact, **{option: "some"})
    assert closed(fact, **{option: "none"})
    assert not closed(fact, **{"other_stores": "none", "other_logs": "none", option: "None"})


@pytest.mark.parametrize(
    ("fact", "right"), [("DataStore", "s3:ListAllMyBuckets"), ("LogSource", "cloudtrail:DescribeTrails")]
)
def test_that_word_closes_no_listing_that_was_not_read(fact: str, right: str) -> None:
    assert not closed(fact, right, other_stores="none", other_logs="none")
