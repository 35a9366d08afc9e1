"""Takes evidence away from the lab bank, piece by piece, and grades what is left.

Only uses that read the lost fact are judged again; everything else keeps its tallies. Items, ladders and headline are
always graded anew from all tallies.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scanner.grading.assess import MEMBERSHIP_MAX_AGE, Graded
from scanner.grading.coverage import listing_gaps
from scanner.institution.register_entry import Entry
from scanner.institution.registers import Registers
from scanner.judging.evidence import Evidence, ReadTarget, identifier, judged_fields, quoted, sql_type
from scanner.judging.explain import missing
from scanner.judging.judge import Judged, Use, judge
from scanner.judging.population import Population
from scanner.judging.scope import Membership, Scope, listed_keys
from scanner.judging.tally import Counts, count, excepted
from scanner.model import RequirementState
from scanner.result.grade import Grade, RequirementResult
from tests.scanner.beside import evidence_beside

MET, NOT_MET = RequirementState.MET, RequirementState.NOT_MET


@dataclass(frozen=True)
class Loss:
    """One piece of evidence to take away: a fact type of a target, one field of it, its census, or one row."""

    target: str
    fact: str
    field: str | None = None
    asset: str | None = None
    census: bool = False
    rows: bool = True

    def __str__(self) -> str:
        what = "census of " if self.census and not self.rows else ""
        also = " and its census" if self.census and self.rows else ""
        place = f".{self.field}" if self.field else f" of {self.asset}" if self.asset else ""
        return f"{self.target}: {what}{self.fact}{place}{also}"


def losses(graded: Graded) -> Iterator[Loss]:
    """Every fact type, fact type with its census, field, and census of every target that was read."""
    for target in graded.inputs.targets:
        if target.folder is None:
            continue
        for name in sorted(target.promises):
            held = (target.folder / "facts" / f"{name}.parquet").is_file()
            if held:
                yield Loss(target.target, name)
                yield Loss(target.target, name, census=True)
                for info in judged_fields(graded.evidence.facts[name]):
                    yield Loss(target.target, name, field=info.name)
            if any(census.fact == name for census in target.censuses):
                yield Loss(target.target, name, census=True, rows=False)


def rows(graded: Graded) -> list[Loss]:
    """Every single row of every target, in order."""
    found = []
    for target in graded.inputs.targets:
        for name in sorted(target.facts):
            if target.folder is None or name not in target.promises:
                continue
            path = target.folder / "facts" / f"{name}.parquet"
            query = f"SELECT DISTINCT asset FROM read_parquet({quoted(str(path))}) ORDER BY asset"
            assets = graded.evidence.connection.execute(query).fetchall()
            found += [Loss(target.target, name, asset=str(asset)) for (asset,) in assets]
    return found


def sample(graded: Graded, n: int, seed: int) -> list[Loss]:
    """Single rows drawn with a seed."""
    held = rows(graded)
    return random.Random(seed).sample(held, min(n, len(held)))


@dataclass(frozen=True)
class Left:
    """What is left after a loss: grades, and the evidence they rest on."""

    grades: list[Grade]
    evidence: Evidence
    judged: Mapping[str, Judged]
    membership: Membership


def without(graded: Graded, loss: Loss, folder: Path) -> Left:
    """Grade the bank without one piece of evidence."""
    targets = tuple(
        _lessened(graded, target, loss, folder) if target.target == loss.target else target
        for target in graded.inputs.targets
    )
    estate, as_of = graded.inputs.estate, graded.inputs.as_of
    evidence = evidence_beside(graded.evidence, targets)
    membership = Membership(estate, evidence, MEMBERSHIP_MAX_AGE)
    judged: dict[str, Judged] = {}
    counts: dict[str, Counts] = dict(graded.verdicts.counts)
    for name, base in graded.judged.items():
        uses = _affected(graded, loss, base.population)
        if not uses:
            continue
        fact = evidence.facts[name]
        population = Population(fact, base.population.defined_by, evidence, listed_keys(estate, name, fact.kind))
        if loss.fact == "Placement":
            judged[name] = _moved(base, population, folder)
        else:
            judged[name] = judge(population, uses, as_of, estate.precedence)
        membership.build(population)
        counts[name] = Counts({**counts[name].tallies, **count(judged[name], membership).tallies})
    affected = {use.id for held in judged.values() for use in held.uses}

    def fewer(use: Use, scope: Scope, assets: Sequence[str]) -> int:
        if use.id in affected:
            return excepted(judged[use.over], membership, use, scope, assets)
        return graded.verdicts.excepted(use, scope, assets)

    def empty(name: str, scope: Scope) -> bool:
        if name not in judged:
            return graded.verdicts.empty(name, scope)
        population = judged[name].population
        return population.closed(MEMBERSHIP_MAX_AGE) and membership.counts(population)[scope] == (0, 0)

    verdicts = replace(graded.verdicts, counts=counts, excepted=fewer, empty=empty)
    grades = [grade for scope in graded.membership.scopes for grade in verdicts.grades(scope)]
    return Left(grades, evidence, judged, membership)


def without_entry(graded: Graded, entry: Entry) -> list[Grade]:
    """Grade the bank without one register entry."""
    inputs = graded.inputs
    entries = tuple(held for held in inputs.registers.entries if held.id != entry.id)
    judged = Registers(entries, inputs.registers.digest, inputs.registers.files).check(
        inputs.estate.approvers,
        inputs.estate.institution_id,
        {inputs.baseline.id, inputs.baseline.guideline},
        inputs.as_of,
    )
    verdicts = replace(graded.verdicts, registers=judged)
    return [grade for scope in graded.membership.scopes for grade in verdicts.grades(scope)]


def positive(entry: Entry) -> bool:
    """Whether the entry speaks for the institution; a signed no does not."""
    return not entry.denies


def _affected(graded: Graded, loss: Loss, population: Population) -> list[Use]:
    """Uses over a population whose outcomes, membership or closure a loss may change."""
    uses = [use for use in graded.uses.values() if use.over == population.name]
    (target,) = (held for held in graded.inputs.targets if held.target == loss.target)
    if loss.fact == "Placement":
        named = {
            source
            for scope in graded.membership.scopes
            for selector in graded.inputs.estate.selectors(scope.system, scope.scene, population.name)
            for source in selector.sources or population.defined_by
        }
        return uses if target.source in named else []
    if loss.fact == "Same":
        kinds = {population.evidence.facts[name].kind for name in target.promises} - {"*"}
        return uses if not kinds or population.fact.kind in kinds else []
    return [use for use in uses if population.name == loss.fact or _reads(graded, use, loss)]


def _reads(graded: Graded, use: Use, loss: Loss) -> bool:
    touched = use.check.build(graded.inputs.as_of, use.parameters).touched.fields
    return any(fact.__name__ == loss.fact and loss.field in {None, name} for fact, name in touched)


def _moved(base: Judged, population: Population, folder: Path) -> Judged:
    """The same findings over a population of which only the membership may have changed."""
    connection = population.evidence.connection
    for table in (base.population.table, base.table):
        place = folder / f"{table}.parquet"
        base.population.evidence.connection.execute(f"COPY {table} TO {quoted(str(place))} (FORMAT parquet)")
        connection.execute(f"CREATE TEMP TABLE {table} AS SELECT * FROM read_parquet({quoted(str(place))})")
    return replace(base, population=population)


def _lessened(graded: Graded, target: ReadTarget, loss: Loss, folder: Path) -> ReadTarget:
    assert target.folder is not None
    place = folder / "facts"
    place.mkdir(parents=True, exist_ok=True)
    facts = dict(target.facts)
    for path in (target.folder / "facts").iterdir():
        if path.stem != loss.fact or not loss.rows:
            (place / path.name).symlink_to(path)
            continue
        if loss.field is None and loss.asset is None:
            facts.pop(loss.fact)
            continue
        _rewrite(graded, path, loss, place / path.name)
    censuses = [census for census in target.censuses if not (loss.census and census.fact == loss.fact)]
    return replace(target, folder=folder, censuses=censuses, facts=facts)


def _rewrite(graded: Graded, path: Path, loss: Loss, place: Path) -> None:
    held = f"read_parquet({quoted(str(path))})"
    if loss.asset is not None:
        query = f"SELECT * FROM {held} WHERE asset <> {quoted(loss.asset)}"
    else:
        (info,) = (info for info in judged_fields(graded.evidence.facts[loss.fact]) if info.name == loss.field)
        name = identifier(info.name)
        query = f"SELECT * REPLACE (CAST(NULL AS {sql_type(info)}) AS {name}) FROM {held}"
    graded.evidence.connection.execute(f"COPY ({query}) TO {quoted(str(place))} (FORMAT parquet)")


def improvements(before: Sequence[Grade], after: Sequence[Grade]) -> list[str]:
    """What got better by losing evidence; law 12 says that there is nothing."""
    found = []
    for was, now in zip(before, after, strict=True):
        cell = f"{was.system}/{was.scene.value}/{was.pillar.value}"
        if now.floor.rank > was.floor.rank:
            found.append(f"{cell}: floor {was.floor.value} -> {now.floor.value}")
        if now.ceiling.rank < was.ceiling.rank:
            found.append(f"{cell}: ceiling {was.ceiling.value} -> {now.ceiling.value}")
        pairs = [(f"{cell}/{a.id}", a.requirements, b.requirements) for a, b in zip(was.items, now.items, strict=True)]
        pairs += [
            (f"{cell}/{a.level}", a.requirements, b.requirements) for a, b in zip(was.gates, now.gates, strict=True)
        ]
        for place, old, new in pairs:
            found += _better(place, old, new)
        for a, b in zip(was.items, now.items, strict=True):
            if b.state.value == "met" and a.state.value != "met":
                found.append(f"{cell}/{a.id}: {a.state.value} -> met")
            if b.state.value == "not_applicable" and a.state.value != "not_applicable":
                found.append(f"{cell}/{a.id}: {a.state.value} -> not_applicable")
    return found


def _better(place: str, old: Sequence[RequirementResult], new: Sequence[RequirementResult]) -> list[str]:
    found = []
    for was, now in zip(old, new, strict=True):
        if now.state is MET and was.state is not MET:
            found.append(f"{place}/{was.id}: {was.state.value} -> met")
        if now.state is NOT_MET and was.state is not NOT_MET:
            found.append(f"{place}/{was.id}: {was.state.value} -> not_met")
        found += _better(f"{place}/{was.id}", was.branches, now.branches)
    return found


def changed(before: Sequence[Grade], after: Sequence[Grade]) -> bool:
    """Whether any count or state differs."""
    return list(before) != list(after)


def named(left: Left, loss: Loss, graded: Graded) -> bool:
    """Whether the loss is told by name: as an open listing, or as a field not known."""
    if loss.field is None or loss.fact == "Same":
        rows = listing_gaps(left.evidence, MEMBERSHIP_MAX_AGE)
        return any(gap.target in {loss.target, ""} and (gap.fact, gap.field) == (loss.fact, loss.field) for gap in rows)
    if loss.fact == "Placement":
        return any(
            (source, name) == (loss.target, loss.field)
            for judged in left.judged.values()
            for source, name, *_ in left.membership.unplaced(judged.population)
        )
    return any(
        (lack.fact, lack.field) == (loss.fact, loss.field)
        for judged in left.judged.values()
        for lack, _ in missing(judged, graded.inputs.as_of, graded.inputs.estate.precedence)
    )
