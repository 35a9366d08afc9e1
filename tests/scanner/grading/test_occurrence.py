"""Reviews add up over a period and drills grow old; no entry lost ever makes more of what is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest

from scanner.grading.occurrence import document_verdict, reviews_within
from scanner.guideline.nouns import Requirement
from scanner.institution.registers import DocumentVerdict, JudgedRegisters, Standing, parse_registers
from scanner.model import RegisterWhy, RequirementKind, RequirementState, Scene, Text
from scanner.result.grade import ReviewCount

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
MET, NOT_MET, OPEN = RequirementState.MET, RequirementState.NOT_MET, RequirementState.UNDETERMINED
WORDS = Text(zh_tw="x", en="x")
REVIEWED = Requirement(
    "1-6/log-review", "log-review", RequirementKind.REVIEW, WORDS, WORDS, reviews=4, within=timedelta(days=365)
)
DRILLED = Requirement("1-5/drill", "drill", RequirementKind.DRILL, WORDS, WORDS, max_age=timedelta(days=365))
TAIL = f"""system = "core"
statement = "It was done."
owner = "wang"
approver = "chang"
expires_at = 2027-10-31
document = {{name = "minutes.pdf", sha256 = "{"a" * 64}"}}
"""


def review(id_: str, begin: str, end: str, count: int, answer: str = "yes", made: str = "2026-10-30") -> str:
    return (
        f'[[review]]\nid = "{id_}"\nrequirement = "1-6/log-review"\nanswer = "{answer}"\nperiod_from = {begin}\n'
        f"period_to = {end}\ncount = {count}\nmade_at = {made}\n" + TAIL
    )


def drill(id_: str, occurred: str) -> str:
    return (
        f'[[drill]]\nid = "{id_}"\nrequirement = "1-5/drill"\ntrigger = "t"\ndecision = "d"\naction = "a"\n'
        f"occurred_at = {occurred}\nmade_at = 2026-10-30\n" + TAIL
    )


def judged(*texts: str, out: str = "") -> JudgedRegisters:
    """Registers as if every entry were signed, save those named in ``out``."""
    entries = parse_registers({"entries.toml": "\n".join(texts).encode()}).entries
    return JudgedRegisters(
        tuple(
            Standing(each, RegisterWhy.SELF_DECLARED if each.id in out else None, "", True, False) for each in entries
        )
    )


def verdict(requirement: Requirement, *texts: str, **given: Any) -> tuple[DocumentVerdict, ReviewCount | None]:
    return document_verdict(judged(*texts, **given), requirement, "core", Scene.REMOTE_WORK, AS_OF)


def counted(found: int) -> ReviewCount:
    return ReviewCount(found=found, wanted=4, days=365)


QUARTERS = (
    review("q1", "2025-11-01", "2026-01-31", 1),
    review("q2", "2026-02-01", "2026-04-30", 1),
    review("q3", "2026-05-01", "2026-07-31", 1),
    review("q4", "2026-08-01", "2026-10-29", 1, made="2026-10-31"),
)


def test_reviews_of_several_entries_add_up() -> None:
    assert verdict(REVIEWED, *QUARTERS) == (DocumentVerdict(MET, None, "q4"), counted(4))


@pytest.mark.parametrize("lost", range(4))
def test_one_review_too_few_leaves_it_open_with_the_count(lost: int) -> None:
    left = [text for number, text in enumerate(QUARTERS) if number != lost]
    found, count = verdict(REVIEWED, *left)
    assert (found.state, found.why, count) == (OPEN, RegisterWhy.TOO_FEW, counted(3))


def test_an_entry_that_does_not_count_adds_nothing() -> None:
    assert verdict(REVIEWED, *QUARTERS, out="q2")[1] == counted(3)


@pytest.mark.parametrize(
    ("texts", "count"),
    [
        ((review("a", "2026-01-01", "2026-06-30", 6), review("b", "2026-04-01", "2026-09-30", 5)), 6),
        ((review("a", "2026-01-01", "2026-06-30", 3), review("b", "2026-06-30", "2026-09-30", 2)), 5),
        ((review("a", "2026-01-01", "2026-01-01", 1), review("b", "2026-01-01", "2026-01-01", 1)), 1),
        ((review("a", "2026-01-01", "2026-09-30", 4), review("b", "2026-02-01", "2026-03-01", 3)), 4),
        (
            (
                review("a", "2026-01-01", "2026-09-30", 4),
                review("b", "2026-01-01", "2026-03-01", 3),
                review("c", "2026-04-01", "2026-09-01", 2),
            ),
            5,
        ),
    ],
)
def test_overlapping_periods_are_not_counted_twice(texts: tuple[str, ...], count: int) -> None:
    assert verdict(REVIEWED, *texts)[1] == counted(count)


@pytest.mark.parametrize(
    ("begin", "end", "count", "found"),
    [
        ("2024-11-01", "2026-11-01", 8, 4),  # half of the period lies within
        ("2024-11-01", "2026-10-31", 8, 3),  # a little less than half
        ("2024-01-01", "2025-10-31", 99, 0),
        ("2025-10-31", "2025-11-02", 1, 0),
        ("2025-11-01", "2026-10-30", 4, 4),
    ],
)
def test_a_period_counts_as_far_as_it_lies_within_the_window(begin: str, end: str, count: int, found: int) -> None:
    (entry,) = parse_registers({"e.toml": review("a", begin, end, count, made="2026-11-01").encode()}).entries
    assert reviews_within([entry], AS_OF - timedelta(days=365), AS_OF) == found


def test_no_entry_lost_makes_the_count_greater() -> None:
    texts = [*QUARTERS, review("a", "2026-01-15", "2026-06-15", 3), review("b", "2024-06-01", "2026-02-10", 9)]
    entries = parse_registers({"e.toml": "\n".join(texts).encode()}).entries
    since = AS_OF - timedelta(days=365)
    for size in range(1, len(entries) + 1):
        for held in combinations(entries, size):
            whole = reviews_within(held, since, AS_OF)
            assert all(
                reviews_within([each for each in held if each is not lost], since, AS_OF) <= whole for lost in held
            )


def test_a_signed_no_is_not_met_however_many_reviews_there_are() -> None:
    no = review("no", "2026-08-01", "2026-10-30", 9, "no", made="2026-10-31T12:00:00Z")
    assert verdict(REVIEWED, *QUARTERS, no) == (DocumentVerdict(NOT_MET, None, "no"), counted(4))


def test_where_the_baseline_states_no_number_one_entry_decides() -> None:
    plain = Requirement("1-6/log-review", "log-review", RequirementKind.REVIEW, WORDS, WORDS)
    assert verdict(plain, review("a", "2020-01-01", "2020-02-01", 0)) == (DocumentVerdict(MET, None, "a"), None)


def test_missing_and_unsigned_reviews_are_told_so_and_not_as_too_few() -> None:
    assert verdict(REVIEWED) == (DocumentVerdict(OPEN, RegisterWhy.MISSING, None), counted(0))
    found = verdict(REVIEWED, QUARTERS[0], out="q1")
    assert found == (DocumentVerdict(OPEN, RegisterWhy.SELF_DECLARED, "q1"), counted(0))


@pytest.mark.parametrize(
    ("occurred", "state", "why"),
    [("2025-11-01", MET, None), ("2025-10-31", OPEN, RegisterWhy.TOO_OLD), ("2026-10-29", MET, None)],
)
def test_a_drill_counts_while_the_event_is_recent_enough(
    occurred: str, state: RequirementState, why: RegisterWhy | None
) -> None:
    assert verdict(DRILLED, drill("a", occurred)) == (DocumentVerdict(state, why, "a"), None)


def test_an_older_drill_written_down_later_does_not_hide_a_recent_one() -> None:
    assert verdict(DRILLED, drill("z", "2024-01-01"), drill("a", "2026-10-01"))[0] == DocumentVerdict(MET, None, "a")
