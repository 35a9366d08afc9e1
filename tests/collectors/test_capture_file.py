from __future__ import annotations

from pathlib import Path

import pytest

from collectors.capture_file import content_of, content_where_there, opened
from scanner.errors import AccessDenied, Malformed, Unreachable


def test_a_file_is_read_up_to_its_bound_and_not_beyond(tmp_path: Path) -> None:
    path = tmp_path / "there"
    path.write_bytes(b"12345")
    assert content_of(path, 5) == content_where_there(path, 5) == b"12345"
    with pytest.raises(Malformed, match=r"^there is larger than 4 bytes$"):
        content_of(path, 4, named="there")


def test_only_a_file_that_is_not_there_may_be_passed_over(tmp_path: Path) -> None:
    assert content_where_there(tmp_path / "gone", 5) is None
    with pytest.raises(Unreachable, match=r"gone: No such file or directory$"):
        content_of(tmp_path / "gone", 5)
    with pytest.raises(Unreachable, match="Is a directory"):
        content_where_there(tmp_path, 5)


def test_what_may_not_be_read_is_denied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AccessDenied, match=r"^kept.json: Permission denied$"):
        content_where_there(tmp_path / "kept.json", 5, named="kept.json")


def test_an_error_while_reading_is_told_like_one_while_opening(tmp_path: Path) -> None:
    path = tmp_path / "there"
    path.touch()
    with pytest.raises(Unreachable, match=r"^there: Input/output error$"), opened(path, named="there"):
        raise OSError(5, "Input/output error")
