"""The catalogue is an index: fast to ask, never the truth, harmless to lose."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scanner.errors import StoreError
from scanner.sealed.catalogue import Catalogue, Row, remembered

FIRST = Row(
    root="a" * 64,
    kind="collection",
    name="a" * 64,
    sequence=1,
    previous=None,
    seal="1" * 64,
    key_id="k" * 64,
    sealed_at="2026-11-20T04:00:00Z",
    target="ad",
    source="ad-corp",
    finished_at="2026-11-20T04:00:00.000000Z",
    complete=True,
)
SECOND = replace(
    FIRST,
    root="b" * 64,
    name="b" * 64,
    sequence=2,
    previous=FIRST.root,
    finished_at="2026-11-20T04:00:00.500000Z",
    complete=False,
)
JUDGED = replace(SECOND, root="c" * 64, kind="assessment", name="d" * 64, sequence=3, baseline="fsc-2024", target="")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite"


@pytest.fixture
def catalogue(path: Path) -> Iterator[Catalogue]:
    opened = Catalogue.at(path)
    yield opened
    opened.close()


def test_rows_come_back_in_the_order_of_sealing(catalogue: Catalogue) -> None:
    assert catalogue.head() is None
    catalogue.add([JUDGED, SECOND, FIRST])
    assert catalogue.rows() == [FIRST, SECOND, JUDGED]
    assert catalogue.rows("assessment") == [JUDGED]
    assert catalogue.head() == JUDGED


def test_newest_is_by_the_time_of_finishing(catalogue: Catalogue) -> None:
    catalogue.add([SECOND, FIRST])
    assert catalogue.newest_of("ad", complete_only=False) == [SECOND, FIRST]
    assert catalogue.newest_of("ad", complete_only=True) == [FIRST]
    assert catalogue.newest_of("other", complete_only=False) == []


def test_what_is_known_stays_as_it_is(catalogue: Catalogue) -> None:
    catalogue.add([FIRST])
    catalogue.add([replace(FIRST, sequence=9), SECOND])
    catalogue.add([])
    assert catalogue.rows() == [FIRST, SECOND]


def test_rows_outlive_the_process_and_are_private(catalogue: Catalogue, path: Path) -> None:
    catalogue.add([FIRST])
    catalogue.close()
    again = Catalogue.at(path)
    assert again.rows() == [FIRST]
    again.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert remembered(path) == [(1, FIRST.root)]


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_replaced_by_an_empty_one(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    catalogue = Catalogue.at(path)
    assert catalogue.rows() == []
    catalogue.add([FIRST])
    assert catalogue.rows() == [FIRST]
    catalogue.close()


def test_a_file_that_cannot_be_opened_is_served_from_memory(path: Path) -> None:
    path.mkdir()
    catalogue = Catalogue.at(path)
    catalogue.add([FIRST])
    assert catalogue.rows() == [FIRST]
    catalogue.close()
    assert path.is_dir()


def test_nothing_is_remembered_where_there_is_no_catalogue(tmp_path: Path) -> None:
    (tmp_path / "other.sqlite").write_bytes(b"")
    (tmp_path / "broken.sqlite").write_bytes(b"x" * 5000)
    assert remembered(tmp_path / "none.sqlite") == []
    assert remembered(tmp_path / "other.sqlite") == []
    assert remembered(tmp_path / "broken.sqlite") == []


def test_threads_may_share_it(catalogue: Catalogue) -> None:
    def note(number: int) -> None:
        catalogue.add([replace(FIRST, root=f"{number:064x}", sequence=number)])

    threads = [threading.Thread(target=note, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row.sequence for row in catalogue.rows()] == list(range(1, 9))


def test_a_lost_table_says_that_it_is_rebuilt(catalogue: Catalogue, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE sealed_v1")
    connection.close()
    with pytest.raises(StoreError, match="rebuilt at next start"):
        catalogue.rows()
