"""Reads the description of the lab bank that lies beside this file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any

Tables = Mapping[str, Any]


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


def read_description() -> Description:
    """The description that ships with ztgrade."""
    folder = files("scanner.demo") / "bank"

    def table(name: str) -> dict[str, Any]:
        return tomllib.loads((folder / f"{name}.toml").read_text("utf-8"))

    bank, deviants = table("bank"), table("cases")
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
        postures=table("postures"),
        archetypes=table("archetypes"),
        cases=deviants["case"],
        listings=deviants["listing"],
        gaps=deviants["gaps"],
        unsaid=deviants["unsaid"],
        documents=table("documents"),
        systems=(folder / "systems.toml").read_text("utf-8"),
    )
