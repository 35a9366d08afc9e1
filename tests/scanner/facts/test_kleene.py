"""Unknown is neither: it decides only where the rest leaves nothing open."""

from __future__ import annotations

from itertools import product

import pytest

from scanner.facts.kleene import every, negated, some
from tests.engine import session

VALUES = (True, False, None)


def in_sql(value: bool | None) -> str:
    return "NULL::BOOLEAN" if value is None else str(value)


@pytest.mark.parametrize("values", [values for count in (1, 2, 3) for values in product(VALUES, repeat=count)])
def test_values_are_taken_together_as_the_engine_takes_columns(values: tuple[bool | None, ...]) -> None:
    words = [in_sql(value) for value in values]
    asked = f"SELECT {' AND '.join(words)}, {' OR '.join(words)}, NOT {words[0]}"

    assert session().execute(asked).fetchone() == (every(*values), some(*values), negated(values[0]))


def test_of_nothing_every_one_holds_and_none_does() -> None:
    assert (every(), some()) == (True, False)
