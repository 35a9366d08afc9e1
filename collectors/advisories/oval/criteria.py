"""How results are put together: the operators, checks and existence of the OVAL language over what may be unknown."""

from __future__ import annotations

from collections.abc import Sequence

from scanner.facts.kleene import every, negated, some

Truth = bool | None
OPERATORS = ("AND", "OR", "ONE", "XOR")


def joined(operator: str, values: Sequence[Truth]) -> Truth:
    """By OperatorEnumeration; unknown for an operator that is not in it, and for nothing to join."""
    if not values:
        return None
    match operator:
        case "AND":
            return every(*values)
        case "OR":
            return some(*values)
        case "ONE":
            return _one(values)
        case "XOR":
            return None if None in values else values.count(True) % 2 == 1
    return None


def turned(value: Truth, negate: Truth) -> Truth:
    """Negated where that is asked; unknown where nobody knows whether it is."""
    return None if negate is None else negated(value) if negate else value


def checked(check: str, values: Sequence[Truth]) -> Truth:
    """Whether as many of the values hold as CheckEnumeration wants."""
    match check:
        case "all":
            return every(*values)
        case "at least one":
            return some(*values)
        case "none satisfy":
            return negated(some(*values))
        case "only one":
            return _one(values)
    return None


def exists(existence: str, count: int) -> Truth:
    """Whether as many items are there as ExistenceEnumeration wants, where all that there are were seen."""
    match existence:
        case "at_least_one_exists" | "all_exist":
            return count > 0
        case "any_exist":
            return True
        case "none_exist":
            return count == 0
        case "only_one_exists":
            return count == 1
    return None


def _one(values: Sequence[Truth]) -> Truth:
    held = values.count(True)
    if held > 1:
        return False
    return None if None in values else held == 1
