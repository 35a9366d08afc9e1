"""Why an outcome is unknown, and what a use saw of an asset, read back from what was judged."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scanner.judging.explain import Missing, Shown, missing, shown
from scanner.judging.judge import Use
from scanner.model import GapWhy, Outcome
from tests.scanner.miniature import AS_OF, FRESH, STALE, WEEK, Said, Verdict, mfa, sign_in, user, verdict

BOTH = ["User", "SignIn"]


def lacks(made: Verdict) -> dict[tuple[str, str], Missing]:
    return {(lack.fact, lack.field): lack for lack, _ in missing(made.judged, AS_OF, {})}


def rows(made: Verdict, **asked: Any) -> list[Shown]:
    (use,) = made.judged.uses
    return shown(made.judged, use, AS_OF, {}, **asked)


def test_nothing_is_missing_where_everything_was_seen(tmp_path: Path) -> None:
    made = verdict(tmp_path, {"ad": Said([user("a"), sign_in("a"), user("b"), sign_in("b", mfa="not_required")])})
    assert made.outcomes == {"a": "pass", "b": "fail"}
    assert lacks(made) == {}
    assert [(row.asset, row.outcome, row.why) for row in rows(made)] == [
        ("user:ad:a", Outcome.PASS, ()),
        ("user:ad:b", Outcome.FAIL, ()),
    ]


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ([user("a")], GapWhy.UNSEEN),
        ([user("a"), sign_in("a", mfa=None)], GapWhy.UNSEEN),
        ([user("a"), sign_in("a", observed_at=STALE)], GapWhy.STALE),
        ([user("a"), sign_in("a", observed_at=AS_OF + timedelta(days=1))], GapWhy.STALE),
    ],
    ids=["no row", "null", "stale", "from the future"],
)
def test_a_field_that_is_not_known_has_its_reason(tmp_path: Path, facts: list[Any], why: GapWhy) -> None:
    made = verdict(tmp_path, {"ad": Said(facts, promises=BOTH)})
    assert made.outcomes == {"a": "unknown"}
    lack = lacks(made)["SignIn", "mfa"]
    assert (lack.why, lack.count, lack.example, lack.sources) == (why, 1, "user:ad:a", ("ad",))
    (row,) = rows(made)
    assert why.value in row.why and row.fields["SignIn.mfa"] is None


def test_two_sources_that_differ_are_a_conflict(tmp_path: Path) -> None:
    said = {
        "ad": Said([user("a"), sign_in("a")]),
        "idp": Said([sign_in("a", mfa="report_only")]),
    }
    made = verdict(tmp_path, said)
    assert made.outcomes == {"a": "unknown"}
    lack = lacks(made)["SignIn", "mfa"]
    assert (lack.why, lack.sources) == (GapWhy.CONFLICT, ("ad", "idp"))
    assert ("SignIn", "excluded") not in lacks(made), "on this they agree"
    assert rows(made)[0].why == ("conflict",)


def test_what_a_check_that_does_not_apply_could_not_see_is_no_lack(tmp_path: Path) -> None:
    made = verdict(tmp_path, {"ad": Said([user("a", enabled=False)], promises=BOTH)})
    assert made.outcomes == {"a": "na"}
    assert lacks(made) == {}
    assert rows(made)[0].why == ()


def test_lacks_are_counted_and_name_the_first_asset_and_the_uses(tmp_path: Path) -> None:
    made = verdict(tmp_path, {"ad": Said([user(key) for key in "cab"] + [sign_in("c")], promises=BOTH)})
    found = list(missing(made.judged, AS_OF, {}))
    (use,) = made.judged.uses
    assert {users for _, users in found} == {frozenset({use.id})}
    assert {(lack.count, lack.example) for lack, _ in found} == {(2, "user:ad:a")}


def test_rows_are_asked_for_by_outcome_asset_and_number(tmp_path: Path) -> None:
    facts = [user(key) for key in "abc"] + [sign_in("a"), sign_in("b", mfa="not_required"), sign_in("c", excluded=True)]
    made = verdict(tmp_path, {"ad": Said(facts)})
    assert [row.asset for row in rows(made, outcome=Outcome.FAIL)] == ["user:ad:b", "user:ad:c"]
    assert [row.asset for row in rows(made, outcome=Outcome.FAIL, limit=1)] == ["user:ad:b"]
    assert [row.outcome for row in rows(made, asset="user:ad:a")] == [Outcome.PASS]
    assert rows(made, asset="user:ad:zoe") == rows(made, outcome=Outcome.UNKNOWN) == []


def test_a_row_shows_what_the_check_shows_and_every_field_it_read(tmp_path: Path) -> None:
    earlier = FRESH - timedelta(hours=5)
    made = verdict(tmp_path, {"ad": Said([user("a"), sign_in("a", mfa="report_only", observed_at=earlier)])})
    (row,) = rows(made)
    assert dict(row.shows) == {"mfa": "report_only", "excluded": False}
    assert dict(row.fields) == {"SignIn.excluded": False, "SignIn.mfa": "report_only", "User.enabled": True}
    assert row.observed_at == earlier.replace(tzinfo=None), "the oldest of what was judged"


def test_a_crashed_use_says_error_of_every_asset(tmp_path: Path) -> None:
    made = verdict(tmp_path, {"ad": Said([user("a"), sign_in("a")])}, modes=[3])
    (use,) = made.judged.uses
    assert use.id in made.judged.errors
    assert list(missing(made.judged, AS_OF, {})) == []
    assert [(row.outcome, row.why) for row in rows(made)] == [(Outcome.UNKNOWN, ("error",))]


def test_another_use_of_the_same_check_is_another_reading(tmp_path: Path) -> None:
    made = verdict(tmp_path, {"ad": Said([user("a"), sign_in("a")])})
    (use,) = made.judged.uses
    assert use == Use(mfa, {"modes": ["enforced"]}, WEEK)
    assert use.id != Use(mfa, {"modes": ["enforced", "report_only"]}, WEEK).id
