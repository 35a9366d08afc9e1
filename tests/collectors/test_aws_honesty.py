"""Whatever right, region or answer of AWS is taken away: nothing gets better, nothing vanishes, the loss is named."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from collectors.aws import connect
from collectors.aws.operations import CALLER, MEMBERS, PERMISSIONS, SOURCES
from collectors.aws.recording import file_name
from collectors.aws.source import PROMISED
from collectors.ports.aws import ASSUME_ROLE, Answer, Operation
from scanner.errors import AccessDenied, Malformed, ReadError, Throttled, Truncated, Unreachable, Unsupported
from scanner.model import Census, Gap, GapWhy, Record
from tests.collectors.aws import recorded
from tests.collectors.aws.lab import LiveAccess, live_target, moto_server, seed
from tests.collectors.aws.losses import Listening, Remembered, Without, names_loss, rows, seen, wrongs

Answers = Mapping[str, Answer | ReadError | None]
RIGHTS = sorted({source.call.permission for source in SOURCES})
REGIONS = ["ap-northeast-1", "eu-west-1", "us-east-1"]


def _by_hand() -> Answers:
    return recorded.account()


@pytest.fixture(scope="module")
def from_moto() -> Iterator[Answers]:
    """Answers of a small estate in moto's server, read over the network once."""
    with moto_server() as address:
        seed(address)
        access = LiveAccess(live_target(address))
        listening = Listening(connect(access))
        seen(listening, regions=REGIONS)
        yield listening.answers


@pytest.fixture(params=["by hand", "from moto"], scope="module")
def answers(request: pytest.FixtureRequest) -> Answers:
    return _by_hand() if request.param == "by hand" else request.getfixturevalue("from_moto")


@pytest.fixture(scope="module")
def options(answers: Answers) -> dict[str, object]:
    return {"regions": REGIONS} if "describe-volumes.us-east-1.json" in answers else {}


@pytest.fixture(scope="module")
def whole(answers: Answers, options: dict[str, object]) -> list[Record]:
    return seen(Remembered(answers), **options)


def _asked(answers: Answers, options: dict[str, object]) -> set[str]:
    """Rights that reading this estate takes."""
    listening = Listening(Remembered(answers))
    seen(listening, **options)
    return listening.permissions


def test_the_estates_exercise_every_right(from_moto: Answers) -> None:
    assert _asked(_by_hand(), {}) == set(RIGHTS)
    assert set(RIGHTS) - _asked(from_moto, {"regions": REGIONS}) <= {"iam:ListVirtualMFADevices"}
    assert {permission.name for permission in PERMISSIONS} == {*RIGHTS, MEMBERS.call.permission, ASSUME_ROLE.permission}


@pytest.mark.parametrize("right", RIGHTS)
def test_one_right_denied_is_named_and_helps_nothing(
    answers: Answers, options: dict[str, object], whole: list[Record], right: str
) -> None:
    after = seen(Without(Remembered(answers), {right}), **options)

    assert wrongs(whole, after) == []
    if right in _asked(answers, options):
        assert names_loss(after, right)
        assert any(isinstance(one, Gap) and one.why is GapWhy.DENIED and right in one.detail for one in after)


def test_two_hundred_pairs_of_rights_denied_help_nothing(
    answers: Answers, options: dict[str, object], whole: list[Record]
) -> None:
    pairs = [(one, other) for one in RIGHTS for other in RIGHTS if one < other]
    found = []
    for pair in random.Random(20241120).sample(pairs, 200):
        after = seen(Without(Remembered(answers), pair), **options)
        found += [f"{pair}: {wrong}" for wrong in wrongs(whole, after)]
        if not any(names_loss(after, right) for right in pair):
            found.append(f"{pair}: no loss is named")

    assert found == []


@pytest.mark.parametrize(
    "error",
    [
        Throttled("Throttling: Rate exceeded"),
        Unreachable("ReadTimeoutError"),
        Unreachable("ConnectionClosedError"),
        Malformed("an answer that cannot be parsed: 500 Internal Server Error"),
        Unsupported("the server does not know the call"),
        Truncated("page 1 says that there are more, and not where they begin"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_each_kind_of_failure_is_told_as_what_it_is(
    answers: Answers, options: dict[str, object], whole: list[Record], error: ReadError
) -> None:
    for right in sorted(_asked(answers, options)):
        after = seen(Without(Remembered(answers), {right}, error=error), **options)

        assert wrongs(whole, after) == []
        assert any(isinstance(one, Gap) and one.why is error.why and right in one.detail for one in after)


def _lesser(answer: object) -> Iterator[tuple[str, dict[str, object]]]:
    """The answer without each of its keys, and without each key of the objects in it."""
    if isinstance(answer, dict):
        for key, held in answer.items():
            yield key, {one: value for one, value in answer.items() if one != key}
            for inner, lesser in _lesser(held):
                yield f"{key}.{inner}", {**answer, key: lesser}


def test_a_field_of_an_answer_taken_away_helps_nothing(
    answers: Answers, options: dict[str, object], whole: list[Record]
) -> None:
    found = []
    for name, answer in answers.items():
        for key, lesser in _lesser(answer):
            after = seen(Remembered({**answers, name: lesser}), **options)
            found += [f"{name} without {key}: {wrong}" for wrong in wrongs(whole, after)]

    assert found == []


def _places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    held = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in held:
        yield (*path, key)
        yield from _places(item, (*path, key))


def _bent(answer: Any) -> Iterator[Any]:
    """The answer with something of another shape in each of its places."""
    for path in _places(answer):
        shapes: tuple[Any, ...] = (None, "x", 7, [], {})
        for wrong in shapes:
            bent = copy.deepcopy(answer)
            holder = bent
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = wrong
            yield bent


def test_no_answer_of_whatever_shape_ends_the_reading() -> None:
    kept = _by_hand()
    ends = [seen(Remembered({**kept, name: bent})) for name, answer in kept.items() for bent in _bent(answer)]

    assert len(ends) > 500
    assert all({one.fact for one in records if isinstance(one, Census)} in (PROMISED, set()) for records in ends)


def test_one_asset_denied_leaves_the_others_as_they_were(from_moto: Answers) -> None:
    whole = seen(Remembered(from_moto), regions=REGIONS)
    name = "get-bucket-encryption.ledger.json"
    after = seen(Remembered({**from_moto, name: AccessDenied("AccessDenied: bucket policy")}), regions=REGIONS)

    assert wrongs(whole, after) == []
    assert {fact for fact, asset in rows(whole).keys() - rows(after).keys()} == {"EncryptionAtRest"}
    assert len(rows(whole)) == len(rows(after)) + 1
    census = next(one for one in after if isinstance(one, Census) and one.fact == "EncryptionAtRest")
    assert not census.complete


def _census(records: list[Record], fact: str) -> Census:
    return next(one for one in records if isinstance(one, Census) and one.fact == fact)


def test_an_opted_out_region_a_denied_one_and_an_empty_list_are_three_things() -> None:
    kept = _by_hand()
    whole = seen(Remembered(kept))
    denied = seen(Without(Remembered(kept), regions={recorded.REGION}))
    empty = seen(Remembered({**kept, "describe-regions.json": {"Regions": []}}))
    out = {"Regions": [{"RegionName": recorded.REGION, "OptInStatus": "not-opted-in"}]}
    nowhere = seen(Remembered({**kept, "describe-regions.json": out}))

    assert _census(whole, "Segment").complete
    assert not any(isinstance(one, Gap) and "af-south-1" in one.detail for one in whole)
    assert not _census(denied, "Segment").complete
    assert any(isinstance(one, Gap) and one.fact == "Segment" and recorded.REGION in one.detail for one in denied)
    for records in (empty, nowhere):
        assert not _census(records, "Segment").complete
        assert any(isinstance(one, Gap) and one.fact == "Segment" and "empty" in one.detail for one in records)
        assert wrongs(whole, records) == []


def test_regions_left_out_by_the_estate_stay_open() -> None:
    kept = _by_hand()
    listed = {"Regions": [{"RegionName": one, "OptInStatus": "opted-in"} for one in ("eu-west-1", recorded.REGION)]}
    after = seen(Remembered({**kept, "describe-regions.json": listed}), regions=[recorded.REGION])

    assert not _census(after, "Segment").complete
    assert _census(after, "User").complete
    assert any(isinstance(one, Gap) and one.fact == "Segment" and "eu-west-1" in one.detail for one in after)


def test_without_knowing_the_account_everything_promised_is_lost_by_name() -> None:
    after = seen(Without(Remembered(_by_hand()), {CALLER.call.permission}))

    assert rows(after) == {}
    assert {one.fact for one in after if isinstance(one, Gap)} == PROMISED
    assert not any(one.complete for one in after if isinstance(one, Census))


def test_names_of_files_tell_calls_apart() -> None:
    call = Operation("kms", "DescribeKey")

    assert file_name(call, "eu-west-1", {"KeyId": "a/b"}) == "describe-key.eu-west-1.a%2Fb.json"
