"""Fields that a source never speaks of are left to the other sources of the fact."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from scanner.facts import SignIn
from scanner.model import Target, narrowed, promised_fields
from tests.scanner.miniature import FRESH, STALE, Said, estate, sign_in, user, verdict, without

MFA = ["SignIn.mfa"]
EXCLUDED = ["SignIn.excluded", "SignIn.policy"]


def _row(key: str, **fields: object) -> SignIn:
    return SignIn(asset=f"user:ad:{key}", observed_at=FRESH, **fields)  # type: ignore[arg-type]


def _said(key: str = "a") -> dict[str, Said]:
    return {
        "ad": Said([user(key)]),
        "idp": Said([_row(key, mfa="enforced")], promises=MFA),
        "policies": Said([_row(key, excluded=False)], promises=EXCLUDED),
    }


def test_two_sources_that_each_speak_of_their_own_field_decide_together(tmp_path: Path) -> None:
    assert verdict(tmp_path, _said()).outcomes == {"a": "pass"}


def test_both_promising_the_whole_fact_leaves_each_field_in_conflict(tmp_path: Path) -> None:
    said = {name: Said(one.facts) for name, one in _said().items()}

    assert verdict(tmp_path, said).outcomes == {"a": "unknown"}


@pytest.mark.parametrize("source", ["idp", "policies"])
@pytest.mark.parametrize(
    "changes", [{"facts": []}, {"facts": [], "open": frozenset({"SignIn"})}, {"facts": [], "complete": False}]
)
def test_losing_what_a_source_alone_speaks_of_leaves_it_unknown(
    source: str, changes: Mapping[str, object], tmp_path: Path
) -> None:
    assert verdict(tmp_path, without(_said(), source, **changes)).outcomes == {"a": "unknown"}


def test_an_old_row_makes_only_its_own_fields_unknown(tmp_path: Path) -> None:
    said = without(_said(), "policies", facts=[sign_in("a", observed_at=STALE)])
    said["idp"] = Said([_row("a", mfa="not_required")], promises=MFA)

    assert verdict(tmp_path, said).outcomes == {"a": "fail"}


def test_a_value_that_a_source_did_not_promise_does_not_count(tmp_path: Path) -> None:
    said = without(_said(), "idp", facts=[_row("a", mfa="enforced", excluded=True)])

    assert verdict(tmp_path, said).outcomes == {"a": "pass"}


def test_precedence_passes_over_a_source_that_does_not_speak_of_the_field(tmp_path: Path) -> None:
    held = estate(precedence={"SignIn": ("policies", "idp")})

    assert verdict(tmp_path, _said(), held=held).outcomes == {"a": "pass"}


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (None, {"User", "Privilege.privileged"}),
        (("User",), {"User"}),
        (("Privilege",), {"Privilege.privileged"}),
        (("User.enabled",), {"User.enabled"}),
        (("Privilege.standing",), {"Privilege.standing"}),
        (("Patching", "User"), {"Patching", "User"}),
    ],
)
def test_a_target_narrows_what_its_collector_promises(asked: tuple[str, ...] | None, kept: set[str]) -> None:
    target = Target(name="dc", collector="ad", source="dc", promises=asked)

    assert narrowed({"User", "Privilege.privileged"}, target) == kept


def test_a_whole_fact_outweighs_single_fields_of_it() -> None:
    assert promised_fields(["User", "User.enabled", "SignIn.mfa"]) == {"SignIn": frozenset({"mfa"})}
