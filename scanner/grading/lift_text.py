"""What lifts an institution, as a report shows it: bounded whatever its size, the rest is for the command; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scanner.grading.lift import Cell, Cost, Need, Prices, cells
from scanner.grading.lift_together import Bundle, Together, together
from scanner.guideline.nouns import Baseline
from scanner.institution.costs import StatedCost
from scanner.model import Scene, Text
from scanner.result.grade import Grade
from scanner.result.lift import LiftBundle, LiftCost, LiftNeed, LiftPillar, LiftScope, LiftSingle, LiftText

SINGLES, SCOPES, NEEDS = 10, 40, 8
"""Rows of a report: requirements over all, scopes, and requirements of one scope."""


def lift_text(grades: Sequence[Grade], baseline: Baseline, costs: Mapping[str, StatedCost]) -> LiftText:
    """What lies between every grade and the target of its system."""
    prices = Prices(baseline, costs)
    found = cells(grades, prices)
    whole = together(found)
    scopes: dict[tuple[str, Scene], list[Cell]] = {}
    for cell in found:
        if cell.needs:
            scopes.setdefault(cell.scope, []).append(cell)
    rows = sorted(
        (_scope(system, scene, low) for (system, scene), low in scopes.items()),
        key=lambda row: (row.total, row.system, row.scene),
    )[:SCOPES]
    steps = sorted({need.step for row in rows for need in row.needs})
    return LiftText(
        pillars=len(found),
        below=whole.cells,
        scopes_below=whole.scopes,
        singles=_singles(whole),
        singles_total=len(whole.singles),
        bundles=[_bundle(each) for each in whole.bundles],
        steps=[_bundle(each) for each in whole.steps],
        scopes=rows,
        fixes={step: _fix(prices, step) for step in steps},
    )


def _scope(system: str, scene: Scene, low: Sequence[Cell]) -> LiftScope:
    """The needs of all pillars together, since a gate holds back each of them."""
    needs: dict[str, list[tuple[Cell, Need]]] = {}
    for cell in low:
        for need in cell.needs:
            needs.setdefault(need.address, []).append((cell, need))
    ordered = sorted(needs.values(), key=lambda rows: (rows[0][1].step.cost.order, rows[0][1].address))
    return LiftScope(
        system=system,
        scene=scene,
        pillars=[LiftPillar(pillar=c.pillar, floor=c.floor, aim=c.aim, needs=len(c.needs)) for c in low],
        needs=[_need(rows) for rows in ordered[:NEEDS]],
        total=len(needs),
    )


def _need(rows: Sequence[tuple[Cell, Need]]) -> LiftNeed:
    need = rows[0][1]
    return LiftNeed(
        requirement=need.address,
        item=need.item,
        level=need.level,
        why=need.why,
        population=need.population,
        failing=need.failing,
        unknown=need.unknown,
        pillars=[cell.pillar for cell, _ in rows],
        step=need.step.address,
        cost=_cost(need.step.cost),
        others=[other.address for other in need.others if not other.spoken_against],
        look_first=need.look_first,
    )


def _singles(whole: Together) -> list[LiftSingle]:
    return [
        LiftSingle(
            requirement=each.address,
            item=each.item,
            cost=_cost(each.cost),
            pillars=each.open_cells,
            scopes=each.open_scopes,
            lifts=each.lifts,
        )
        for each in whole.singles[:SINGLES]
    ]


def _bundle(bundle: Bundle) -> LiftBundle:
    return LiftBundle(
        requirements=list(bundle.addresses),
        pillars=bundle.cells,
        scopes=bundle.scopes,
        levels=list(bundle.levels),
        exact=bundle.exact,
    )


def _cost(cost: Cost) -> LiftCost:
    return LiftCost(effort=cost.effort, impact=cost.impact, reason=cost.reason)


def _fix(prices: Prices, address: str) -> Text:
    requirement = prices.requirement(address)
    return Text(zh_tw=address, en=address) if requirement is None else requirement.fix
