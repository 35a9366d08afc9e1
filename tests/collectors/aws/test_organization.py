"""An organization of recorded accounts: which are read, what each loss costs, and when a listing is whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collectors.aws import COLLECTOR, AwsCollector
from collectors.aws.operations import MEMBERS, SOURCES
from collectors.aws.source import PROMISED
from scanner.errors import AccessDenied, Unreachable
from scanner.facts import Account, Segment, User
from scanner.model import Capture, Census, Fact, Gap, GapWhy, Record, Target
from tests.collectors.aws.lab import ACCOUNT
from tests.collectors.aws.losses import Listening, Remembered, Without, seen, wrongs
from tests.collectors.aws.recorded import account, in_account, member, recorded_target, write
from tests.collectors.stage import StagedAccess, read

SECOND, THIRD, GONE = "222222222222", "333333333333", "444444444444"
ROLE = {"organization_role": "audit/reader"}
ABSENT = frozenset({"iam:GenerateCredentialReport"})
"""The recording that was written by hand answers it of itself."""


def organization(*, listed: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Files of three accounts that can be read and of the list of them."""
    given = [member(ACCOUNT), member(SECOND), member(THIRD)] if listed is None else listed
    own = account()
    return {
        **own,
        "list-accounts.json": {"Accounts": given},
        **in_account(own, SECOND),
        **in_account(own, THIRD),
    }


def accounts_of(records: list[Record], kind: type[Fact]) -> set[str]:
    """Numbers of the accounts of which there are rows of a kind."""
    found = set()
    for one in records:
        if isinstance(one, kind):
            prefix, source, rest = one.asset.split(":", 2)
            found.add(rest if prefix == "account" else source.removeprefix("aws-"))
    return found


def gaps_of(records: list[Record], word: str) -> list[Gap]:
    return [one for one in records if isinstance(one, Gap) and word in one.detail]


def whole_listings(records: list[Record]) -> set[str]:
    return {one.fact for one in records if isinstance(one, Census) and one.complete}


@pytest.fixture(scope="module")
def alone() -> list[Record]:
    return seen(Remembered(account()))


@pytest.fixture(scope="module")
def whole() -> list[Record]:
    return seen(Remembered(organization()), **ROLE)


def test_every_account_is_read_and_the_listings_are_over_all(alone: list[Record], whole: list[Record]) -> None:
    every = {ACCOUNT, SECOND, THIRD}
    users = next(one for one in whole if isinstance(one, Census) and one.fact == "User")

    assert {accounts_of(whole, kind) == every for kind in (Account, User, Segment)} == {True}
    assert users.n == 3 * len([one for one in alone if isinstance(one, User)])
    assert whole_listings(whole) == whole_listings(alone) >= {"User", "Segment", "Account"}


def test_what_is_never_read_is_said_once_and_not_by_every_account(alone: list[Record], whole: list[Record]) -> None:
    def general(records: list[Record]) -> list[tuple[str, str, str]]:
        found = [one for one in records if isinstance(one, Gap) and one.asset is None]
        return sorted((one.fact, one.field or "", one.detail) for one in found)

    assert general(whole) == general(alone)


def test_the_rows_of_an_account_are_the_same_alone_and_in_its_organization(
    alone: list[Record], whole: list[Record]
) -> None:
    own = {(type(one).__name__, one.asset): one for one in whole if isinstance(one, Fact) and ACCOUNT in one.asset}

    assert own == {(type(one).__name__, one.asset): one for one in alone if isinstance(one, Fact)}


@pytest.mark.parametrize("state", ["SUSPENDED", "PENDING_CLOSURE", "CLOSED", "PENDING_ACTIVATION", "a new word"])
def test_an_account_that_is_not_active_is_a_row_and_a_gap_and_is_not_entered(state: str) -> None:
    files = organization(listed=[member(ACCOUNT), member(SECOND), member(GONE, State=state, Status="SUSPENDED")])
    listening = Listening(Remembered(files))
    records = seen(listening, **ROLE)
    told = gaps_of(records, f"account {GONE} is {state}")

    assert not any(name.startswith(GONE) for name in listening.answers)
    assert [one for one in records if isinstance(one, Fact) and GONE in one.asset] == [
        one for one in records if isinstance(one, Account) and one.asset.endswith(GONE)
    ]
    assert {one.fact for one in told} == PROMISED
    assert {(one.fact, one.field) for one in told if one.field} == {("Account", "name")}
    assert whole_listings(records) == {"Account"}


def test_the_older_word_for_the_state_of_an_account_still_counts() -> None:
    older = member(SECOND, Status="SUSPENDED")
    del older["State"]
    records = seen(Remembered(organization(listed=[member(ACCOUNT), older])), **ROLE)

    assert accounts_of(records, User) == {ACCOUNT}
    assert gaps_of(records, f"account {SECOND} is SUSPENDED")


def test_an_account_that_cannot_be_entered_is_lost_by_its_number_and_costs_no_other_anything() -> None:
    files = {name: content for name, content in organization().items() if not name.startswith(SECOND)}
    records = seen(Remembered(files), **ROLE)
    told = gaps_of(records, f"account {SECOND}: ")

    assert accounts_of(records, User) == {ACCOUNT, THIRD}
    assert accounts_of(records, Account) == {ACCOUNT, SECOND, THIRD}
    assert {one.fact for one in told if one.field is None} == PROMISED
    assert whole_listings(records) == set()


def test_another_account_that_answers_in_its_place_is_not_taken_for_it() -> None:
    files = organization()
    files[f"{SECOND}/get-caller-identity.json"] = files[f"{THIRD}/get-caller-identity.json"]
    records = seen(Remembered(files), **ROLE)

    assert accounts_of(records, User) == {ACCOUNT, THIRD}
    assert {one.why for one in gaps_of(records, f"account {THIRD} answers in its place")} == {GapWhy.MALFORMED}


def _denied(files: dict[str, Any]) -> None:
    files["list-accounts.json"] = AccessDenied("AccessDenied: no right")


def _empty(files: dict[str, Any]) -> None:
    files["list-accounts.json"] = {"Accounts": []}


def _no_organization(files: dict[str, Any]) -> None:
    files["list-accounts.json"] = {"ztgrade_none": True}


def _without_the_caller(files: dict[str, Any]) -> None:
    files["list-accounts.json"] = {"Accounts": [member(SECOND), member(THIRD)]}


def _twice(files: dict[str, Any]) -> None:
    files["list-accounts.json"]["Accounts"].append(member(SECOND))


def _nameless(files: dict[str, Any]) -> None:
    files["list-accounts.json"]["Accounts"][1] = {"Name": "second", "State": "ACTIVE"}


def _outside(files: dict[str, Any]) -> None:
    files["list-accounts.json"]["Accounts"][1] = member("../../elsewhere")


def _stateless(files: dict[str, Any]) -> None:
    files["list-accounts.json"]["Accounts"][1] = member(SECOND, State=None, Status=7)


@pytest.mark.parametrize(
    ("bend", "why", "said", "users"),
    [
        (_denied, GapWhy.DENIED, "no right", {ACCOUNT}),
        (_empty, GapWhy.MALFORMED, "empty", {ACCOUNT}),
        (_no_organization, GapWhy.UNSUPPORTED, "belongs to no organization", {ACCOUNT}),
        (_without_the_caller, GapWhy.MALFORMED, "leaves out", {ACCOUNT, SECOND, THIRD}),
        (_twice, GapWhy.MALFORMED, f"{SECOND} is listed twice", {ACCOUNT, SECOND, THIRD}),
        (_nameless, GapWhy.MALFORMED, "has no Id", {ACCOUNT, THIRD}),
        (_outside, GapWhy.MALFORMED, "no account number", {ACCOUNT, THIRD}),
        (_stateless, GapWhy.MALFORMED, "has no Status", {ACCOUNT, THIRD}),
    ],
)
def test_what_is_wrong_with_the_list_of_accounts_is_told_apart_and_leaves_every_listing_open(
    whole: list[Record], bend: Callable[[dict[str, Any]], None], why: GapWhy, said: str, users: set[str]
) -> None:
    files = organization()
    bend(files)
    records = seen(Remembered(files), **ROLE)
    told = gaps_of(records, said)

    assert {one.fact for one in told} == PROMISED
    assert {one.why for one in told} == {why}
    assert accounts_of(records, User) == users
    assert whole_listings(records) == set()
    assert wrongs(whole, records) == []


def test_an_account_listed_twice_is_read_once() -> None:
    files = organization()
    _twice(files)
    users = [one.asset for one in seen(Remembered(files), **ROLE) if isinstance(one, User)]

    assert len(users) == len(set(users)) == 6


@pytest.mark.parametrize("given", ["arn:aws:iam::*:role/reader", "", "two words", 7, ["reader"]])
def test_an_option_that_names_no_role_leaves_every_listing_open(given: Any) -> None:
    records = seen(Remembered(organization()), organization_role=given)

    assert {one.fact for one in gaps_of(records, "no name of a role")} == PROMISED
    assert accounts_of(records, User) == {ACCOUNT}
    assert whole_listings(records) == set()


def test_where_the_caller_cannot_be_named_no_account_is_listed() -> None:
    listening = Listening(Remembered(organization() | {"get-caller-identity.json": Unreachable("no route")}))
    records = seen(listening, **ROLE)

    assert set(listening.answers) == {"get-caller-identity.json"}
    assert not [one for one in records if isinstance(one, Fact)]
    assert {one.fact for one in gaps_of(records, "no route")} == PROMISED


@pytest.mark.parametrize("right", sorted({source.call.permission for source in (*SOURCES, MEMBERS)} - ABSENT))
def test_a_right_that_all_accounts_lack_helps_nothing_in_any_and_is_named_in_each(
    whole: list[Record], right: str
) -> None:
    records = seen(Without(Remembered(organization()), {right}), **ROLE)

    assert wrongs(whole, records) == []
    assert gaps_of(records, right)
    for number in (SECOND, THIRD) if right not in {"sts:GetCallerIdentity", "organizations:ListAccounts"} else ():
        assert any(right in one.detail and number in f"{one.asset} {one.detail}" for one in gaps_of(records, right))


@pytest.mark.parametrize("name", sorted(in_account(account(), SECOND)))
def test_an_answer_of_one_account_that_is_lost_is_named_and_helps_nothing(whole: list[Record], name: str) -> None:
    records = seen(Remembered({given: answer for given, answer in organization().items() if given != name}), **ROLE)

    assert wrongs(whole, records) == []
    assert gaps_of(records, f"{name.partition('/')[2]}: never asked before")


def test_captures_of_accounts_do_not_collide_and_read_back(tmp_path: Path) -> None:
    write(tmp_path / "given", organization())
    target = recorded_target(tmp_path / "given", **ROLE)
    first = list(COLLECTOR.read(StagedAccess(target)))
    captures = [one for one in first if isinstance(one, Capture)]
    (tmp_path / "taken").mkdir()
    for capture in captures:
        path = tmp_path / "taken" / capture.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(capture.content)
    again = read(COLLECTOR, recorded_target(tmp_path / "taken", **ROLE))

    assert len({one.name for one in captures}) == len(captures)
    assert {f"{SECOND}/list-buckets.json", "list-buckets.json"} <= {one.name for one in captures}
    assert [one for one in first if isinstance(one, Census)] == [one for one in again if isinstance(one, Census)]
    assert wrongs(first, again) == wrongs(again, first) == []


def test_a_plan_names_the_list_and_the_role(tmp_path: Path) -> None:
    target = Target(name="cloud", collector="aws", source="cloud", options=ROLE)
    calls = [one.call for one in AwsCollector().plan(target)]

    assert calls[:2] == ["organizations:ListAccounts", "sts:AssumeRole arn:aws:iam::*:role/audit/reader"]
    assert not any("ListAccounts" in one.call for one in AwsCollector().plan(Target("cloud", "aws", "cloud")))


def test_only_promised_facts_of_the_accounts_are_spoken_of() -> None:
    target = Target(name="cloud", collector="aws", source="cloud", promises=("User",), options=ROLE)
    asked = Remembered(organization(listed=[member(ACCOUNT), member(GONE, State="SUSPENDED")]))
    records = list(AwsCollector(lambda _: asked).read(StagedAccess(target)))

    assert {type(one) for one in records if isinstance(one, Fact)} == {User}
    assert {one.fact for one in records if isinstance(one, Gap)} == {"User"}
