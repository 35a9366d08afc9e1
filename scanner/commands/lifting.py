"""``ztgrade lift``: what stands between every grade and the level that is asked for, cheapest first, and what-if."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from scanner.commands.printing import json_option, say, say_json
from scanner.commands.session import engine_on, installed, locate, open_estate, store_option
from scanner.errors import UnknownName, UsageError
from scanner.grading.assume import Assumption, Assumptions, assumed
from scanner.grading.lift import Branch, Cell, Cost, Need, Prices, cells
from scanner.grading.lift_together import Bundle, Together, together
from scanner.guideline.nouns import Baseline
from scanner.institution.costs import unknown_costs
from scanner.institution.toml_source import raise_problems
from scanner.model import Level, RequirementState, Scene
from scanner.result.assessment import SCHEMA_VERSION, Assessment
from scanner.result.grade import Grade
from scanner.sealed.archive import reopen

NEXT = "next"
ASSUMED_STATES = {
    "met": RequirementState.MET,
    "unknown": RequirementState.UNDETERMINED,
    "not_met": RequirementState.NOT_MET,
}
SHOWN_CELLS = 30
SHOWN_SINGLES = 10
NOT_A_GRADE = "ASSUMED, NOT A GRADE: nothing of this was seen, it is sealed nowhere, and no report may call it a level"


@click.command()
@click.argument("assessment", default="latest")
@store_option
@click.option("--system", help="Only this system.")
@click.option(
    "--target",
    type=click.Choice([NEXT, *(level.value for level in Level if level is not Level.NONE)]),
    help="Level to reach, or next for the one above each floor; the target of each system if not given.",
)
@click.option(
    "--assume",
    "assumptions",
    multiple=True,
    metavar="ADDRESS[@SYSTEM[/SCENE]][=STATE]",
    help="Take a requirement to be met, unknown or not_met (met if not said) and derive the levels anew; repeat.",
)
@click.option(
    "--costs-from",
    "costs_path",
    type=click.Path(path_type=Path),
    help="Estate file whose [costs] count, instead of those sealed with the assessment.",
)
@click.option("--top", default=5, show_default=True, help="Requirements shown for each pillar; 0 shows all.")
@click.option("--lang", "language", type=click.Choice(["zh-TW", "en"]), default="en", show_default=True)
@json_option
def lift(
    assessment: str,
    store_path: Path,
    system: str | None,
    target: str | None,
    assumptions: tuple[str, ...],
    costs_path: Path | None,
    top: int,
    language: str,
    as_json: bool,
) -> None:
    """What lifts us: the requirements between each floor and the target, cheapest first, and those that lift most.

    Reads a sealed assessment and changes nothing. With --assume the levels are derived anew by the ladder that grades;
    what comes out is an assumption, never a grade.
    """
    path = locate(assessment, store_path)
    with engine_on(path):
        inputs, sealed = reopen(path, installed())
    costs = inputs.estate.costs
    if costs_path is not None:
        costs = open_estate(costs_path).costs
        known = [requirement.address for requirement in inputs.baseline.requirements()]
        raise_problems(unknown_costs(str(costs_path), costs, known))
    systems = {grade.system for grade in sealed.grades}
    if system is not None and system not in systems:
        raise UnknownName("system", system, systems)
    taken = Assumptions(read_assumption(text, inputs.baseline, sealed.grades) for text in assumptions)
    before = [grade for grade in sealed.grades if system in {None, grade.system}]
    after = [assumed(grade, taken) for grade in before]
    prices = Prices(inputs.baseline, costs)
    wanted = Level(target) if target not in {None, NEXT} else None
    found = cells(after, prices, wanted, onward=target == NEXT)
    whole = together(found)
    if as_json:
        say_json(_as_json(sealed, inputs.baseline, taken, before, found, whole, prices))
        return
    say(f"{sealed.institution}  as of {sealed.as_of}  {sealed.baseline.id} {sealed.baseline.version}")
    if taken.stated:
        _say_assumed(taken, before, after)
    _say_together(whole, found, wanted)
    _say_cells(found, prices, top, language, everything=system is not None)
    if taken.stated:
        say(NOT_A_GRADE)


def read_assumption(text: str, baseline: Baseline, grades: Sequence[Grade]) -> Assumption:
    """One ``--assume``; raises UsageError or UnknownName for what does not exist."""
    place, sign, word = text.partition("=")
    if sign and word not in ASSUMED_STATES:
        raise UsageError(f"--assume {text!r}: after = stands one of {', '.join(ASSUMED_STATES)}")
    address, _, scope = place.partition("@")
    baseline.requirement(address)
    system, _, scene = scope.partition("/")
    scopes = {(grade.system, grade.scene.value) for grade in grades}
    if ("@" in place and not system) or ("/" in scope and not scene):
        raise UsageError(f"--assume {text!r}: expected ADDRESS@SYSTEM or ADDRESS@SYSTEM/SCENE")
    if system and system not in {name for name, _ in scopes}:
        raise UnknownName("system", system, {name for name, _ in scopes})
    if scene and (system, scene) not in scopes:
        raise UnknownName(f"scene of {system}", scene, {each for name, each in scopes if name == system})
    state = ASSUMED_STATES[word] if sign else RequirementState.MET
    return Assumption(address, state, system or None, Scene(scene) if scene else None)


def _say_assumed(taken: Assumptions, before: Sequence[Grade], after: Sequence[Grade]) -> None:
    say(NOT_A_GRADE)
    for each in taken.stated:
        say(f"  assumed {each}")
    moved = 0
    for was, now in zip(before, after, strict=True):
        if (was.floor, was.ceiling) != (now.floor, now.ceiling):
            moved += 1
            say(f"  {_place(was.system, was.scene)} {was.pillar.value}: assessed {_span(was)}, assumed {_span(now)}")
    say(f"  {moved} of {len(before)} levels would differ")


def _say_together(whole: Together, found: Sequence[Cell], wanted: Level | None) -> None:
    goal = f"level {wanted.value}" if wanted else "what is asked of them"
    say(f"{whole.cells} of {len(found)} pillars stand below {goal}, in {whole.scopes} scopes")
    if not whole.cells:
        return
    say("met wherever they are open, these lift most:")
    for single in whole.singles[:SHOWN_SINGLES]:
        say(
            f"  {single.address:<34}{_cost(single.cost):<26}"
            f"lifts {single.lifts} alone, open in {single.open_cells} pillars of {single.open_scopes} scopes"
        )
    if len(whole.singles) > SHOWN_SINGLES:
        say(f"  ... {len(whole.singles) - SHOWN_SINGLES} more; --json prints all")
    for bundle in whole.bundles:
        how = "no other so small lifts more" if bundle.exact else "not all were tried, another may lift more"
        say(f"  fix {_names(bundle)} -> {_reach(bundle)} ({how})")
    say("one after the other, each counting what it lifts beyond those before (a greedy order, another may be better):")
    for number, step in enumerate(whole.steps, 1):
        say(f"  {number}. fix {_names(step)} -> {_reach(step)}")


def _names(bundle: Bundle) -> str:
    *first, last = bundle.addresses
    return f"{', '.join(first)} and {last}" if first else last


def _reach(bundle: Bundle) -> str:
    levels = "/".join(level.value for level in bundle.levels)
    return f"{bundle.cells} pillars reach {levels}, {bundle.scopes} scopes with all their pillars"


def _say_cells(found: Sequence[Cell], prices: Prices, top: int, language: str, *, everything: bool) -> None:
    low = sorted((cell for cell in found if cell.needs), key=lambda cell: len(cell.needs))
    shown = low if everything else low[:SHOWN_CELLS]
    for cell in shown:
        say(
            f"{_place(cell.system, cell.scene)} {cell.pillar.value}: {_span(cell)},"
            f" {len(cell.needs)} requirements to {cell.aim.value}"
            + (f" (no item of {cell.asked.value} applies here)" if cell.aim is not cell.asked else "")
        )
        for need in cell.needs[: top or None]:
            _say_need(need, prices, language)
        if top and len(cell.needs) > top:
            say(f"  ... {len(cell.needs) - top} more; --top 0 shows all")
    if len(low) > len(shown):
        say(f"... {len(low) - len(shown)} more pillars, which need more; --system NAME shows those of one system")
    for cell in found:
        if not cell.needs and cell.floor.rank < cell.asked.rank:
            say(
                f"{_place(cell.system, cell.scene)} {cell.pillar.value}: stays at {cell.floor.value};"
                f" no item between it and {cell.asked.value} applies here"
            )


def _say_need(need: Need, prices: Prices, language: str) -> None:
    seen = f", {need.failing} failing and {need.unknown} unknown of {need.population}" if need.population else ""
    reasons = f" ({', '.join(need.reasons)})" if need.reasons else ""
    say(f"  {need.address} [{need.kind.value}, {need.level.value}]: {need.why.value}{seen}{reasons}")
    way = "" if need.step.address == need.address else f"{need.step.address}: "
    requirement = prices.requirement(need.step.address)
    fix = requirement.fix.in_language(language) if requirement else ""
    because = f" (the institution: {need.step.cost.reason})" if need.step.cost.reason else ""
    say(f"    {_cost(need.step.cost)}{because}: {way}{fix}")
    if need.look_first:
        say("    look first: it was not seen and may be met already; ztgrade why tells where the gap is")
    if need.step.spoken_against:
        say("    what was seen or signed speaks against it: only if that has changed")
    for other in need.others:
        against = ", only if what was seen has changed" if other.spoken_against else ""
        say(f"    or {other.address}: {_cost(other.cost)}{against}")


def _cost(cost: Cost) -> str:
    effort = cost.effort.value if cost.effort else "effort not stated"
    impact = f"impact {cost.impact.value}" if cost.impact else "impact not stated"
    return f"{effort}, {impact}"


def _place(system: str, scene: Scene) -> str:
    return f"{system} / {scene.value}"


def _span(graded: Grade | Cell) -> str:
    return f"{graded.floor.value}..{graded.ceiling.value}"


def _as_json(
    sealed: Assessment,
    baseline: Baseline,
    taken: Assumptions,
    before: Sequence[Grade],
    found: Sequence[Cell],
    whole: Together,
    prices: Prices,
) -> dict[str, Any]:
    """Every cell; words of requirements stand once, by address."""
    named = {way.address for cell in found for need in cell.needs for way in (need.step, *need.others)}
    named |= {need.address for cell in found for need in cell.needs}
    return {
        "schema_version": SCHEMA_VERSION,
        "grade": not taken.stated,
        "note": NOT_A_GRADE if taken.stated else "",
        "assessment": sealed.assessment,
        "as_of": sealed.as_of,
        "baseline": {"id": baseline.id, "version": baseline.version},
        "assumed": [
            {"requirement": each.address, "state": each.state, "system": each.system, "scene": each.scene}
            for each in taken.stated
        ],
        "together": _together_json(whole),
        "cells": [_cell_json(cell, was, bool(taken.stated)) for cell, was in zip(found, before, strict=True)],
        "requirements": _words(sorted(named), prices),
    }


def _together_json(whole: Together) -> dict[str, Any]:
    return {
        "cells_below": whole.cells,
        "scopes_below": whole.scopes,
        "singles": [
            {
                "requirement": each.address,
                **_cost_json(each.cost),
                "open_cells": each.open_cells,
                "open_scopes": each.open_scopes,
                "lifts": each.lifts,
            }
            for each in whole.singles
        ],
        "bundles": [_bundle_json(each) for each in whole.bundles],
        "greedy_steps": [_bundle_json(each) for each in whole.steps],
    }


def _bundle_json(bundle: Bundle) -> dict[str, Any]:
    return {
        "requirements": list(bundle.addresses),
        "cells": bundle.cells,
        "scopes": bundle.scopes,
        "levels": list(bundle.levels),
        "exact": bundle.exact,
    }


def _cell_json(cell: Cell, was: Grade, assuming: bool) -> dict[str, Any]:
    return {
        "system": cell.system,
        "scene": cell.scene,
        "pillar": cell.pillar,
        "floor": was.floor,
        "ceiling": was.ceiling,
        **({"assumed_floor": cell.floor, "assumed_ceiling": cell.ceiling} if assuming else {}),
        "asked": cell.asked,
        "aim": cell.aim,
        "needs": [
            {
                "requirement": need.address,
                "item": need.item,
                "level": need.level,
                "state": need.state,
                "why": need.why,
                "reasons": list(need.reasons),
                "population": need.population,
                "failing": need.failing,
                "unknown": need.unknown,
                "look_first": need.look_first,
                "step": _branch_json(need.step),
                "others": [_branch_json(other) for other in need.others],
            }
            for need in cell.needs
        ],
    }


def _branch_json(branch: Branch) -> dict[str, Any]:
    return {"requirement": branch.address, **_cost_json(branch.cost), "spoken_against": branch.spoken_against}


def _cost_json(cost: Cost) -> dict[str, Any]:
    return {"effort": cost.effort, "impact": cost.impact, "reason": cost.reason}


def _words(addresses: Iterable[str], prices: Prices) -> Mapping[str, Any]:
    found = {address: prices.requirement(address) for address in addresses}
    return {
        address: {"kind": requirement.kind, "says": requirement.says, "fix": requirement.fix}
        for address, requirement in found.items()
        if requirement is not None
    }
