"""How the engine is set for the evidence that it is to judge."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scanner.facts import User
from scanner.judging.evidence import FEW_ROWS, Evidence, ReadTarget, connect


@pytest.mark.parametrize(("users", "threads"), [(FEW_ROWS, 1), (FEW_ROWS + 1, 3)])
def test_little_evidence_is_judged_in_one_thread_and_much_in_all(users: int, threads: int) -> None:
    target = ReadTarget("cloud", "cloud", "aws", frozenset({"User"}), facts={"User": users})
    with connect(3) as connection:
        Evidence(connection, [target], {"User": User}, datetime(2026, 11, 1, tzinfo=UTC))

        assert connection.execute("SELECT current_setting('threads')").fetchall() == [(threads,)]
