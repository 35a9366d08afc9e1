"""Failures beside those that exceptions name: each asset once, and nothing unknown taken for healed."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.judging.judge import Use
from scanner.judging.tally import Beside, beside, excepted
from tests.scanner.miniature import Said, Verdict, sign_in, user, verdict

KEYS = ("ok", "bad", "worse", "dark", "idle")


@pytest.fixture
def judged(tmp_path: Path) -> Verdict:
    people = [user(key, enabled=key != "idle") for key in KEYS]
    signs = [sign_in("ok"), sign_in("bad", mfa="absent"), sign_in("worse", mfa="absent"), sign_in("idle", mfa="absent")]
    return verdict(tmp_path, {"ad": Said([*people, *signs], open=frozenset({"SignIn"}))})


def counted(judged: Verdict, named: list[str], others: list[str]) -> Beside:
    (use,) = judged.judged.uses
    keys = [[f"user:ad:{key}" for key in each] for each in (named, others)]
    return beside(judged.judged, judged.membership, use, judged.membership.scopes, *keys)


@pytest.mark.parametrize(
    ("named", "others", "found"),
    [
        (["bad"], [], Beside(seen=1, named=1, beyond=1, beyond_unknown=1)),
        (["bad"], ["worse"], Beside(seen=1, named=1, beyond=0, beyond_unknown=1)),
        (["ok", "gone"], [], Beside(seen=1, named=0, beyond=2, beyond_unknown=1)),
        (["dark"], ["bad"], Beside(seen=1, named=0, named_unknown=1, beyond=1)),
        (["idle"], ["dark"], Beside(seen=1, beyond=2)),
        ([], [], Beside(beyond=2, beyond_unknown=1)),
        (["bad", "bad", "worse"], [], Beside(seen=2, named=2, beyond_unknown=1)),
    ],
)
def test_failures_are_counted_beside_those_named(
    judged: Verdict, named: list[str], others: list[str], found: Beside
) -> None:
    assert counted(judged, named, others) == found


def test_no_scope_holds_nothing(judged: Verdict) -> None:
    (use,) = judged.judged.uses
    assert beside(judged.judged, judged.membership, use, (), ["user:ad:bad"], ()) == Beside()


def test_what_an_exception_takes_out_is_what_is_named_and_fails(judged: Verdict) -> None:
    use: Use = judged.judged.uses[0]
    (scope,) = judged.membership.scopes
    for names in (["bad"], ["ok", "bad", "worse"], ["dark"], []):
        keys = [f"user:ad:{key}" for key in names]
        assert excepted(judged.judged, judged.membership, use, scope, keys) == counted(judged, names, []).named
