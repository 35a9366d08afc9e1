"""``[selection]`` of the estate: the inventory, the methods with their thresholds, readings of rules, decisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scanner.errors import Problem, nearest
from scanner.institution.toml_source import Table
from scanner.model import Scene
from scanner.selection.funnel import Choice, Override
from scanner.selection.inventory import IMPACT_FACTORS, RISK_FACTORS, TAX_ID_DIGITS, SystemRecord, read_records
from scanner.selection.priority import Measure, Method
from scanner.selection.scene_rule import SceneRules

SHORTEST_REASON = 30
"""Characters; a decision against a rule takes more than a word."""


@dataclass(frozen=True)
class Candidates:
    """The systems of the inventory, and how the institution chooses among them."""

    records: tuple[SystemRecord, ...]
    choice: Choice


def read_candidates(
    table: Table, pull: Callable[[Table, str, str], bytes | None], folder: Path, problems: list[Problem]
) -> Candidates:
    """Read the table and the inventory that it names; adds whatever is wrong to ``problems``.

    ``pull`` fetches a file by its path relative to ``folder``.
    """
    text = table.expect_str("inventory")
    content = pull(table, "inventory", text) if text else None
    records: tuple[SystemRecord, ...] = ()
    if content is not None:
        records = read_records(str(folder / text), content, problems)
    tax_id = table.expect_str("tax_id")
    if tax_id and not (tax_id.isascii() and tax_id.isdigit() and len(tax_id) == TAX_ID_DIGITS):
        table.problem("tax_id", f"{tax_id!r} is no tax identification number of {TAX_ID_DIGITS} digits")
    rules = SceneRules(
        tax_id=tax_id,
        separated_accounts=table.expect_bool("separated_accounts", False),
        vendor_beyond_reach=table.expect_bool("vendor_beyond_reach", False),
        external_by_any_path=table.expect_bool("external_by_any_path", False),
    )
    choice = Choice(
        rules=rules,
        risk=_measure(table.expect_table("risk", required=False), len(RISK_FACTORS)),
        impact=_measure(table.expect_table("impact", required=False), len(IMPACT_FACTORS)),
        overrides=_overrides(table, frozenset(record.name for record in records)),
    )
    return Candidates(records, choice)


def _measure(table: Table, factors: int) -> Measure:
    method = table.expect_enum("method", Method, Method.ANY_OF)
    if method is Method.ANY_OF:
        if "threshold" in table:
            table.problem("threshold", "any_of asks questions and takes no threshold", 'set method = "factors"')
            table.expect_raw("threshold")
        return Measure()
    return Measure(method, table.expect_int("threshold", minimum=factors, maximum=3 * factors))


def _overrides(table: Table, systems: frozenset[str]) -> tuple[Override, ...]:
    found: list[Override] = []
    seen: set[tuple[str, Scene]] = set()
    for each in table.expect_tables("decision", required=False):
        system, scene = each.expect_str("system"), each.expect_enum("scene", Scene)
        if system and system not in systems:
            each.problem("system", f"the inventory has no system {system!r}{nearest(system, systems)}")
        if (system, scene) in seen:
            each.problem((), f"{system} in {scene.value} is decided twice", "keep the one that holds")
        seen.add((system, scene))
        reason = each.expect_str("reason")
        if "reason" in each and len(reason.strip()) < SHORTEST_REASON:
            each.problem("reason", f"expected at least {SHORTEST_REASON} characters: why the rule does not fit")
        found.append(
            Override(
                system=system,
                scene=scene,
                holds=each.expect_bool("holds"),
                reason=reason,
                decided_by=each.expect_str("decided_by"),
                decided_on=each.expect_moment("decided_on").date(),
            )
        )
    return tuple(found)
