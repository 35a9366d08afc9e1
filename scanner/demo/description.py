"""Reads the description of the lab bank that lies beside this file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any

Tables = Mapping[str, Any]
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True)
class Description:
    """The bank as written down: plain tables of ``scanner/demo/bank/*.toml``."""

    as_of: str
    """The moment at which the bank is judged, RFC 3339 in UTC."""
    observed_at: str
    stale_at: str
    baseline: str
    """Id of the baseline for which its documents are signed."""
    institution: Tables
    sources: Mapping[str, Mapping[str, str]]
    """Target that speaks of a fact, by population and fact."""
    targets: Mapping[str, Tables]
    populations: Mapping[str, list[str]]
    groups: Mapping[str, Tables]
    singles: list[Tables]
    postures: Mapping[str, Mapping[str, Tables]]
    archetypes: Mapping[str, Tables]
    cases: list[Tables]
    listings: list[Tables]
    gaps: Mapping[str, Tables]
    unsaid: Mapping[str, Tables]
    documents: Tables
    systems: str
    """The part of the estate that names systems and members, as text."""

    def cases_of(self, key: str) -> list[Tables]:
        """Cases that speak of an asset, in order."""
        return [case for case in self.cases if any(fnmatchcase(key, pattern) for pattern in case["asset"])]


def read_description(as_of: datetime | None = None) -> Description:
    """The description that ships with ztgrade; with ``as_of``, every moment in it moved so that it is judged then."""
    folder = files("scanner.demo") / "bank"

    def table(name: str) -> dict[str, Any]:
        return tomllib.loads((folder / f"{name}.toml").read_text("utf-8"))

    bank = table("bank")
    by = timedelta(0) if as_of is None else as_of.replace(microsecond=0) - datetime.fromisoformat(bank["as_of"])

    def moved(name: str) -> dict[str, Any]:
        found: dict[str, Any] = _moved(table(name), by)
        return found

    bank, deviants = moved("bank"), moved("cases")
    return Description(
        as_of=bank["as_of"],
        observed_at=bank["observed_at"],
        stale_at=bank["stale_at"],
        baseline=bank["baseline"],
        institution=bank["institution"],
        sources=bank["sources"],
        targets=bank["targets"],
        populations=bank["populations"],
        groups=bank["groups"],
        singles=bank["single"],
        postures=moved("postures"),
        archetypes=moved("archetypes"),
        cases=deviants["case"],
        listings=deviants["listing"],
        gaps=deviants["gaps"],
        unsaid=deviants["unsaid"],
        documents=moved("documents"),
        systems=(folder / "systems.toml").read_text("utf-8"),
    )


def _moved(value: Any, by: timedelta) -> Any:
    """The same tables with every RFC 3339 text moved."""
    match value:
        case dict():
            return {key: _moved(inner, by) for key, inner in value.items()}
        case list():
            return [_moved(inner, by) for inner in value]
        case str() if _MOMENT.fullmatch(value):
            moment = (datetime.fromisoformat(value) + by).astimezone(UTC)
            return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value
