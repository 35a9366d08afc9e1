"""What may be said of a sample, and whether an entry that rests on one counts: from its numbers alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from scanner.errors import UsageError
from scanner.guideline.nouns import Baseline
from scanner.institution.register_nouns import Entry
from scanner.sampling.bound import Bound, bound_of, percent
from scanner.sampling.sample import Frame, Sample

_EN = "{drawn} of {population} were drawn by chance and examined: {failures} failed, {undetermined} not determinable; "
_EN_OPEN = "the list that they were drawn from may lack some: nothing follows for the rest"
_EN_BOUND = "at least {low} pass with {confidence} confidence; {need} was needed: {shown}"
_ZH = "自{population}隨機抽查 {drawn} 筆：{failures} 筆不符、{undetermined} 筆無法判定；"
_ZH_OPEN = "抽樣母體清單未確認完整，不得推論其餘項目"
_ZH_BOUND = "在 {confidence} 信賴水準下，至少 {low} 符合；需達 {need}：{shown}"


@dataclass(frozen=True)
class Need:
    """What a baseline asks of a sample."""

    share: Fraction
    confidence: Fraction


def bound_of_sample(sample: Sample) -> Bound | None:
    """What the numbers of a sample prove; None where its frame was open. Raises UsageError without scipy."""
    if sample.frame is Frame.OPEN:
        return None
    return bound_of(sample.population, sample.drawn, sample.failures, sample.undetermined, Fraction(sample.confidence))


def shown(sample: Sample, bound: Bound | None) -> bool:
    """Whether the bound reaches what the sample itself says was needed."""
    return bound is not None and bound.low >= Fraction(sample.need)


def disproved(sample: Sample, bound: Bound | None) -> bool:
    """Whether even the share that may pass at most lies below what was needed."""
    return bound is not None and bound.high < Fraction(sample.need)


def statement_of(sample: Sample, bound: Bound | None) -> str:
    """The statement of an entry that rests on the sample, in both languages: its bound, rounded down, and no more."""
    places = max(1, len(sample.need.rstrip("0").partition(".")[2]) - 2)
    good = shown(sample, bound)
    unbounded = sample.population is None
    zh = {
        "population": "無上限之母體" if unbounded else f" {sample.population} 筆母體",
        "shown": "已證明" if good else "未能證明",
    }
    en = {
        "population": "an unbounded population" if unbounded else str(sample.population),
        "shown": "shown" if good else "not shown",
    }
    figures = {
        "drawn": sample.drawn,
        "failures": sample.failures,
        "undetermined": sample.undetermined,
        "low": "" if bound is None else percent(bound.low, places),
        "confidence": percent(Fraction(sample.confidence), 4),
        "need": percent(Fraction(sample.need), 4),
    }
    chinese, english = (_ZH_OPEN, _EN_OPEN) if bound is None else (_ZH_BOUND, _EN_BOUND)
    return f"{(_ZH + chinese).format(**figures, **zh)}。 {(_EN + english).format(**figures, **en)}."


def sample_fault(sample: Sample, statement: str, asked: Need | None = None) -> str | None:
    """Why a yes that rests on the sample does not count; None where it does.

    ``asked`` is what the baseline asks of the requirement, where it does. The bound is computed from the numbers; what
    the entry says of itself is only compared.
    """
    try:
        bound = bound_of_sample(sample)
    except UsageError as error:
        return f"its sample cannot be checked here: {error}"
    if bound is None:
        return "its sample was drawn from an open frame, from which nothing follows for the population"
    if statement != statement_of(sample, bound):
        return "its statement is not the one that its sample allows"
    if asked is not None and Fraction(sample.confidence) < asked.confidence:
        held = percent(Fraction(sample.confidence), 4)
        return f"its sample gives {held} confidence, {percent(asked.confidence, 4)} is asked for"
    needed = max(Fraction(sample.need), asked.share if asked is not None else Fraction(0))
    if bound.low < needed:
        held = percent(bound.low, 4)
        return f"its sample proves that at least {held} pass, {percent(needed, 4)} is needed"
    return None


def needs_of(baseline: Baseline) -> dict[str, Need]:
    """What the baseline asks of the samples behind documents, by address of the requirement."""
    return {
        each.address: Need(Fraction(str(each.sample_need)), Fraction(str(each.sample_confidence)))
        for each in baseline.requirements()
        if each.sample_need
    }


def entry_fault(entry: Entry, needs: Mapping[str, Need]) -> str | None:
    """Why an entry that rests on a sample does not count; None where it does, rests on none, or says no."""
    if entry.sample is None or entry.denies:
        return None
    return sample_fault(entry.sample, entry.statement, needs.get(entry.requirement))
