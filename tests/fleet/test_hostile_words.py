"""What a host says of itself is hostile text: it passes through the server into the store and comes out inert."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from agent import wire
from tests.collectors.fleet_store import laptop
from tests.fleet.processes import TrueClock, made_fleet
from tests.reports.dossier_sample import HOSTILE
from tests.reports.page import Page
from tests.scanner.commands.stage import ESTATE, Institution, ztgrade
from tests.scanner.fleet.lab import Pretended, Running

WORDS = HOSTILE.replace("\ud800", "") + "=cmd|' /C calc'!A1"
"""What no JSON of an agent can hold is left out."""
FLEET = """
[targets.fleet]
collector = "endpoint"
source = "fleet"
address = "{folder}"
[[systems.core.members.Device]]
all = true
"""


def poisoned(value: Any) -> Any:
    """The same value with every text in it, and every name, replaced."""
    if isinstance(value, str):
        return WORDS
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    if isinstance(value, dict):
        return {name: poisoned(item) for name, item in value.items()}
    return value


def poisoned_in_turn(sound: dict[str, dict[str, Any]]) -> Iterator[dict[str, dict[str, Any]]]:
    """Postures of hosts: each has one value of every section poisoned, the last ones names and reasons."""
    for turn in range(max(len(section["values"]) for section in sound.values())):
        host = {}
        for name, section in sound.items():
            chosen = list(section["values"])[turn : turn + 1]
            host[name] = section | {
                "values": section["values"] | {key: poisoned(section["values"][key]) for key in chosen}
            }
        yield host
    yield {name: section | {"values": section["values"] | {WORDS: WORDS}} for name, section in sound.items()}
    denied = {"status": "denied", "detail": WORDS, "values": {}, "missing": {}}
    yield {name: section | denied for name, section in sound.items()}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Institution:
    """An institution whose fleet is full of it, read and graded."""
    folder = tmp_path_factory.mktemp("hostile")
    running = Running(made_fleet(folder / "server"), TrueClock())
    token = running.token(uses=1000)
    sound = {section.name: section.to_dict() for section in laptop()}
    for number, host in enumerate(poisoned_in_turn(sound)):
        agent = Pretended(running, f"{number}" + re.sub(r"[\x00-\x1f]", "", WORDS), {"serial": f"<b>{number}"})
        assert agent.enrol(token).status == 200
        assert agent.send(wire.REPORT, agent.report(host)).status == 200
    running.end()
    found = Institution(folder, ESTATE + FLEET.format(folder=folder / "server"))
    found.supply([])
    done = ztgrade("scan", "--estate", found.estate, "--store", found.store, "--quiet")
    assert done.exit_code in (0, 3, 4), done.stderr
    return found


def steering(text: str) -> list[str]:
    """Characters by which a text could do more than be read."""
    return [letter for letter in text if not letter.isprintable() and letter != "\n"]


def test_the_report_shows_it_and_nothing_more(graded: Institution) -> None:
    path = graded.folder / "report.html"
    done = ztgrade("report", "latest", "--store", graded.store, "--lang", "en", "--output", path)
    assert done.exit_code == 0, done.stderr

    page = Page(path.read_bytes())

    assert page.faults == []
    assert {tag for tag, _ in page.elements} & {"img", "iframe", "object", "embed", "link"} == set()
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "alert(1)" in page.text, "the probe came as far as this"
    assert "alert(1)" not in "".join(page.raw["script"] + page.raw["style"])
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", path.read_text("utf-8"))


def test_no_command_lets_it_steer_the_terminal(graded: Institution) -> None:
    server = graded.folder / "server"
    listed = ztgrade("fleet", "list", "--folder", server)
    told = json.loads(ztgrade("fleet", "list", "--folder", server, "--json").stdout)
    shown = [ztgrade("fleet", "show", agent["id"], "--folder", server).stdout for agent in told[:2]]

    for text in (listed.stdout, listed.stderr, *shown):
        assert steering(text) == []
    assert "alert(1)" in listed.stdout and any("alert(1)" in text for text in shown)
