"""``ztgrade scope``: which assets belong to which system, before anything is graded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from scanner.commands.printing import json_option, say, say_json
from scanner.commands.session import (
    as_of_option,
    baseline_option,
    estate_option,
    installed,
    moment,
    open_baseline,
    open_estate,
    open_registers,
    open_store,
    store_option,
)
from scanner.grading.assess import grade
from scanner.sealed.archive import inputs_from


@click.group()
def scope() -> None:
    """Systems, scenes and their members."""


@scope.command()
@estate_option
@store_option
@baseline_option
@as_of_option
@json_option
def explain(estate_path: Path, store_path: Path, baseline_id: str, as_of: str | None, as_json: bool) -> None:
    """Per system x scene the populations, overlaps, zero matches and unassigned assets; seals nothing."""
    estate = open_estate(estate_path)
    baseline = open_baseline(baseline_id)
    with open_store(store_path, create=True) as store:
        inputs, _ = inputs_from(store, estate, baseline, open_registers(estate, baseline), moment(as_of), installed())
        graded = grade(inputs, installed().checks, installed().facts)
    result = graded.assessment
    overlaps = [
        {"population": name, "systems": pair, "assets": n}
        for name, judged in graded.judged.items()
        for pair, n in graded.membership.overlaps(judged.population)
    ]
    if as_json:
        body: dict[str, Any] = {
            "schema_version": 1,
            "as_of": result.as_of,
            "scopes": result.scopes,
            "overlaps": overlaps,
            "unassigned": result.unassigned,
        }
        say_json(body)
        return
    for system, scene in sorted({(row.system, row.scene) for row in result.scopes}):
        say(f"{system} / {scene.value} ({estate.systems[system].service_model.value})")
        for row in result.scopes:
            if (row.system, row.scene) == (system, scene):
                state = "closed" if row.closed else "open"
                doubt = f", {row.undetermined} undetermined" if row.undetermined else ""
                note = f"  <- {row.note}" if row.note else ""
                say(f"  {row.population:<16}{row.members} members{doubt}, {state}{note}")
    for overlap in overlaps:
        say(f"overlap: {overlap['assets']} of {overlap['population']} in {overlap['systems']}")
    for rest in result.unassigned:
        say(f"unassigned: {rest.count} of {rest.population}, such as {', '.join(rest.examples[:3])}")
