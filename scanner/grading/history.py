"""What the previous assessment said, so that lost evidence never looks like progress; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import msgspec

from scanner.grading.causes import Compared
from scanner.model import ItemState, RequirementState, Scene
from scanner.result.assessment import Assessment
from scanner.result.change import ChangeCause, Regression, RequirementChange, Turn
from scanner.result.grade import Grade, RequirementResult
from scanner.result.register import RegisterRow

Told = TypeVar("Told", bound=RequirementChange)

Place = tuple[str, Scene, str]
"""System, scene and address of a requirement."""

MET, NOT_MET = RequirementState.MET, RequirementState.NOT_MET

STATEMENT = "scope_statement"
"""Kind of register entry that says that a scope was changed on purpose."""


@dataclass(frozen=True)
class History:
    """Requirement states of the previous assessment, and when each was last disproved."""

    states: Mapping[tuple[str, str], RequirementState]
    proved: Mapping[tuple[str, str], str]
    lost: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    """What the scope of a disproved requirement has lacked since, by name."""


def history_of(previous: Assessment | None) -> History:
    """The history that a previous assessment tells; empty where there is none."""
    states: dict[tuple[str, str], RequirementState] = {}
    proved: dict[tuple[str, str], str] = {}
    lost: dict[tuple[str, str], Mapping[str, str]] = {}
    if previous is None:
        return History(states, proved)
    for row in previous.grades:
        scope = f"{row.system}/{row.scene.value}"
        owners = [(item.id, item.requirements) for item in row.items]
        owners += [(gate.level.value, gate.requirements) for gate in row.gates]
        for owner, requirements in owners:
            for requirement in requirements:
                for part, address in _addresses(owner, requirement):
                    key = (scope, address)
                    states[key] = part.state
                    if part.state is NOT_MET:
                        proved[key] = previous.as_of
                    elif part.last_proved is not None:
                        proved[key] = part.last_proved
    for change in previous.regressions:
        if change.turn is Turn.OUT_OF_SCOPE and change.last_proved is not None:
            key = (f"{change.system}/{change.scene.value}", f"{change.item}/{change.requirement}")
            proved.setdefault(key, change.last_proved)
            lost[key] = change.lost
    return History(states, proved, lost)


def _addresses(owner: str, requirement: RequirementResult) -> Iterator[tuple[RequirementResult, str]]:
    yield requirement, f"{owner}/{requirement.id}"
    for branch in requirement.branches:
        yield from _addresses(owner, branch)


def regressions(history: History, grades: Iterable[Grade]) -> Iterator[Regression]:
    """Requirements that were met and are not, or were disproved and went dark, item by item."""
    for row in grades:
        for item in row.items:
            for requirement in item.requirements:
                key = (f"{row.system}/{row.scene.value}", f"{item.id}/{requirement.id}")
                was = history.states.get(key)
                lost = was is MET and requirement.state is not MET
                dark = requirement.last_proved is not None
                if item.state is ItemState.NOT_APPLICABLE or not (lost or dark):
                    continue
                worse = Turn.WORSE if requirement.state is NOT_MET else Turn.LOST
                yield Regression(
                    system=row.system,
                    scene=row.scene,
                    item=item.id,
                    requirement=requirement.id,
                    was=NOT_MET if dark else MET,
                    now=requirement.state,
                    last_proved=requirement.last_proved,
                    turn=Turn.DARK if dark else worse,
                )


def turned(was: Assessment, now: Assessment) -> tuple[list[Regression], list[RequirementChange]]:
    """Regressions, and all other requirements that stand otherwise, each with its causes and the gravest turn first.

    What was disproved and is met, not applicable or gone because the scope changed stays among the regressions until
    the scope is again what it was and decides it, or a scope statement that was signed since speaks of its item.
    """
    compared, history = Compared(was, now), history_of(was)
    before, after = _results(was.grades), _results(now.grades)
    told: list[Regression] = []
    for fallen in regressions(history, now.grades):
        place = (fallen.system, fallen.scene, f"{fallen.item}/{fallen.requirement}")
        told.append(_explained(fallen, compared, before.get(place), after.get(place)))
    worse = {(row.system, row.scene, f"{row.item}/{row.requirement}") for row in told}
    others: list[RequirementChange] = []
    for key, last_proved in history.proved.items():
        place = _place(key)
        held, here = before.get(place), after.get(place)
        if place in worse or not (key in history.lost or (held is not None and held.applicable)):
            continue
        if here is not None and here.applicable and here.result.state is not MET:
            continue
        found = _unseen(compared, history, place, last_proved, held, here)
        if isinstance(found, Regression):
            told.append(found)
            worse.add(place)
        elif found is not None:
            others.append(found)
    for place, here in after.items():
        held = before.get(place)
        if place in worse or held is None or (turn := _turn(held, here)) is None:
            continue
        others.append(_explained(_change(place, held.result.state, here, turn, None), compared, held, here))
    order = list(Turn)
    return (
        sorted(told, key=lambda row: order.index(row.turn)),
        sorted(others, key=lambda row: order.index(row.turn)),
    )


@dataclass(frozen=True)
class _Held:
    """One requirement of an item as an assessment holds it."""

    result: RequirementResult
    applicable: bool


def _results(grades: Sequence[Grade]) -> dict[Place, _Held]:
    return {
        (row.system, row.scene, f"{item.id}/{requirement.id}"): _Held(
            requirement, item.state is not ItemState.NOT_APPLICABLE
        )
        for row in grades
        for item in row.items
        for requirement in item.requirements
    }


def _place(key: tuple[str, str]) -> Place:
    system, _, scene = key[0].rpartition("/")
    return system, Scene(scene), key[1]


def _turn(was: _Held, now: _Held) -> Turn | None:
    """How an applicable requirement that is no regression came to stand otherwise; None where it did not."""
    if not (was.applicable and now.applicable):
        return None
    before, after = was.result, now.result
    if before.state is not after.state:
        return Turn.BETTER if before.state is NOT_MET else Turn.ASSESSED
    eased = [row.state_with_exceptions or row.state for row in (before, after)]
    return Turn.EXCEPTED if eased[0] is not eased[1] else None


def _unseen(
    compared: Compared,
    history: History,
    place: Place,
    last_proved: str,
    was: _Held | None,
    now: _Held | None,
) -> RequirementChange | None:
    """What became of a disproved requirement that is neither disproved nor open now, if it is not simply met."""
    system, scene, address = place
    lost = compared.lost(system, scene, address, history.lost.get((f"{system}/{scene.value}", address), {}))
    if lost:
        if _stated(compared.now.registers, place, last_proved):
            return None
        change = _change(place, NOT_MET, now, Turn.OUT_OF_SCOPE, last_proved)
        kept = Regression(**{name: getattr(change, name) for name in change.__struct_fields__}, lost=lost)
        explained = _explained(kept, compared, was, now)
        causes = {*explained.causes, ChangeCause.SCOPE}
        return msgspec.structs.replace(explained, causes=[cause for cause in ChangeCause if cause in causes])
    if now is None:
        return _explained(_change(place, NOT_MET, None, Turn.GONE, last_proved), compared, was, now)
    return None


def _stated(registers: Sequence[RegisterRow], place: Place, since: str) -> bool:
    """Whether a scope statement about the item counts that was made after it was last disproved."""
    system, scene, address = place
    return any(
        row.counts
        and row.kind == STATEMENT
        and row.requirement == address.partition("/")[0]
        and row.system == system
        and (not row.scenes or scene in row.scenes)
        and datetime.fromisoformat(row.made_at) >= datetime.fromisoformat(since)
        for row in registers
    )


def _change(
    place: Place, was: RequirementState, now: _Held | None, turn: Turn, last_proved: str | None
) -> RequirementChange:
    item, _, requirement = place[2].partition("/")
    return RequirementChange(
        system=place[0],
        scene=place[1],
        item=item,
        requirement=requirement,
        was=was,
        now=None if now is None else now.result.state,
        last_proved=last_proved,
        turn=turn,
    )


def _explained(change: Told, compared: Compared, was: _Held | None, now: _Held | None) -> Told:
    told = compared.explain(
        change.system,
        change.scene,
        f"{change.item}/{change.requirement}",
        None if was is None else was.result,
        None if now is None else now.result,
    )
    return msgspec.structs.replace(change, causes=told.causes(), not_recorded=told.not_recorded())
