"""Documents are kept by their digest, and given back only while they are the same."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from scanner.errors import SealError, UsageError
from scanner.institution.register_documents import FOLDER, LARGEST, keeping, kept_document
from scanner.institution.register_nouns import Document

PAPER = b"%PDF-1.7 <script>alert(1)</script>"


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    place = tmp_path / "minutes.pdf"
    place.write_bytes(PAPER)
    return place


def keep_document(path: Path, directory: Path) -> dict[str, str]:
    with keeping([path], directory) as (noted,):
        return noted


def test_what_is_kept_comes_back_whatever_became_of_the_original(paper: Path, tmp_path: Path) -> None:
    noted = keep_document(paper, tmp_path / "registers")
    paper.unlink()
    assert noted == {"name": "minutes.pdf", "sha256": hashlib.sha256(PAPER).hexdigest()}
    assert kept_document(Document(**noted), tmp_path / "registers") == PAPER


def test_only_its_owner_may_look_into_the_folder(paper: Path, tmp_path: Path) -> None:
    keep_document(paper, tmp_path)
    assert stat.S_IMODE(os.stat(tmp_path / FOLDER).st_mode) == 0o700


def test_the_same_document_is_kept_once(paper: Path, tmp_path: Path) -> None:
    again = tmp_path / "copy.pdf"
    again.write_bytes(PAPER)
    assert keep_document(paper, tmp_path)["sha256"] == keep_document(again, tmp_path)["sha256"]
    assert len(list((tmp_path / FOLDER).iterdir())) == 1


def test_an_altered_copy_is_refused(paper: Path, tmp_path: Path) -> None:
    noted = keep_document(paper, tmp_path)
    (tmp_path / FOLDER / noted["sha256"]).write_bytes(b"other")
    with pytest.raises(SealError, match="altered"):
        kept_document(Document(**noted), tmp_path)


def test_a_document_that_nobody_kept_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no copy of .minutes\.pdf. is kept"):
        kept_document(Document("minutes.pdf", "0" * 64), tmp_path)


def test_what_cannot_be_read_or_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        keep_document(tmp_path / "none.pdf", tmp_path)
    large = tmp_path / "large.bin"
    with large.open("wb") as stream:
        stream.truncate(LARGEST + 1)
    with pytest.raises(UsageError, match="larger than 64 MB"):
        keep_document(large, tmp_path)
    assert not (tmp_path / FOLDER).exists()


def test_no_paper_stays_without_its_entry(paper: Path, tmp_path: Path) -> None:
    held = tmp_path / "held.pdf"
    held.write_bytes(b"kept before")
    keep_document(held, tmp_path)
    with pytest.raises(UsageError, match="the entry is wrong"), keeping([paper, held], tmp_path):
        raise UsageError("the entry is wrong")
    assert [each.read_bytes() for each in (tmp_path / FOLDER).iterdir()] == [b"kept before"]
