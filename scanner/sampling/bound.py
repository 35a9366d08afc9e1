"""What a sample proves of its population: exact bounds, hypergeometric for a finite one, else Clopper and Pearson's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import comb, floor
from typing import Any

from scanner.errors import UsageError
from scanner.sampling.sample import MOST

NEAR = 1e-4
"""Relative distance from a threshold within which floating point decides nothing and whole numbers are counted."""
MARGIN = 1e-9
"""Taken off bounds that have no whole numbers, so that rounding never claims more."""
LARGEST_SAMPLE = 10**7


@dataclass(frozen=True)
class Bound:
    """Shares of the population that pass: at least ``low``, at most ``high``, each with the confidence asked for."""

    low: Fraction
    """Counts what could not be determined as failed."""
    high: Fraction
    """Counts what could not be determined as passed."""


def bound_of(population: int | None, drawn: int, failures: int, undetermined: int, confidence: Fraction) -> Bound:
    """Both bounds of an examined sample; ``population`` None is unbounded. Raises UsageError without scipy."""
    if population is None:
        return _unbounded(drawn, failures, undetermined, confidence)
    at_worst = _most_failures(population, drawn, failures + undetermined, confidence)
    at_best = _fewest_failures(population, drawn, failures, confidence)
    return Bound(Fraction(population - at_worst, population), Fraction(population - at_best, population))


def smallest_size(population: int | None, need: Fraction, confidence: Fraction, failures: int = 0) -> int:
    """Fewest to draw so that with so many failures found at least ``need`` is proved; raises UsageError if none can."""
    if population is None:
        return _smallest_unbounded(need, confidence, failures)
    allowed = floor(population * (1 - need))
    if failures > allowed:
        raise UsageError(
            f"of {population} at most {allowed} may fail for {percent(need)} to pass; {failures} cannot be tolerated"
        )
    return _first(
        failures + 1, population, lambda drawn: _rarer(population, allowed + 1, drawn, failures, 1 - confidence)
    )


def percent(value: Fraction, places: int = 1) -> str:
    """A share in percent, rounded down, without zeros at its end."""
    scaled = floor(value * 100 * 10**places)
    whole, rest = divmod(scaled, 10**places)
    shown = f"{whole}.{rest:0{places}d}".rstrip("0").rstrip(".") if places else str(whole)
    return f"{shown} %"


def stats() -> Any:
    """``scipy.stats``, imported where it is needed; raises UsageError where it is not installed."""
    try:
        from scipy import stats as found  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise UsageError("samples need the extra ztgrade[sampling]: pip install 'ztgrade[sampling]'") from error
    return found


def _most_failures(population: int, drawn: int, failures: int, confidence: Fraction) -> int:
    """Most failures in the population with which so few in the sample would not be too rare."""
    last = population - drawn + failures
    return _first(failures, last + 1, lambda bad: _rarer(population, bad, drawn, failures, 1 - confidence)) - 1


def _fewest_failures(population: int, drawn: int, failures: int, confidence: Fraction) -> int:
    """Fewest failures in the population with which so many in the sample would not be too rare."""
    if not failures:
        return 0
    last = population - drawn + failures
    return _first(failures, last, lambda bad: not _commoner(population, bad, drawn, failures - 1, confidence))


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The first number from ``low`` on for which it holds, where it goes on holding; ``high`` at the latest."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _rarer(population: int, bad: int, drawn: int, found: int, threshold: Fraction) -> bool:
    """Whether at most ``found`` of ``bad`` failures are drawn with a chance below the threshold."""
    return _compared(population, bad, drawn, found, threshold) < 0


def _commoner(population: int, bad: int, drawn: int, found: int, threshold: Fraction) -> bool:
    """Whether at most ``found`` of ``bad`` failures are drawn with a chance above the threshold."""
    return _compared(population, bad, drawn, found, threshold) > 0


def _compared(population: int, bad: int, drawn: int, found: int, threshold: Fraction) -> int:
    """-1, 0 or 1: the chance of at most ``found`` below, at or above the threshold."""
    chance = float(stats().hypergeom.cdf(found, population, bad, drawn))
    limit = float(threshold)
    nearest = min(limit, 1 - limit)
    if abs(chance - limit) > NEAR * nearest:  # false for NaN too
        return -1 if chance < limit else 1
    ways = sum(
        comb(bad, hit) * comb(population - bad, drawn - hit)
        for hit in range(max(0, drawn - (population - bad)), min(found, bad, drawn) + 1)
    )
    difference = ways * threshold.denominator - comb(population, drawn) * threshold.numerator
    return (difference > 0) - (difference < 0)


def _unbounded(drawn: int, failures: int, undetermined: int, confidence: Fraction) -> Bound:
    beta, level = stats().beta, float(confidence)
    passed = drawn - failures - undetermined
    low = float(beta.ppf(1 - level, passed, drawn - passed + 1)) if passed else 0.0
    passed = drawn - failures
    high = float(beta.ppf(level, passed + 1, failures)) if failures else 1.0
    return Bound(
        Fraction(max(0.0, low * (1 - MARGIN))),
        Fraction(min(1.0, high * (1 + MARGIN))),
    )


def _smallest_unbounded(need: Fraction, confidence: Fraction, failures: int) -> int:
    if need == 1:
        raise UsageError(f"no sample proves that 100 % of an unbounded population pass; ask for less, or for {MOST}")

    def proves(drawn: int) -> bool:
        return _unbounded(drawn, failures, 0, confidence).low >= need

    high = failures + 1
    while not proves(high):
        if high > LARGEST_SAMPLE:
            raise UsageError(f"more than {LARGEST_SAMPLE} would have to be drawn to prove {percent(need, 4)}")
        high *= 2
    return _first(failures + 1, high, proves)
