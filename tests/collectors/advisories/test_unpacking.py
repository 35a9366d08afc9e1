from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator

import pytest

from collectors.advisories import unpacking
from collectors.advisories.unpacking import PIECE, unpacked
from scanner.errors import Malformed

TEXT = b"<oval/>" * 1000
PACKERS: list[Callable[[bytes], bytes]] = [bz2.compress, lzma.compress, gzip.compress]


def through(content: bytes, size: int = 100, largest: int = 10**9) -> bytes:
    pieces: Iterator[bytes] = iter([content[at : at + size] for at in range(0, len(content), size)])
    return b"".join(unpacked(pieces, "feed.xml.x", largest))


@pytest.mark.parametrize("pack", [bytes, *PACKERS])
def test_each_form_in_which_feeds_are_packed_is_known_by_its_first_bytes(pack: Callable[[bytes], bytes]) -> None:
    assert through(pack(TEXT)) == TEXT
    assert through(pack(b"")) == b""


@pytest.mark.parametrize("pack", PACKERS)
def test_several_packed_streams_are_one_file(pack: Callable[[bytes], bytes]) -> None:
    assert through(pack(TEXT) + pack(b"more"), 7) == TEXT + b"more"
    assert through(pack(TEXT) + pack(b"more"), 10**6) == TEXT + b"more"


@pytest.mark.parametrize("pack", PACKERS)
def test_a_file_that_is_cut_or_damaged_is_refused_by_name(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(TEXT)
    for cut in (len(packed) // 2, len(packed) - 1):
        with pytest.raises(Malformed, match=r"^feed.xml.x is cut off; get the file anew$"):
            through(packed[:cut])
    with pytest.raises(Malformed, match=r"^feed.xml.x cannot be unpacked: .*; get the file anew$"):
        through(packed[:20] + b"\xff" * 30 + packed[50:])
    with pytest.raises(Malformed, match="cannot be unpacked"):
        through(packed + b"no stream of that kind")


@pytest.mark.parametrize("pack", PACKERS)
def test_what_grows_beyond_its_bound_is_refused_before_it_is_all_unpacked(pack: Callable[[bytes], bytes]) -> None:
    taken = unpacked(iter([pack(bytes(4 * PIECE))]), "feed.xml.x", 2 * PIECE)
    assert [len(next(taken)) <= PIECE for _ in range(2)] == [True, True]
    with pytest.raises(Malformed, match=f"larger than {2 * PIECE} bytes unpacked"):
        list(taken)


def test_xz_may_not_ask_for_more_memory_than_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MOST_MEMORY", 1024 * 1024)
    with pytest.raises(Malformed, match="Memory usage limit"):
        through(lzma.compress(TEXT, preset=4))
