"""The chapter on what lifts us: first things first, costs and whose they are, bounded, the rest by command."""

from __future__ import annotations

import re

import msgspec
import pytest

from reports import as_html
from reports.words import load_words
from scanner.model import Effort, Impact, Level, Pillar, Scene
from scanner.result.lift import LiftPillar, LiftScope
from tests.reports.dossier_sample import dossier
from tests.reports.lift_sample import lift_sample
from tests.reports.page import Page

both = pytest.mark.parametrize("language", ["zh-TW", "en"])


def told(language: str, **changes: object) -> str:
    """The words of the chapter, whatever spaces stand between them."""
    lift = msgspec.structs.replace(lift_sample("the policy is ready"), **changes)
    page = Page(as_html.render(msgspec.structs.replace(dossier(), lift=lift), language))
    assert page.faults == []
    return re.sub(r" (?=[,:])", "", " ".join(page.text_of("lift").split()))


@both
def test_the_chapter_stands_after_the_headline_and_before_the_levels(language: str) -> None:
    ids = Page(as_html.render(dossier(), language)).ids
    assert ids.index("headline") < ids.index("lift") < ids.index("heat")


def test_requirements_are_told_with_state_counts_cost_and_what_to_do() -> None:
    text = told("en")

    assert "7 of 20 pillars of systems in scenes stand below their target, in 3 scopes." in text
    assert "12 failing, 3 unknown of 412" in text
    assert "setting (days)" in text and "programme (a year and more)" in text and "not stated" in text
    assert "The institution: the policy is ready" in text
    assert "See it first" in text
    assert "Mend 1-1/keys-refused" in text
    assert "Or instead: 1-1/keys-none" in text
    assert "1-1/mfa-enforced, II/protect-surface: 6 pillars reach II; 0 scopes" in text
    assert "no other so small lifts more" in text and "not every combination was compared" in text


def test_words_stand_in_chinese_too() -> None:
    text = told("zh-TW")

    assert "設定（數日）" in text and "計畫（一年以上）" in text and "明顯" in text
    assert "20 個「系統 × 場域 × 支柱」中有 7 個低於目標" in text
    assert "先取得證據" in text


@both
def test_whose_costs_they_are_is_said(language: str) -> None:
    assert {"zh-TW": "由基準自行提出", "en": "proposed by the baseline"}[language] in told(language)
    assert {"zh-TW": "不影響任何等級", "en": "No level depends on them"}[language] in told(language)


def test_what_is_not_shown_is_counted_and_the_command_that_shows_it_named() -> None:
    text = told("en")

    assert "8 more; all of them: ztgrade lift /var/lib/ztgrade/assessments/" in text
    assert "1 more scopes are not shown" in text
    assert "7 more are not shown" in text


@both
def test_where_all_targets_are_reached_the_chapter_says_so(language: str) -> None:
    text = told(language, below=0, scopes_below=0, singles=[], singles_total=0, bundles=[], steps=[], scopes=[])
    assert {"zh-TW": "皆已達到目標", "en": "Every pillar stands at its target"}[language] in text


def test_a_dossier_without_it_has_no_chapter() -> None:
    shown = as_html.render(msgspec.structs.replace(dossier(), lift=None), "en").decode()
    assert 'id="lift"' not in shown and 'href="#lift"' not in shown


def test_as_many_scopes_as_a_report_holds_stay_small() -> None:
    sample = lift_sample("")
    pillars = [LiftPillar(pillar=pillar, floor=Level.NONE, aim=Level.II, needs=40) for pillar in Pillar]
    scopes = [
        LiftScope(
            system="core-banking", scene=Scene.REMOTE_WORK, pillars=pillars, needs=sample.scopes[0].needs, total=99
        )
        for _ in range(40)
    ]
    before = as_html.render(msgspec.structs.replace(dossier(), lift=None), "zh-TW")
    lift = msgspec.structs.replace(sample, scopes=scopes, scopes_below=1200)
    after = as_html.render(msgspec.structs.replace(dossier(), lift=lift), "zh-TW")
    assert len(after) - len(before) < 400_000


def test_every_effort_and_impact_can_be_shown() -> None:
    (single, *_), words = lift_sample("").singles, load_words("zh-TW")
    pairs = [(effort, impact) for effort in Effort for impact in Impact]
    costs = [msgspec.structs.replace(single.cost, effort=effort, impact=impact) for effort, impact in pairs]
    text = told("zh-TW", singles=[msgspec.structs.replace(single, cost=cost) for cost in costs])

    for effort, impact in pairs:
        assert f"{words.term('effort', effort)} {words.term('impact', impact)}" in text
