"""How grave a flaw is, from the vectors of CVSS 3.0 and 3.1 (specification, section 7) or from a feed's own word."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from types import MappingProxyType
from typing import Literal

Severity = Literal["critical", "high", "medium", "low"]
RANK: Mapping[Severity, int] = MappingProxyType({"low": 0, "medium": 1, "high": 2, "critical": 3})
_WORDS: Mapping[str, Severity] = MappingProxyType(
    {
        "critical": "critical", "high": "high", "important": "high", "medium": "medium", "moderate": "medium",
        "low": "low", "negligible": "low", "unimportant": "low", "minor": "low",
    }
)  # fmt: skip
_WEIGHTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "AV": {"N": "0.85", "A": "0.62", "L": "0.55", "P": "0.2"},
        "AC": {"L": "0.77", "H": "0.44"},
        "UI": {"N": "0.85", "R": "0.62"},
        "C": {"H": "0.56", "L": "0.22", "N": "0"},
        "I": {"H": "0.56", "L": "0.22", "N": "0"},
        "A": {"H": "0.56", "L": "0.22", "N": "0"},
    }
)
_PRIVILEGES = MappingProxyType(
    {"U": {"N": "0.85", "L": "0.62", "H": "0.27"}, "C": {"N": "0.85", "L": "0.68", "H": "0.5"}}
)


def of_word(word: str) -> Severity | None:
    """Of a feed's own word; None where it says nothing of weight, such as ``not yet assigned``."""
    return _WORDS.get(word.strip().lower().rstrip("*"))


def of_vector(vector: str) -> Severity | None:
    """Of a vector of CVSS 3; None for other versions, and for what is no vector."""
    if not vector.startswith(("CVSS:3.0/", "CVSS:3.1/")) or len(vector) > 256:
        return None
    given = dict(part.split(":", 1) for part in vector.split("/")[1:] if ":" in part)
    try:
        score = _score(given)
    except KeyError:
        return None
    if score >= 9:
        return "critical"
    if score >= 7:
        return "high"
    return "medium" if score >= 4 else "low"


def worse(one: Severity | None, other: Severity | None) -> Severity | None:
    """The graver of two words; the one that was given where the other was not."""
    known = [word for word in (one, other) if word is not None]
    return max(known, key=RANK.__getitem__, default=None)


def _score(given: Mapping[str, str]) -> Decimal:
    """The base score."""
    weight = {name: Decimal(table[given[name]]) for name, table in _WEIGHTS.items()}
    changed = given["S"] == "C"
    lost = 1 - (1 - weight["C"]) * (1 - weight["I"]) * (1 - weight["A"])
    impact = Decimal("6.42") * lost
    if changed:
        impact = Decimal("7.52") * (lost - Decimal("0.029")) - Decimal("3.25") * (lost - Decimal("0.02")) ** 15
    if impact <= 0:
        return Decimal(0)
    privileges = Decimal(_PRIVILEGES[given["S"]][given["PR"]])
    reach = Decimal("8.22") * weight["AV"] * weight["AC"] * privileges * weight["UI"]
    whole = (impact + reach) * (Decimal("1.08") if changed else 1)
    return min(whole, Decimal(10)).quantize(Decimal("0.1"), rounding=ROUND_CEILING)
