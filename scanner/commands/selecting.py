"""``ztgrade select``: which systems, in which scenes, come first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from scanner.commands.printing import json_option, say, say_json_rows
from scanner.commands.session import estate_option, open_estate
from scanner.errors import ConfigurationError, Problem, UnknownName, UsageError, nearest
from scanner.selection.choice_reader import Candidates
from scanner.selection.funnel import Pair, Selection, select
from scanner.selection.inventory import COLUMNS, SystemRecord, records_of

SHOWN = {True: "yes", False: "no", None: "not known"}


@click.command("select")
@estate_option
@click.option("--system", help="Only this system: every scene, with the reasons.")
@click.option(
    "--what-if",
    "changes",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Answer a column of the system differently, for this once; repeat. An empty value is no answer.",
)
@json_option
def select_(estate_path: Path, system: str | None, changes: tuple[str, ...], as_json: bool) -> None:
    """Put every system of the inventory through the funnel: in the scene, high risk, low impact; rank what is left."""
    estate = open_estate(estate_path)
    if estate.candidates is None:
        hint = "add [selection] with inventory = FILE.csv and tax_id"
        raise ConfigurationError([Problem(str(estate.path), None, "selection", "is missing", hint)])
    candidates = estate.candidates
    names = [record.name for record in candidates.records]
    if system is not None and system not in names:
        raise UnknownName("system in the inventory", system, names)
    before = select(candidates.records, candidates.choice)
    chosen = before
    if changes:
        if system is None:
            raise UsageError("--what-if changes one system: name it with --system")
        chosen = select(_changed(candidates, system, changes), candidates.choice)
    if as_json:
        say_json_rows(_head(chosen), "pairs", _pair_rows(chosen, system))
    elif system is None:
        _say(chosen)
    else:
        _say_system(chosen, before if changes else None, system)


def _changed(candidates: Candidates, system: str, changes: tuple[str, ...]) -> list[SystemRecord]:
    cells: dict[str, str] = {}
    for change in changes:
        column, sign, value = change.partition("=")
        if not sign or column not in COLUMNS[1:]:
            raise UsageError(f"--what-if {change!r}: expected COLUMN=VALUE{nearest(column, COLUMNS[1:])}")
        cells[column] = value.strip()
    problems: list[Problem] = []
    records = [
        records_of("--what-if", [(record.line, {**record.cells, **cells})], problems)[0]
        if record.name == system
        else record
        for record in candidates.records
    ]
    if problems:
        raise ConfigurationError([Problem("--what-if", None, each.key, each.message, each.hint) for each in problems])
    return records


def _say(selection: Selection) -> None:
    choice = selection.choice
    say(f"risk by {choice.risk}; impact by {choice.impact}; {len(choice.overrides)} decisions of people")
    say(f"{'scene':<28}{'in scene':>10}{'high risk':>11}{'low impact':>12}{'undecided':>11}")
    for step in selection.funnel:
        say(f"{step.scene.value:<28}{step.in_scene:>10}{step.high_risk:>11}{step.low_impact:>12}{step.undecided:>11}")
    inside, risky, gentle = selection.total
    say(f"{'pairs of system and scene':<28}{inside:>10}{risky:>11}{gentle:>12}")
    for proposal in selection.proposals:
        pair = proposal.pair
        say(f"{proposal.rank:>4}. {pair.system} / {pair.scene.value}: {pair.high_risk.why}; {pair.low_impact.why}")
    for system in selection.unseparated:
        say(f"finding against 4-1: {system}: administrators and users share accounts over sensitive data")


def _say_system(selection: Selection, before: Selection | None, system: str) -> None:
    was = {} if before is None else {pair.scene: pair for pair in before.pairs if pair.system == system}
    for pair in (pair for pair in selection.pairs if pair.system == system):
        old = was.get(pair.scene)
        turned = f"  (was {SHOWN[old.chosen]})" if old is not None and old.chosen is not pair.chosen else ""
        say(f"{pair.scene.value}: chosen: {SHOWN[pair.chosen]}{turned}")
        for name, decision in _steps(pair).items():
            say(f"  {name}: {SHOWN[decision.holds]}: {decision.why}")


def _steps(pair: Pair) -> dict[str, Any]:
    return {"in_scene": pair.in_scene, "high_risk": pair.high_risk, "low_impact": pair.low_impact}


def _head(selection: Selection) -> dict[str, Any]:
    choice = selection.choice
    return {
        "schema_version": 1,
        "methods": {"risk": str(choice.risk), "impact": str(choice.impact)},
        "readings": {
            "separated_accounts": choice.rules.separated_accounts,
            "vendor_beyond_reach": choice.rules.vendor_beyond_reach,
            "external_by_any_path": choice.rules.external_by_any_path,
        },
        "funnel": selection.funnel,
        "proposals": [
            {
                "rank": each.rank,
                "system": each.pair.system,
                "scene": each.pair.scene,
                "risk_score": each.risk_score,
                "impact_score": each.impact_score,
            }
            for each in selection.proposals
        ],
        "findings": [{"item": "4-1", "system": name} for name in selection.unseparated],
    }


def _pair_rows(selection: Selection, system: str | None) -> Iterator[dict[str, Any]]:
    for pair in selection.pairs:
        if system in {None, pair.system}:
            yield {
                "system": pair.system,
                "scene": pair.scene,
                "chosen": pair.chosen,
                "by_person": pair.overridden is not None,
                **{name: {"holds": step.holds, "why": step.why} for name, step in _steps(pair).items()},
            }
