"""The entry point: errors say why and what to do, exit codes are kept, and a reader that goes away is no defect."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import scanner
from scanner.cli import COMMANDS, main
from scanner.errors import EngineError
from tests.scanner.commands.stage import Institution, ztgrade


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["ztgrade", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command: str) -> None:
    result = ztgrade(command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: cli {command}") and len(result.stdout.splitlines()) > 4


def test_help_lists_every_command_and_version_names_the_release() -> None:
    told = ztgrade("--help").stdout
    assert [name for name in COMMANDS if f"  {name} " not in told] == []
    assert ztgrade("--version").stdout == f"ztgrade, version {scanner.__version__}\n"


@pytest.mark.parametrize("wrong", [("scam",), ("scan", "--fail-on", "monday"), ("report",), ("list", "item")])
def test_wrong_usage_is_exit_2(monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, ...]) -> None:
    assert run(monkeypatch, *wrong) == 2


def test_an_error_is_told_on_stderr_line_by_line_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "estate.toml").write_text("schema_version = 1\nnonsense = 2\n")
    assert run(monkeypatch, "plan", "--estate", tmp_path / "estate.toml") == 2
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert len(lines) > 1 and all(line.startswith("ztgrade: ") for line in lines)
    assert any("estate.toml:2: nonsense" in line for line in lines)


def test_an_error_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "findings", "\x1b]0;owned\x07\x9b2J\u202e") == 2
    told = capsys.readouterr().err
    assert told.strip() and [letter for letter in told if not letter.isprintable() and letter != "\n"] == []


def test_a_defect_is_exit_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: object) -> None:
        raise EngineError("the machine is exhausted; give it more memory")

    monkeypatch.setattr("scanner.commands.collecting.open_estate", broken)
    assert run(monkeypatch, "plan") == 1


def test_a_library_that_crashes_says_at_which_line() -> None:
    crash = "import faulthandler; from scanner import cli; cli.cli = faulthandler._sigsegv; cli.main()"
    done = subprocess.run([sys.executable, "-c", crash], capture_output=True, text=True, check=False)
    assert done.returncode < 0 and "Segmentation fault" in done.stderr
    assert f"{Path('scanner') / 'cli.py'}" in done.stderr and "in main" in done.stderr


def test_options_may_stand_in_the_environment(institution: Institution) -> None:
    result = ztgrade("plan", env={"ZTGRADE_ESTATE": str(institution.estate)})
    assert result.exit_code == 0 and result.stdout.startswith("ad ")


def ztgrade_process(*arguments: object, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "scanner.cli", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
    )


def test_a_reader_that_goes_away_leaves_no_traceback_and_is_no_success() -> None:
    process = ztgrade_process("list", "facts", "--json")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    told = process.stderr.read().decode()
    process.stderr.close()
    assert (process.wait(), told) == (1, "")


def test_a_terminal_that_knows_no_chinese_is_no_reason_to_fail() -> None:
    process = ztgrade_process("list", "items", "--json", PYTHONIOENCODING="latin-1")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert b"\\u591a\\u56e0\\u5b50" in out


@pytest.fixture
def institution(tmp_path: Path) -> Institution:
    made = Institution(tmp_path)
    made.supply([])
    return made
