"""``[costs]`` of the estate: what meeting a requirement costs this institution, where it knows better; no verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scanner.errors import Problem, nearest
from scanner.institution.toml_source import Table
from scanner.model import Effort, Impact

SHORTEST_REASON = 10
"""Characters; whoever reads the order of what to do first must be able to follow it."""


@dataclass(frozen=True)
class StatedCost:
    """What the institution says of one requirement; None leaves the baseline's word."""

    effort: Effort | None
    impact: Impact | None
    reason: str
    line: int | None = None
    """Where it stands in the estate file."""


def read_costs(top: Table) -> dict[str, StatedCost]:
    """Costs by requirement address; adds whatever is wrong to the problems of the table."""
    stated: dict[str, StatedCost] = {}
    for address, table in top.named_tables("costs", required=False, names=False).items():
        owner, sign, slug = address.partition("/")
        if not (owner and sign and slug):
            table.problem((), f"{address!r} is no address of a requirement", 'expected a form like "1-1/mfa-enforced"')
        effort = table.expect_enum("effort", Effort) if "effort" in table else None
        impact = table.expect_enum("impact", Impact) if "impact" in table else None
        if effort is None and impact is None:
            table.problem((), "states nothing", "give effort, impact, or both")
        reason = table.expect_str("reason").strip()
        if reason and len(reason) < SHORTEST_REASON:
            table.problem("reason", "is too short", f"say in {SHORTEST_REASON} characters or more why it is so here")
        stated[address] = StatedCost(effort, impact, reason, table.line())
    return stated


def unknown_costs(file: str, stated: Mapping[str, StatedCost], addresses: Iterable[str]) -> list[Problem]:
    """A problem for each cost that is stated of a requirement that the baseline does not have."""
    known = frozenset(addresses)
    return [
        Problem(
            file,
            cost.line,
            f"costs.{address!r}",
            f"the baseline has no requirement {address!r}{nearest(address, known)}",
        )
        for address, cost in stated.items()
        if address not in known
    ]
