"""Which targets a run is about, where their facts come from, and which credentials are one account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scanner.errors import UnknownName
from scanner.institution.nouns import Credential, Estate
from scanner.model import Origin, Target


def chosen_targets(estate: Estate, names: Sequence[str] | None) -> list[Target]:
    """The named targets in the order of the estate; the name of an inventory stands for all its rows.

    Raises UnknownName with the nearest valid name.
    """
    if names is None:
        return list(estate.targets.values())
    inventories = {name.partition("/")[0] for name in estate.targets if "/" in name}
    for name in names:
        if name not in estate.targets and name not in inventories:
            raise UnknownName("target", name, {*estate.targets, *inventories})
    wanted = set(names)
    return [target for name, target in estate.targets.items() if wanted & {name, name.partition("/")[0]}]


def origin_of(target: Target) -> Origin:
    """Where the facts of a target come from: the source itself, captures of it, or somebody who supplied files."""
    if target.collector == "import":
        return Origin.SUPPLIED
    return Origin.LIVE if target.captures is None else Origin.CAPTURE


def ledger_names(credentials: Mapping[str, Credential]) -> Mapping[str, str]:
    """One name per account: credentials with the same user and reference are refused and stopped as one."""
    first: dict[tuple[str | None, str], str] = {}
    return {name: first.setdefault((held.user, held.reference), name) for name, held in credentials.items()}
