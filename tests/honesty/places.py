"""The institution that both modules of losses start from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from scanner.institution.estate import load_estate
from tests.collectors.aws.losses import Remembered
from tests.honesty.clouds import Answers, abroad, from_moto
from tests.honesty.directory import Domain
from tests.honesty.domain import everything
from tests.honesty.institution import ESTATE, Institution
from tests.honesty.law import Bench, Loss, Outcome


@dataclass(frozen=True)
class Place:
    """An institution ready for losses, and what its cloud accounts answer."""

    bench: Bench
    answers: dict[str, Answers]

    def told(self, losses: Iterator[Loss]) -> list[Outcome]:
        """What became of each loss."""
        return [self.bench.without(loss) for loss in losses]


@contextmanager
def institution(folder: Path) -> Iterator[Place]:
    """The institution with nothing taken away; skips where moto's server cannot start."""
    estate = load_estate(ESTATE, frozenset({"aws", "ad", "rest"}))
    answers = {"cloud": from_moto(estate.targets["cloud"]), "abroad": abroad()}
    entries = everything()
    held = Institution(
        folder / "institution",
        {
            "cloud": lambda: Remembered(answers["cloud"]),
            "abroad": lambda: Remembered(answers["abroad"]),
            "domain": lambda: Domain(entries),
        },
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)  # nothing here outlives the test, and a disk takes its time
        try:
            yield Place(Bench(held), answers)
        finally:
            held.close()


def faults(outcomes: list[Outcome]) -> list[str]:
    """Everything that the law forbids, with the loss that brought it."""
    return [f"{one.loss.name}: {fault}" for one in outcomes for fault in one.faults]
