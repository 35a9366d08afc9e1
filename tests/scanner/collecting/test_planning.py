"""A plan shows every target and every call, and sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.collecting.planning import plan
from scanner.errors import UnknownName
from scanner.institution.nouns import Credential
from scanner.model import Access, Origin, PlannedCall, Record, Target
from tests.scanner.pretend import Told, estate, target


def never(access: Access) -> Iterator[Record]:
    raise AssertionError("a plan must not read")


TOLD = {"told": Told({"*": never})}


def test_a_plan_names_host_login_call_and_credential_but_resolves_no_secret(tmp_path: Path) -> None:
    held = estate(
        [target("ad", address="dc1.example", credential="reader", site="taipei", timeout_seconds=60)],
        credentials=[Credential("reader", "svc", "env:PRETEND_UNSET_FOR_PLAN")],
        path=tmp_path / "estate.toml",
    )

    (row,) = plan(held, TOLD)

    assert (row.target, row.site, row.credential, row.origin) == ("ad", "taipei", "reader", Origin.LIVE)
    assert (row.host, row.login, row.call) == ("dc1.example", "bind", "search users")
    assert row.timeout_seconds == 60
    assert row.promises == ("SignIn", "User")
    assert "PRETEND_UNSET" not in repr(row)


def test_a_target_without_calls_still_stands_in_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(self: Told, held: Target) -> Iterator[PlannedCall]:
        return iter(())

    monkeypatch.setattr(Told, "plan", nothing)
    (row,) = plan(estate([target("a", address="host")]), TOLD)

    assert (row.target, row.host, row.call) == ("a", "host", "")


def test_a_plan_keeps_to_the_named_targets_in_the_order_of_the_estate() -> None:
    held = estate([target("b"), target("a"), target("switches/1", source="switches")])

    assert [row.target for row in plan(held, TOLD)] == ["b", "a", "switches/1"]
    assert [row.target for row in plan(held, TOLD, ["switches", "b"])] == ["b", "switches/1"]


def test_unknown_targets_and_collectors_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="did you mean 'switches'"):
        plan(estate([target("switches/1")]), TOLD, ["switche"])
    with pytest.raises(UnknownName, match="did you mean 'told'"):
        plan(estate([target("a", collector="tolt")]), TOLD)
