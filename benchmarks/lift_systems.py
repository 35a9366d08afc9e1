"""Works out what lifts 200 systems in six scenes to level IV, and derives all their levels anew under assumptions.

Run with the Python that has ztgrade installed:

    python benchmarks/lift_systems.py [--systems 200]

The grades are drawn with a fixed seed from the requirements of fsc-2024: most are met, some not, some unknown. No
evidence is judged. Processor seconds of each part and the peak memory are printed.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from scanner import registry
from scanner.grading.assume import Assumption, Assumptions, assumed
from scanner.grading.grade import any_of
from scanner.grading.lift import Prices, cells
from scanner.grading.lift_text import lift_text
from scanner.grading.lift_together import together
from scanner.guideline.baseline import load_baseline
from scanner.guideline.nouns import Baseline, Requirement
from scanner.model import ItemState, Level, Pillar, RequirementState, Scene
from scanner.result.grade import GateResult, Grade, ItemResult, RequirementResult

SEED = 20_261_123
STATES = (RequirementState.MET,) * 6 + (RequirementState.NOT_MET, RequirementState.UNDETERMINED)
T = TypeVar("T")


def result(requirement: Requirement, draw: random.Random) -> RequirementResult:
    """One requirement in a drawn state."""
    branches = [result(branch, draw) for branch in requirement.branches]
    state = any_of([branch.state for branch in branches]) if branches else draw.choice(STATES)
    return RequirementResult(id=requirement.slug, kind=requirement.kind, state=state, branches=branches)


def grade(baseline: Baseline, system: str, scene: Scene, pillar: Pillar, draw: random.Random) -> Grade:
    """One grade whose levels are still to be derived."""
    return Grade(
        system=system,
        scene=scene,
        pillar=pillar,
        floor=Level.NONE,
        ceiling=Level.NONE,
        floor_with_exceptions=Level.NONE,
        ceiling_with_exceptions=Level.NONE,
        target=Level.IV,
        passed_over=[],
        gates=[
            GateResult(
                level=level,
                state=RequirementState.UNDETERMINED,
                requirements=[result(requirement, draw) for requirement in requirements],
            )
            for level, requirements in baseline.gates.items()
        ],
        blocking=[],
        items=[
            ItemResult(
                id=item.id,
                level=item.level,
                state=ItemState.UNDETERMINED,
                reason="",
                last_proved=None,
                requirements=[result(requirement, draw) for requirement in item.requires],
            )
            for item in baseline.items.values()
            if item.pillar is pillar
        ],
    )


def timed(what: str, work: Callable[[], T]) -> T:
    """Do it, and print the processor seconds that it took."""
    started = time.process_time()
    done = work()
    print(f"{what:<34}{time.process_time() - started:8.2f} s")
    return done


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", type=int, default=200)
    systems = parser.parse_args().systems
    baseline, draw = load_baseline("fsc-2024", registry.checks()), random.Random(SEED)
    drawn = [
        grade(baseline, f"system-{number:05}", scene, pillar, draw)
        for number in range(systems)
        for scene in Scene
        for pillar in Pillar
    ]
    touching = Assumptions(
        Assumption(requirement.address, RequirementState.UNDETERMINED, system="system-00000")
        for requirement in baseline.requirements()
    )
    grades = timed("levels derived under assumptions", lambda: [assumed(each, touching) for each in drawn])
    prices = Prices(baseline, {})
    found = timed("what each pillar needs", lambda: cells(grades, prices, Level.IV))
    whole = timed("what lifts most together", lambda: together(found))
    text = timed("the chapter of the report", lambda: lift_text(grades, baseline, {}))
    print(f"{len(found)} pillars, {whole.cells} below level IV, {len(whole.singles)} requirements open somewhere")
    print(f"chapter: {len(msgspec.json.encode(text)):,} bytes")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
