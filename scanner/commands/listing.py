"""``ztgrade list``: everything that names something, for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from scanner import registry
from scanner.column import Check, ClaimError, fields_of
from scanner.commands.printing import json_option, say, say_json
from scanner.commands.session import baseline_option, installed, open_baseline, open_store, store_option
from scanner.guideline.crosswalk import load_crosswalks
from scanner.guideline.nouns import Requirement
from scanner.model import ENUMS, Text


@click.group(name="list")
def list_() -> None:
    """What there is: items, crosswalks, checks, collectors, facts, enums, assessments."""


def _emit(as_json: bool, name: str, rows: list[dict[str, Any]], lines: Iterable[str], **more: Any) -> None:
    if as_json:
        say_json({"schema_version": 1, name: rows, **more})
        return
    for line in lines:
        say(line)


def _text(text: Text) -> dict[str, str]:
    return {"zh-TW": text.zh_tw, "en": text.en}


def _requirement(requirement: Requirement) -> dict[str, Any]:
    row: dict[str, Any] = {"id": requirement.slug, "kind": requirement.kind.value, "says": _text(requirement.says)}
    if requirement.check is not None:
        row |= {
            "check": requirement.check,
            "need": requirement.need,
            "max_age_seconds": int(requirement.max_age.total_seconds()),
            "parameters": dict(requirement.parameters),
        }
    if requirement.branches:
        row["branches"] = [_requirement(branch) for branch in requirement.branches]
    return row


@list_.command()
@baseline_option
@json_option
def items(baseline_id: str, as_json: bool) -> None:
    """The items of a baseline and what each requires."""
    baseline = open_baseline(baseline_id)
    rows = [
        {
            "id": item.id,
            "pillar": item.pillar.value,
            "level": item.level.value,
            "function": _text(item.function),
            "title": _text(item.title),
            "provenance": item.provenance,
            "requirements": [_requirement(requirement) for requirement in item.requires],
        }
        for item in baseline.items.values()
    ]
    gates = [
        {"level": level.value, "requirements": [_requirement(requirement) for requirement in requirements]}
        for level, requirements in baseline.gates.items()
    ]
    lines = [f"{i.id:<5}{i.level.value:<5}{i.pillar.value:<12}{i.title.en}" for i in baseline.items.values()]
    _emit(as_json, "items", rows, lines, gates=gates, baseline=baseline.id)


@list_.command()
@json_option
def checks(as_json: bool) -> None:
    """Every check, what it is over, what it reads, and the truth it claims."""
    parameters = _parameters_in_use()
    rows = [
        {
            "id": check.id,
            "from": registry.check_stock().origin(check.id),
            "over": check.over.__name__,
            "needs": _needs(check, parameters.get(check.id, {})),
            "doc": check.doc,
        }
        for check in installed().checks.values()
    ]
    _emit(as_json, "checks", rows, [f"{row['id']}  [{row['over']}]  {row['doc']}" for row in rows])


def _needs(check: Check[Any], parameters: Mapping[str, Any]) -> list[str]:
    """Fields that the check reads; which ones follows from any parameters that it accepts."""
    try:
        built = check.build(datetime(2024, 7, 15, tzinfo=UTC), parameters)
    except (ClaimError, TypeError):
        return [check.over.__name__]
    return sorted({f"{fact.__name__}.{name}" for fact, name in built.touched.fields})


def _parameters_in_use() -> dict[str, Mapping[str, Any]]:
    return {
        requirement.check: requirement.parameters
        for requirement in open_baseline("fsc-2024").requirements()
        if requirement.check is not None
    }


@list_.command()
@baseline_option
@json_option
def crosswalks(baseline_id: str, as_json: bool) -> None:
    """Other frameworks, and which items speak to each of their elements; proposed by us where it says so."""
    found = load_crosswalks(open_baseline(baseline_id).items)
    rows = [
        {
            "id": crosswalk.id,
            "title": _text(crosswalk.title),
            "source": crosswalk.source,
            "elements": [{"id": name, "title": _text(title)} for name, title in crosswalk.elements.items()],
            "lines": crosswalk.lines,
            "uncovered": crosswalk.uncovered,
        }
        for crosswalk in found
    ]
    lines = [
        f"{crosswalk.id}: {len(crosswalk.elements)} elements, {len(crosswalk.lines)} lines; "
        f"not covered by the guideline: {', '.join(crosswalk.uncovered) or 'none'}"
        for crosswalk in found
    ]
    _emit(as_json, "crosswalks", rows, lines)


@list_.command()
@json_option
def collectors(as_json: bool) -> None:
    """Every collector and the rights it asks for."""
    rows = [
        {
            "id": name,
            "from": registry.collector_stock().origin(name),
            "version": collector.version,
            "doc": (type(collector).__doc__ or "").strip().splitlines()[0] if type(collector).__doc__ else "",
            "permissions": [
                {"name": right.name, "why": right.why, "facts": list(right.facts)} for right in collector.permissions
            ],
        }
        for name, collector in installed().collectors.items()
    ]
    _emit(as_json, "collectors", rows, [f"{row['id']}  {row['doc']}" for row in rows])


@list_.command()
@json_option
def facts(as_json: bool) -> None:
    """Every fact type and its fields, with type, sensitivity and meaning."""
    rows = [
        {
            "id": name,
            "kind": fact.kind,
            "population": fact.population,
            "doc": (fact.__doc__ or "").strip(),
            "fields": [
                {
                    "name": info.name,
                    "type": info.type.value,
                    "words": sorted(info.words) if info.words else None,
                    "sensitivity": info.sensitivity.value,
                    "doc": info.doc,
                }
                for info in fields_of(fact).values()
            ],
        }
        for name, fact in installed().facts.items()
    ]
    _emit(as_json, "facts", rows, [f"{row['id']:<24}{row['doc']}" for row in rows])


@list_.command()
@json_option
def enums(as_json: bool) -> None:
    """Every closed list of words that results use."""
    rows = [{"id": enum.__name__, "values": [word.value for word in enum]} for enum in ENUMS]
    _emit(as_json, "enums", rows, [f"{row['id']}: {', '.join(row['values'])}" for row in rows])


@list_.command()
@store_option
@json_option
def assessments(store_path: Path, as_json: bool) -> None:
    """Every assessment of a store, oldest first."""
    with open_store(store_path) as store:
        rows = [
            {
                "id": each.digest,
                "as_of": each.as_of,
                "baseline": each.baseline,
                "root": each.root,
                "path": str(each.path),
            }
            for each in store.assessments()
        ]
    _emit(as_json, "assessments", rows, [f"{row['as_of']}  {row['baseline']}  {row['id']}" for row in rows])
