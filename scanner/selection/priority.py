"""High risk and low impact: by any of a few questions, or by the sum of factor scores against a threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from scanner.facts.kleene import some
from scanner.selection.inventory import SystemRecord
from scanner.selection.scene_rule import Decision

RTO_HOURS = Decimal(8)
"""A system may be away for longer than this; exactly 8.0 hours does not qualify."""


class Method(StrEnum):
    """How risk or impact is judged."""

    ANY_OF = "any_of"
    FACTORS = "factors"


@dataclass(frozen=True)
class Measure:
    """The method that the institution chose; ``threshold`` is its own where factors are summed."""

    method: Method = Method.ANY_OF
    threshold: int | None = None

    def __str__(self) -> str:
        return self.method.value if self.threshold is None else f"{self.method.value}, threshold {self.threshold}"


def high_risk(record: SystemRecord, measure: Measure) -> Decision:
    """Any of three kinds of data held; or six factors that together reach the threshold (6 to 18)."""
    if measure.method is Method.FACTORS:
        return _summed(record.risk, measure, at_least=True)
    kinds = {
        "customer personal data": record.customer_personal,
        "customer transaction data": record.customer_transaction,
        "employee personal data": record.employee_personal,
    }
    held = [kind for kind, holds in kinds.items() if holds]
    unsaid = [kind for kind, holds in kinds.items() if holds is None]
    return Decision(some(*kinds.values()), _listed("holds", held, unsaid))


def low_impact(record: SystemRecord, measure: Measure) -> Decision:
    """No automated service to customers, or away for over 8 hours; or five factors up to the threshold (5 to 15)."""
    if measure.method is Method.FACTORS:
        return _summed(record.impact, measure, at_least=False)
    by_people = None if record.automated_service is None else not record.automated_service
    patient = None if record.rto_hours is None else record.rto_hours > RTO_HOURS
    reasons = {
        "no automated service to customers": by_people,
        f"recovery time {record.rto_hours} h is over {RTO_HOURS} h": patient,
    }
    met = [reason for reason, holds in reasons.items() if holds]
    unsaid = [name for name, holds in (("automated service", by_people), ("recovery time", patient)) if holds is None]
    return Decision(some(by_people, patient), _listed("", met, unsaid))


def score(factors: Mapping[str, int | None]) -> int | None:
    """The sum, or None where a factor was not scored."""
    known = [value for value in factors.values() if value is not None]
    return sum(known) if factors and len(known) == len(factors) else None


def _summed(factors: Mapping[str, int | None], measure: Measure, *, at_least: bool) -> Decision:
    """Decided as soon as the factors not scored, which are worth 1 to 3 each, cannot change it."""
    if measure.threshold is None:
        return Decision(None, "no threshold is set")
    unsaid = [name for name, value in factors.items() if value is None]
    known = sum(value for value in factors.values() if value is not None)
    low, high = known + len(unsaid), known + 3 * len(unsaid)
    said = f"score {low}" if low == high else f"score {low} to {high} ({', '.join(unsaid)} not scored)"
    outcomes = {total >= measure.threshold if at_least else total <= measure.threshold for total in (low, high)}
    sign = ">=" if at_least else "<="
    return Decision(outcomes.pop() if len(outcomes) == 1 else None, f"{said}, wanted {sign} {measure.threshold}")


def _listed(verb: str, found: list[str], unsaid: list[str]) -> str:
    said = ", ".join(found) or "none of it"
    rest = f"; not said: {', '.join(unsaid)}" if unsaid else ""
    return f"{verb} {said}{rest}".strip()
