"""Files that stand for a source, or that feed one: read up to a bound, with errors that say which file and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from scanner.errors import AccessDenied, Malformed, Unreachable

PIECE = 1024 * 1024
"""Bytes that are read at once."""


@contextmanager
def opened(path: Path, *, named: str = "") -> Iterator[BinaryIO]:
    """The file for reading; errors of the system in opening or reading it become AccessDenied or Unreachable.

    ``named`` is what errors call it; its whole path where that is empty.
    """
    try:
        with path.open("rb") as stream:
            yield stream
    except PermissionError as error:
        raise AccessDenied(f"{named or path}: {error.strerror}") from error
    except OSError as error:
        raise Unreachable(f"{named or path}: {error.strerror}") from error


def pieces_of(path: Path, largest: int, *, named: str = "") -> Iterator[bytes]:
    """All of a file, piece by piece; raises AccessDenied, Unreachable, and Malformed where it is larger."""
    total = 0
    with opened(path, named=named) as stream:
        while piece := stream.read(PIECE):
            total += len(piece)
            if total > largest:
                raise Malformed(f"{named or path} is larger than {largest} bytes")
            yield piece


def content_of(path: Path, largest: int, *, named: str = "") -> bytes:
    """All of a file; raises AccessDenied, Unreachable, and Malformed where it is larger than ``largest`` bytes."""
    with opened(path, named=named) as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise Malformed(f"{named or path} is larger than {largest} bytes")
    return content


def content_where_there(path: Path, largest: int, *, named: str = "") -> bytes | None:
    """As ``content_of``; None where there is no such file."""
    try:
        return content_of(path, largest, named=named)
    except Unreachable as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
