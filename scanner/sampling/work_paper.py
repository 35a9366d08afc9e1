"""The work paper of a sample: a workbook to fill in, the record that it is held to, and what was filled in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from scanner.errors import ConfigurationError, Problem, nearest
from scanner.institution.toml_source import raise_problems
from scanner.institution.workbook import Row, Sheet, blanks, read_sheet, sheet_names
from scanner.sampling.draw import draw, frame_digest, seed_fault
from scanner.sampling.sample import ALGORITHM, UNBOUNDED, Frame, Sample
from scanner.sealed.canonical import canonical_json

SCHEMA_VERSION = 1
DAY = timedelta(days=1)
"""How far the day of the examiner may lie from that of UTC."""
COVER_SHEET, ROWS_SHEET = "cover", "sample"
COVER_COLUMNS = ("field", "value", "meaning_zh", "meaning_en")
ASKED, FILLED = ("number", "asset"), ("answer", "evidence", "examiner", "date", "remark")
MEANINGS: Mapping[str, tuple[str, str]] = {
    "institution": ("機構", "institution"),
    "baseline": ("基準", "baseline"),
    "requirement": ("要件", "requirement that the sample is drawn for"),
    "system": ("系統", "system"),
    "scenes": ("場域", "scenes"),
    "origin": ("母體來源", "what the keys were listed by"),
    "frame": (
        "母體清單狀態：closed 完整、listed 機構提供、open 未確認完整",
        "state of the list: closed, listed or open",
    ),
    "doubts": ("清單未確認完整之原因", "why the list may lack some"),
    "frame_sha256": ("母體清單雜湊值", "SHA-256 over the sorted keys, each ended by a line feed"),
    "listed": ("清單筆數", "keys in the list"),
    "population": ("母體筆數", "size of the population"),
    "drawn": ("抽查筆數", "how many were drawn"),
    "seed": ("亂數種子", "seed"),
    "algorithm": ("抽樣方法", "how it was drawn: the first keys in order of SHA-256(seed, line feed, key)"),
    "confidence": ("信賴水準", "confidence"),
    "need": ("應符合比例", "share that must pass"),
    "drawn_at": ("抽樣時間", "when it was drawn"),
    "drawn_by": ("抽樣人員", "by whom"),
}
"""Fields of the cover, in order, with what they mean in Chinese and English."""


class Answer(StrEnum):
    """What the examiner found of one asset; an empty cell counts as the last."""

    PASS = "pass"
    FAIL = "fail"
    NOT_DETERMINABLE = "not determinable"


@dataclass(frozen=True)
class Record:
    """What was drawn, kept apart from the paper: the cover as written, and every key of the frame."""

    cover: Mapping[str, str]
    keys: tuple[str, ...]

    @property
    def rows(self) -> list[str]:
        """The keys that the cover says were drawn, drawn again."""
        return draw(self.keys, self.cover["seed"], int(self.cover["drawn"]))


@dataclass(frozen=True)
class Examined:
    """What a filled-in paper holds."""

    failures: int
    undetermined: int
    first: date | None
    """First and last day on which an asset was examined; None where none was."""
    last: date | None


def paper_of(record: Record) -> bytes:
    """The workbook to fill in; no text in it becomes a formula or a link."""
    cover = [
        {"field": name, "value": record.cover[name], "meaning_zh": zh, "meaning_en": en}
        for name, (zh, en) in MEANINGS.items()
    ]
    rows = [{"number": str(number), "asset": key} for number, key in enumerate(record.rows, start=1)]
    words = {"answer": [answer.value for answer in Answer]}
    return blanks(
        [
            Sheet(COVER_SHEET, COVER_COLUMNS, cover, wide=frozenset(COVER_COLUMNS[1:])),
            Sheet(ROWS_SHEET, (*ASKED, *FILLED), rows, words, frozenset({"asset", "evidence", "remark"})),
        ]
    )


def record_bytes(record: Record) -> bytes:
    """The record as canonical JSON."""
    return canonical_json({"schema_version": SCHEMA_VERSION, "cover": dict(record.cover), "frame": list(record.keys)})


def read_record(file: str, content: bytes) -> Record:
    """The record of a draw; raises ConfigurationError where it is none, or its parts do not belong together."""
    try:
        held = json.loads(content)
        cover = {name: _text(held["cover"][name]) for name in MEANINGS}
        keys = tuple(_text(key) for key in held["frame"])
        whole = held == {"schema_version": SCHEMA_VERSION, "cover": cover, "frame": list(keys)}
        size, drawn, population = int(cover["listed"]), int(cover["drawn"]), cover["population"]
        sound = population in (UNBOUNDED, str(len(keys))) and cover["algorithm"] == ALGORITHM
        Frame(cover["frame"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigurationError([Problem(file, None, "", "is no record of a draw")]) from error
    if not whole or not sound or seed_fault(cover["seed"]) or not 1 <= drawn <= size:
        raise ConfigurationError([Problem(file, None, "cover", "is no cover that a draw writes")])
    if len(set(keys)) != size or len(keys) != size or frame_digest(keys) != cover["frame_sha256"]:
        raise ConfigurationError([Problem(file, None, "frame", "is not the list that the cover names: it was changed")])
    return Record(cover, keys)


def read_paper(file: str, content: bytes, record: Record, today: date) -> Examined:
    """What was filled in; raises ConfigurationError naming every cell that is wrong or not as it was drawn."""
    problems: list[Problem] = []
    names = sheet_names(file, content)
    for name in (COVER_SHEET, ROWS_SHEET):
        if name not in names:
            problems.append(Problem(file, None, name, f"the sheet is missing{nearest(name, names)}"))
    raise_problems(problems)
    _check_cover(file, content, record, problems)
    drawn_on = date.fromisoformat(record.cover["drawn_at"][:10])
    rows = list(read_sheet(file, content, (*ASKED, "answer"), FILLED[1:], problems, sheet=ROWS_SHEET))
    raise_problems(problems)
    _check_rows(file, rows, record.rows, problems)
    answers = [_answer(file, row, drawn_on, today, problems) for row in rows]
    raise_problems(problems)
    days = sorted(date.fromisoformat(row.cells["date"]) for row in rows if row.cells.get("date"))
    return Examined(
        failures=answers.count(Answer.FAIL),
        undetermined=answers.count(Answer.NOT_DETERMINABLE),
        first=days[0] if days else None,
        last=days[-1] if days else None,
    )


def sample_of(record: Record, examined: Examined) -> Sample:
    """The sample that an entry states."""
    cover = record.cover
    return Sample(
        frame=Frame(cover["frame"]),
        frame_sha256=cover["frame_sha256"],
        population=None if cover["population"] == UNBOUNDED else int(cover["population"]),
        drawn=int(cover["drawn"]),
        seed=cover["seed"],
        failures=examined.failures,
        undetermined=examined.undetermined,
        confidence=cover["confidence"],
        need=cover["need"],
    )


def _check_cover(file: str, content: bytes, record: Record, problems: list[Problem]) -> None:
    seen: set[str] = set()
    for row in read_sheet(file, content, COVER_COLUMNS[:2], COVER_COLUMNS[2:], problems, sheet=COVER_SHEET):
        name, place = row.cells.get("field", ""), row.place("value")
        if name not in record.cover:
            problems.append(Problem(file, None, row.place("field"), f"{name!r} is no field of a cover"))
        elif name in seen:
            problems.append(Problem(file, None, row.place("field"), f"{name!r} is given twice"))
        elif row.cells.get("value", "") != record.cover[name]:
            hint = f"it was drawn with {record.cover[name]!r}"
            problems.append(Problem(file, None, place, f"{name} was changed", hint))
        seen.add(name)
    problems += [
        Problem(file, None, COVER_SHEET, f"{name} is missing; it was drawn with {record.cover[name]!r}")
        for name in record.cover
        if name not in seen
    ]


def _check_rows(file: str, rows: Sequence[Row], drawn: Sequence[str], problems: list[Problem]) -> None:
    wanted = {str(number): key for number, key in enumerate(drawn, start=1)}
    seen: set[str] = set()
    for row in rows:
        number, asset = row.cells.get("number", ""), row.cells.get("asset", "")
        if number not in wanted:
            problems.append(Problem(file, None, row.place("number"), f"no row {number!r} was drawn"))
        elif number in seen:
            problems.append(Problem(file, None, row.place("number"), f"row {number} is given twice"))
        elif asset != wanted[number]:
            hint = f"row {number} was drawn as {wanted[number]!r}"
            problems.append(Problem(file, None, row.place("asset"), f"{asset!r} was not drawn there", hint))
        seen.add(number)
    problems += [
        Problem(file, None, ROWS_SHEET, f"row {number} is missing", f"it was drawn as {key!r}")
        for number, key in wanted.items()
        if number not in seen
    ]


def _answer(file: str, row: Row, drawn_on: date, today: date, problems: list[Problem]) -> Answer:
    text = row.cells.get("answer", "")
    words = [each.value for each in Answer]
    if text and text not in words:
        problems.append(Problem(file, None, row.place("answer"), f"there is no answer {text!r}{nearest(text, words)}"))
        return Answer.NOT_DETERMINABLE
    answer = Answer(text) if text else Answer.NOT_DETERMINABLE
    needed = {Answer.PASS: ("evidence", "examiner", "date"), Answer.FAIL: ("examiner", "date")}.get(answer, ())
    for name in needed:
        if not row.cells.get(name):
            problems.append(Problem(file, None, row.place(name), f"{answer} needs {name}: the cell is empty"))
    if written := row.cells.get("date"):
        try:
            day = date.fromisoformat(written)
        except ValueError:
            problems.append(Problem(file, None, row.place("date"), f"{written!r} is no date", "write 2026-11-20"))
        else:
            if not drawn_on - DAY <= day <= today + DAY:
                between = f"{drawn_on} to {today}"
                problems.append(Problem(file, None, row.place("date"), f"{written} lies outside {between}"))
    return answer


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, not {type(value).__name__}")
    return value
