"""``permissions`` says what to grant, why, and what never to grant."""

from __future__ import annotations

import json

import pytest

from scanner import registry
from tests.scanner.commands.stage import parsed, ztgrade


@pytest.mark.parametrize("name", sorted(registry.collectors()))
def test_every_collector_says_each_right_why_and_what_is_lost_without_it(name: str) -> None:
    told = ztgrade("permissions", name)
    assert (told.exit_code, told.stderr) == (0, "")
    answer = parsed(ztgrade("permissions", name, "--json"))
    assert (answer["schema_version"], answer["collector"]) == (1, name)
    assert answer["permissions"]
    for right in answer["permissions"]:
        assert right["name"] and right["why"] and right["facts"]
        assert all(text in told.stdout for text in (right["name"], right["why"], ", ".join(right["facts"])))
    assert all(f"  {never}" in told.stdout for never in answer["never_ask"])


def test_a_policy_stands_alone_where_the_source_is_aws_and_nowhere_else() -> None:
    for name in registry.collectors():
        result = ztgrade("permissions", name, "--policy")
        if name != "aws":
            assert result.exit_code == 2 and "leave --policy out" in result.stderr
            continue
        policy = json.loads(result.stdout)
        assert policy == parsed(ztgrade("permissions", name, "--json"))["policy"]
        assert len("".join(result.stdout.split())) <= 6144, "the longest that a managed policy may be"


def test_an_unknown_collector_is_answered_with_the_nearest() -> None:
    result = ztgrade("permissions", "locl")
    assert result.exit_code == 2 and "did you mean 'local'" in result.stderr
