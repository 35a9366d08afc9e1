"""Crosswalks lead from items that exist to elements that exist, and say what the guideline does not cover."""

from __future__ import annotations

from collections import Counter

import pytest

from scanner import registry
from scanner.errors import ConfigurationError
from scanner.guideline.baseline import load_baseline
from scanner.guideline.crosswalk import Crosswalk, load_crosswalks, parse_crosswalks

SMALL = """schema_version = 1
id = "small"
title.zh-TW = "小"
title.en = "Small"
source = "nowhere"
stages = ["first"]
[elements.one]
title.zh-TW = "一"
title.en = "One"
[[maps]]
item = "1-1"
element = "one"
stages = ["first"]
provenance = "proposed"
"""


@pytest.fixture(scope="module")
def items() -> frozenset[str]:
    return frozenset(load_baseline("fsc-2024", registry.checks()).items)


@pytest.fixture(scope="module")
def crosswalks(items: frozenset[str]) -> dict[str, Crosswalk]:
    return {crosswalk.id: crosswalk for crosswalk in load_crosswalks(items)}


def test_three_frameworks_ship(crosswalks: dict[str, Crosswalk]) -> None:
    assert sorted(crosswalks) == ["cisa-ztmm-2.0", "dod-zt-ra-2.0", "nist-sp-800-207"]
    assert [len(crosswalks[name].elements) for name in sorted(crosswalks)] == [37, 7, 7]


def test_the_functions_of_the_maturity_model_stand_by_pillar_as_it_counts_them(
    crosswalks: dict[str, Crosswalk],
) -> None:
    pillars = Counter(name.partition("-")[0] for name in crosswalks["cisa-ztmm-2.0"].elements)

    assert pillars == {"identity": 7, "devices": 7, "networks": 7, "applications": 8, "data": 8}


def test_what_the_guideline_does_not_cover_is_named(crosswalks: dict[str, Crosswalk]) -> None:
    assert crosswalks["cisa-ztmm-2.0"].uncovered == ("identity-risk-assessments", "applications-accessible")
    assert crosswalks["nist-sp-800-207"].uncovered == ()
    assert crosswalks["dod-zt-ra-2.0"].uncovered == ("machine-to-machine",)


@pytest.mark.parametrize("name", ["cisa-ztmm-2.0", "nist-sp-800-207"])
def test_every_item_leads_somewhere(crosswalks: dict[str, Crosswalk], items: frozenset[str], name: str) -> None:
    assert {line.item for line in crosswalks[name].lines} == items


def test_no_line_claims_to_be_anyones_but_ours(crosswalks: dict[str, Crosswalk]) -> None:
    assert {line.provenance for crosswalk in crosswalks.values() for line in crosswalk.lines} == {"proposed"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('item = "1-1"', 'item = "1-9"', "there is no item '1-9'"),
        ('element = "one"', 'element = "on"', "did you mean 'one'"),
        ('stages = ["first"]\nprov', 'stages = ["last"]\nprov', "there is no stage 'last'"),
        ('provenance = "proposed"', 'provenance = "known"', "there is no provenance 'known'"),
        ('source = "nowhere"', "", "'source' is missing"),
        ('id = "small"', 'id = "small"\nidd = 1', "unknown key"),
    ],
)
def test_a_line_that_leads_nowhere_is_told(old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_crosswalks({"small.toml": SMALL.replace(old, new, 1).encode()}, {"1-1"})


def test_a_line_given_twice_is_told() -> None:
    twice = SMALL + SMALL[SMALL.index("[[maps]]") :]
    with pytest.raises(ConfigurationError, match="1-1 leads to one twice"):
        parse_crosswalks({"small.toml": twice.encode()}, {"1-1"})
