"""What a register entry says of the sample that it rests on; no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from scanner.errors import UsageError
from scanner.institution.toml_source import Table

ALGORITHM = "sha256-order-1"
"""Keys in order of SHA-256 over seed, line feed, key in UTF-8; the first ones are drawn."""
UNBOUNDED = "unbounded"
"""Stands for the size of a population that has no end, such as what a process goes on producing."""
MOST = 10**8
"""Largest population whose size is taken as finite."""
LEAST_CONFIDENCE, MOST_CONFIDENCE = Fraction(9, 10), Fraction(9999, 10000)
"""Confidences that are accepted: below the least a sample says little, above the most no size suffices."""

_SHARE = re.compile(r"0\.[0-9]{1,6}|1(?:\.0{1,6})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Frame(StrEnum):
    """What is known of the list that a sample was drawn from."""

    CLOSED = "closed"
    """A listing that its sources said to be complete."""
    LISTED = "listed"
    """A list that the institution gave."""
    OPEN = "open"
    """A listing that may lack something: nothing follows for the population."""


@dataclass(frozen=True)
class Sample:
    """One examined sample. ``population`` None is unbounded; ``failures`` does not count ``undetermined`` ones."""

    frame: Frame
    frame_sha256: str
    population: int | None
    drawn: int
    seed: str
    failures: int
    undetermined: int
    confidence: str
    """As written, so that 0.95 is exactly 19/20."""
    need: str
    algorithm: str = ALGORITHM

    def fields(self) -> dict[str, Any]:
        """As a register entry states it."""
        return {
            "frame": self.frame.value,
            "frame_sha256": self.frame_sha256,
            "population": UNBOUNDED if self.population is None else self.population,
            "drawn": self.drawn,
            "seed": self.seed,
            "failures": self.failures,
            "undetermined": self.undetermined,
            "confidence": self.confidence,
            "need": self.need,
            "algorithm": self.algorithm,
        }


def share(text: str) -> Fraction | None:
    """A decimal such as 0.95 above 0 and up to 1, exactly; None where the text is none."""
    if not _SHARE.fullmatch(text):
        return None
    return Fraction(text) or None


def need_of(text: str) -> Fraction:
    """The share that must pass; raises UsageError."""
    found = share(text)
    if found is None:
        raise UsageError(f"--need {text!r}: expected a share above 0 and up to 1, such as 0.95")
    return found


def confidence_of(text: str) -> Fraction:
    """The confidence; raises UsageError."""
    found = share(text)
    if found is None or not LEAST_CONFIDENCE <= found <= MOST_CONFIDENCE:
        raise UsageError(f"--confidence {text!r}: expected 0.9 to 0.9999, such as 0.95")
    return found


def read_sample(table: Table) -> Sample | None:
    """The sample of an entry, None where it has none; what is wrong is added to the problems of the table."""
    if "sample" not in table:
        table.expect_raw("sample")
        return None
    inner = table.expect_table("sample")
    digest = inner.expect_str("frame_sha256")
    if digest and not _SHA256.fullmatch(digest):
        inner.problem("frame_sha256", "expected 64 hex digits in lower case")
    population = _population(inner)
    sample = Sample(
        frame=inner.expect_enum("frame", Frame),
        frame_sha256=digest,
        population=population,
        drawn=inner.expect_int("drawn", minimum=1),
        seed=inner.expect_str("seed"),
        failures=inner.expect_int("failures", minimum=0),
        undetermined=inner.expect_int("undetermined", minimum=0),
        confidence=_share(inner, "confidence", LEAST_CONFIDENCE, MOST_CONFIDENCE),
        need=_share(inner, "need", Fraction(1, 10**6), Fraction(1)),
        algorithm=inner.expect_word("algorithm", [ALGORITHM], what="algorithm"),
    )
    if population is not None and 0 < population < sample.drawn:
        inner.problem("drawn", f"{sample.drawn} cannot be drawn of {population}")
    if sample.failures + sample.undetermined > sample.drawn:
        inner.problem("failures", "with undetermined there are more than were drawn")
    return sample


def _population(table: Table) -> int | None:
    if table.expect_raw("population") == UNBOUNDED:
        return None
    size = table.expect_int("population", minimum=1)
    if size > MOST:
        table.problem("population", f"is larger than {MOST}", f"say {UNBOUNDED!r}")
    return size


def _share(table: Table, key: str, least: Fraction, most: Fraction) -> str:
    text = table.expect_str(key)
    found = share(text)
    if text and (found is None or not least <= found <= most):
        table.problem(key, f"is {text!r}", f"expected a text like 0.95, from {float(least):g} to {float(most):g}")
    return text
