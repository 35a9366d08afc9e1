"""Runs the blocks of ``docs/walk-through.md`` in order over the lab bank, at the days of its headings."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from scanner.commands import assessing, explaining
from scanner.demo.bank import write_form
from scanner.demo.description import Description, read_description
from scanner.demo.form import supplied_form
from scanner.grading.assess import Graded
from scanner.result.dossier import Dossier
from tests.scanner.commands.stage import ztgrade

PAGE = Path(__file__).parents[3] / "docs" / "walk-through.md"
SYSTEMS = ("branch", "crm", "portal")
GROUPS = ("brn", "crm", "por")
DECEMBER: tuple[dict[str, Any], ...] = (
    {"asset": ["segment:firewalls:por-segment-001"], "set": {"Microsegmentation": {"mode": "enforce"}}},
    {"asset": ["user:ad-corp:por-admin-001"], "set": {"Privilege": {"standing": False}}},
    {"asset": ["log_source:siem:corp-network"], "set": {"Detection": {"rules_enabled": 0}}},
    {
        "asset": ["user:ad-corp:por-person-002"],
        "set": {"Authenticators": {"methods": [{"method": "sms", "usable": True}]}},
    },
)
"""What the sources say otherwise in December."""
HELD = {"ztgrade assess": ["--beside", "none"]}
"""Added to commands for speed: one baseline is enough here."""


@dataclass(frozen=True)
class Block:
    """A fenced block of the page, with the day of the heading above it."""

    day: datetime
    kind: str
    name: str
    text: str


@dataclass
class Told:
    """What one command said."""

    line: str
    code: int
    out: str
    err: str


@dataclass
class Walk:
    """The folder in which everything happened, and what each command said."""

    folder: Path
    told: list[Told] = field(default_factory=list)

    def of(self, start: str) -> list[Told]:
        """What the commands that begin so said, in order; at least one."""
        found = [each for each in self.told if each.line.startswith(start)]
        assert found, start
        return found


def blocks() -> Iterator[Block]:
    """Every block of the page in order."""
    day = None
    pattern = r"^## (\d+ \w+ \d{4}): .*?$|^```(\w+)(?: (\S+))?\n(.*?)^```$"
    for found in re.finditer(pattern, PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        heading, kind, name, text = found.groups()
        if heading:
            day = datetime.strptime(heading, "%d %B %Y").replace(hour=9, tzinfo=UTC)
        else:
            assert day is not None
            yield Block(day, kind, name or "", text)


def bank(as_of: datetime | None = None, changes: Sequence[dict[str, Any]] = ()) -> Description:
    """Three systems of the lab bank, with their papers and their assets alone."""
    whole = read_description(as_of)
    head, *tables = re.split(r"(?m)^(?=\[systems\.\w+\]$)", whole.systems)
    kept = [table for table in tables if table.startswith(tuple(f"[systems.{name}]" for name in SYSTEMS))]
    papers = dict(whole.documents)
    papers["complete"] = [name for name in papers["complete"] if name in SYSTEMS]
    for kind in ("entry", "exception", "scope_statement", "adoption"):
        papers[kind] = [entry for entry in papers[kind] if entry["system"] in SYSTEMS]
    groups = {name: group for name, group in whole.groups.items() if name in GROUPS}
    cases = [*whole.cases, *changes]
    return replace(whole, systems=head + "".join(kept), documents=papers, groups=groups, cases=cases)


class Clock:
    """Stands where the commands look for the time; a minute passes between two of them."""

    at = datetime(2026, 11, 1, tzinfo=UTC)
    fromisoformat = staticmethod(datetime.fromisoformat)

    @classmethod
    def now(cls, zone: Any = None) -> datetime:
        """The day of the heading."""
        return cls.at


def stand_in(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let commands run in the folder by the clock above, and lay each assessment out once."""
    patch.setattr("scanner.commands.session.datetime", Clock)
    patch.setattr("scanner.sealed.store.now_utc", Clock.now)
    patch.chdir(folder)
    graded: dict[Path, Graded] = {}
    assess, again = assessing.assess_store, explaining.graded_again

    def kept(*given: Any) -> Graded:
        found = assess(*given)
        graded[Path(found.assessment.path)] = found
        return found

    patch.setattr(assessing, "assess_store", kept)
    patch.setattr(explaining, "graded_again", lambda path: graded.get(path) or again(path))
    told: dict[str, Dossier] = {}
    fresh = explaining.told_of

    def told_of(graded: Graded) -> Dossier:
        path = graded.assessment.path
        if path not in told:
            told[path] = fresh(graded)
        return told[path]

    patch.setattr(explaining, "told_of", told_of)


class Carrier:
    """Carries the page out in a folder."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.walk = Walk(folder)
        description = bank()
        write_form(folder, description, supplied_form(description))
        (folder / "minutes.pdf").write_bytes(b"minutes")
        (folder / "survey.xlsx").write_bytes(survey())
        Clock.at = datetime.fromisoformat(description.as_of)
        stand_in(folder, patch)

    def run(self) -> Walk:
        """Every block in order."""
        for block in blocks():
            Clock.at = max(Clock.at, block.day)
            if block.kind == "sh":
                if block.name == "filled":
                    self._fill()
                for line in block.text.splitlines():
                    self._line(line)
            else:
                place = self.walk.folder / block.name
                text = block.text.replace("ssh-ed25519 AAAA... li", self._ssh_key())
                place.write_text((place.read_text("utf-8") if place.exists() else "") + "\n" + text, "utf-8")
        return self.walk

    def _line(self, line: str) -> None:
        Clock.at += timedelta(minutes=1)
        command, _, output = line.partition(" > ")
        words = shlex.split(command)
        if words[0] != "ztgrade":
            subprocess.run(words, check=True, capture_output=True)
            return
        if line == "ztgrade collect":
            self._observe()
        result = ztgrade(*words[1:], *HELD.get(" ".join(words[:2]), []))
        if output:
            Path(output).write_bytes(result.stdout_bytes)
        self.walk.told.append(Told(line, result.exit_code, result.stdout, result.stderr))

    def _observe(self) -> None:
        """The sources say what is so on this day."""
        changes = DECEMBER if Clock.at.month == 12 else ()
        description = bank(Clock.at, changes)
        elsewhere = self.walk.folder / "elsewhere"
        write_form(elsewhere, description, supplied_form(description))
        shutil.rmtree(self.walk.folder / "captures")
        (elsewhere / "captures").rename(self.walk.folder / "captures")
        shutil.rmtree(elsewhere)

    def _ssh_key(self) -> str:
        public = self.walk.folder / "id_li.pub"
        return public.read_text().strip() if public.exists() else ""

    def _fill(self) -> None:
        for record in sorted(self.walk.folder.glob("*.draw.json")):
            paper = record.with_name(record.name.removesuffix(".draw.json"))
            book = openpyxl.load_workbook(paper)
            rows = book["sample"]
            column = {cell.value: number for number, cell in enumerate(rows[1], start=1)}
            for row in range(2, rows.max_row + 1):
                if rows.cell(row, column["asset"]).value is None:
                    continue
                found = {"answer": "pass", "evidence": "seen", "examiner": "Ho", "date": f"{Clock.at:%Y-%m-%d}"}
                for name, value in found.items():
                    rows.cell(row, column[name]).value = value
            book.save(paper)


def survey() -> bytes:
    """A form of others that asks for figures of registers and plans."""
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    for row, name in enumerate(ASKED, start=1):
        page.cell(row, 1, name)
        page.cell(row, 2, "{{" + name + "}}")
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


ASKED = (
    "institution",
    "headline.floor",
    "count.registers.expired",
    "count.registers.lapsed",
    "count.registers.revoked",
    "count.registers.unproved",
    "count.plans.overdue",
    "count.alarms",
)


def as_workbook(text: str) -> bytes:
    """A CSV as a workbook of texts."""
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    for row in csv.reader(io.StringIO(text.strip())):
        page.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def assessment(walk: Walk, number: int) -> dict[str, Any]:
    """The sealed result of the first, second ... ``assess``."""
    place = re.findall(r"^sealed in (.*)$", walk.of("ztgrade assess")[number].out, re.MULTILINE)
    found: dict[str, Any] = json.loads((Path(place[0]) / "assessment.json").read_text("utf-8"))
    return found
