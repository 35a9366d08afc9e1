"""Every small world of a claim: each field over the values on either side of what the claim asks, and not seen."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from scanner.column import Built, ColumnType, FieldInfo, fields_of
from scanner.model import Outcome
from tests.checks.world import AS_OF, evaluate

LARGEST = 20_000
"""Rows at most; a claim that needs more says too much at once."""
PARTNERS = 4
"""How many elements of a list each element is paired with; what a pair adds is mixing, not counting."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_WORD = re.compile(r"'([^']*)'")
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Worlds:
    """All small worlds of one claim; a world is a position in the pool of each field, 0 being not seen."""

    fields: tuple[str, ...]
    pools: tuple[tuple[Any, ...], ...]
    outcomes: Mapping[tuple[int, ...], Outcome]

    def row(self, world: tuple[int, ...]) -> dict[str, Any]:
        """The world written out."""
        return {name: pool[at] for name, pool, at in zip(self.fields, self.pools, world, strict=True)}

    def dimmer(self) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Each world with each world that differs in one value, or one value of a list element, not being seen."""
        weaker = [_weaker_lists(pool) for pool in self.pools]
        for world in self.outcomes:
            for place, at in enumerate(world):
                for less in {0, *weaker[place].get(at, ())} - {at}:
                    yield world, (*world[:place], less, *world[place + 1 :])


def enumerate_worlds(built: Built, parameters: Mapping[str, Any]) -> Worlds:
    """All worlds of a claim built at AS_OF, judged by one query."""
    text = f"{built.applies.text} {built.holds.text}"
    touched = sorted(built.touched.fields, key=lambda pair: (pair[0].__name__, pair[1]))
    spans = [timedelta(**{name: value}) for name, value in parameters.items() if name in {"hours", "days"}]
    pools = tuple(tuple(_pool(fields_of(fact)[name], text, spans)) for fact, name in touched)
    worlds = list(itertools.product(*(range(len(pool)) for pool in pools)))
    if len(worlds) > LARGEST:
        raise ValueError(f"{len(worlds)} worlds are more than {LARGEST}")
    names = tuple(f"{fact.__name__}.{name}" for fact, name in touched)
    bare = Worlds(names, pools, {})
    return Worlds(names, pools, dict(zip(worlds, evaluate(built, [bare.row(world) for world in worlds]), strict=True)))


def _pool(info: FieldInfo, text: str, spans: list[timedelta]) -> list[Any]:
    words = sorted(set(_WORD.findall(text)))
    bare = _WORD.sub("", _TIME.sub("", text))
    match info.type:
        case ColumnType.BOOLEAN:
            return [None, True, False]
        case ColumnType.INTEGER:
            numbers = {int(digits) for digits in re.findall(r"(?<=[<>=] )\d+", bare)}
            listed = {
                int(digits) for found in re.findall(r"in \[(\d+(?:, \d+)*)\]", bare) for digits in found.split(",")
            }
            beside = {max(listed) + 1} if listed else set()
            return [None, *sorted({number + step for number in numbers for step in (-1, 0, 1)} | listed | beside)]
        case ColumnType.TEXT:
            return [None, *_texts(info, words, text)]
        case ColumnType.TIME:
            moments = [datetime.fromisoformat(word).astimezone(UTC) for word in _TIME.findall(text)]
            edges = {AS_OF, *moments, *(AS_OF - span for span in spans)}
            return [None, *sorted(edge + step * _SECOND for edge in edges for step in (-1, 0, 1))]
        case ColumnType.TEXT_LIST:
            ones = [[word] for word in [*words, "other"]]
            without = [[word for word in words if word != left_out] for left_out in words]
            return [None, *_distinct([[], *ones, words[:2], words, *without])]
        case ColumnType.STRUCT_LIST:
            return [None, *_lists_of_structs(info, text, spans)]


def _texts(info: FieldInfo, words: list[str], text: str) -> list[str]:
    """Words that the claim names and one that it does not: words that it never names are all alike to it."""
    if info.words is None:
        return sorted({*words, "a", "b"})
    named = info.words.intersection(words)
    if not named or "^=" in text or "$=" in text:
        return sorted(info.words)
    return sorted(named) + sorted(info.words - named)[:1]


def _lists_of_structs(info: FieldInfo, text: str, spans: list[timedelta]) -> list[list[dict[str, Any]]]:
    assert info.struct is not None
    named = set(re.findall(r"\b\w+\.\w+\b", text))
    inner = [item for item in fields_of(info.struct).values() if f"{info.struct.__name__}.{item.name}" in named]
    pools = [_pool(item, text, spans) for item in inner]
    kinds = [dict(zip((item.name for item in inner), values, strict=True)) for values in itertools.product(*pools)]
    partners = kinds[:: max(1, len(kinds) // PARTNERS)]
    pairs = [[kind, partner] for kind in kinds for partner in partners]
    return [[], *([kind] for kind in kinds), *pairs]


def _weaker_lists(pool: tuple[Any, ...]) -> dict[int, set[int]]:
    """For each list of structs in the pool, the positions of the lists in which one more value is not seen."""
    position = {_key(value): at for at, value in enumerate(pool)}
    weaker: dict[int, set[int]] = {}
    for at, value in enumerate(pool):
        if not isinstance(value, list):
            continue
        for place, element in enumerate(value):
            if not isinstance(element, dict):
                continue
            for name in element:
                less = [*value[:place], element | {name: None}, *value[place + 1 :]]
                found = position.get(_key(less))
                if found is not None and found != at:
                    weaker.setdefault(at, set()).add(found)
    return weaker


def _key(value: Any) -> str:
    return json.dumps(value, default=str, sort_keys=True)


def _distinct(lists: list[list[str]]) -> list[list[str]]:
    return [list(words) for words in dict.fromkeys(tuple(sorted(words)) for words in lists)]
