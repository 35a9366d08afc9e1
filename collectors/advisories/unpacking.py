"""Feeds as their makers pack them: bzip2, xz, gzip or plain, unpacked piece by piece and up to a bound."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from scanner.errors import Malformed

PIECE = 1024 * 1024
"""Bytes that are handed on at once."""
MOST_MEMORY = 128 * 1024 * 1024
"""Bytes that xz may use; the strongest of its ordinary levels takes half of it."""


def unpacked(pieces: Iterator[bytes], name: str, largest: int) -> Iterator[bytes]:
    """The content in pieces; raises Malformed where it is cut, damaged or larger than ``largest`` bytes unpacked."""
    total = 0
    try:
        for piece in _opened(pieces):
            total += len(piece)
            if total > largest:
                raise Malformed(f"{name} is larger than {largest} bytes unpacked")
            yield piece
    except EOFError as error:
        raise Malformed(f"{name} is cut off; get the file anew") from error
    except (lzma.LZMAError, zlib.error, _Damaged) as error:
        raise Malformed(f"{name} cannot be unpacked: {error}; get the file anew") from error


class _Damaged(Exception):
    """What bz2 tells by an OSError, which elsewhere means that the disk failed."""


class _Unpacker(Protocol):
    """What bz2 and lzma have alike."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class _Gzip:
    """What zlib has, told as bz2 and lzma tell it."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _opened(pieces: Iterator[bytes]) -> Iterator[bytes]:
    first = next(pieces, b"")
    if first.startswith(b"BZh"):
        yield from _blocks(first, pieces, bz2.BZ2Decompressor)
    elif first.startswith(b"\xfd7zXZ\x00"):
        yield from _blocks(first, pieces, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY))
    elif first.startswith(b"\x1f\x8b"):
        yield from _blocks(first, pieces, _Gzip)
    else:
        yield first
        yield from pieces


def _blocks(first: bytes, pieces: Iterator[bytes], start: Callable[[], _Unpacker]) -> Iterator[bytes]:
    """One compressed stream after another, as packers on several processors write them."""
    rest = first
    while rest:
        packed = start()
        while not packed.eof:
            if not rest and packed.needs_input:
                rest = next(pieces, b"")
                if not rest:
                    raise EOFError
            try:
                piece = packed.decompress(rest, PIECE)
            except OSError as error:
                raise _Damaged(str(error)) from error
            rest = b""
            if piece:
                yield piece
        rest = packed.unused_data or next(pieces, b"")
