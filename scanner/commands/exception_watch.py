"""What exceptions are measured by: the failures at approval, noted with the entry, and the alarms since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from scanner.commands.session import installed, moment, open_registers, open_store
from scanner.errors import UnknownName
from scanner.grading.assess import grade, uses_of
from scanner.guideline.nouns import Baseline
from scanner.institution.estate import Estate
from scanner.institution.register_nouns import EntryKind
from scanner.judging.tally import beside
from scanner.model import AlarmWord
from scanner.result.register import AlarmRow
from scanner.sealed.archive import inputs_from, previous_of


def noted(
    requirement: str,
    system: str,
    scenes: Sequence[str],
    assets: Sequence[str],
    estate: Estate,
    baseline: Baseline,
    path: Path,
) -> dict[str, Any]:
    """What the newest collections say of an exception before it is signed: how many named and how many others fail.

    Nothing where there is no store, or where no check judges the requirement.
    """
    if requirement not in {each.address for each in baseline.requirements()}:
        raise UnknownName("requirement", requirement, [each.address for each in baseline.requirements()])
    use = uses_of(baseline, installed().checks).get(requirement)
    if use is None or not path.is_dir():
        return {}
    with open_store(path) as store:
        inputs, collections = inputs_from(
            store, estate, baseline, open_registers(estate, baseline), moment(None), installed()
        )
        if not collections:
            return {}
        graded = grade(inputs, installed().checks, installed().facts)
    covered = [s for s in graded.membership.scopes if s.system == system and (not scenes or s.scene in scenes)]
    others = [
        asset
        for each in graded.verdicts.registers.standings
        if each.counts
        and each.entry.kind is EntryKind.EXCEPTION
        and each.entry.requirement == requirement
        and any(each.entry.covers(scope.system, scope.scene) for scope in covered)
        for asset in each.entry.assets
    ]
    found = beside(graded.judged[use.over], graded.membership, use, covered, assets, others)
    return {"matched": found.named, "beyond": found.beyond}


def alarms_told(path: Path, baseline: Baseline, as_of: datetime) -> tuple[str, list[AlarmRow]]:
    """The alarms of the newest assessment in the store, and its moment; none where there is no store or assessment."""
    if not path.is_dir():
        return "", []
    with open_store(path) as store:
        newest = previous_of(store, baseline, as_of)
    return ("", []) if newest is None else (newest.as_of, newest.alarms)


def alarm_line(row: AlarmRow) -> str:
    """One alarm as the terminal tells it."""
    scene = "every scene" if row.scene is None else row.scene.value
    place = f"{row.entry}  {row.requirement}  {row.system} ({scene})  {row.word.value}"
    before = "not noted" if row.before is None else str(row.before)
    unknown = f", {row.unknown} not known" if row.unknown else ""
    match row.word:
        case AlarmWord.WIDENED:
            of = "of those named" if row.named else "beyond all exceptions"
            return f"{place}: {row.now} fail {of}, {before} before{unknown}"
        case AlarmWord.STALE:
            return f"{place}: none of those named fails now, {before} before{unknown}"
        case AlarmWord.EXPIRING:
            return f"{place}: within {row.days} days, {row.now} left"
        case AlarmWord.COMPENSATION_LOST:
            return f"{place}: the check that is to compensate is not met; {row.now} of those named fail"
