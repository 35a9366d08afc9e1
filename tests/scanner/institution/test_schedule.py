"""The units that are printed are ones that systemd takes, name no secret, and call no blindness a success."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import UsageError
from scanner.institution.estate import load_estate
from scanner.institution.schedule import Schedule, credential_names, running_command, service_unit, timer_unit
from tests.scanner.commands.stage import Institution

SECRETS = """
[credentials.directory]
user = "svc"
secret = "systemd:ad-reader"
[credentials.again]
secret = "systemd:ad-reader"
[credentials.cloud]
secret = "systemd:aws"
[credentials.shell]
secret = "env:ZT_HUNTER2"
[credentials.desk]
secret = "keyring:hunter2/svc"
"""
LOCAL = '[targets.host]\ncollector = "local"\n'


def planned(folder: Path, *, more: str = SECRETS, **changes: object) -> Schedule:
    folder.mkdir(parents=True, exist_ok=True)
    made = Institution(folder)
    made.write_estate(more)
    given: dict[str, object] = {
        "command": (shutil.which("true") or sys.executable,),
        "estate": load_estate(made.estate),
        "estate_path": made.estate,
        "store": made.store,
        "on_calendar": "*-*-* 02:30:00",
        "user": "ztgrade",
        "baseline": "fsc-2024",
    }
    return Schedule(**{**given, **changes})  # type: ignore[arg-type]


def values(unit: str, key: str) -> list[str]:
    return [line.removeprefix(f"{key}=") for line in unit.splitlines() if line.startswith(f"{key}=")]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", ["plain", "with space", "100%", "a$HOME", 'quo"te', "back\\slash", "銀行", "it's"])
def test_systemd_takes_both_units_whatever_the_paths(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    program = (tmp_path / "bin" if set(name) & set("\"'\\") else folder) / "ztgrade"
    schedule = planned(folder, command=(str(program),), credentials=folder)
    program.parent.mkdir(exist_ok=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "ztgrade.service").write_text(service_unit(schedule))
    (tmp_path / "ztgrade.timer").write_text(timer_unit(schedule))

    verify = ["systemd-analyze", "verify", str(tmp_path / "ztgrade.service"), str(tmp_path / "ztgrade.timer")]
    found = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    program.chmod(0o600)
    found = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert f"Command {program} is not executable" in found.stderr


def test_rights_are_taken_away(tmp_path: Path) -> None:
    schedule = planned(tmp_path)
    unit = service_unit(schedule)
    assert set(unit.splitlines()) >= {
        "Type=oneshot",
        "User=ztgrade",
        "UMask=0077",
        "ProtectSystem=strict",
        "PrivateTmp=yes",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "SystemCallFilter=@system-service",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    }
    assert values(unit, "ReadWritePaths") == [str(schedule.store)]
    assert values(service_unit(planned(tmp_path / "b", more=LOCAL)), "RestrictAddressFamilies") == [
        "AF_UNIX AF_INET AF_INET6 AF_NETLINK"
    ]


def test_blindness_and_regressions_are_no_success(tmp_path: Path) -> None:
    assert values(service_unit(planned(tmp_path)), "SuccessExitStatus") == []


def test_every_secret_of_systemd_is_loaded_once_and_no_other_is_named(tmp_path: Path) -> None:
    schedule = planned(tmp_path)
    unit = service_unit(schedule)
    assert credential_names(schedule.estate) == ["ad-reader", "aws"]
    assert values(unit, "LoadCredential") == ["ad-reader:/etc/credstore/ad-reader", "aws:/etc/credstore/aws"]
    assert "hunter2" not in unit.lower()


def test_what_a_service_cannot_do_is_noted(tmp_path: Path) -> None:
    notes = [line for line in service_unit(planned(tmp_path, more=SECRETS + LOCAL)).splitlines() if "# Note" in line]
    assert any("credential shell is env:" in note for note in notes)
    assert any("credential desk is keyring:" in note for note in notes)
    assert any("collector local" in note for note in notes)
    assert any("PrivateTmp" in note for note in notes) is tmp_path.is_relative_to("/tmp")


def test_where_nothing_is_amiss_nothing_is_noted(tmp_path: Path) -> None:
    placed = {"estate_path": Path("/etc/ztgrade/estate.toml"), "store": Path("/srv/ztgrade")}
    assert "# Note" not in service_unit(planned(tmp_path, more="", command=("/usr/bin/ztgrade",), **placed))


@pytest.mark.parametrize("store", ["/srv/zt grade/s%re", '/srv/"x"', "/srv/a\\b"])
def test_paths_are_escaped(tmp_path: Path, store: str) -> None:
    unit = service_unit(planned(tmp_path, store=Path(store)))
    escaped = store.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    assert values(unit, "ReadWritePaths") == [f'"{escaped}"']
    assert f'--store "{escaped}"' in values(unit, "ExecStart")[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"store": Path("/srv/a\nUser=root")},
        {"user": "root\nExecStart=/bin/sh"},
        {"user": "a b"},
        {"user": ""},
        {"credentials": Path("/srv/a\nb")},
        {"command": ("/bin/a\nb",)},
        {"command": ("/it's/ztgrade",)},
    ],
)
def test_no_line_can_be_smuggled_into_a_unit(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        service_unit(planned(tmp_path, **wrong))


@pytest.mark.parametrize("wrong", [{"on_calendar": "daily\nUnit=x.service"}, {"on_calendar": ""}, {"delay": "1h\\"}])
def test_no_line_can_be_smuggled_into_a_timer(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        timer_unit(planned(tmp_path, **wrong))


def test_a_missed_scan_is_made_up_for(tmp_path: Path) -> None:
    lines = timer_unit(planned(tmp_path)).splitlines()
    assert {"OnCalendar=*-*-* 02:30:00", "RandomizedDelaySec=15min", "Persistent=true", "Unit=ztgrade.service"} <= set(
        lines
    )


def test_the_ztgrade_that_runs_is_the_one_that_is_scheduled(tmp_path: Path) -> None:
    script, interpreter = tmp_path / "ztgrade", tmp_path / "venv" / "python"
    assert running_command(str(script), str(interpreter)) == (str(interpreter), "-m", "scanner.cli")
    beside = tmp_path / "venv" / "ztgrade"
    beside.parent.mkdir()
    for made in (beside, script):
        made.write_text("#!/bin/sh\n")
        made.chmod(0o755)
        assert running_command(str(script), str(interpreter)) == (str(made),)
    assert running_command("/usr/bin/pytest", str(interpreter)) == (str(beside),)
