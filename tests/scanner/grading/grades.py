"""Grades made by hand, or by a seeded draw, through the ladder that grades; for tests of what lifts them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from scanner.grading.grade import any_of, gate_state, item_state, ladder
from scanner.model import ItemState, Level, Pillar, RequirementKind, RequirementState, Scene
from scanner.result.grade import GateResult, Grade, ItemResult, RequirementResult

LEVELS = (Level.I, Level.II, Level.III, Level.IV)
STATES = {"m": RequirementState.MET, "n": RequirementState.NOT_MET, "u": RequirementState.UNDETERMINED}


def requirement(slug: str, state: str, **fields: object) -> RequirementResult:
    """A check that nobody has seen anything of unless said otherwise; ``state`` is m, n or u."""
    return RequirementResult(id=slug, **{"kind": RequirementKind.CHECK, "state": STATES[state], **fields})  # type: ignore[arg-type]


def choice(slug: str, *branches: RequirementResult) -> RequirementResult:
    """A choice of branches."""
    state = any_of([branch.state for branch in branches])
    eased = any_of([branch.state_with_exceptions or branch.state for branch in branches])
    return RequirementResult(
        id=slug, kind=RequirementKind.ANY_OF, state=state, state_with_exceptions=eased, branches=list(branches)
    )


def grade(
    items: Mapping[tuple[str, str], Sequence[RequirementResult] | None],
    gates: Mapping[str, Sequence[RequirementResult]] | None = None,
    *,
    system: str = "core",
    scene: Scene = Scene.REMOTE_WORK,
    pillar: Pillar = Pillar.IDENTITY,
    target: Level = Level.II,
) -> Grade:
    """A grade from the requirements of each (item, level), None for not applicable, and those of each gate."""
    results = []
    for (name, level), requirements in items.items():
        state, reason = (ItemState.NOT_APPLICABLE, "not asked") if requirements is None else item_state(requirements)
        results.append(
            ItemResult(
                id=name,
                level=Level(level),
                state=state,
                reason=reason,
                last_proved=None,
                requirements=list(requirements or ()),
            )
        )
    held = [
        GateResult(level=Level(level), state=gate_state(requirements), requirements=list(requirements))
        for level, requirements in (gates or {}).items()
    ]
    strict: dict[Level, list[ItemState]] = {}
    lenient: dict[Level, list[ItemState]] = {}
    for result in results:
        strict.setdefault(result.level, []).append(result.state)
        eased = [
            RequirementResult(id=each.id, kind=each.kind, state=each.state_with_exceptions or each.state)
            for each in result.requirements
        ]
        applies = result.state is not ItemState.NOT_APPLICABLE
        lenient.setdefault(result.level, []).append(item_state(eased)[0] if applies else result.state)
    gate_states = {gate.level: gate.state for gate in held}
    found, eased_found = ladder(strict, gate_states), ladder(lenient, gate_states)
    return Grade(
        system=system,
        scene=scene,
        pillar=pillar,
        floor=found.span.floor,
        ceiling=found.span.ceiling,
        floor_with_exceptions=eased_found.span.floor,
        ceiling_with_exceptions=eased_found.span.ceiling,
        target=target,
        passed_over=list(found.passed_over),
        gates=held,
        blocking=[],
        items=results,
    )


def drawn(
    draw: random.Random, *, system: str = "core", pillar: Pillar = Pillar.IDENTITY, target: Level = Level.II
) -> Grade:
    """A random grade: up to two items a level, some not applicable, choices, exceptions, gates."""

    def one(slug: str) -> RequirementResult:
        state = draw.choice("mmmmnu")
        eased = RequirementState.MET if state == "n" and draw.random() < 0.3 else None
        return requirement(slug, state, state_with_exceptions=eased, assessed=draw.randint(0, 1))

    def several(most: int) -> list[RequirementResult]:
        return [
            choice(f"r{place}", one("left"), one("right")) if draw.random() < 0.3 else one(f"r{place}")
            for place in range(draw.randint(1, most))
        ]

    items = {
        (f"1-{LEVELS.index(level) * 2 + number}", level.value): None if draw.random() < 0.2 else several(3)
        for level in LEVELS
        for number in range(draw.randint(0, 2))
    }
    gates = {level: several(2) for level in ("II", "III") if draw.random() < 0.6}
    return grade(items, gates, system=system, pillar=pillar, target=target)


def addresses(found: Grade) -> list[str]:
    """Every address of a grade, branches included."""
    owners = [(item.id, item.requirements) for item in found.items]
    owners += [(gate.level.value, gate.requirements) for gate in found.gates]
    return [
        f"{owner}/{each.id}"
        for owner, requirements in owners
        for held in requirements
        for each in (held, *held.branches)
    ]
