"""What is told again of exceptions and plans: what widened, matches nothing, ends soon or no longer holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scanner.grading.register_alarms import Watch
from scanner.institution.registers import JudgedRegisters, Standing, parse_registers
from scanner.judging.scope import Scope
from scanner.judging.tally import Beside
from scanner.model import AlarmWord, Level, RegisterWhy, Scene, ServiceModel
from scanner.result.assessment import Assessment
from scanner.result.register import AlarmRow, RegisterRow

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
REMOTE = Scope("core", Scene.REMOTE_WORK, ServiceModel.ON_PREMISES, Level.II)
OPERATIONS = Scope("core", Scene.SYSTEM_OPERATIONS, ServiceModel.ON_PREMISES, Level.II)
NOTED = "matched = 1\nbeyond = 2\n"


def exception(id_: str = "EX-1", noted: str = "", expires: str = "2027-09-30", type_: str = "risk_accepted") -> str:
    return (
        f'[[exception]]\nid = "{id_}"\nrequirement = "1-1/mfa-enforced"\nsystem = "core"\ntype = "{type_}"\n'
        'reason = "A second lock stands before this console until it is replaced."\n'
        'assets = ["user:corp:a", "user:corp:b"]\nowner = "wang"\napprover = "chang"\nmade_at = 2026-10-01\n'
        f"expires_at = {expires}\n" + noted
    )


COMPENSATED = exception(noted='compensated_by = "3-1/peers-restricted"\n' + NOTED, type_="compensating_control")


def watch(
    text: str,
    found: Beside,
    *,
    before: Assessment | None = None,
    closed: bool = True,
    holds: Mapping[Scope, bool] | None = None,
    as_of: datetime = AS_OF,
    why: RegisterWhy | None = None,
) -> Watch:
    entries = parse_registers({"e.toml": text.encode()}).entries
    return Watch(
        registers=JudgedRegisters(tuple(Standing(each, why, "", True, False) for each in entries)),
        scopes=(REMOTE, OPERATIONS),
        compensated=lambda entry, scope: (holds or {}).get(scope, True),
        beside=lambda entry, scopes, others: found,
        closed=lambda entry, scope: closed,
        as_of=as_of,
        previous=before,
    )


def alarms(*args: Any, **given: Any) -> list[tuple[Any, ...]]:
    return [(row.word.value, row.named, row.before, row.now, row.unknown) for row in watch(*args, **given).told()[1]]


def earlier(rows: list[RegisterRow], told: list[AlarmRow]) -> Any:
    class Before:
        registers = rows
        alarms = told

    return Before


def run(text: str, *founds: Beside, closed: bool = True) -> list[list[tuple[Any, ...]]]:
    """The alarms of one assessment after another."""
    before: Any = None
    seen = []
    for found in founds:
        seen.append(alarms(text, found, before=before, closed=closed))
        before = earlier(*watch(text, found, before=before, closed=closed).told())
    return seen


FINE = Beside(seen=2, named=1, beyond=2)


@pytest.mark.parametrize("noted", ["", NOTED])
def test_nothing_is_told_of_an_exception_that_is_as_it_was_approved(noted: str) -> None:
    assert run(exception(noted=noted), FINE, FINE) == [[], []]


def test_more_failures_beyond_the_exception_than_at_approval_are_told_again_and_again() -> None:
    wider = Beside(seen=2, named=1, beyond=3)
    told = [("widened", False, 2, 3, 0)]
    assert run(exception(noted=NOTED), wider, wider, FINE) == [told, told, []]


def test_more_of_those_named_than_at_approval_is_told() -> None:
    assert alarms(exception(noted=NOTED), Beside(seen=2, named=2, beyond=2)) == [("widened", True, 1, 2, 0)]


def test_without_noted_numbers_the_previous_assessment_is_the_measure_and_another_run_does_not_silence_it() -> None:
    wider, widest = Beside(seen=2, named=1, beyond=3), Beside(seen=2, named=1, beyond=4)
    assert run(exception(), FINE, wider, wider, widest, FINE) == [
        [],
        [("widened", False, 2, 3, 0)],
        [("widened", False, 2, 3, 0)],
        [("widened", False, 2, 4, 0)],
        [],
    ]


def test_what_healed_in_between_is_the_new_measure() -> None:
    fewer = Beside(seen=2, named=1, beyond=0)
    assert run(exception(), FINE, fewer, FINE)[2] == [("widened", False, 0, 2, 0)]


@pytest.mark.parametrize("noted", ["", NOTED])
def test_a_source_that_goes_dark_does_not_silence_what_widened(noted: str) -> None:
    wider, dark = Beside(seen=2, named=1, beyond=3), Beside(seen=2, named=1, beyond=0, beyond_unknown=3)
    assert run(exception(noted=noted), FINE, wider, dark)[2] == [("widened", False, 2, 0, 3)]
    assert run(exception(noted=noted), FINE, dark)[1] == []


def test_a_listing_that_opens_does_not_silence_it_either() -> None:
    first = watch(exception(noted="matched = 1\nbeyond = 0\n"), Beside(seen=2, named=1, beyond=1)).told()
    gone = Beside(seen=2, named=1)
    found = alarms(exception(noted="matched = 1\nbeyond = 0\n"), gone, before=earlier(*first), closed=False)
    assert found == [("widened", False, 0, 0, 1)]


@pytest.mark.parametrize(
    ("found", "closed", "unknown"),
    [
        (Beside(seen=2), True, 0),  # healed
        (Beside(), True, 0),  # gone
        (Beside(), False, 2),  # never seen, where not all is seen
        (Beside(seen=2, named_unknown=1), True, 1),
    ],
)
def test_an_exception_that_takes_nothing_out_is_stale(found: Beside, closed: bool, unknown: int) -> None:
    assert alarms(exception(noted="matched = 1\n"), found, closed=closed) == [("stale", True, 1, 0, unknown)]
    assert run(exception(), FINE, found, closed=closed)[1][0] == ("stale", True, 1, 0, unknown)


@pytest.mark.parametrize(
    ("left", "days", "step"),
    [
        (timedelta(days=31), None, None),
        (timedelta(days=30), 30, 30),
        (timedelta(days=14, seconds=1), 14, 30),
        (timedelta(days=14), 14, 14),
        (timedelta(days=7), 7, 7),
        (timedelta(hours=1), 0, 7),
    ],
)
def test_an_end_is_told_thirty_fourteen_and_seven_days_before(
    left: timedelta, days: int | None, step: int | None
) -> None:
    found = watch(exception(expires="2026-12-15"), FINE, as_of=datetime(2026, 12, 15, tzinfo=UTC) - left).told()[1]
    assert [(row.word, row.now, row.days) for row in found] == (
        [] if step is None else [(AlarmWord.EXPIRING, days, step)]
    )


def test_a_control_that_no_longer_compensates_is_told_where_and_the_entry_says_why_it_does_not_count() -> None:
    rows, told = watch(COMPENSATED, FINE, holds={REMOTE: False}).told()
    assert [(row.word, row.requirement, row.scene) for row in told] == [
        (AlarmWord.COMPENSATION_LOST, "3-1/peers-restricted", Scene.REMOTE_WORK)
    ]
    assert (rows[0].counts, rows[0].why) == (True, None)
    assert "no check that is met in core/remote_work" in rows[0].detail
    rows, told = watch(COMPENSATED, FINE, holds={REMOTE: False, OPERATIONS: False}).told()
    assert len(told) == 2
    assert (rows[0].counts, rows[0].why) == (False, RegisterWhy.UNCOMPENSATED)


def test_of_an_entry_that_does_not_count_nothing_is_told() -> None:
    rows, told = watch(exception(noted=NOTED), Beside(beyond=9), why=RegisterWhy.EXPIRED).told()
    assert (told, rows[0].matched, rows[0].beyond) == ([], None, None)


@pytest.mark.parametrize(("as_of", "overdue"), [("2026-11-20", False), ("2026-11-21", True)])
def test_a_plan_stands_in_its_row_and_is_overdue_after_its_day(as_of: str, overdue: bool) -> None:
    text = (
        '[[adoption]]\nid = "PL-1"\nsystem = "core"\nscenes = ["remote_work"]\ncurrent = "I"\ntarget = "II"\n'
        'due = 2026-11-20\nstatus = "planned"\nstatement = "Devices decide."\nowner = "wang"\napprover = "chang"\n'
        "made_at = 2026-10-01\n"
    )
    (row,), told = watch(text, FINE, as_of=datetime.fromisoformat(as_of).replace(tzinfo=UTC)).told()
    assert told == []
    assert row.plan is not None
    assert (row.plan.pillar, row.plan.current, row.plan.target) == (None, Level.I, Level.II)
    assert (row.plan.due, row.plan.status, row.plan.overdue) == ("2026-11-20", "planned", overdue)
    assert row.statement == "Devices decide."
