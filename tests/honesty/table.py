"""Writes what the losses showed as a document, the same on every machine, and compares it with the accepted one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.honesty.law import Outcome

DOCUMENT = Path(__file__).parents[2] / "docs" / "honesty.md"
_MANY = 6
_PLACES = re.compile(
    r"(?:in (?:[a-z]{2}-[a-z]+-\d)|arn:aws:\S+|\b(?:sg|vol|subnet|acl|snap|eni|vpc)-[0-9a-f]{8,}|[0-9a-f-]{36})"
)
HEAD = """| taken away | not known any more | met or not met before, open now | improved | told as |
|---|---|---|---|---|
"""


def section(title: str, words: str, rows: Iterable[str], outcomes: Sequence[Outcome]) -> str:
    """One part of the document, its totals first."""
    faulty = sum(bool(one.faults) for one in outcomes)
    effect = sum(not one.same for one in outcomes)
    opened = len({name for one in outcomes for name in one.undetermined})
    totals = (
        f"**{len(outcomes)} losses; {effect} of them changed what is known, and together they opened {opened} "
        f"requirements that were decided before; improved: {faulty}.**"
    )
    return f"## {title}\n\n{words}\n\n{totals}\n\n{HEAD}{''.join(rows)}"


def row(outcome: Outcome) -> str:
    """One loss."""
    return _row(outcome.loss.name, [outcome])


def gathered(outcomes: Iterable[Outcome]) -> list[str]:
    """One row for all losses of a group, in the order in which the groups come."""
    groups: dict[str, list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault(one.loss.group, []).append(one)
    return [_row(f"{group} ({len(held)})", held) for group, held in groups.items()]


def _row(name: str, outcomes: Sequence[Outcome]) -> str:
    unknown = sorted({place for one in outcomes for place in one.unknown})
    opened = sorted({_requirement(place) for one in outcomes for place in one.undetermined})
    faults = sum(bool(one.faults) for one in outcomes)
    told = min((one.told for one in outcomes if one.told), key=lambda words: (len(words), words), default="")
    if not told:
        told = "nothing lost: not needed, or told elsewhere too"
    return f"| {_plain(name)} | {_few(unknown)} | {_few(opened)} | {faults} | {_plain(told)} |\n"


def _requirement(place: str) -> str:
    """Item and requirement, without scope and branches."""
    return "/".join(place.partition(": ")[2].split("/")[:2])


def _few(names: Sequence[str]) -> str:
    if len(names) <= _MANY:
        return ", ".join(names) or "-"
    return f"{', '.join(names[:_MANY])} and {len(names) - _MANY} more"


def _plain(words: str) -> str:
    """Words for a cell; what another run would name otherwise is left out."""
    return _PLACES.sub("...", words).replace("|", "/")[:160]


def accepted(name: str, now: str) -> str:
    """The part of the document that was accepted; with ``ZTGRADE_ACCEPT_GOLDEN`` the part as it is now."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    text = DOCUMENT.read_text("utf-8")
    before, _, rest = text.partition(begin)
    was, _, after = rest.partition(end)
    if os.environ.get("ZTGRADE_ACCEPT_GOLDEN"):
        DOCUMENT.write_text(before + begin + now + end + after, "utf-8")
        return now
    return was
