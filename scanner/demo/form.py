"""The forms in which the lab bank is written: every source as supplied rows, or some sources as themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from scanner.demo.account_capture import account_captures
from scanner.demo.description import Description, Tables
from scanner.demo.directory import Domain, domain_of
from scanner.demo.directory_capture import domain_captures, domain_keys
from scanner.demo.expansion import Lines, expand

SAYS: Mapping[str, Mapping[str, frozenset[str] | None]] = {
    "ad": {
        "User": None,
        "Placement": None,
        "Activity": None,
        "AccountExpiry": None,
        "Trusts": None,
        # Where no membership is timed, a directory calls every one of them permanent: that is left to who grants them.
        "Privilege": frozenset({"privileged", "residual"}),
        "Directory": frozenset({"name"}),
    },
    "aws": {
        "Account": None,
        "AccountAdministration": None,
        "RoleTrusts": None,
        "RootUser": None,
    },
}
"""Facts that a source of each collector tells by itself, all their fields or those named; the rest is supplied."""
WITHOUT_EXPIRY = frozenset({"category", "external", "display_name", "login"})
"""What a directory tells of users where it hides when accounts end: one that has ended is enabled no longer."""
SUPPLIED = "-supplied"
"""Ends the name of the target that supplies what a source cannot tell of itself."""


@dataclass(frozen=True)
class Form:
    """What is to be written: a table of the estate for each target, and what lies in the captures of each."""

    targets: Mapping[str, Tables]
    lines: Mapping[str, Lines]
    """Of the targets whose captures are supplied rows."""
    captures: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    """Of the others, by name of the file."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Keys under which a collector knows assets that the description calls otherwise."""
    populations: Mapping[str, list[str]] = field(default_factory=dict)
    credentials: Mapping[str, Tables] = field(default_factory=dict)


def supplied_form(description: Description) -> Form:
    """Every source as rows that somebody supplied."""
    targets = {name: _supplied(name, table, table["promises"]) for name, table in description.targets.items()}
    return Form(targets=targets, lines=expand(description), populations=description.populations)


def collector_of(target: str) -> str | None:
    """The collector that reads a target of the bank in its own form; None where there is none."""
    kind = target.partition("-")[0]
    return kind if kind in SAYS else None


def domains(description: Description, lines: Mapping[str, Lines]) -> dict[str, Domain]:
    """The directories of the bank by target."""
    return {
        target: domain_of(description, target, lines[target])
        for target in description.targets
        if collector_of(target) == "ad"
    }


def raw_form(description: Description) -> Form:
    """Directories as LDIF and cloud accounts as answers of AWS; beside them rows of what neither tells of itself."""
    lines = expand(description)
    form = own_form(description, lines, raw_names(description, lines))
    captures = {target: domain_captures(domain) for target, domain in domains(description, lines).items()}
    captures |= {
        target: account_captures(lines[target], description.observed_at)
        for target in description.targets
        if collector_of(target) == "aws"
    }
    return replace(form, captures=captures)


def raw_names(description: Description, lines: Mapping[str, Lines] | None = None) -> dict[str, str]:
    """Key that a collector makes up from the raw captures, by the key in the description."""
    known = expand(description) if lines is None else lines
    names: dict[str, str] = {}
    for domain in domains(description, known).values():
        names |= domain_keys(domain)
    return names | account_names(description)


def account_names(description: Description) -> dict[str, str]:
    """The same of the cloud accounts alone."""
    keys = [single["asset"] for single in description.singles if single["population"] == "Account"]
    return {key: f"account:aws:{key.split(':', 2)[2]}" for key in keys}


def own_form(description: Description, lines: Mapping[str, Lines], names: Mapping[str, str]) -> Form:
    """The targets of the raw form, without captures of the directories and clouds themselves."""
    targets: dict[str, Tables] = {}
    rows: dict[str, Lines] = {}
    for name, table in description.targets.items():
        collector = collector_of(name)
        if collector is None:
            targets[name], rows[name] = _supplied(name, table, table["promises"]), renamed(lines[name], names)
            continue
        says = _says(description, name, lines[name])
        said, rest = _parted(table["promises"], says, _fields(lines, collector))
        targets[name] = {
            "collector": collector,
            "site": table.get("site", "taipei"),
            "captures": f"captures/{name}",
            "promises": said,
            "options": _options(description, name, lines[name]),
        }
        if rest:
            beside = name + SUPPLIED
            targets[beside] = _supplied(beside, table, rest)
            rows[beside] = renamed(_rest(lines[name], says), names)
    directories = [name for name in description.targets if collector_of(name) == "ad"]
    populations = {"User": directories, "Directory": directories, **description.populations}
    return Form(targets=targets, lines=rows, names=names, populations=populations)


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The same with every key of an asset that is known under another name; of lines, rows, tables and texts."""
    match value:
        case Lines():
            return Lines(
                {(fact, names.get(key, key)): renamed(row, names) for (fact, key), row in value.rows.items()},
                renamed(value.gaps, names),
                renamed(value.broken, names),
            )
        case dict():
            return {key: renamed(inner, names) for key, inner in value.items()}
        case list():
            return [renamed(inner, names) for inner in value]
        case str():
            return names.get(value, value)
    return value


def _supplied(name: str, table: Tables, promises: Iterable[str]) -> Tables:
    return {
        "collector": "import",
        "site": table.get("site", "taipei"),
        "captures": f"captures/{name}",
        "promises": list(promises),
        "options": {"supplier_key": "keys/supplier.pem"},
    }


def _options(description: Description, name: str, lines: Lines) -> dict[str, Any]:
    if collector_of(name) == "ad":
        return dict(domain_of(description, name, lines).options)
    return {"captured_at": description.observed_at}


def _says(description: Description, target: str, lines: Lines) -> Mapping[str, frozenset[str] | None]:
    """What a source tells of itself, less what it hides."""
    says = SAYS[collector_of(target) or ""]
    if collector_of(target) == "ad":
        hidden = {name for account in domain_of(description, target, lines).accounts for name in account.hidden}
        if hidden & {"accountExpires", "userAccountControl"}:
            return {**says, "User": WITHOUT_EXPIRY}
    return says


def _fields(lines: Mapping[str, Lines], collector: str) -> dict[str, set[str]]:
    """Fields that the description fills, by fact, over all sources of a collector."""
    found: dict[str, set[str]] = {}
    for target, each in lines.items():
        if collector_of(target) == collector:
            for (fact, _), row in each.rows.items():
                found.setdefault(fact, set()).update(row.keys() - {"observed_at"})
    return found


def _parted(
    promises: Iterable[str], says: Mapping[str, frozenset[str] | None], fields: Mapping[str, Iterable[str]]
) -> tuple[list[str], list[str]]:
    """What the source promises, and what is promised beside it."""
    said: list[str] = []
    rest: list[str] = []
    for fact in promises:
        own = says.get(fact, frozenset())
        if own is None:
            said.append(fact)
            continue
        filled = set(fields.get(fact, ()))
        said += [f"{fact}.{name}" for name in sorted(own)]
        rest += [f"{fact}.{name}" for name in sorted(filled - own)] if own else [fact]
    return said, rest


def _rest(lines: Lines, says: Mapping[str, frozenset[str] | None]) -> Lines:
    """Rows and gaps of what the source does not tell of itself."""
    rows = {}
    for (fact, asset), row in lines.rows.items():
        own = says.get(fact, frozenset())
        if own is not None:
            rows[fact, asset] = {name: value for name, value in row.items() if name not in own}
    gaps = [gap for gap in lines.gaps if _beside(says.get(gap["fact"], frozenset()), gap.get("field"))]
    return Lines(rows, gaps, lines.broken)


def _beside(own: frozenset[str] | None, name: str | None) -> bool:
    return own is not None and (name is None or name not in own)
