"""The six scenes by rule: the regulator's worked examples, the doubtful readings, and answers that are missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scanner.model import Scene, ServiceModel
from scanner.selection.inventory import SystemRecord
from scanner.selection.scene_rule import SceneRules, duties_unseparated, scenes_of

OWN, OTHER = "12345678", "87654321"
PLAIN = SystemRecord(
    name="plain",
    line=2,
    bulk_sensitive=False,
    service_model=ServiceModel.ON_PREMISES,
    run_by=dict.fromkeys(("directory", "network", "os", "database", "application"), "institution"),
    vendor_access="none",
    staff_path="internal",
    external_path="none",
    user_tax_ids=(OWN,),
    accounts_separated=True,
    important=False,
)
"""In no scene at all."""
CLOUD_RUN = {**PLAIN.run_by, "os": "cloud_provider", "network": "cloud_provider"}
VENDOR_RUN = {**PLAIN.run_by, "os": "vendor", "network": "vendor"}


def _in(record: SystemRecord, **rules: bool) -> set[Scene]:
    return {scene for scene, found in scenes_of(record, SceneRules(OWN, **rules)).items() if found.holds}


@pytest.mark.parametrize(
    ("changes", "scenes"),
    [
        ({"staff_path": "vpn"}, {Scene.REMOTE_WORK}),
        ({"service_model": ServiceModel.PAAS}, {Scene.CLOUD_ACCESS}),
        (
            {"service_model": ServiceModel.IAAS, "important": True, "run_by": CLOUD_RUN},
            {Scene.SYSTEM_OPERATIONS, Scene.CLOUD_ACCESS},
        ),
        ({"bulk_sensitive": True, "accounts_separated": True}, {Scene.APPLICATION_ADMINISTRATION}),
        ({"run_by": VENDOR_RUN}, {Scene.SERVICE_PROVIDER}),
        ({"user_tax_ids": (OWN, OTHER), "external_path": "vpn"}, set()),
    ],
    ids=["remote", "platform", "database in-house", "separated accounts", "vendor runs it", "closed path"],
)
def test_worked_examples_come_out_as_the_regulator_has_them(changes: dict[str, object], scenes: set[Scene]) -> None:
    assert _in(replace(PLAIN, **changes)) == scenes  # type: ignore[arg-type]


def test_a_system_may_be_in_several_scenes() -> None:
    record = replace(PLAIN, staff_path="internet", vendor_access="remote", important=True)

    assert _in(record) == {Scene.REMOTE_WORK, Scene.SERVICE_PROVIDER, Scene.SYSTEM_OPERATIONS}


def test_shared_accounts_are_a_finding_and_no_way_out_of_the_scene() -> None:
    record = replace(PLAIN, bulk_sensitive=True, accounts_separated=False)

    assert _in(record) == {Scene.APPLICATION_ADMINISTRATION}
    assert duties_unseparated(record)
    assert _in(record, separated_accounts=True) == set()


def test_a_vendor_on_site_with_an_issued_device_is_in_scene_by_the_wider_reading_only() -> None:
    record = replace(PLAIN, vendor_access="on_site_issued_device", run_by=VENDOR_RUN)

    assert _in(record) == {Scene.SERVICE_PROVIDER}
    assert _in(record, vendor_beyond_reach=True) == set()


def test_external_users_on_a_closed_path_are_in_scene_only_where_the_institution_says_so() -> None:
    record = replace(PLAIN, user_tax_ids=(OWN, OTHER), external_path="vpn")

    assert _in(record) == set()
    assert _in(record, external_by_any_path=True) == {Scene.CROSS_INSTITUTION}
    assert _in(replace(record, external_path="internet")) == {Scene.CROSS_INSTITUTION}


def test_users_of_the_institution_itself_are_not_external_whatever_their_path() -> None:
    assert _in(replace(PLAIN, external_path="internet")) == set()


@pytest.mark.parametrize("scene", list(Scene))
def test_an_empty_row_decides_nothing(scene: Scene) -> None:
    assert scenes_of(SystemRecord(name="unknown", line=2), SceneRules(OWN))[scene].holds is None


def test_one_answer_that_rules_a_scene_out_suffices() -> None:
    record = SystemRecord(name="half", line=2, user_tax_ids=(OWN,), important=False)
    found = scenes_of(record, SceneRules(OWN))

    assert found[Scene.CROSS_INSTITUTION].holds is False
    assert found[Scene.SYSTEM_OPERATIONS].holds is False
