"""What the previous assessment said, so that lost evidence never looks like progress; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from scanner.model import ItemState, RequirementState
from scanner.result import Assessment, Grade, Regression, RequirementResult


@dataclass(frozen=True)
class History:
    """Requirement states of the previous assessment, and when each was last disproved."""

    states: Mapping[tuple[str, str], RequirementState]
    proved: Mapping[tuple[str, str], str]


def history_of(previous: Assessment | None) -> History:
    """The history that a previous assessment tells; empty where there is none."""
    states: dict[tuple[str, str], RequirementState] = {}
    proved: dict[tuple[str, str], str] = {}
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
                    if part.state is RequirementState.NOT_MET:
                        proved[key] = previous.as_of
                    elif part.last_proved is not None:
                        proved[key] = part.last_proved
    return History(states, proved)


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
                lost = was is RequirementState.MET and requirement.state is not RequirementState.MET
                dark = requirement.last_proved is not None
                if item.state is ItemState.NOT_APPLICABLE or not (lost or dark):
                    continue
                yield Regression(
                    system=row.system,
                    scene=row.scene,
                    item=item.id,
                    requirement=requirement.id,
                    was=RequirementState.NOT_MET if dark else RequirementState.MET,
                    now=requirement.state,
                    last_proved=requirement.last_proved,
                )
