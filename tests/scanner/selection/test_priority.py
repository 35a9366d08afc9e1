"""High risk and low impact: the questions, the sums, and what lies exactly on a limit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from scanner.selection.inventory import IMPACT_FACTORS, RISK_FACTORS, SystemRecord, cost_score
from scanner.selection.priority import Measure, Method, high_risk, low_impact

ANY = Measure()


def _record(**fields: object) -> SystemRecord:
    return SystemRecord(name="x", line=2, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("customer", "transaction", "employee", "expected"),
    [
        (True, None, None, True),
        (False, False, True, True),
        (False, False, False, False),
        (False, None, False, None),
        (None, None, None, None),
    ],
)
def test_any_kind_of_personal_or_transaction_data_is_high_risk(
    customer: bool | None, transaction: bool | None, employee: bool | None, expected: bool | None
) -> None:
    record = _record(customer_personal=customer, customer_transaction=transaction, employee_personal=employee)

    assert high_risk(record, ANY).holds is expected


@pytest.mark.parametrize(
    ("automated", "hours", "expected"),
    [
        (True, "8", False),
        (True, "8.0", False),
        (True, "8.01", True),
        (False, "0", True),
        (False, None, True),
        (True, None, None),
        (None, "8", None),
        (None, "9", True),
        (None, None, None),
    ],
)
def test_low_impact_takes_a_recovery_time_over_eight_hours_or_no_automated_service(
    automated: bool | None, hours: str | None, expected: bool | None
) -> None:
    record = _record(automated_service=automated, rto_hours=None if hours is None else Decimal(hours))

    assert low_impact(record, ANY).holds is expected


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("0", 1), ("4999999.99", 1), ("5000000", 2), ("24999999", 2), ("25000000", 3), ("90000000", 3)],
)
def test_what_a_change_costs_beyond_the_budget_is_scored_by_band(amount: str, expected: int) -> None:
    assert cost_score(Decimal(amount)) == expected


@pytest.mark.parametrize(
    ("scores", "threshold", "expected"),
    [
        ((3, 3, 3, 3, 3, 3), 18, True),
        ((3, 3, 3, 3, 3, 2), 18, False),
        ((3, 3, 3, 3, None, None), 14, True),
        ((3, 3, 3, 3, None, None), 15, None),
        ((1, 1, 1, 1, None, None), 11, False),
        ((None,) * 6, 6, True),
    ],
)
def test_risk_factors_are_summed_and_those_not_scored_leave_a_range(
    scores: tuple[int | None, ...], threshold: int, expected: bool | None
) -> None:
    record = _record(risk=dict(zip(RISK_FACTORS, scores, strict=True)))

    assert high_risk(record, Measure(Method.FACTORS, threshold)).holds is expected


def test_impact_is_low_up_to_the_threshold() -> None:
    record = _record(impact=dict.fromkeys(IMPACT_FACTORS, 1))

    assert low_impact(record, Measure(Method.FACTORS, 5)).holds is True
    assert low_impact(_record(impact={**record.impact, "cost": 2}), Measure(Method.FACTORS, 5)).holds is False


def test_a_sum_without_a_threshold_decides_nothing() -> None:
    assert high_risk(_record(risk=dict.fromkeys(RISK_FACTORS, 3)), Measure(Method.FACTORS)).holds is None
