from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.arguments import parser
from agent.cli import as_text, main
from agent.posture import look
from agent.probes import PROBES
from agent.section import Section
from agent.state import Attempts, Identity, Standing, StateFolder
from tests.agent.recorded import DEBIAN_LAPTOP, NOT_ROOT

PATHS = f"import sys; sys.path[:0] = {[str(Path(__file__).parents[2]), sysconfig.get_paths()['purelib']]!r}; "


def test_json_is_what_the_local_collector_reads(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--json"], DEBIAN_LAPTOP) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["schema_version"] == 1
    sections = [Section.from_dict(plain) for plain in whole["sections"]]
    assert [section.name for section in sections] == [probe.name for probe in PROBES] + ["agent"]


def test_one_section_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--section", "boot"], DEBIAN_LAPTOP) == 0
    out = capsys.readouterr().out
    assert out.startswith("boot: seen\n  # Whether ")
    assert out.endswith("\n  secure_boot = enabled\n  tpm = ready\n  tpm_version = 2.0\n")


def test_what_was_not_seen_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    main(["show"], NOT_ROOT)
    out = capsys.readouterr().out
    assert "host_firewall: denied: only root" in out
    assert "serial = (not seen)  [denied: " in out


def test_what_is_shown_is_what_would_be_sent_and_what_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text('switched_off = ["listeners", "user_names"]')
    main(["show", "--json", "--state", str(tmp_path)], DEBIAN_LAPTOP)
    whole = json.loads(capsys.readouterr().out)
    sent = look(DEBIAN_LAPTOP, frozenset({"listeners", "user_names"}))
    assert whole["sections"] == [json.loads(json.dumps(section.to_dict())) for section in sent]
    assert all(whole["purposes"][section.name] for section in sent)
    assert whole["told_at_enrolment"]["machine_id"]


def test_a_section_that_is_switched_off_is_shown_as_that(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text('switched_off = ["listeners"]')
    main(["show", "--state", str(tmp_path)], DEBIAN_LAPTOP)
    assert "listeners: switched off by agent.toml\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["run"], "not enrolled"),
        (["once"], "not enrolled"),
        (["enroll", "--token-file", "no-such-file"], "no-such-file cannot be read"),
        (["enroll", "--token-file", "README.md"], "this is no token"),
        (["enroll", "--token-file", "-", "--proxy", "http://user:geheim@proxy:1"], "may hold no password"),
        (["enroll", "--token-file", "-", "--proxy", "proxy:1"], "--proxy is no URL"),
    ],
)
def test_what_cannot_be_done_says_why_and_what_to_do(
    argv: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*argv, "--state", str(tmp_path / "state")], DEBIAN_LAPTOP) == 2
    error = capsys.readouterr().err
    assert said in error and "geheim" not in error


def test_wrong_settings_are_said_by_their_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "agent.toml").write_text("intervall = 5")
    assert main(["show", "--state", str(tmp_path)], DEBIAN_LAPTOP) == 2
    assert "agent.toml: intervall is no setting; known are" in capsys.readouterr().err


def test_a_token_is_taken_only_from_a_file_or_standard_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enroll", "--token", "zt1.x"], DEBIAN_LAPTOP) == 2
    assert main(["enroll", "zt1.x"], DEBIAN_LAPTOP) == 2
    assert "zt1.x" in capsys.readouterr().err  # the words of the parser; nothing was read


def test_without_enrolment_the_status_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o700)
    assert main(["status", "--state", str(tmp_path)], DEBIAN_LAPTOP) == 1
    assert "not enrolled: run ztagent enroll" in capsys.readouterr().out
    assert main(["status", "--state", str(tmp_path / "none")], DEBIAN_LAPTOP) == 2


def test_the_status_tells_why_the_server_does_not_hear(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = StateFolder(tmp_path / "state")
    times = ("2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z")
    state.keep(Identity("an-agent", "https://fleet.example", "0" * 64, "", "", *times, "0" * 64, ""))
    state.keep(Standing(seq=7, accepted_at="2026-01-01T00:00:00Z", offset=90))
    state.keep(
        Attempts(
            last_at="2026-01-02T00:00:00Z",
            last_error="a\x1b[2Jcopy",
            failures=3,
            copy_suspected=True,
            degraded="the spool lies in memory: full",
            highest_version="99.0.0",
            errors={"409": 3},
        )
    )
    assert main(["status", "--state", str(tmp_path / "state")], DEBIAN_LAPTOP) == 1
    out = capsys.readouterr().out
    for said in (
        "THE SERVER DOES NOT HEAR THIS AGENT: agent an-agent at https://fleet.example",
        "last accepted: 2026-01-01T00:00:00Z, message 7",
        "failures in a row: 3",
        "suspects that this disk was copied",
        "the spool lies in memory",
        "downgraded: version",
        "errors since enrolment: 409 3",
    ):
        assert said in out
    assert "\x1b" not in out
    main(["status", "--json", "--state", str(tmp_path / "state")], DEBIAN_LAPTOP)
    told = json.loads(capsys.readouterr().out)
    assert told["clock_offset_seconds"] == 90 and told["downgraded"] is True


def test_an_agent_that_is_older_than_one_before_says_so_in_its_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = StateFolder(tmp_path / "state")
    for highest, downgraded in (("99.0", True), ("0.0.1", False), ("", False)):
        state.keep(Attempts(highest_version=highest))
        main(["show", "--json", "--state", str(tmp_path / "state")], DEBIAN_LAPTOP)
        assert json.loads(capsys.readouterr().out)["sections"][-1]["values"]["downgraded"] is downgraded


@pytest.mark.parametrize("argv", [[], ["show", "--section", "nothing"], ["shwo"]])
def test_wrong_use_ends_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv, DEBIAN_LAPTOP) == 2
    assert "usage" in capsys.readouterr().err


def test_control_characters_of_a_hostile_host_do_not_reach_the_terminal() -> None:
    text = as_text([Section("x", 1, "seen", "", "", {"name": "a\x1b[2J\nb"})])
    assert "\x1b" not in text
    assert text.count("\n") == 2


def test_the_service_is_started_without_what_reads_arguments() -> None:
    code = "import json; from agent.cli import _given; told = vars(_given(['run'])); "
    code += "print(json.dumps([told['command'], str(told['state']), len(told), 'argparse' in sys.modules]))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", PATHS + code], capture_output=True, text=True, check=True)
    parsed = parser().parse_args(["run"], SimpleNamespace())
    assert json.loads(done.stdout) == ["run", str(parsed.state), len(vars(parsed)), False]
