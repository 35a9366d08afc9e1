"""``schedule systemd`` prints units and does nothing else."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from tests.scanner.commands.stage import Institution, ztgrade

WHEN = ("--on-calendar", "*-*-* 02:30")


def test_both_units_are_printed_with_absolute_paths(institution: Institution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(institution.folder)
    before = sorted(institution.folder.rglob("*"))
    result = ztgrade("schedule", "systemd", "--estate", "estate.toml", "--store", "store", *WHEN)

    assert (result.exit_code, result.stderr) == (0, "")
    (start,) = [line for line in result.stdout.splitlines() if line.startswith("ExecStart=")]
    assert start.startswith("ExecStart=:/") and f"--estate {institution.estate} --store {institution.store}" in start
    for place in ("# /etc/systemd/system/ztgrade.service", "# /etc/systemd/system/ztgrade.timer"):
        assert place in result.stdout.splitlines()
    assert sorted(institution.folder.rglob("*")) == before


def test_the_command_of_the_service_is_one_that_ztgrade_takes(institution: Institution) -> None:
    result = ztgrade("schedule", "systemd", "--estate", institution.estate, "--store", institution.store, *WHEN)
    (start,) = [line for line in result.stdout.splitlines() if line.startswith("ExecStart=")]
    words = shlex.split(start.removeprefix("ExecStart=:").replace("%%", "%"))
    assert ztgrade(*words[words.index("scan") :]).exit_code in {0, 4}
    assert any(institution.store.glob("assessments/*"))


@pytest.mark.parametrize(("unit", "other"), [("service", "[Timer]"), ("timer", "[Service]")])
def test_one_unit_alone_can_be_written_to_its_file(institution: Institution, unit: str, other: str) -> None:
    result = ztgrade("schedule", "systemd", "--estate", institution.estate, "--unit", unit, *WHEN)
    assert result.exit_code == 0
    assert f"[{unit.title()}]" in result.stdout and other not in result.stdout


def test_a_baseline_in_a_folder_is_named_by_its_absolute_path(
    institution: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = Path("baselines/fsc-2024-strict").resolve()
    monkeypatch.chdir(strict.parent)
    told = ztgrade(
        "schedule", "systemd", "--estate", institution.estate, "--baseline", "./fsc-2024-strict", *WHEN
    ).stdout
    assert f"--baseline {strict}\n" in told
    told = ztgrade("schedule", "systemd", "--estate", institution.estate, "--baseline", "fsc-2024", *WHEN).stdout
    assert "--baseline fsc-2024\n" in told


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("wrong", [("--on-calendar", "each night"), (*WHEN, "--delay", "soon")])
def test_a_time_that_systemd_does_not_understand_is_refused(institution: Institution, wrong: tuple[str, ...]) -> None:
    result = ztgrade("schedule", "systemd", "--estate", institution.estate, *wrong)
    assert result.exit_code == 2 and "systemd does not understand" in result.stderr and result.stdout == ""
