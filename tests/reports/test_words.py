"""Both languages have every word, and every word is used."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import reports
from reports.words import LANGUAGES, load_words, word_table
from scanner.model import (
    AlarmWord,
    Effort,
    GapWhy,
    Impact,
    ItemState,
    Level,
    Origin,
    Outcome,
    Pillar,
    RegisterWhy,
    RequirementKind,
    Scene,
)
from scanner.result.change import ChangeCause, ChangeKind, ChangeWhat, Turn

TEMPLATES = Path(reports.__file__).parent / "templates"


def test_every_word_stands_in_both_languages_with_the_same_places_to_fill() -> None:
    for key, entry in word_table().items():
        assert set(entry) == set(LANGUAGES), key
        places = [{name for _, name, _, _ in string.Formatter().parse(entry[tag]) if name} for tag in LANGUAGES]
        assert places[0] == places[1], key
        assert all(entry[tag].strip() for tag in LANGUAGES), key


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("pillar", Pillar),
        ("level", Level),
        ("stage", Level),
        ("scene", Scene),
        ("state", ItemState),
        ("state_means", ItemState),
        ("outcome", Outcome),
        ("kind", RequirementKind),
        ("origin", Origin),
        ("why", [*GapWhy, *RegisterWhy]),
        ("why_means", [*GapWhy, *RegisterWhy]),
        ("turn", Turn),
        ("cause", ChangeCause),
        ("cause_means", ChangeCause),
        ("change_kind", ChangeKind),
        ("change_what", ChangeWhat),
        ("effort", Effort),
        ("impact", Impact),
        ("alarm", AlarmWord),
        ("alarms", AlarmWord),
    ],
)
def test_every_value_of_the_model_has_a_word(section: str, values: type[ItemState]) -> None:
    words = load_words("zh-TW")

    assert [value for value in values if not words.knows(section, value)] == []


def test_no_word_is_left_over() -> None:
    source = "".join(path.read_text("utf-8") for path in TEMPLATES.glob("*.j2"))
    source += (TEMPLATES.parent / "as_html.py").read_text("utf-8")
    whole = {
        "pillar",
        "level",
        "stage",
        "scene",
        "state",
        "state_means",
        "outcome",
        "kind",
        "origin",
        "why",
        "why_means",
        "effort",
        "impact",
        "reason",
        "reading",
        *("turn", "cause", "cause_means", "change_kind", "change_what"),
        "alarm",
        "plan_status",
    }
    lists = {"nav", "method", "glossary"}
    aims = {"systems.reached", "systems.unproven", "systems.missed", "alarms.named"}
    aims |= {f"alarms.{word}" for word in AlarmWord}
    named = set(re.findall(r'"([a-z_]+\.[a-z_]+)"', source))

    unused = [key for key in word_table() if key.split(".")[0] not in whole | lists and key not in named | aims]

    assert unused == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_claims_approval_or_a_score(language: str) -> None:
    words = " ".join(entry[language] for entry in word_table().values()).lower()

    assert re.findall(r"certif\w*|complian\w*|合規|認證|通過認可|分數", words) == []


def test_a_missing_word_or_value_is_an_error() -> None:
    words = load_words("en")

    with pytest.raises(KeyError):
        words.say("page.nothing")
    with pytest.raises(KeyError):
        words.say("page.as_of_none")


def test_values_are_made_visible_before_they_are_filled_in() -> None:
    assert load_words("en").say("systems.target", level="\u202e") == "target ⟨U+202E⟩"


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="zh-TW or en"):
        load_words("fr")
