"""The institution's inventory of systems: one row each; a cell left empty was not stated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from scanner.errors import ConfigurationError, Problem, nearest
from scanner.institution.csv_source import read_rows
from scanner.institution.toml_source import is_name
from scanner.institution.workbook import is_workbook, read_sheet
from scanner.model import ServiceModel

LAYERS = ("directory", "network", "os", "database", "application")
OPERATORS = ("institution", "cloud_provider", "vendor")
VENDOR_ACCESS = ("none", "remote", "on_site_own_device", "on_site_issued_device")
STAFF_PATHS = ("internal", "vpn", "internet")
EXTERNAL_PATHS = ("none", "dedicated_line", "vpn", "internet")
RISK_FACTORS = ("location", "user", "privilege", "device", "data", "connection")
IMPACT_FACTORS = ("interruption", "process", "training", "technology", "cost")
TAX_ID_DIGITS = 8


@dataclass(frozen=True)
class SystemRecord:
    """What the inventory says of one system; None in a field means that it does not say."""

    name: str
    line: int
    title_zh: str = ""
    title_en: str = ""
    owner: str = ""
    customer_personal: bool | None = None
    customer_transaction: bool | None = None
    employee_personal: bool | None = None
    bulk_sensitive: bool | None = None
    """Its administrators can reach sensitive data in bulk."""
    automated_service: bool | None = None
    """It serves customers without a person of the institution in between."""
    rto_hours: Decimal | None = None
    user_tax_ids: tuple[str, ...] | None = None
    """Tax identification numbers of the institutions whose people use it."""
    service_model: ServiceModel | None = None
    run_by: Mapping[str, str | None] = field(default_factory=dict)
    """Operator by layer."""
    vendor_access: str | None = None
    staff_path: str | None = None
    """The farthest way in which the institution's own people reach it."""
    external_path: str | None = None
    """The same of people of others."""
    accounts_separated: bool | None = None
    """Administrators' accounts are apart from users' accounts."""
    important: bool | None = None
    """The institution counts it among its important systems."""
    risk: Mapping[str, int | None] = field(default_factory=dict)
    """Scores 1 to 3 by factor."""
    impact: Mapping[str, int | None] = field(default_factory=dict)
    cells: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """The row as it was written."""


class CellError(ValueError):
    """A cell that cannot be understood; says what was expected."""


def _truth(cell: str) -> bool:
    words = {"yes": True, "y": True, "true": True, "1": True, "是": True}
    words |= {"no": False, "n": False, "false": False, "0": False, "否": False}
    if cell.lower() not in words:
        raise CellError(f"expected yes or no, found {cell!r}")
    return words[cell.lower()]


def _word(known: Iterable[str]) -> Callable[[str], str]:
    words = tuple(known)

    def read(cell: str) -> str:
        if cell not in words:
            raise CellError(f"expected one of {', '.join(words)}, found {cell!r}{nearest(cell, words)}")
        return cell

    return read


def _number(cell: str) -> Decimal:
    try:
        number = Decimal(cell.replace(",", ""))
    except InvalidOperation:
        raise CellError(f"expected a number, found {cell!r}") from None
    if not number.is_finite() or number < 0:
        raise CellError(f"expected a number not below zero, found {cell!r}")
    return number


def _score(cell: str) -> int:
    if cell not in {"1", "2", "3"}:
        raise CellError(f"expected a score of 1, 2 or 3, found {cell!r}")
    return int(cell)


def _tax_ids(cell: str) -> tuple[str, ...]:
    numbers = tuple(part.strip() for part in cell.split(";") if part.strip())
    for number in numbers:
        if not (number.isascii() and number.isdigit() and len(number) == TAX_ID_DIGITS):
            raise CellError(f"expected numbers of {TAX_ID_DIGITS} digits separated by semicolons, found {number!r}")
    return tuple(sorted(set(numbers)))


def cost_score(amount: Decimal) -> int:
    """Score of what a change costs beyond the budget, in NT$: 3 from 25 million on, 2 from 5 million on, else 1."""
    return 3 if amount >= 25_000_000 else 2 if amount >= 5_000_000 else 1


_CELLS: Mapping[str, Callable[[str], Any]] = {
    "title_zh": str,
    "title_en": str,
    "owner": str,
    "customer_personal": _truth,
    "customer_transaction": _truth,
    "employee_personal": _truth,
    "bulk_sensitive": _truth,
    "automated_service": _truth,
    "rto_hours": _number,
    "user_tax_ids": _tax_ids,
    "service_model": lambda cell: ServiceModel(_word(model.value for model in ServiceModel)(cell)),
    **{f"{layer}_run_by": _word(OPERATORS) for layer in LAYERS},
    "vendor_access": _word(VENDOR_ACCESS),
    "staff_path": _word(STAFF_PATHS),
    "external_path": _word(EXTERNAL_PATHS),
    "accounts_separated": _truth,
    "important": _truth,
    **{f"risk_{factor}": _score for factor in RISK_FACTORS},
    **{f"impact_{factor}": _score for factor in IMPACT_FACTORS},
    "beyond_budget_ntd": _number,
}
COLUMNS = ("system", *_CELLS)
"""Every column that an inventory may have; only ``system`` must stand in it."""


def read_inventory(file: str, content: bytes) -> tuple[SystemRecord, ...]:
    """Systems in the order of the file; raises ConfigurationError that names every cell that is wrong."""
    problems: list[Problem] = []
    records = read_records(file, content, problems)
    if problems:
        raise ConfigurationError(problems)
    return records


def read_records(file: str, content: bytes, problems: list[Problem]) -> tuple[SystemRecord, ...]:
    """The same from CSV, or from the first sheet of a workbook; what is wrong is added to ``problems``."""
    if not is_workbook(content):
        return records_of(file, read_rows(file, content, ("system",), tuple(_CELLS), problems), problems)
    rows = {row.line: row for row in read_sheet(file, content, ("system",), tuple(_CELLS), problems)}
    wrong: list[Problem] = []
    records = records_of(file, [(line, row.cells) for line, row in rows.items()], wrong)
    problems += [
        Problem(file, None, rows[each.line or 0].place(each.key), f"{each.key}: {each.message}", each.hint)
        for each in wrong
    ]
    return records


def records_of(
    file: str, rows: Iterable[tuple[int, Mapping[str, str]]], problems: list[Problem]
) -> tuple[SystemRecord, ...]:
    """Records of rows by line and column; what cannot be understood is added to ``problems``."""
    records: list[SystemRecord] = []
    lines: dict[str, int] = {}
    for line, row in rows:
        name = row.get("system", "")
        if not is_name(name):
            problems.append(Problem(file, line, "system", f"{name!r} is not a name"))
            continue
        if name in lines:
            problems.append(Problem(file, line, "system", f"{name!r} stands on line {lines[name]} already"))
            continue
        lines[name] = line
        values: dict[str, Any] = {}
        for column, read in _CELLS.items():
            if cell := row.get(column, ""):
                try:
                    values[column] = read(cell)
                except CellError as error:
                    problems.append(Problem(file, line, column, str(error)))
        amount = values.pop("beyond_budget_ntd", None)
        if amount is not None:
            scored = values.setdefault("impact_cost", cost_score(amount))
            if scored != cost_score(amount):
                message = f"{scored} does not follow from beyond_budget_ntd, which scores {cost_score(amount)}"
                problems.append(Problem(file, line, "impact_cost", message, "leave one of them out"))
        records.append(_record(name, line, row, values))
    return tuple(records)


def _record(name: str, line: int, row: Mapping[str, str], values: dict[str, Any]) -> SystemRecord:
    return SystemRecord(
        name=name,
        line=line,
        cells=row,
        run_by={layer: values.pop(f"{layer}_run_by", None) for layer in LAYERS},
        risk={factor: values.pop(f"risk_{factor}", None) for factor in RISK_FACTORS},
        impact={factor: values.pop(f"impact_{factor}", None) for factor in IMPACT_FACTORS},
        **values,
    )
