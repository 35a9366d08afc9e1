"""What stands in a report, in which order, and that it adds up."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import msgspec
import pytest

from reports.cards import WORST_FIRST, anchor, checks_of, tally
from reports.ladder import natural
from reports.outline import moment, outline
from scanner.model import ItemState, Level, Pillar, RequirementState, Scene
from scanner.result.assessment import Headline
from scanner.result.dossier import Dossier
from scanner.result.grade import Span
from tests.reports.dossier_sample import HOSTILE, LEVELS, SCOPES, dossier, wide


def with_headline(floor: Level, ceiling: Level) -> Dossier:
    """The sample under another headline."""
    sample = dossier(strict=False)
    span = Span(floor=floor, ceiling=ceiling)
    headline = Headline(without_exceptions=span, with_exceptions=span)
    return msgspec.structs.replace(sample, assessment=msgspec.structs.replace(sample.assessment, headline=headline))


def test_states_go_from_disproved_over_open_to_met() -> None:
    assert set(WORST_FIRST) == set(ItemState)
    assert tally([ItemState.MET, ItemState.UNDETERMINED, ItemState.MET]).worst is ItemState.UNDETERMINED
    assert tally([ItemState.NOT_APPLICABLE, ItemState.MET]).worst is ItemState.MET
    assert tally([]).worst is ItemState.NOT_ASSESSED


@pytest.mark.parametrize(("floor", "ceiling"), [(Level.I, Level.I), (Level.NONE, Level.II), (Level.II, Level.I)])
def test_a_headline_above_the_lowest_grade_is_refused(floor: Level, ceiling: Level) -> None:
    with pytest.raises(ValueError, match="not sound"):
        outline(with_headline(floor, ceiling))


def test_an_assessment_without_grades_has_no_level() -> None:
    sample = dossier(strict=False)
    empty = msgspec.structs.replace(
        sample.assessment, grades=[], headline=with_headline(Level.NONE, Level.NONE).assessment.headline
    )

    told = outline(msgspec.structs.replace(sample, assessment=empty))

    assert told.scopes == ()
    assert {card.tally.worst for card in told.items} == {ItemState.NOT_ASSESSED}
    with pytest.raises(ValueError, match="not sound"):
        outline(msgspec.structs.replace(sample, assessment=msgspec.structs.replace(sample.assessment, grades=[])))


def test_the_heat_map_holds_each_item_once_at_its_level() -> None:
    cells = [(level, card.id) for row in outline(dossier()).heat for level, cards in row.cells for card in cards]

    assert Counter(level for level, _ in cells) == {Level(level): len(items) for level, items in LEVELS.items()}
    assert len({item for _, item in cells}) == 36


def test_each_row_of_scopes_counts_all_its_items() -> None:
    sample = dossier()
    for row in outline(sample).scopes:
        grades = [
            grade
            for grade in sample.assessment.grades
            if (grade.system, grade.scene) == (row.scope.system, row.scope.scene)
        ]
        leaves = [leaf for grade in grades for item in grade.items for leaf in checks_of(item.requirements)]
        assert sum(row.counts.values()) == row.total == 36
        assert row.met == sum(item.state is ItemState.MET for grade in grades for item in grade.items)
        assert (row.assessed, row.population) == (
            sum(leaf.assessed for leaf in leaves),
            sum(leaf.population for leaf in leaves),
        )


def test_blocking_is_that_of_the_lowest_grades_alone() -> None:
    sample = dossier()
    floor = sample.assessment.headline.without_exceptions.floor
    low = [grade for grade in sample.assessment.grades if grade.floor is floor]

    lifts = outline(sample).lifts

    assert {row.item for row in lifts.rows} == {block.item for grade in low for block in grade.blocking}
    assert lifts.next is Level.I
    assert (lifts.grades_at_floor, lifts.grades) == (len(low), 20)
    for row in lifts.rows:
        assert len(row.grades) == sum(block.item == row.item for grade in low for block in grade.blocking)


def test_scopes_that_stand_alike_are_told_once() -> None:
    cards = {card.id: card for card in (*outline(dossier()).items, *outline(dossier()).gates)}

    assert len(cards["gate II"].groups) == 1
    assert len(cards["gate II"].groups[0].scopes) == len(SCOPES)
    for card in cards.values():
        assert sum(len(group.scopes) for group in card.groups) == card.tally.scopes


def test_regressions_start_with_those_gone_dark() -> None:
    changes = outline(dossier()).changes

    assert [(change.first.item, change.dark, len(change.scopes)) for change in changes] == [
        ("3-6", True, 2),
        ("1-2", False, 1),
        ("2-2", False, 1),
    ]


def test_differences_are_grouped_by_cause_and_every_cause_is_counted() -> None:
    told = {row.cause.value: row for row in outline(dossier()).causes}

    assert {cause: (len(row.rows), row.worse, row.other, row.recorded) for cause, row in told.items()} == {
        "facts": (0, 2, 1, True),
        "coverage": (1, 2, 0, True),
        "scope": (5, 2, 0, False),
        "rule": (1, 0, 1, True),
        "registers": (1, 0, 0, True),
        "code": (1, 0, 0, True),
    }


def test_entries_are_counted_by_state_and_no_state_is_left_out() -> None:
    assert dict(outline(dossier()).standings) | {"counts": 0} == {
        "counts": 0,
        "expired": 1,
        "lapsed": 1,
        "self_declared": 1,
        "revoked": 0,
    }


def test_gaps_are_grouped_and_none_is_lost() -> None:
    sample = dossier()

    told = outline(sample)

    assert told.gap_total == sum(row.count for row in sample.assessment.gaps)
    assert sum(group.count for target in told.gaps for group in target.groups) == told.gap_total
    assert [target.target for target in told.gaps] == ["ad-corp", "switches/tp-1"]


def test_the_strict_reading_names_each_requirement_that_stands_otherwise() -> None:
    strict = outline(dossier()).strict

    assert strict is not None
    assert [(row.item, row.requirement, row.here, row.there) for row in strict.requirements] == [
        ("1-2", "1-2/rule-holds", RequirementState.UNDETERMINED, RequirementState.NOT_MET),
        ("2-5", "2-5/rule-holds", RequirementState.MET, RequirementState.NOT_MET),
        ("2-5", "2-5/written-rule", RequirementState.MET, RequirementState.UNDETERMINED),
    ]
    assert {(here.system, here.pillar) for here, _ in strict.grades} == {
        ("core-banking", Pillar.DEVICE),
        ("hr", Pillar.IDENTITY),
    }
    assert outline(dossier(strict=False)).strict is None


def test_age_is_counted_to_the_time_of_assessment() -> None:
    ages = {row.ref.source: row.age for row in outline(dossier()).collections}

    assert ages["ad"] == timedelta(hours=2, minutes=50)
    assert moment("2026-11-20T01:00:00") is None
    assert moment("yesterday") is None


def test_exclusions_keep_reason_and_scopes() -> None:
    rows = outline(dossier()).excluded

    assert [row.item.id for row in rows] == ["1-4", "4-5", "5-8"]
    assert all(row.reason and row.scopes[0].scene is Scene.CLOUD_ACCESS for row in rows)


def test_anchors_are_plain_and_numbers_sort_as_numbers() -> None:
    assert anchor("item", "1-1") == "item-1-1"
    assert anchor("item", HOSTILE).removeprefix("item-").isalnum()
    assert sorted(["1-10", "1-9", "gate II"], key=natural) == ["1-9", "1-10", "gate II"]


def test_many_scopes_stay_one_card_an_item() -> None:
    told = outline(wide(36))

    assert len(told.items) == 36
    assert {card.tally.scopes for card in told.items} == {36}
