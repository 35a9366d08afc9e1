"""Law 12 over the lab bank: losing evidence never helps, and every loss is told by name.

The long ones stand in classes of their own, so that they run on different processors.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner import registry
from scanner.grading.assess import Graded, grade
from tests.scanner.lab import collected
from tests.scanner.losing import changed, improvements, losses, named, positive, sample, without, without_entry

ROWS, SEED = 500, 20240715
PARTS = 4


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    return grade(collected(tmp_path_factory.mktemp("bank")), registry.checks(), registry.facts())


class _Listings:
    """Fact types, fields and censuses, exhaustively; one part of them."""

    part: int

    def test_losing_any_fact_field_or_census_never_helps(self, bank: Graded, tmp_path: Path) -> None:
        before = bank.assessment.grades
        tried = list(losses(bank))
        assert len(tried) > 300
        for number, loss in enumerate(tried[self.part :: PARTS]):
            left = without(bank, loss, tmp_path / str(number))
            assert not improvements(before, left.grades), str(loss)
            if loss.field is None or changed(before, left.grades):
                assert named(left, loss, bank), f"no gap names the loss of {loss}"


class _Rows:
    """Single rows, drawn with a seed; one part of them."""

    part: int

    def test_losing_any_single_row_never_helps(self, bank: Graded, tmp_path: Path) -> None:
        before = bank.assessment.grades
        drawn = list(sample(bank, ROWS, SEED))
        assert len(drawn) == ROWS
        for number, loss in enumerate(drawn[self.part :: PARTS]):
            left = without(bank, loss, tmp_path / str(number))
            assert not improvements(before, left.grades), str(loss)
            assert named(left, loss, bank), f"no gap names the loss of {loss}"


class TestListings1(_Listings):
    part = 0


class TestListings2(_Listings):
    part = 1


class TestListings3(_Listings):
    part = 2


class TestListings4(_Listings):
    part = 3


class TestRows1(_Rows):
    part = 0


class TestRows2(_Rows):
    part = 1


class TestRows3(_Rows):
    part = 2


class TestRows4(_Rows):
    part = 3


def test_losing_any_positive_register_entry_never_helps(bank: Graded) -> None:
    before = bank.assessment.grades
    entries = [entry for entry in bank.inputs.registers.entries if positive(entry)]
    assert len(entries) > 100
    for entry in entries:
        assert not improvements(before, without_entry(bank, entry)), entry.id
