"""And, or and not over what may be unknown: value by value, as columns of facts have it by themselves."""

from __future__ import annotations


def every(*values: bool | None) -> bool | None:
    """False if one is, true if all are, otherwise unknown."""
    if False in values:
        return False
    return None if None in values else True


def some(*values: bool | None) -> bool | None:
    """True if one is, false if none is, otherwise unknown."""
    if True in values:
        return True
    return None if None in values else False


def negated(value: bool | None) -> bool | None:
    """Unknown stays unknown."""
    return None if value is None else not value
