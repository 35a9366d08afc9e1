"""Rules are data, and what was not seen fulfils none of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.probes import PROBES
from scanner.errors import ConfigurationError
from scanner.fleet.signal_rules import SCHEMA_VERSIONS, Condition, Reading, load_rules, read
from scanner.fleet.signal_verdict import load_words
from tests.scanner.fleet.lab import START, section
from tests.scanner.fleet.signalling import day, good_posture

NOW = datetime.fromtimestamp(START, UTC)


def condition(text: str) -> Condition:
    found = msgspec.toml.decode(text, type=Condition)
    assert found.wrong() == ""
    return found


def holds(text: str, value: Any) -> bool | None:
    return read(condition(f'field = "s.value"\n{text}'), {"s": section("s", value=value)}, NOW).holds


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ('operator = "is"\nvalue = true', True, True),
        ('operator = "is"\nvalue = true', False, False),
        ('operator = "is"\nvalue = true', 1, None),
        ('operator = "is"\nvalue = true', "true", None),
        ('operator = "is"\nvalue = true', None, None),
        ('operator = "is_not"\nvalue = "none"', "gnome", True),
        ('operator = "is_not"\nvalue = "none"', "none", False),
        ('operator = "is_not"\nvalue = "none"', None, None),
        ('operator = "is_not"\nvalue = "none"', 3, None),
        ('operator = "one_of"\nvalue = ["a", "b"]', "b", True),
        ('operator = "one_of"\nvalue = ["a", "b"]', "c", False),
        ('operator = "one_of"\nvalue = ["a", "b"]', 1, None),
        ('operator = "at_least"\nvalue = 3', 3, True),
        ('operator = "at_least"\nvalue = 3', 2, False),
        ('operator = "at_most"\nvalue = 0', 0, True),
        ('operator = "at_most"\nvalue = 0', 1, False),
        ('operator = "at_most"\nvalue = 0', False, None),
        ('operator = "at_most"\nvalue = 0', "0", None),
        ('operator = "within_days"\nvalue = 30', day(-30), True),
        ('operator = "within_days"\nvalue = 30', day(-31), False),
        ('operator = "within_days"\nvalue = 30', day(2), None),
        ('operator = "within_days"\nvalue = 30', "yesterday", None),
        ('operator = "within_days"\nvalue = 30', "2026-11-20T00:00:00", None),
        ('operator = "within_days"\nvalue = 30', "9999-12-31T23:59:59Z", None),
        ('operator = "within_days"\nvalue = 30', "0001-01-01T00:00:00+23:59", None),
        ('operator = "not_past"', day(0), True),
        ('operator = "not_past"', day(-1), False),
        ('operator = "not_past"', 2030, None),
    ],
)
def test_an_operator_holds_fails_or_does_not_know(text: str, value: Any, expected: bool | None) -> None:
    assert holds(text, value) is expected


EVERY = 'field = "s.list[].on"\noperator = "is"\nvalue = true\nwhere = { kind = "edr" }'
ANY = f'{EVERY}\ncounts = "any"'
ON, OFF_, DARK = ({"kind": "edr", "on": value} for value in (True, False, None))
OTHER, NAMELESS = {"kind": "antivirus", "on": False}, {"kind": None, "on": True}


@pytest.mark.parametrize(
    ("entries", "every", "any_"),
    [
        ([], None, False),
        ([OTHER], None, False),
        ([ON, OTHER], True, True),
        ([ON, OFF_], False, True),
        ([OFF_], False, False),
        ([ON, DARK], None, True),
        ([OFF_, DARK], False, None),
        ([ON, NAMELESS], True, True),
        ([NAMELESS], True, None),
        ([{"kind": "edr"}], None, None),
    ],
)
def test_entries_of_a_list_count_all_or_one(entries: list[Any], every: bool | None, any_: bool | None) -> None:
    posture = {"s": section("s", list=entries)}

    if entries != [NAMELESS]:
        assert read(condition(EVERY), posture, NOW).holds is every
    assert read(condition(ANY), posture, NOW).holds is any_


def test_a_list_that_lacks_entries_is_not_taken_for_whole() -> None:
    posture = section("s", list=[ON]) | {"missing": {"list": {"status": "denied", "detail": ""}}}

    assert read(condition(EVERY), {"s": posture}, NOW).holds is None
    assert read(condition(ANY), {"s": posture | {"values": {"list": [OFF_]}}}, NOW).holds is None


@pytest.mark.parametrize("odd", [[1], {"a": 1}, "text", 7, [["x"]], [None]])
def test_a_list_that_is_none_is_not_known(odd: Any) -> None:
    assert read(condition(EVERY), {"s": section("s", list=odd)}, NOW).holds is None


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        ({}, "absent"),
        ({"s": section("s", value=True) | {"status": "denied"}}, "denied"),
        ({"s": section("s", value=True) | {"status": "unsupported"}}, "unsupported"),
        ({"s": section("s", value=True) | {"status": "error"}}, "error"),
        ({"s": section("s", value=True) | {"schema_version": 99}}, "version"),
        ({"s": section("s")}, "missing"),
        ({"s": section("s") | {"missing": {"value": {"status": "denied", "detail": "x"}}}}, "denied"),
    ],
)
def test_what_could_not_be_seen_is_not_known_and_says_why(sections: dict[str, Any], why: str) -> None:
    found = read(condition('field = "s.value"\noperator = "is"\nvalue = true'), sections, NOW)

    assert found == Reading(None, why)


def without(posture: dict[str, Any], drop: list[int]) -> dict[str, Any]:
    """A posture that has lost values: each number takes one away, wherever it stands."""

    def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [path, *(place for key, each in inner for place in places(each, (*path, key)))]

    told = msgspec.json.decode(msgspec.json.encode(posture))
    for number in drop:
        found = [place for place in places(told) if len(place) == 1 or ("values" in place[1:2] and len(place) > 2)]
        if not found:
            break
        *path, last = found[number % len(found)]
        holder = told
        for step in path:
            holder = holder[step]
        if isinstance(holder, dict) and (number % 2 or len(path) == 0):
            del holder[last]
        else:
            holder[last] = None
    return dict(told)


@settings(max_examples=150, deadline=None)
@given(drop=st.lists(st.integers(0, 10_000), min_size=1, max_size=4))
def test_losing_what_was_seen_never_lets_a_rule_hold_that_did_not(drop: list[int]) -> None:
    posture = good_posture()
    posture["patching"]["values"]["last_patched"] = day(-90)
    posture["endpoint_protection"]["values"]["products"][0]["running"] = False
    posture["disk_encryption"]["values"]["volumes"].append({"mount": "/data", "encrypted": None})
    poorer = without(posture, drop)

    for name, rule in load_rules(None).rules.items():
        if not read(rule, posture, NOW).holds:
            assert not read(rule, poorer, NOW).holds, name


def test_the_rules_that_come_with_this_version_speak_of_what_agents_tell() -> None:
    told = (Path(__file__).parents[2] / "agent" / "told.txt").read_text().split("\n")
    places = {line.replace("[]", "") for line in told}

    for rule in load_rules(None).rules.values():
        assert rule.field.replace("[]", "") in places, rule.field
    assert {probe.name: probe.schema_version for probe in PROBES} == {
        probe.name: SCHEMA_VERSIONS.get(probe.name, 1) for probe in PROBES
    }


def test_every_reason_has_words_in_both_languages() -> None:
    words = load_words()
    own = {"fail", "absent", "denied", "unsupported", "error", "version", "missing", "unreadable", "nothing"}

    assert all(set(each) == {"zh-TW", "en"} for each in words.values())
    assert all("{says}" in text for word in own for text in words[word].values())
    assert {"no_rule", "silent", "stale", "never_told", "clone_suspected", "identity_collision"} <= set(words)
    assert {"banned", "evicted", "pending", "inconsistent"} <= set(words)


RULE = """
version = 1
[rules.one]
field = "host_firewall.enabled"
operator = "is"
value = true
says.zh-TW = "甲"
says.en = "A"
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("version = 1", "version = 2", "version"),
        ("value = true", "value = 0.5", "value"),
        ("value = true", "value = []", "takes a text"),
        ("value = true", "", "takes a text"),
        ('operator = "is"', 'operator = "like"', "operator"),
        ('operator = "is"', 'operator = "one_of"', "a list with at least one value"),
        ('operator = "is"', 'operator = "at_most"', "a whole number"),
        ('operator = "is"', 'operator = "within_days"', "from 1 to 3650"),
        ('operator = "is"', 'operator = "not_past"', "takes no value"),
        ('operator = "is"', 'operator = "is"\ncounts = "any"', "SECTION.LIST[].KEY"),
        ('"host_firewall.enabled"', '"host_firewall"', "field"),
        ('"host_firewall.enabled"', '"a.b[].c[].d"', "field"),
        ("[rules.one]", "[rules.One]", "rules"),
        ('says.en = "A"', "", "zh-TW and en"),
        ('says.en = "A"', 'says.en = "A"\nsays.de = "B"', "zh-TW and en"),
        ('says.en = "A"', 'says.en = "A"\nwhy = "B"', "why"),
        ('says.en = "A"', 'says.en = "A"\nwhen = { field = "a.b", operator = "is" }', "rules.one.when"),
        ("[rules.one]", "[rules.one", "it is no TOML"),
    ],
)
def test_a_wrong_rule_is_named_with_what_to_do(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(RULE.replace(old, new))

    with pytest.raises(ConfigurationError) as error:
        load_rules(path)
    assert "rules.toml" in str(error.value) and told in str(error.value)


def test_a_file_without_rules_is_refused_so_that_nothing_passes_for_lack_of_them(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("version = 1\n[rules]\n")

    with pytest.raises(ConfigurationError):
        load_rules(path)
    with pytest.raises(ConfigurationError, match=r"signal\.rules"):
        load_rules(tmp_path / "none.toml")
