"""Bounds are what the tables of auditors give, exact against counting, and hold with the confidence that they state."""

from __future__ import annotations

import sys
from fractions import Fraction
from itertools import product
from math import comb

import pytest

from scanner.errors import UsageError
from scanner.sampling.bound import bound_of, percent, smallest_size
from scanner.sampling.sample import MOST

NINETY, NINETY_FIVE = Fraction("0.9"), Fraction("0.95")


def chance(population: int, bad: int, drawn: int, found: int) -> Fraction:
    """Chance that exactly ``found`` of ``bad`` failures are drawn."""
    if not 0 <= found <= drawn or drawn - found > population - bad or found > bad:
        return Fraction(0)
    return Fraction(comb(bad, found) * comb(population - bad, drawn - found), comb(population, drawn))


def at_most(population: int, bad: int, drawn: int, found: int) -> Fraction:
    return sum((chance(population, bad, drawn, each) for each in range(found + 1)), Fraction(0))


@pytest.mark.parametrize(
    ("need", "confidence", "failures", "size"),
    [
        # S. S. Wilks, one-sided tolerance limits: 59, 93, 124, 153 for 95 % / 95 %; 29, 46, 61 for 90 % / 95 %
        ("0.95", "0.95", 0, 59),
        ("0.95", "0.95", 1, 93),
        ("0.95", "0.95", 2, 124),
        ("0.95", "0.95", 3, 153),
        ("0.9", "0.9", 0, 22),
        ("0.9", "0.95", 0, 29),
        ("0.9", "0.95", 1, 46),
        ("0.9", "0.95", 2, 61),
        ("0.99", "0.95", 0, 299),
        ("0.99", "0.99", 0, 459),
        ("0.5", "0.95", 0, 5),
    ],
)
def test_sizes_for_an_unbounded_population_are_those_of_the_tables(
    need: str, confidence: str, failures: int, size: int
) -> None:
    assert smallest_size(None, Fraction(need), Fraction(confidence), failures) == size


def test_clopper_and_pearson_give_their_published_one_sided_limits() -> None:
    none_failed = bound_of(None, 59, 0, 0, NINETY_FIVE)  # 1 - 0.05 ** (1 / 59)
    assert float(none_failed.low) == pytest.approx(0.05 ** (1 / 59), rel=1e-8)
    assert none_failed.high == 1
    ten = bound_of(None, 10, 1, 0, NINETY_FIVE)  # limits of 1 in 10: 0.5 % and 39.4 % fail (two-sided 90 %)
    assert (round(float(1 - ten.low), 3), round(float(1 - ten.high), 4)) == (0.394, 0.0051)
    assert bound_of(None, 5, 5, 0, NINETY_FIVE).low == 0


@pytest.mark.parametrize("population", [1, 2, 7, 20, 31])
@pytest.mark.parametrize("confidence", [NINETY, NINETY_FIVE, Fraction("0.99")])
def test_stated_confidence_holds_for_every_true_number_of_failures(population: int, confidence: Fraction) -> None:
    for drawn in range(1, population + 1):
        bounds = {found: bound_of(population, drawn, found, 0, confidence) for found in range(drawn + 1)}
        for bad in range(population + 1):
            true = Fraction(population - bad, population)
            possible = {found: p for found in bounds if (p := chance(population, bad, drawn, found))}
            assert sum(possible.values()) == 1
            assert sum(p for found, p in possible.items() if bounds[found].low <= true) >= confidence
            assert sum(p for found, p in possible.items() if bounds[found].high >= true) >= confidence


@pytest.mark.parametrize("population", [1, 5, 20, 40])
def test_low_bound_is_the_best_that_counting_allows(population: int) -> None:
    alpha = 1 - NINETY_FIVE
    for drawn in range(1, population + 1):
        for found in range(drawn + 1):
            possible = [
                bad for bad in range(population + 1) if at_most(population, bad, drawn, found) >= alpha
                and found <= bad <= population - drawn + found
            ]  # fmt: skip
            low = bound_of(population, drawn, found, 0, NINETY_FIVE).low
            assert low == Fraction(population - max(possible), population)


@pytest.mark.parametrize("population", [1, 10, 20, 40, 61])
@pytest.mark.parametrize("need", [Fraction("0.5"), Fraction("0.9"), Fraction("0.95"), Fraction(1)])
@pytest.mark.parametrize("failures", [0, 1, 3])
def test_size_is_the_first_whose_bound_reaches_the_need(population: int, need: Fraction, failures: int) -> None:
    good = [
        drawn
        for drawn in range(failures + 1, population + 1)
        if bound_of(population, drawn, failures, 0, NINETY_FIVE).low >= need
    ]
    if good:
        assert smallest_size(population, need, NINETY_FIVE, failures) == good[0]
        assert good == list(range(good[0], population + 1))
    else:
        with pytest.raises(UsageError, match="cannot be tolerated"):
            smallest_size(population, need, NINETY_FIVE, failures)


def test_a_chance_equal_to_the_threshold_rules_nothing_out() -> None:
    # 19 of 20 drawn, none failed: one failure in all would hide with a chance of exactly 1 in 20
    assert bound_of(20, 19, 0, 0, NINETY_FIVE).low == Fraction(19, 20)
    assert smallest_size(20, Fraction(1), NINETY_FIVE) == 20


def test_a_finite_population_needs_fewer_than_one_without_end() -> None:
    sizes = [smallest_size(n, NINETY_FIVE, NINETY_FIVE) for n in (50, 100, 500, 5_000, 1_000_000)]
    assert sizes == sorted(sizes) and sizes[-1] == smallest_size(None, NINETY_FIVE, NINETY_FIVE) == 59
    assert smallest_size(100, NINETY_FIVE, NINETY_FIVE) == 39  # (94 over 39) / (100 over 39) < 0.05, 38 is not enough
    assert chance(100, 6, 39, 0) < Fraction("0.05") <= chance(100, 6, 38, 0)


@pytest.mark.parametrize("population", [10**4, 10**6, MOST])
@pytest.mark.parametrize("failures", [0, 2])
def test_large_populations_are_counted_rightly(population: int, failures: int) -> None:
    need = Fraction("0.99")
    size = smallest_size(population, need, NINETY_FIVE, failures)
    bad = population // 100 + 1
    assert at_most(population, bad, size, failures) < Fraction("0.05") <= at_most(population, bad, size - 1, failures)


def test_what_could_not_be_determined_counts_against_both_bounds() -> None:
    for population in (None, 200):
        seen = bound_of(population, 60, 2, 3, NINETY_FIVE)
        assert seen.low == bound_of(population, 60, 5, 0, NINETY_FIVE).low
        assert seen.high == bound_of(population, 60, 2, 0, NINETY_FIVE).high


def test_looking_at_all_leaves_no_doubt() -> None:
    assert bound_of(40, 40, 3, 0, NINETY_FIVE).low == bound_of(40, 40, 3, 0, NINETY_FIVE).high == Fraction(37, 40)


def test_worse_findings_never_raise_a_bound() -> None:
    for population, drawn in product((None, 30), (10, 30)):
        lows = [bound_of(population, drawn, found, 0, NINETY_FIVE).low for found in range(drawn + 1)]
        assert lows == sorted(lows, reverse=True)


def test_what_no_sample_can_prove_is_refused_with_its_reason() -> None:
    with pytest.raises(UsageError, match="unbounded population"):
        smallest_size(None, Fraction(1), NINETY_FIVE)
    with pytest.raises(UsageError, match="of 100 at most 5 may fail"):
        smallest_size(100, NINETY_FIVE, NINETY_FIVE, 6)


def test_percentages_are_rounded_down() -> None:
    assert [percent(Fraction(text)) for text in ("0.93199", "0.95", "1", "0", "0.9999")] == [
        "93.1 %", "95 %", "100 %", "0 %", "99.9 %"
    ]  # fmt: skip
    assert percent(Fraction("0.99995"), 4) == "99.995 %"


def test_without_scipy_the_error_tells_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(UsageError, match=r"pip install 'ztgrade\[sampling\]'"):
        bound_of(100, 10, 0, 0, NINETY_FIVE)
