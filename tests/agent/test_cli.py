from __future__ import annotations

import json

import pytest

from agent.cli import as_text, main
from agent.probes import PROBES
from agent.section import Section
from tests.agent.recorded import DEBIAN_LAPTOP, NOT_ROOT


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
    assert out.endswith("\n  secure_boot = enabled\n  tpm = ready\n")


def test_what_was_not_seen_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    main(["show"], NOT_ROOT)
    out = capsys.readouterr().out
    assert "host_firewall: denied: only root" in out
    assert "serial = (not seen)  [denied: " in out


@pytest.mark.parametrize("argv", [[], ["show", "--section", "nothing"], ["shwo"]])
def test_wrong_use_ends_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv, DEBIAN_LAPTOP) == 2
    assert "usage" in capsys.readouterr().err


def test_control_characters_of_a_hostile_host_do_not_reach_the_terminal() -> None:
    text = as_text([Section("x", 1, "seen", "", "", {"name": "a\x1b[2J\nb"})])
    assert "\x1b" not in text
    assert text.count("\n") == 2
