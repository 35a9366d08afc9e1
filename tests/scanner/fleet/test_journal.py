"""The logs only grow: what was changed or taken out is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.errors import SealError
from scanner.fleet import journal
from scanner.fleet.database import Sqlite
from scanner.fleet.migration import prepare


@pytest.fixture
def database(tmp_path: Path) -> Sqlite:
    found = Sqlite(tmp_path / "fleet.db")
    prepare(found, 0)
    for number in range(1, 5):
        with found.transaction():
            journal.note(found, journal.AUDIT, number, event="made", number=number)
    return found


def test_a_whole_log_is_proved_and_read_in_order(database: Sqlite) -> None:
    assert len(journal.verify(database, journal.AUDIT)) == 64
    assert [entry.says["number"] for entry in journal.entries(database, journal.AUDIT)] == [1, 2, 3, 4]
    assert [entry.number for entry in journal.entries(database, journal.AUDIT, 2)] == [3, 4]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE journal SET entry = '{}' WHERE number = 2", "entry 2 is not as it was written"),
        ("UPDATE journal SET made = 9 WHERE number = 3", "entry 3 is not as it was written"),
        ("DELETE FROM journal WHERE number = 2", "entry 2 is missing"),
        ("DELETE FROM journal WHERE number = 1", "entry 1 is missing"),
    ],
)
def test_a_changed_log_is_refused_at_its_first_changed_entry(database: Sqlite, change: str, told: str) -> None:
    database.run(change)

    with pytest.raises(SealError, match=told):
        journal.verify(database, journal.AUDIT)
