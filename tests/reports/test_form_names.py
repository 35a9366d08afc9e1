"""The names that forms may use: such as Excel allows, each once, in both languages alike, and with the told values."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

import reports
from reports.form_names import Vocabulary, vocabulary, words_of
from scanner.model import Level
from tests.reports.dossier_sample import dossier, wide


@pytest.fixture(scope="module")
def known() -> Vocabulary:
    """The names of the sample in English."""
    return vocabulary(dossier(), "en")


def test_every_name_is_one_that_excel_allows(known: Vocabulary) -> None:
    for name in known.values:
        assert re.fullmatch(r"ztgrade(\.[a-z0-9_]+)+", name), name
        assert len(name) <= 253, name


def test_both_languages_have_the_same_names_and_the_same_numbers(known: Vocabulary) -> None:
    other = vocabulary(dossier(), "zh-TW")

    assert list(other.values) == list(known.values)
    numbers = {name: value for name, value in known.values.items() if not isinstance(value, str)}
    assert {name: other.value(name) for name in numbers} == numbers
    assert other.value("ztgrade.headline.floor") == "未達 I"


def test_levels_are_told_by_scope_system_and_pillar(known: Vocabulary) -> None:
    sample = dossier().assessment
    for grade in sample.grades:
        name = f"ztgrade.level.{grade.system.replace('-', '_')}.{grade.scene}.{grade.pillar}"
        assert known.value(f"{name}.floor.rank") == grade.floor.rank
        assert known.value(f"{name}.ceiling.rank") == grade.ceiling.rank
        assert known.value(f"{name}.target") == grade.target.value
    least = min((grade.floor for grade in sample.grades if grade.system == "hr"), key=lambda level: level.rank)
    assert known.value("ztgrade.level.hr.floor.rank") == least.rank
    assert known.value("ztgrade.headline.floor.rank") == Level.NONE.rank


def test_items_are_told_by_scope_and_counted_over_all_of_them(known: Vocabulary) -> None:
    states = ("met", "partial", "not_met", "needs_attestation", "undetermined", "not_assessed", "not_applicable")
    for item in dossier().items:
        name = f"ztgrade.item.{item.id.replace('-', '_')}"
        assert known.value(f"{name}.scopes") == sum(int(str(known.value(f"{name}.{state}"))) for state in states) == 4
    assert known.value("ztgrade.item.1_2.state") == "not met"
    assert known.value("ztgrade.item.1_2.hr.remote_work.state") == "undetermined"
    assert known.value("ztgrade.gate.ii.state") == "met"


def test_coverage_is_never_rounded_up_to_the_whole(known: Vocabulary) -> None:
    assert known.value("ztgrade.count.assessed") != known.value("ztgrade.count.population")
    coverage = known.value("ztgrade.count.coverage")
    assert isinstance(coverage, float) and coverage < 1


def test_what_was_not_compared_has_no_number() -> None:
    sample = dossier()
    first = msgspec.structs.replace(sample, assessment=msgspec.structs.replace(sample.assessment, previous=None))

    assert vocabulary(first, "en").value("ztgrade.count.regressions") is None


def test_systems_that_would_be_written_alike_are_told_apart_whichever_stands_first() -> None:
    words = words_of(["a.b", "a-b", "c"])

    assert words["c"] == "c" and len(set(words.values())) == 3
    assert words_of(["a-b", "a.b"]) == {name: words[name] for name in ("a-b", "a.b")}
    assert all(re.fullmatch(r"a_b_[0-9a-f]{6}", words[name]) for name in ("a-b", "a.b"))


def test_many_systems_have_names_of_their_own() -> None:
    names = vocabulary(wide(36), "en").values

    assert names["ztgrade.count.systems"] == 6
    assert "ztgrade.level.system_05.cross_institution.data" in names


PLACEHOLDERS = {
    "SYSTEM": "core_banking", "SCENE": "remote_work", "PILLAR": "identity", "ORIGIN": "live", "WHY": "denied",
    "STATE": "met", "KIND": "drill", "REASON": "expired", "STEP": "in_scene",
}  # fmt: skip


def test_every_name_that_the_guide_lists_is_a_name(known: Vocabulary) -> None:
    page = (Path(reports.__file__).parent.parent / "docs" / "forms.md").read_text("utf-8")
    section = page.partition("## The names")[2].partition("## What is not kept")[0]
    lines = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    lines += re.findall(r"`[a-z]+\.1\.[^;]*", section.replace("\n", " "))
    wrong, seen = [], 0
    for line in lines:
        last = ""
        for written in re.findall(r"`([^`]+)`", line):
            name = re.sub("[A-Z]{3,}", lambda match: PLACEHOLDERS[match.group()], written)
            if name in {"I", "IV"} or name.startswith("-"):
                continue
            beside, below = f"{last.rpartition('.')[0]}{name}", f"{last}{name}"
            full = [name] if not name.startswith(".") else [beside, below]
            found = [each for each in full if known.knows(f"ztgrade.{each}")]
            seen += 1
            wrong += [] if found else [written]
            last = name if not name.startswith(".") else last
    assert wrong == [] and seen > 90
