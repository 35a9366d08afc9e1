"""Findings to grades: tallies, requirements, items, and the level interval of every system x scene x pillar; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scanner.model import ItemState, Level, RequirementKind, RequirementState
from scanner.result.grade import Blocking, GateResult, ItemResult, RequirementResult, Span

RULE_VERSION = "3"
"""Version of the aggregation rule; the rule is ours, not the regulator's."""
TOLERANCE = 1e-9
"""Shares are compared with needs as fractions; this absorbs binary rounding and nothing else."""
DOCUMENTS = frozenset({RequirementKind.ATTESTATION, RequirementKind.DRILL, RequirementKind.REVIEW})


@dataclass(frozen=True)
class Tally:
    """Assets of one scope under one use; na assets are not counted."""

    passed: int = 0
    failed: int = 0
    unknown: int = 0
    closed: bool = False

    @property
    def n(self) -> int:
        """Assets to which the check applies, or may apply."""
        return self.passed + self.failed + self.unknown

    def state(self, need: float) -> RequirementState:
        """Met only if the proven share reaches the need; not met only if even the possible share cannot."""
        if not self.closed:
            if need >= 1.0 and self.failed > 0:
                return RequirementState.NOT_MET
            return RequirementState.UNDETERMINED
        if self.n == 0:
            return RequirementState.UNDETERMINED
        low = self.passed / self.n
        high = (self.passed + self.unknown) / self.n
        if low + TOLERANCE >= need:
            return RequirementState.MET
        if high + TOLERANCE < need:
            return RequirementState.NOT_MET
        return RequirementState.UNDETERMINED


def any_of(states: Sequence[RequirementState]) -> RequirementState:
    """Met if one branch is met, not met if all are, otherwise undetermined."""
    if any(state is RequirementState.MET for state in states):
        return RequirementState.MET
    if states and all(state is RequirementState.NOT_MET for state in states):
        return RequirementState.NOT_MET
    return RequirementState.UNDETERMINED


def _seen(requirement: RequirementResult) -> bool:
    """Whether anything at all was seen for the requirement."""
    return (
        requirement.assessed > 0
        or requirement.state is not RequirementState.UNDETERMINED
        or any(_seen(branch) for branch in requirement.branches)
    )


def _is_document(requirement: RequirementResult) -> bool:
    if requirement.kind is RequirementKind.ANY_OF:
        return all(_is_document(branch) for branch in requirement.branches)
    return requirement.kind in DOCUMENTS


def item_state(requirements: Sequence[RequirementResult]) -> tuple[ItemState, str]:
    """State of an applicable item from its requirements, and why."""
    met = [r.id for r in requirements if r.state is RequirementState.MET]
    disproved = [r.id for r in requirements if r.state is RequirementState.NOT_MET]
    pending = [r for r in requirements if r.state is RequirementState.UNDETERMINED]
    if requirements and len(met) == len(requirements):
        return ItemState.MET, f"all {len(met)} requirements are met"
    if disproved:
        state = ItemState.PARTIAL if met else ItemState.NOT_MET
        return state, "disproved: " + ", ".join(disproved)
    names = ", ".join(r.id for r in pending)
    if pending and all(_is_document(r) for r in pending):
        return ItemState.NEEDS_ATTESTATION, f"documents are missing: {names}"
    if not any(_seen(r) for r in requirements):
        return ItemState.NOT_ASSESSED, f"nothing was seen: {names}"
    return ItemState.UNDETERMINED, f"not decided: {names}"


@dataclass(frozen=True)
class Ladder:
    """The level interval of one system x scene x pillar, and the levels without applicable items."""

    span: Span
    passed_over: tuple[Level, ...] = field(default=())


DISPROVED = frozenset({ItemState.PARTIAL, ItemState.NOT_MET})


def ladder(states: Mapping[Level, Sequence[ItemState]], gates: Mapping[Level, RequirementState]) -> Ladder:
    """Floor and ceiling from the states of the items of each level and the gates.

    Floor: the highest level such that every applicable item and gate at or below it is met. Ceiling: the highest level
    with none disproved at or below it. A level without applicable items is passed over and carries neither.
    """
    floor = ceiling = Level.NONE
    rising = possible = True
    passed_over = []
    for level in (Level.I, Level.II, Level.III, Level.IV):
        applicable = [state for state in states.get(level, ()) if state is not ItemState.NOT_APPLICABLE]
        gate = gates.get(level, RequirementState.MET)
        rising = rising and gate is RequirementState.MET and all(state is ItemState.MET for state in applicable)
        possible = (
            possible and gate is not RequirementState.NOT_MET and not any(state in DISPROVED for state in applicable)
        )
        if not applicable:
            passed_over.append(level)
            continue
        floor = level if rising else floor
        ceiling = level if possible else ceiling
    return Ladder(Span(floor=floor, ceiling=ceiling), tuple(passed_over))


def gate_state(requirements: Sequence[RequirementResult]) -> RequirementState:
    """State of a gate: met if all its requirements are, not met if any is not."""
    if any(r.state is RequirementState.NOT_MET for r in requirements):
        return RequirementState.NOT_MET
    if all(r.state is RequirementState.MET for r in requirements):
        return RequirementState.MET
    return RequirementState.UNDETERMINED


def blocking(floor: Level, items: Sequence[ItemResult], gates: Sequence[GateResult]) -> list[Blocking]:
    """What stands between the floor and the next level, lowest level first, items before gates."""
    settled = {ItemState.MET, ItemState.NOT_APPLICABLE}
    open_items = [i for i in items if i.level.rank > floor.rank and i.state not in settled]
    open_gates = [g for g in gates if g.level.rank > floor.rank and g.state is not RequirementState.MET]
    levels = [i.level.rank for i in open_items] + [g.level.rank for g in open_gates]
    if not levels:
        return []
    nearest = min(levels)
    rows = [
        Blocking(
            item=i.id,
            level=i.level,
            state=i.state.value,
            requirements=[r.id for r in i.requirements if r.state is not RequirementState.MET],
        )
        for i in open_items
        if i.level.rank == nearest
    ]
    rows += [
        Blocking(
            item=f"gate {g.level.value}",
            level=g.level,
            state=g.state.value,
            requirements=[r.id for r in g.requirements if r.state is not RequirementState.MET],
        )
        for g in open_gates
        if g.level.rank == nearest
    ]
    return rows


def lowest(spans: Sequence[Span]) -> Span:
    """The headline: the lowest floor and the lowest ceiling; none where nothing was graded."""
    if not spans:
        return Span(floor=Level.NONE, ceiling=Level.NONE)
    return Span(
        floor=min((span.floor for span in spans), key=lambda level: level.rank),
        ceiling=min((span.ceiling for span in spans), key=lambda level: level.rank),
    )
