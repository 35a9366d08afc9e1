"""Reading the inventory: every cell that is wrong is named, and an empty one says nothing."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from scanner.errors import ConfigurationError
from scanner.model import ServiceModel
from scanner.selection.inventory import COLUMNS, SystemRecord, read_inventory


def _read(*lines: str) -> tuple[SystemRecord, ...]:
    return read_inventory("systems.csv", "\n".join(lines).encode())


def test_cells_are_read_by_their_kind() -> None:
    (record,) = _read(
        "system,customer_personal,rto_hours,user_tax_ids,service_model,os_run_by,risk_data,beyond_budget_ntd",
        'core,是,8.5,"87654321; 12345678",iaas,vendor,3,"25,000,000"',
    )

    assert record.customer_personal is True
    assert record.rto_hours == Decimal("8.5")
    assert record.user_tax_ids == ("12345678", "87654321")
    assert record.service_model is ServiceModel.IAAS
    assert (record.run_by["os"], record.run_by["network"]) == ("vendor", None)
    assert (record.risk["data"], record.risk["user"], record.impact["cost"]) == (3, None, 3)


def test_an_empty_cell_says_nothing_at_all() -> None:
    (record,) = _read(",".join(COLUMNS), "core" + "," * (len(COLUMNS) - 1))

    assert record == _read("system", "core")[0]
    assert record.automated_service is None


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("customer_personal", "perhaps", "expected yes or no, found 'perhaps'"),
        ("rto_hours", "-1", "expected a number not below zero"),
        ("rto_hours", "NaN", "expected a number not below zero"),
        ("rto_hours", "eight", "expected a number, found 'eight'"),
        ("user_tax_ids", "1234", "expected numbers of 8 digits separated by semicolons, found '1234'"),
        ("service_model", "iass", "did you mean 'iaas'?"),
        ("risk_user", "4", "expected a score of 1, 2 or 3"),
        ("staff_path", "VPN", "expected one of internal, vpn, internet"),
    ],
)
def test_a_wrong_cell_is_named_by_line_and_column(column: str, cell: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _read(f"system,{column}", "first,", f"core,{cell}")

    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.key) == ("systems.csv", 3, column)
    assert said in problem.message


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        _read("system,rto_hours,important", "core,x,y", "core,1,no", "bad name,1,no", "other,1,maybe")

    assert [(problem.line, problem.key) for problem in caught.value.problems] == [
        (2, "rto_hours"),
        (3, "system"),
        (4, "system"),
        (5, "important"),
    ]


def test_a_cost_score_that_contradicts_the_amount_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="does not follow from beyond_budget_ntd"):
        _read("system,impact_cost,beyond_budget_ntd", "core,1,25000000")


def test_an_unknown_column_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'rto_hours'"):
        _read("system,rto_hour", "core,4")


def test_the_guide_names_every_column() -> None:
    guide = (Path(__file__).parents[3] / "docs/selection.md").read_text("utf-8")
    table = [line.split("|")[1] for line in guide.splitlines() if line.startswith("| `")]

    assert sorted(["system", *re.findall(r"`(\w+)`", " ".join(table))]) == sorted(COLUMNS)
