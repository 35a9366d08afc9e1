"""An organization in moto's server: each account answers for itself through the role that was assumed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from collectors.aws import AwsCollector, connect
from collectors.ports.aws import AwsPort
from scanner.facts import Account, DataStore, User
from scanner.model import Capture, Census, Fact, Gap, Record
from tests.collectors.aws.lab import ACCOUNT, LiveAccess, client, live_target, moto_server, seed_organization
from tests.collectors.aws.losses import wrongs
from tests.collectors.aws.recorded import recorded_target
from tests.collectors.stage import read

OPTIONS = {"regions": ["us-east-1"], "organization_role": "reader"}


@dataclass
class Estate:
    """The numbers of the accounts, and what one reading of them yielded."""

    members: list[str]
    suspended: str
    records: list[Record]
    port: AwsPort

    def of(self, kind: type[Fact], number: str) -> list[Fact]:
        return [one for one in self.records if isinstance(one, kind) and number in one.asset]


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    with moto_server() as address:
        *members, suspended = seed_organization(address, 3)
        client(address, "organizations").close_account(AccountId=suspended)
        port = connect(LiveAccess(live_target(address, **OPTIONS)))
        assert isinstance(port, AwsPort)
        records = list(AwsCollector(lambda _: port).read(LiveAccess(live_target(address, **OPTIONS))))
        yield Estate(members, suspended, records, port)


def test_each_account_answers_for_itself(estate: Estate) -> None:
    for number in estate.members:
        assert [one.login for one in estate.of(User, number) if isinstance(one, User)] == [f"user-of-{number}"]
        assert [one.name for one in estate.of(DataStore, number) if isinstance(one, DataStore)] == [f"bucket-{number}"]
    assert len([one for one in estate.records if isinstance(one, Account)]) == 1 + len(estate.members) + 1
    assert estate.of(Account, ACCOUNT)


def test_one_role_is_assumed_for_each_active_account(estate: Estate) -> None:
    assert estate.port.sent["sts:AssumeRole"] == len(estate.members)
    assert estate.port.sent["organizations:ListAccounts"] == 1


def test_a_suspended_account_leaves_the_listing_of_users_open(estate: Estate) -> None:
    whole = {one.fact for one in estate.records if isinstance(one, Census) and one.complete}

    assert "Account" in whole
    assert "User" not in whole
    assert any(isinstance(one, Gap) and f"{estate.suspended} is SUSPENDED" in one.detail for one in estate.records)
    assert not estate.of(User, estate.suspended)


def test_a_recording_of_an_organization_read_back_says_the_same(estate: Estate, tmp_path: Path) -> None:
    captures = [one for one in estate.records if isinstance(one, Capture)]
    for capture in captures:
        path = tmp_path / capture.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(capture.content)
    again = read(AwsCollector(), recorded_target(tmp_path, category_tag=None, sensitive_tag=None, **OPTIONS))

    assert len({one.name for one in captures}) == len(captures)
    assert wrongs(estate.records, again) == wrongs(again, estate.records) == []
    assert {(one.fact, one.n, one.complete) for one in again if isinstance(one, Census)} == {
        (one.fact, one.n, one.complete) for one in estate.records if isinstance(one, Census)
    }


def test_no_capture_holds_a_credential_of_a_role(estate: Estate) -> None:
    content = b"".join(one.content for one in estate.records if isinstance(one, Capture))

    assert estate.members[0].encode() in content
    assert b"SessionToken" not in content
    assert b"SecretAccessKey" not in content
