"""An entry that rests on a sample counts only as far as its numbers go, whatever it says of itself."""

from __future__ import annotations

import sys
from dataclasses import replace
from fractions import Fraction

import pytest

from scanner.errors import Problem
from scanner.institution.register_entry import EntryKind
from scanner.institution.register_writer import entry_text
from scanner.institution.toml_source import TomlSource
from scanner.sampling.claim import Need, bound_of_sample, disproved, sample_fault, shown, statement_of
from scanner.sampling.sample import Frame, Sample, read_sample, share

SOUND = Sample(Frame.CLOSED, "a" * 64, 500, 54, "seed of the test", 0, 0, "0.95", "0.95")
NEED = Need(Fraction("0.95"), Fraction("0.95"))


def fault(sample: Sample, asked: Need | None = None) -> str | None:
    return sample_fault(sample, statement_of(sample, bound_of_sample(sample)), asked)


def test_a_sample_that_proves_what_is_needed_counts() -> None:
    assert fault(SOUND) is None
    assert fault(SOUND, NEED) is None
    assert fault(replace(SOUND, population=None, drawn=59), NEED) is None
    assert fault(replace(SOUND, frame=Frame.LISTED)) is None


@pytest.mark.parametrize(
    ("sample", "asked", "why"),
    [
        (replace(SOUND, drawn=53), None, "95 % is needed"),
        (replace(SOUND, failures=1), None, "95 % is needed"),
        (replace(SOUND, undetermined=1), None, "95 % is needed"),
        (replace(SOUND, confidence="0.99"), None, "95 % is needed"),
        (replace(SOUND, population=None), None, "95 % is needed"),
        (replace(SOUND, need="0.5"), NEED, None),
        (replace(SOUND, need="0.5", failures=3), NEED, "95 % is needed"),
        (replace(SOUND, need="0.99"), NEED, "99 % is needed"),
        (SOUND, Need(Fraction("0.99"), Fraction("0.95")), "99 % is needed"),
        (SOUND, Need(Fraction("0.95"), Fraction("0.99")), "99 % is asked for"),
        (replace(SOUND, frame=Frame.OPEN), None, "open frame"),
        (replace(SOUND, frame=Frame.OPEN, drawn=500), None, "open frame"),
    ],
)
def test_a_sample_that_proves_less_does_not_count(sample: Sample, asked: Need | None, why: str | None) -> None:
    found = fault(sample, asked)
    assert found is None if why is None else found is not None and why in found


def test_a_statement_that_its_numbers_do_not_allow_does_not_count() -> None:
    said = statement_of(SOUND, bound_of_sample(SOUND))
    assert "at least 95 % pass with 95 % confidence; 95 % was needed: shown." in said
    for other in (said.replace("95 % pass", "99 % pass"), "All of them pass.", said + " All of them."):
        assert "not the one that its sample allows" in (sample_fault(SOUND, other) or "")


def test_the_statement_rounds_down_and_says_what_was_not_shown() -> None:
    short = replace(SOUND, population=487, failures=1)  # exactly 448 of 487 pass at least
    assert statement_of(short, bound_of_sample(short)) == (
        "自 487 筆母體隨機抽查 54 筆：1 筆不符、0 筆無法判定；"
        "在 95 % 信賴水準下，至少 91.9 % 符合；需達 95 %：未能證明。 "
        "54 of 487 were drawn by chance and examined: 1 failed, 0 not determinable; "
        "at least 91.9 % pass with 95 % confidence; 95 % was needed: not shown."
    )
    fine = replace(SOUND, need="0.9999", drawn=500)
    assert "99.99 % was needed: shown" in statement_of(fine, bound_of_sample(fine))
    open_ = replace(SOUND, frame=Frame.OPEN)
    assert "nothing follows for the rest" in statement_of(open_, None) and "95 %" not in statement_of(open_, None)


def test_only_a_best_case_below_the_need_disproves_it() -> None:
    for failures, undetermined, no in ((0, 0, False), (1, 0, False), (8, 0, True), (0, 54, False), (54, 0, True)):
        sample = replace(SOUND, failures=failures, undetermined=undetermined)
        bound = bound_of_sample(sample)
        assert disproved(sample, bound) is no, (failures, undetermined)
        assert not (no and shown(sample, bound))
    assert not disproved(replace(SOUND, frame=Frame.OPEN, failures=54), None)


def test_without_scipy_nothing_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    said = statement_of(SOUND, bound_of_sample(SOUND))
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert "cannot be checked here" in (sample_fault(SOUND, said) or "")


def parsed(text: str) -> tuple[Sample | None, list[Problem]]:
    problems: list[Problem] = []
    top = TomlSource("entries.toml", text.encode()).table(problems)
    found = read_sample(top)
    top.close()
    return found, problems


def written(**changes: object) -> str:
    fields = SOUND.fields() | changes
    text = entry_text(
        EntryKind.REVIEW, {"sample": {name: value for name, value in fields.items() if value is not None}}
    )
    return text.partition("\n")[2]


def test_a_sample_is_read_as_it_was_written() -> None:
    assert parsed(written()) == (SOUND, [])
    assert parsed(written(population="unbounded")) == (replace(SOUND, population=None), [])
    assert parsed("") == (None, [])


@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"frame": "close"}, "sample.frame", "did you mean 'closed'"),
        ({"frame_sha256": "A" * 64}, "sample.frame_sha256", "64 hex digits"),
        ({"population": 53}, "sample.drawn", "cannot be drawn of 53"),
        ({"population": 0}, "sample.population", "from 1"),
        ({"population": "endless"}, "sample.population", "expected an integer"),
        ({"population": 10**9}, "sample.population", "unbounded"),
        ({"drawn": 0}, "sample.drawn", "from 1"),
        ({"failures": -1}, "sample.failures", "from 0"),
        ({"failures": 30, "undetermined": 25}, "sample.failures", "more than were drawn"),
        ({"confidence": "0.5"}, "sample.confidence", "0.9 to 0.9999"),
        ({"confidence": "1"}, "sample.confidence", "0.9 to 0.9999"),
        ({"confidence": "nan"}, "sample.confidence", "a text like 0.95"),
        ({"need": "0"}, "sample.need", "a text like 0.95"),
        ({"need": "0.0"}, "sample.need", "a text like 0.95"),
        ({"need": 1}, "sample.need", "expected a string"),
        ({"algorithm": "random"}, "sample.algorithm", "sha256-order-1"),
        ({"seed": None}, "sample", "'seed' is missing"),
        ({"bound": "0.99"}, "sample.bound", "unknown key"),
    ],
)
def test_a_flawed_sample_is_told_by_its_key(changes: dict[str, object], key: str, says: str) -> None:
    _, problems = parsed(written(**changes))
    assert [(each.file, each.line, each.key) for each in problems if says in str(each)] == [("entries.toml", 1, key)]


@pytest.mark.parametrize("text", ["", "0", "-0.5", "1.5", "0.95 ", "95%", "1e-1", "٠.٥", "0.1234567", "2", "1.1"])
def test_a_share_is_a_plain_decimal(text: str) -> None:
    assert share(text) is None
    assert share("0.95") == Fraction(19, 20)
    assert share("1.0") == share("1") == 1
