"""Files of the AWS CLI in place of AWS."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.aws import COLLECTOR
from collectors.aws.operations import DETAILS, GROUPS
from collectors.aws.recording import captured_at, file_name, recorded
from scanner.facts import Account, Segment, User
from scanner.model import Census, Gap, GapWhy, Record
from tests.collectors.aws.recorded import CAPTURED_AT, REGION, account, recorded_target, write
from tests.collectors.stage import facts, read


def census(records: list[Record], fact: str) -> Census:
    return next(one for one in records if isinstance(one, Census) and one.fact == fact)


def lost(records: list[Record], fact: str) -> list[GapWhy]:
    return [one.why for one in records if isinstance(one, Gap) and one.fact == fact and one.field is None]


def test_a_folder_of_answers_is_an_account_as_of_its_day(tmp_path: Path) -> None:
    write(tmp_path, account())
    records = read(COLLECTOR, recorded_target(tmp_path))

    assert {one.observed_at for one in facts(records) if isinstance(one, (Account, Segment))} == {
        datetime.fromisoformat(CAPTURED_AT)
    }
    assert census(records, "User").complete
    assert census(records, "Segment").complete


@pytest.mark.parametrize("given", [None, "soon", "2026-11-20T01:00:00", datetime(2026, 11, 20), 7])
def test_a_recording_without_its_day_is_worth_nothing(tmp_path: Path, given: Any) -> None:
    write(tmp_path, account())
    target = recorded_target(tmp_path, captured_at=given)

    assert captured_at(target) is None
    assert facts(read(COLLECTOR, target)) == []
    assert lost(read(COLLECTOR, target), "User") == [GapWhy.MALFORMED]


def test_the_day_may_be_given_as_toml_has_it(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 20, tzinfo=UTC)

    assert captured_at(recorded_target(tmp_path, captured_at=moment)) == moment


@pytest.mark.parametrize(
    "more", [{"NextToken": "eyJ"}, {"IsTruncated": True, "Marker": "m"}, {"IsTruncated": True}], ids=str
)
def test_pages_left_out_by_the_cli_are_a_truncated_listing(tmp_path: Path, more: dict[str, Any]) -> None:
    files = account()
    files["get-account-authorization-details.json"] |= more
    write(tmp_path, files)
    records = read(COLLECTOR, recorded_target(tmp_path))

    assert GapWhy.TRUNCATED in lost(records, "User")
    assert not any(isinstance(one, User) for one in records)
    assert not census(records, "User").complete


def test_what_was_not_recorded_is_lost_and_not_empty(tmp_path: Path) -> None:
    files = account()
    del files[f"describe-security-groups.{REGION}.json"]
    write(tmp_path, files)
    records = read(COLLECTOR, recorded_target(tmp_path))

    assert lost(records, "Segment") == [GapWhy.UNREACHABLE]
    assert not census(records, "Segment").complete


def test_a_single_region_needs_no_region_in_the_names(tmp_path: Path) -> None:
    files = {name.replace(f".{REGION}", ""): content for name, content in account().items()}
    write(tmp_path, files)
    records = read(COLLECTOR, recorded_target(tmp_path, regions=[REGION]))

    assert any(isinstance(one, Segment) for one in records)


def test_a_region_cannot_lead_out_of_the_folder() -> None:
    name = file_name(GROUPS.call, "../../etc/x", {})

    assert name == "describe-security-groups...%2F..%2Fetc%2Fx.json"


def test_ids_of_keys_are_shortened_and_shared_words_removed() -> None:
    answer = {
        "UserDetailList": [{"Note": "AKIAIOSFODNN7EXAMPLE"}],
        "RoleDetailList": [
            {"AssumeRolePolicyDocument": {"Condition": {"StringEquals": {"sts:ExternalId": ["hush", "hush-hush"]}}}}
        ],
        "SecretAccessKey": "hush",
    }
    content = recorded(DETAILS.call, "", {}, answer).content

    assert b"AKIAIO...MPLE" in content
    assert b"hush" not in content
    assert b"IOSFODNN7EX" not in content
