"""What a result rests on, part by part, so that the next assessment can tell what changed; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import duckdb

from scanner.guideline.nouns import Baseline, Item, Requirement
from scanner.institution.nouns import Approver, Estate, Selector
from scanner.institution.register_chain import CHAIN
from scanner.institution.register_entry import entry_payload
from scanner.institution.registers import Registers
from scanner.judging.evidence import Evidence, identifier, quoted
from scanner.judging.judge import Use
from scanner.judging.scope import PLACED_BY, REFERENCED
from scanner.model import Target
from scanner.result.basis import Basis, RuleBasis, SystemBasis, TargetBasis
from scanner.sealed.canonical import canonical_json, sha256_hex

LONGEST_SHOWN = 80
"""Characters of a parameter that are kept as they are; of longer ones the digest."""


def basis_of(
    estate: Estate,
    baseline: Baseline,
    registers: Registers,
    uses: Mapping[str, Use],
    evidence: Evidence,
    crashed: frozenset[str] = frozenset(),
) -> Basis:
    """The basis of an assessment; ``crashed`` are ids of uses that cannot be asked what they read."""
    rules = _rules(estate, baseline, uses, evidence, crashed)
    return Basis(
        rules=rules,
        systems={name: _system(estate, name) for name in sorted(estate.systems)},
        targets={name: _target(estate, target) for name, target in sorted(estate.targets.items())},
        populations={name: list(sources) for name, sources in sorted(estate.populations.items())},
        precedence={name: list(sources) for name, sources in sorted(estate.precedence.items())},
        entries={entry.id: sha256_hex(entry_payload(entry, "", "")) for entry in registers.entries},
        approvers={name: _approver(approver) for name, approver in sorted(estate.approvers.items())},
        register_files={name: sha256_hex(content) for name, content in sorted(registers.files.items())},
        chain=_last_link(registers.files),
        engine=f"duckdb {duckdb.__version__}",
        said=_said(evidence, {field for rule in rules.values() for field in rule.reads}),
    )


def _rules(
    estate: Estate, baseline: Baseline, uses: Mapping[str, Use], evidence: Evidence, crashed: frozenset[str]
) -> dict[str, RuleBasis]:
    owners = [(_item(item), item.requires) for item in baseline.items.values()]
    owners += [(sha256_hex(canonical_json(level.value)), gate) for level, gate in baseline.gates.items()]
    rules = {}
    for item, requirements in owners:
        for requirement in (each for top in requirements for each in top.walk()):
            use = uses.get(requirement.address)
            rules[requirement.address] = _rule(requirement, use, item, estate, evidence, crashed)
    return rules


def _item(item: Item) -> str:
    listed = None if item.listed is None else {model.value: asked for model, asked in item.listed.items()}
    return sha256_hex(canonical_json([item.pillar.value, item.level.value, listed, item.exercised]))


def _rule(
    requirement: Requirement,
    use: Use | None,
    item: str,
    estate: Estate,
    evidence: Evidence,
    crashed: frozenset[str],
) -> RuleBasis:
    branches = [branch.address for branch in requirement.branches]
    if use is None:
        counted = (
            {"reviews": str(requirement.reviews), "within": str(requirement.within)} if requirement.reviews else {}
        )
        max_age = int(requirement.max_age.total_seconds())
        return RuleBasis(
            check=requirement.kind.value,
            max_age=max_age,
            parameters=counted if requirement.reviews else {},
            item=item,
            branches=branches,
        )
    reads = _reads(use, estate, evidence.as_of, built=use.id not in crashed)
    facts = sorted({field.partition(".")[0] for field in reads})
    return RuleBasis(
        check=use.check.id,
        need=requirement.need,
        max_age=int(requirement.max_age.total_seconds()),
        parameters={name: _short(value) for name, value in sorted(requirement.parameters.items())},
        item=item,
        over=use.over,
        reads=sorted(reads),
        sources=sorted({source for fact in facts for source in evidence.promising(fact)}),
    )


def _short(value: Any) -> str:
    text = canonical_json(value).decode()
    return text if len(text) <= LONGEST_SHOWN else f"sha256:{sha256_hex(text.encode())}"


def _reads(use: Use, estate: Estate, as_of: datetime, *, built: bool) -> set[str]:
    """Fields that the use and the membership of its population rest on; each population for its keys."""
    touched = use.check.build(as_of, use.parameters).touched.fields if built else ()
    reads = {f"{fact.__name__}.{name}" for fact, name in touched} | {use.over, "Same", "Same.same_as"}
    reads |= {fact.__name__ for fact, _ in touched}
    if use.over in REFERENCED:
        return reads | {"Placement", f"Placement.{REFERENCED[use.over]}"}
    placed = {
        f"Placement.{PLACED_BY[name]}"
        for selector in _selectors(estate, use.over)
        for name in PLACED_BY
        if getattr(selector, name)
    }
    return reads | placed | ({"Placement"} if placed else set())


def _selectors(estate: Estate, population: str) -> Iterable[Selector]:
    for system in estate.systems.values():
        for members in (system.selectors, *system.overrides.values()):
            yield from members.get(population, ())


def _system(estate: Estate, name: str) -> SystemBasis:
    system = estate.systems[name]
    members = {population: _digest(selectors) for population, selectors in system.selectors.items()}
    for scene, held in system.overrides.items():
        members |= {f"{scene.value}/{population}": _digest(selectors) for population, selectors in held.items()}
    return SystemBasis(
        scenes=sorted(system.scenes),
        service_model=system.service_model,
        target=system.target,
        members=dict(sorted(members.items())),
    )


def _digest(selectors: Sequence[Selector]) -> str:
    return sha256_hex(canonical_json(sorted((asdict(selector) for selector in selectors), key=canonical_json)))


def _target(estate: Estate, target: Target) -> TargetBasis:
    captures = target.captures
    if captures is not None and captures.is_relative_to(estate.path.parent):
        captures = captures.relative_to(estate.path.parent)
    looked = [target.collector, target.address, None if captures is None else captures.as_posix(), target.promises]
    options = {name: str(value) for name, value in target.options.items()}
    return TargetBasis(source=target.source, digest=sha256_hex(canonical_json([looked, options])))


def _approver(approver: Approver) -> str:
    return sha256_hex(canonical_json([approver.person, sha256_hex(approver.public_key)]))


def _last_link(files: Mapping[str, bytes]) -> str:
    last = files.get(CHAIN, b"").rstrip(b"\n").rpartition(b"\n")[2]
    return sha256_hex(last) if last else ""


def _said(evidence: Evidence, reads: Iterable[str]) -> dict[str, dict[str, str]]:
    """What each target said of the fields that are read; a complete listing without rows says so, silence nothing."""
    wanted: dict[str, set[str]] = {}
    for field in reads:
        fact, _, name = field.partition(".")
        wanted.setdefault(fact, set()).update({name} if name else ())
    said: dict[str, dict[str, str]] = {target.target: {} for target in evidence.targets}
    for fact, names in sorted(wanted.items()):
        for target in evidence.targets:
            if any(census.fact == fact and census.complete for census in target.censuses):
                said[target.target] |= {fact: "0", **{f"{fact}.{name}": "0" for name in sorted(names)}}
        for target_name, values in _hashes(evidence, fact, sorted(names)):
            said[target_name] |= values
    return {target: dict(sorted(values.items())) for target, values in said.items() if values}


def _hashes(evidence: Evidence, fact: str, names: list[str]) -> Iterable[tuple[str, dict[str, str]]]:
    places = {
        str(path): target.target for source in evidence.by_source for target, path in evidence.files(source, fact)
    }
    if not places:
        return
    table = f"read_parquet([{', '.join(map(quoted, places))}], union_by_name = true, filename = true)"
    described = evidence.connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()
    held = [name for name in names if name in {str(row[0]) for row in described}]
    hashed = ["hash(asset)", *(f"hash(asset, {identifier(name)})" for name in held)]
    sums = ", ".join(f"sum({one})" for one in hashed)
    for path, rows, *values in evidence.connection.execute(
        f"SELECT filename, count(*), {sums} FROM {table} GROUP BY filename"
    ).fetchall():
        told = {fact: values[0], **{f"{fact}.{name}": value for name, value in zip(held, values[1:], strict=True)}}
        yield places[str(path)], {field: f"{rows}:{value % 2**128:x}" for field, value in told.items()}
