"""Every verdict on the lab bank, line by line, so that a change of any one is seen in review.

To accept a change on purpose: ``ZTGRADE_ACCEPT_GOLDEN=1 python -m pytest -n 0 tests/scanner/test_golden.py``. The
hand-written tables under ``scanner/demo/expected`` stay as they are whatever stands here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from scanner import registry
from scanner.grading.assess import grade
from scanner.result.assessment import Assessment
from scanner.result.grade import RequirementResult
from tests.scanner.lab import collected

GOLDEN = Path(__file__).parent / "golden"


def lines(assessment: Assessment) -> Iterator[str]:
    """Head line, then a line per cell, item and requirement."""
    head = assessment.headline
    for name, span in (("without", head.without_exceptions), ("with", head.with_exceptions)):
        yield f"headline {name} exceptions: {span.floor}..{span.ceiling}"
    for cell in assessment.grades:
        eased = f"{cell.floor_with_exceptions}..{cell.ceiling_with_exceptions}"
        place = f"{cell.system}/{cell.scene}/{cell.pillar}"
        yield f"{place}: {cell.floor}..{cell.ceiling} (with exceptions {eased}), target {cell.target}"
        for block in cell.blocking:
            yield f"  blocked by {block.item} at {block.level}: {block.state} ({', '.join(block.requirements)})"
        for item in cell.items:
            yield f"  {item.id}: {item.state}: {item.reason}"
            for requirement in item.requirements:
                yield from _requirement(requirement, "    ")
        for gate in cell.gates:
            yield f"  gate {gate.level}: {gate.state}"
    for gap in assessment.gaps:
        yield f"gap {gap.target}: {gap.fact}.{gap.field or '*'} {gap.asset or ''}: {gap.why} x{gap.count}: {gap.detail}"


def _requirement(found: RequirementResult, indent: str) -> Iterator[str]:
    counts = f" {found.passed}+{found.failed}+{found.unknown}/{found.population}-{found.excepted}" if found.use else ""
    opened = "" if found.closed else " open"
    reason = " ".join([*found.why, found.entry or ""])
    yield f"{indent}{found.id} {found.kind}: {found.state}{counts}{opened} {reason}".rstrip()
    for branch in found.branches:
        yield from _requirement(branch, indent + "  ")


def verdicts(baseline: str, folder: Path) -> list[str]:
    """The lines of the lab bank under a baseline."""
    graded = grade(collected(folder, baseline), registry.checks(), registry.facts())
    return list(lines(graded.assessment))


def accepted(name: str, now: list[str]) -> list[str]:
    """The lines that were accepted, or those of now where that is asked for."""
    place = GOLDEN / name
    if os.environ.get("ZTGRADE_ACCEPT_GOLDEN"):
        place.parent.mkdir(exist_ok=True)
        place.write_text("\n".join(now) + "\n", "utf-8")
    return place.read_text("utf-8").splitlines()


def test_every_verdict_on_the_lab_bank_is_the_accepted_one(tmp_path: Path) -> None:
    plain = verdicts("fsc-2024", tmp_path / "plain")
    assert plain == accepted("lab-bank.txt", plain)
    strict = [line for line in verdicts("fsc-2024-strict", tmp_path / "strict") if line not in set(plain)]
    assert strict == accepted("lab-bank.strict.txt", strict)
