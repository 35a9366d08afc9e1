from __future__ import annotations

import re

from agent.posture import AGENT, section_names
from agent.settings import Settings
from tests.test_house import ROOT

GUIDE = (ROOT / "docs" / "agent.md").read_text("utf-8")


def test_the_guide_says_of_every_section_what_it_tells() -> None:
    assert section_names() | {AGENT} <= set(re.findall(r"^\| `(\w+)` \|", GUIDE, re.MULTILINE))


def test_the_guide_names_every_setting() -> None:
    assert [name for name in Settings.__dataclass_fields__ if f"`{name}`" not in GUIDE] == []


def test_the_guide_says_where_the_agent_was_never_run() -> None:
    assert "never run on windows" in GUIDE.lower() and "never run on macos" in GUIDE.lower()
