"""Which asset keys name one asset: from ``Same`` facts by exact keys, never by a guess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Sameness:
    """Aliases and the keys under which the defining source knows them.

    ``ambiguous`` holds the kinds in which a key is claimed twice, or leads to another alias: their populations stay
    open, because nobody can say how many assets there are.
    """

    canonical: Mapping[str, str]
    ambiguous: frozenset[str]


def kind_of(asset: str) -> str:
    """Kind of an asset key ``kind:source:key``."""
    return asset.partition(":")[0]


def _authority_of(asset: str) -> str:
    return asset.split(":", 2)[1] if asset.count(":") > 1 else ""


def sameness(pairs: Iterable[tuple[str, str | None]]) -> Sameness:
    """Aliases from (asset, same_as) pairs of every source.

    A pair counts only if the alias names one key, no second alias of the same authority names that key, and the key is
    no alias itself. An absent key, or one of another kind, makes the kind ambiguous too.
    """
    named: dict[str, set[str]] = {}
    ambiguous: set[str] = set()
    for asset, same_as in pairs:
        if same_as is None or kind_of(same_as) != kind_of(asset):
            ambiguous.add(kind_of(asset))
            continue
        named.setdefault(asset, set()).add(same_as)
    claimed: dict[tuple[str, str], set[str]] = {}
    for asset, keys in named.items():
        for key in keys:
            claimed.setdefault((key, _authority_of(asset)), set()).add(asset)
    canonical: dict[str, str] = {}
    for asset, keys in sorted(named.items()):
        key = min(keys)
        unique = len(keys) == 1 and len(claimed[(key, _authority_of(asset))]) == 1
        if unique and (key not in named or key == asset):
            canonical[asset] = key
        else:
            ambiguous.add(kind_of(asset))
    return Sameness(canonical, frozenset(ambiguous))
