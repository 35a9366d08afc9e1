"""The funnel from all systems to those that come first, on two inventories written to give the briefing's figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from scanner.model import Scene
from scanner.selection.funnel import Choice, Override, Selection, select
from scanner.selection.inventory import SystemRecord, read_inventory
from scanner.selection.priority import Measure, Method
from scanner.selection.scene_rule import SceneRules

FOLDER = Path(__file__).parent
INSTITUTIONS = {
    "a": (
        "11111119",
        {
            Scene.REMOTE_WORK: (83, 48, 4),
            Scene.CLOUD_ACCESS: (0, 0, 0),
            Scene.SYSTEM_OPERATIONS: (9, 9, 1),
            Scene.APPLICATION_ADMINISTRATION: (9, 9, 1),
            Scene.SERVICE_PROVIDER: (0, 0, 0),
            Scene.CROSS_INSTITUTION: (8, 7, 1),
        },
        (109, 73, 7),
    ),
    "b": (
        "33333337",
        {
            Scene.REMOTE_WORK: (93, 55, 10),
            Scene.CLOUD_ACCESS: (1, 1, 1),
            Scene.SYSTEM_OPERATIONS: (28, 15, 1),
            Scene.APPLICATION_ADMINISTRATION: (28, 15, 1),
            Scene.SERVICE_PROVIDER: (0, 0, 0),
            Scene.CROSS_INSTITUTION: (6, 3, 0),
        },
        (156, 89, 13),
    ),
}
REASON = "its users come over the exchange's closed line, and the committee holds that line to be outside"


def _records(name: str) -> tuple[SystemRecord, ...]:
    path = FOLDER / f"institution-{name}.csv"
    return read_inventory(path.name, path.read_bytes())


def _selected(name: str, *overrides: Override) -> Selection:
    return select(_records(name), Choice(SceneRules(INSTITUTIONS[name][0]), overrides=overrides))


def _steps(selection: Selection) -> dict[Scene, tuple[int, int, int]]:
    return {step.scene: (step.in_scene, step.high_risk, step.low_impact) for step in selection.funnel}


@pytest.mark.parametrize("name", sorted(INSTITUTIONS))
def test_the_funnel_gives_the_figures_of_the_briefing(name: str) -> None:
    _, steps, total = INSTITUTIONS[name]
    selection = _selected(name)

    assert _steps(selection) == steps
    assert selection.total == total
    assert len(selection.proposals) == total[2]
    assert all(step.undecided == 0 for step in selection.funnel)


def test_an_answer_taken_away_never_lets_a_pair_through() -> None:
    records = _records("a")
    whole = {(pair.system, pair.scene) for pair in _selected("a").pairs if pair.chosen}
    for name in ("automated_service", "rto_hours", "customer_personal", "staff_path", "important", "bulk_sensitive"):
        less = [replace(record, **{name: None}) for record in records]  # type: ignore[arg-type]
        found = select(less, Choice(SceneRules("11111119")))

        assert {(pair.system, pair.scene) for pair in found.pairs if pair.chosen} <= whole
        assert any(step.undecided for step in found.funnel)


def test_a_decision_of_a_person_replaces_the_rule_and_both_are_told() -> None:
    system = next(record.name for record in _records("a") if record.external_path == "vpn")
    override = Override(system, Scene.CROSS_INSTITUTION, True, REASON, "risk committee", date(2026, 10, 1))
    selection = _selected("a", override)
    (pair,) = (pair for pair in selection.pairs if (pair.system, pair.scene) == (system, Scene.CROSS_INSTITUTION))

    assert _steps(selection)[Scene.CROSS_INSTITUTION][0] == 9
    assert pair.overridden is override
    assert REASON in pair.in_scene.why
    assert "by rule: users of other institutions: 22222228; they come by vpn" in pair.in_scene.why


def test_shared_accounts_over_sensitive_data_are_told() -> None:
    selection = _selected("b")
    (system,) = selection.unseparated

    assert any(
        pair.system == system and pair.scene is Scene.APPLICATION_ADMINISTRATION and pair.in_scene.holds
        for pair in selection.pairs
    )


def test_proposals_stand_in_order_of_risk_then_of_least_impact() -> None:
    base = SystemRecord(
        name="x", line=2, staff_path="vpn", customer_personal=True, automated_service=False, rto_hours=None
    )
    factors = ("location", "user", "privilege", "device", "data", "connection")
    effects = ("interruption", "process", "training", "technology", "cost")
    records = [
        replace(base, name="mild", risk=dict.fromkeys(factors, 2), impact=dict.fromkeys(effects, 1)),
        replace(base, name="hard", risk=dict.fromkeys(factors, 3), impact=dict.fromkeys(effects, 3)),
        replace(base, name="soft", risk=dict.fromkeys(factors, 3), impact=dict.fromkeys(effects, 1)),
        replace(base, name="bare"),
    ]
    proposals = select(records, Choice(SceneRules("12345678"))).proposals

    assert [proposal.pair.system for proposal in proposals] == ["soft", "hard", "mild", "bare"]
    assert [proposal.rank for proposal in proposals] == [1, 2, 3, 4]
    assert (proposals[0].risk_score, proposals[0].impact_score) == (18, 5)


def test_the_method_and_its_threshold_are_part_of_the_result() -> None:
    choice = Choice(SceneRules("11111119"), risk=Measure(Method.FACTORS, 13), impact=Measure(Method.FACTORS, 7))
    selection = select(_records("a"), choice)

    assert selection.total == (109, 0, 0)
    assert str(selection.choice.risk) == "factors, threshold 13"
