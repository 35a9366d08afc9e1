"""Nothing that could not be seen passes without a gap that names it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scanner.grading.coverage import collected_gaps, listing_gaps, whys_told
from scanner.judging.evidence import Evidence, ReadTarget
from scanner.model import Gap, GapWhy
from scanner.result.collection import GapRow
from tests.engine import session
from tests.scanner.miniature import AS_OF, FRESH, STALE, VOCABULARY, Said, census, sign_in, user

WEEK = timedelta(days=7)


def target(**fields: Any) -> ReadTarget:
    given = {"target": "ad", "source": "corp", "collector": "import", "promises": frozenset({"User"})} | fields
    return ReadTarget(**given)


def listings(folder: Path, said: Mapping[str, Said]) -> list[GapRow]:
    targets = [one.read(name, folder / name) for name, one in said.items()]
    return list(listing_gaps(Evidence(session(), targets, VOCABULARY, AS_OF), WEEK))


def short(rows: list[GapRow]) -> list[tuple[str, str, str]]:
    return [(row.target, row.fact, row.why.value) for row in rows]


def test_a_target_that_was_never_read_leaves_a_gap_for_every_promise() -> None:
    rows = list(collected_gaps([target(promises=frozenset({"User", "SignIn"}))]))
    assert short(rows) == [("ad", "SignIn", "unseen"), ("ad", "User", "unseen")]
    assert all(row.collector == "import" and row.detail for row in rows)


def test_a_sealed_gap_is_told_as_it_is() -> None:
    sealed = Gap(fact="User", why=GapWhy.DENIED, detail="no right", asset="user:ad:a", field="enabled", count=3)
    (row,) = collected_gaps([target(folder=Path(), gaps=(sealed,))])
    assert row == GapRow(
        target="ad",
        collector="import",
        fact="User",
        field="enabled",
        asset="user:ad:a",
        why=GapWhy.DENIED,
        detail="no right",
        count=3,
    )


def test_rows_that_nobody_promised_do_not_count_and_that_is_told() -> None:
    (row,) = collected_gaps([target(folder=Path(), facts={"User": 2, "Device": 7})])
    assert (row.fact, row.why, row.count) == ("Device", GapWhy.UNSUPPORTED, 7)
    assert "promises" in row.detail


def test_whys_are_told_by_source_and_fact() -> None:
    gaps = (
        Gap(fact="User", why=GapWhy.DENIED, detail=""),
        Gap(fact="User", why=GapWhy.TRUNCATED, detail=""),
        Gap(fact="SignIn", why=GapWhy.STALE, detail=""),
    )
    assert whys_told([target(gaps=gaps), target(target="ad2", gaps=gaps[:1])]) == {
        ("corp", "User"): {GapWhy.DENIED, GapWhy.TRUNCATED},
        ("corp", "SignIn"): {GapWhy.STALE},
    }


def test_a_closed_listing_leaves_no_gap(tmp_path: Path) -> None:
    assert listings(tmp_path, {"ad": Said([user("a"), user("b")])}) == []


@pytest.mark.parametrize(
    ("said", "why", "count"),
    [
        (Said([user("a")], open=frozenset({"User"})), "unseen", 1),
        (Said([user("a")], censuses=[census("User", ["user:ad:a"], complete=False)]), "truncated", 1),
        (Said([user("a")], complete=False), "truncated", 1),
        (Said([user("a", observed_at=STALE)], censuses=[census("User", ["user:ad:a"], as_of=STALE)]), "stale", 1),
        (Said([user("a")], listed={"User": ["user:ad:a", "user:ad:b", "user:ad:c"]}), "unseen", 2),
        (Said([user("a")], listed={"User": ["user:ad:b"]}), "unseen", 1),
        (Said([user("a"), user("b")], listed={"User": ["user:ad:a"]}), "unseen", 1),
    ],
    ids=["none", "not to its end", "not read to its end", "stale", "two missing", "others", "more than listed"],
)
def test_an_open_listing_leaves_a_gap_that_says_why(tmp_path: Path, said: Said, why: str, count: int) -> None:
    (row,) = listings(tmp_path, {"ad": said})
    assert (row.target, row.fact, row.why.value, row.count) == ("ad", "User", why, count)
    assert row.detail


def test_a_promise_without_rows_and_census_is_open_too(tmp_path: Path) -> None:
    said = Said([user("a")], promises=["User", "SignIn"], open=frozenset({"SignIn"}))
    assert short(listings(tmp_path, {"ad": said})) == [("ad", "SignIn", "unseen")]


def test_a_source_that_speaks_twice_of_one_asset_is_told(tmp_path: Path) -> None:
    said = Said([user("a"), sign_in("a"), sign_in("a", mfa="report_only")])
    evidence = Evidence(session(), [said.read("ad", tmp_path)], VOCABULARY, AS_OF)
    evidence.rows("ad", "SignIn")
    (row,) = listing_gaps(evidence, WEEK)
    assert (row.target, row.fact, row.why) == ("ad", "SignIn", GapWhy.CONFLICT)


def test_a_target_never_read_has_no_listing_to_speak_of() -> None:
    assert list(listing_gaps(Evidence(session(), [target()], VOCABULARY, FRESH), WEEK)) == []
