"""The tree hash agrees with the published vectors of certificate transparency."""

from __future__ import annotations

import hashlib

import pytest

from scanner.sealed.merkle import tree_hash

LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("n", range(9))
def test_root_of_the_first_n_leaves_is_the_published_one(n: int) -> None:
    assert tree_hash(LEAVES[:n]) == ROOTS[n]


def split_hash(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + split_hash(leaves[:k]) + split_hash(leaves[k:])).digest()


def test_streaming_equals_the_recursive_definition_for_every_small_size() -> None:
    for n in range(70):
        leaves = [str(i).encode() for i in range(n)]
        assert tree_hash(iter(leaves)) == split_hash(leaves).hex()


def test_order_and_every_byte_matter() -> None:
    assert tree_hash([b"a", b"b"]) != tree_hash([b"b", b"a"])
    assert tree_hash([b"a", b"b"]) != tree_hash([b"a", b"c"])
    assert tree_hash([b"ab"]) != tree_hash([b"a", b"b"])
