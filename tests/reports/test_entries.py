"""Register entries by kind, and plans beside what the evidence proves."""

from __future__ import annotations

import msgspec

from reports.entries import entry_groups, plans
from scanner.model import Level, Scene
from tests.reports.dossier_sample import dossier


def test_every_entry_is_told_once_in_a_group_or_as_a_plan() -> None:
    assessment = dossier().assessment
    told = [row.id for group in entry_groups(assessment.registers) for row in group.rows]

    assert sorted(told + [each.row.id for each in plans(assessment)]) == sorted(row.id for row in assessment.registers)


def test_entries_stand_by_kind_in_a_settled_order_with_those_that_count() -> None:
    groups = entry_groups(dossier().assessment.registers)

    assert [(group.kind, group.counting, len(group.rows)) for group in groups] == [
        ("attestation", 1, 2), ("drill", 0, 1), ("review", 0, 1), ("exception", 1, 1)
    ]  # fmt: skip


def test_a_kind_that_is_not_known_and_a_plan_that_is_gone_stay_among_the_entries() -> None:
    assessment = dossier().assessment
    odd = msgspec.structs.replace(assessment.registers[0], kind="novel")
    gone = msgspec.structs.replace(assessment.registers[0], kind="adoption", plan=None)

    assert [group.kind for group in entry_groups([odd, gone])] == ["adoption", "novel"]


def test_plans_come_overdue_first_then_by_their_day() -> None:
    assert [each.row.id for each in plans(dossier().assessment)] == ["PL-001", "PL-003", "PL-002"]


def test_a_plan_stands_beside_the_lowest_interval_where_it_applies() -> None:
    assessment = dossier().assessment
    by_id = {each.row.id: each for each in plans(assessment)}
    floors = [grade.floor for grade in assessment.grades if grade.system == "core-banking"]
    proved = by_id["PL-001"].proved

    assert proved is not None and proved.floor is min(floors, key=lambda level: level.rank)
    assert not by_id["PL-001"].reached
    assert by_id["PL-003"].proved is None and not by_id["PL-003"].reached
    elsewhere = msgspec.structs.replace(by_id["PL-002"].row, scenes=[Scene.CLOUD_ACCESS])
    (only,) = plans(msgspec.structs.replace(assessment, registers=[elsewhere]))
    assert only.proved is None
    assert by_id["PL-002"].plan.target is Level.I
