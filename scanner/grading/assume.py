"""What-if: the levels that would follow if named requirements stood otherwise; never sealed, never a grade; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from scanner.errors import UsageError
from scanner.grading.grade import any_of, blocking, gate_state, item_state, ladder
from scanner.model import ItemState, Level, RequirementState, Scene
from scanner.result.grade import GateResult, Grade, ItemResult, RequirementResult


@dataclass(frozen=True)
class Assumption:
    """A requirement taken to be in a state: everywhere, in all scenes of one system, or in one scene of it."""

    address: str
    state: RequirementState = RequirementState.MET
    system: str | None = None
    scene: Scene | None = None

    def covers(self, system: str, scene: Scene) -> bool:
        """Whether it speaks of this scope."""
        return self.system in {None, system} and self.scene in {None, scene}

    @property
    def width(self) -> int:
        """2 for everywhere, 1 for one system, 0 for one scope; the narrower one wins."""
        return (self.system is None) + (self.scene is None)

    def __str__(self) -> str:
        place = f"@{self.system}" if self.system else ""
        place += f"/{self.scene.value}" if self.scene else ""
        return f"{self.address}{place}={self.state.value}"


class Assumptions:
    """Assumptions taken together; raises UsageError where two of the same width contradict each other."""

    def __init__(self, stated: Iterable[Assumption] = ()) -> None:
        self.stated = tuple(dict.fromkeys(stated))
        self._by_address: dict[str, list[Assumption]] = {}
        for each in self.stated:
            rivals = self._by_address.setdefault(each.address, [])
            for other in rivals:
                if (other.system, other.scene) == (each.system, each.scene):
                    raise UsageError(f"{other} and {each} contradict each other; keep one of them")
            rivals.append(each)
        for rivals in self._by_address.values():
            rivals.sort(key=lambda each: each.width)
        self._owners = {address.partition("/")[0] for address in self._by_address}

    def touches(self, owner: str) -> bool:
        """Whether any of them speaks of a requirement of this item or level."""
        return owner in self._owners

    def state(self, address: str, system: str, scene: Scene) -> RequirementState | None:
        """The state that is assumed of a requirement in a scope; None where nothing is."""
        for each in self._by_address.get(address, ()):
            if each.covers(system, scene):
                return each.state
        return None


def assumed(grade: Grade, assumptions: Assumptions) -> Grade:
    """The grade as it would follow from the assumptions, by the ladder that grades; the same grade without any."""
    items = [_item(item, grade, assumptions) for item in grade.items]
    gates = [_gate(gate, grade, assumptions) for gate in grade.gates]
    strict: dict[Level, list[ItemState]] = {}
    lenient: dict[Level, list[ItemState]] = {}
    for item in items:
        strict.setdefault(item.level, []).append(item.state)
        lenient.setdefault(item.level, []).append(_eased(item))
    gate_states = {gate.level: gate.state for gate in gates}
    found, eased = ladder(strict, gate_states), ladder(lenient, gate_states)
    return msgspec.structs.replace(
        grade,
        floor=found.span.floor,
        ceiling=found.span.ceiling,
        floor_with_exceptions=eased.span.floor,
        ceiling_with_exceptions=eased.span.ceiling,
        blocking=blocking(found.span.floor, items, gates),
        items=items,
        gates=gates,
    )


def _item(item: ItemResult, grade: Grade, assumptions: Assumptions) -> ItemResult:
    if item.state is ItemState.NOT_APPLICABLE or not assumptions.touches(item.id):
        return item
    requirements = _requirements(item.requirements, item.id, grade, assumptions)
    state, reason = item_state(requirements)
    proved = [each.last_proved for each in requirements if each.last_proved]
    return msgspec.structs.replace(
        item, state=state, reason=reason, requirements=requirements, last_proved=min(proved) if proved else None
    )


def _eased(item: ItemResult) -> ItemState:
    """State of the item with accepted exceptions."""
    excepted = [each.state_with_exceptions not in {None, each.state} for each in item.requirements]
    if item.state is ItemState.NOT_APPLICABLE or not any(excepted):
        return item.state
    return item_state(
        [msgspec.structs.replace(each, state=each.state_with_exceptions or each.state) for each in item.requirements]
    )[0]


def _gate(gate: GateResult, grade: Grade, assumptions: Assumptions) -> GateResult:
    if not assumptions.touches(gate.level.value):
        return gate
    requirements = _requirements(gate.requirements, gate.level.value, grade, assumptions)
    return msgspec.structs.replace(gate, state=gate_state(requirements), requirements=requirements)


def _requirements(
    found: Sequence[RequirementResult], owner: str, grade: Grade, assumptions: Assumptions
) -> list[RequirementResult]:
    """The requirements of an item or level; a choice follows its branches unless something is assumed of itself."""
    changed = []
    for each in found:
        state = assumptions.state(f"{owner}/{each.id}", grade.system, grade.scene)
        if state is not None:
            changed.append(msgspec.structs.replace(each, state=state, state_with_exceptions=state, last_proved=None))
        elif each.branches:
            branches = _requirements(each.branches, owner, grade, assumptions)
            changed.append(
                msgspec.structs.replace(
                    each,
                    branches=branches,
                    state=any_of([branch.state for branch in branches]),
                    state_with_exceptions=any_of([branch.state_with_exceptions or branch.state for branch in branches]),
                )
            )
        else:
            changed.append(each)
    return changed
