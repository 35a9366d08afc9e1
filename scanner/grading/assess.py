"""From sealed collections to a graded result: pure, given collections, estate, baseline, registers and as_of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

import checks
import scanner
from scanner.column import Check
from scanner.grading.basis import basis_of
from scanner.grading.changes import input_changes
from scanner.grading.coverage import collected_gaps, gap, listing_gaps, whys_told
from scanner.grading.grade import Tally, lowest
from scanner.grading.history import history_of, turned
from scanner.grading.register_alarms import Watch
from scanner.grading.verdict import Verdicts
from scanner.guideline.nouns import Baseline
from scanner.institution.estate import Estate
from scanner.institution.register_entry import Entry
from scanner.institution.registers import JudgedRegisters, Registers
from scanner.judging.configuration import configuration_digest
from scanner.judging.evidence import Evidence, ReadTarget, connect
from scanner.judging.explain import missing
from scanner.judging.judge import Judged, Use, findings_digest, judge
from scanner.judging.population import Population
from scanner.judging.scope import REFERENCED, Membership, Scope, listed_keys
from scanner.judging.tally import Beside, Counts, beside, count, excepted
from scanner.model import (
    Collector,
    Fact,
    GapWhy,
    Origin,
    iso,
    narrowed,
    promised_facts,
    promised_fields,
)
from scanner.registry import check_sources
from scanner.result.assessment import SCHEMA_VERSION, Assessment, BaselineRef, Headline, ScopeRow, Unassigned
from scanner.result.change import Changes
from scanner.result.collection import CollectionRef, GapRow
from scanner.result.grade import Grade, Span
from scanner.sampling.claim import needs_of
from scanner.sealed.canonical import canonical_parts
from scanner.sealed.collection import Collection, censuses, gaps

MEMBERSHIP_MAX_AGE = timedelta(days=30)
"""Where an asset stands counts for so long; what is true of it is masked by each use's own maximum age."""


@dataclass(frozen=True)
class Inputs:
    """All that a grade depends on, besides the code."""

    estate: Estate
    baseline: Baseline
    registers: Registers
    targets: tuple[ReadTarget, ...]
    as_of: datetime
    previous: Assessment | None = None
    previous_chain: bytes = b""
    """The chain of the registers that the present one must go on from."""


@dataclass
class Graded:
    """A graded assessment before it is sealed: the result, and the tables that findings are written from."""

    inputs: Inputs
    assessment: Assessment
    evidence: Evidence
    judged: Mapping[str, Judged]
    membership: Membership
    uses: Mapping[str, Use]
    """Use by requirement address."""
    findings: Mapping[str, str]
    """Digest of the findings per population."""
    verdicts: Verdicts


def read_targets(
    estate: Estate, collectors: Mapping[str, Collector], newest: Mapping[str, Collection]
) -> tuple[ReadTarget, ...]:
    """Every target of the estate with the collection that counts for it; a target never read keeps its promises."""
    found = []
    for name, target in sorted(estate.targets.items()):
        said = narrowed(collectors[target.collector].promises(target), target)
        promises, fields = promised_facts(said), promised_fields(said)
        collection = newest.get(name)
        if collection is None:
            found.append(ReadTarget(name, target.source, target.collector, promises, fields))
            continue
        meta = collection.meta
        found.append(
            ReadTarget(
                target=name,
                source=target.source,
                collector=meta.collector,
                promises=promises,
                fields=fields,
                folder=collection.path,
                root=collection.root,
                origin=meta.origin,
                collected_at=iso(meta.finished_at),
                complete=meta.complete,
                facts=meta.facts,
                censuses=tuple(censuses(collection)),
                gaps=tuple(gaps(collection)),
                identities=tuple(f"{item.kind}:{item.value}" for item in meta.identities),
            )
        )
    return tuple(found)


def uses_of(baseline: Baseline, registry: Mapping[str, Check[Any]]) -> dict[str, Use]:
    """The use behind every check requirement, by its address."""
    return {
        requirement.address: Use(registry[requirement.check], requirement.parameters, requirement.max_age)
        for requirement in baseline.requirements()
        if requirement.check is not None
    }


NOT_JUDGING = frozenset({"commands", "demo", "templates"})
"""Parts of the core that no result depends on."""


def code_lock(used: Iterable[str] = ()) -> str:
    """Version of ztgrade and SHA-256 over the source of everything that judges and grades.

    Plug-ins belong to it where checks of theirs are among the ids ``used``, and only there.
    """
    digest = hashlib.sha256()
    for package in (scanner, checks):
        (root,) = package.__path__
        for path in sorted(Path(root).rglob("*.py")):
            if NOT_JUDGING & set(path.relative_to(root).parts):
                continue
            digest.update(f"{package.__name__}/{path.relative_to(root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    for name, source in sorted(check_sources(used).items()):
        home = source if source.is_dir() else source.parent
        for path in sorted(home.rglob("*.py")) if source.is_dir() else [source]:
            digest.update(f"{name}/{path.relative_to(home).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"ztgrade {scanner.__version__} sha256:{digest.hexdigest()}"


def grade(inputs: Inputs, registry: Mapping[str, Check[Any]], facts: Mapping[str, type[Fact]]) -> Graded:
    """Judge every use, tally every scope, grade every system x scene x pillar."""
    return _Run(inputs, registry, facts).run()


class _Run:
    """One run from inputs to result."""

    def __init__(self, inputs: Inputs, registry: Mapping[str, Check[Any]], facts: Mapping[str, type[Fact]]) -> None:
        self.inputs = inputs
        self.estate = inputs.estate
        self.baseline = inputs.baseline
        self.facts = facts
        self.uses = uses_of(inputs.baseline, registry)
        self.evidence = Evidence(connect(), inputs.targets, facts, inputs.as_of)
        self.membership = Membership(inputs.estate, self.evidence, MEMBERSHIP_MAX_AGE)
        self.registers: JudgedRegisters = inputs.registers.check(
            inputs.estate.approvers,
            inputs.estate.institution_id,
            frozenset({inputs.baseline.id, inputs.baseline.guideline}),
            inputs.as_of,
            inputs.previous_chain,
            needs_of(inputs.baseline),
        )
        self.judged: dict[str, Judged] = {}
        self.counts: dict[str, Counts] = {}
        self.reasons: dict[str, set[GapWhy]] = {}
        self.opened: dict[str, set[GapWhy]] = {}
        self.gap_rows: list[GapRow] = []
        self.was = history_of(inputs.previous)

    def run(self) -> Graded:
        """The whole way, in order."""
        populations = self._populations()
        for name, population in populations.items():
            uses = [use for use in self.uses.values() if use.over == name]
            self.judged[name] = judge(population, uses, self.inputs.as_of, self.estate.precedence)
        holders = [population for name, population in populations.items() if name not in REFERENCED]
        for population in holders:
            self.membership.build(population)
        for name in REFERENCED:
            if name in populations:
                self.membership.build_referenced(populations[name], holders)
        for name, judged in self.judged.items():
            self.counts[name] = count(judged, self.membership)
        self.registers = self.registers.lapsing(lambda entry: self._bound(entry, populations))
        self._gaps(populations)
        verdicts = self._verdicts()
        grades = [grade for scope in self.membership.scopes for grade in verdicts.grades(scope)]
        findings = {name: findings_digest(judged) for name, judged in sorted(self.judged.items())}
        return Graded(
            self.inputs,
            self._assessment(grades, populations, findings, verdicts),
            self.evidence,
            self.judged,
            self.membership,
            self.uses,
            findings,
            verdicts,
        )

    def _bound(self, entry: Entry, populations: Mapping[str, Population]) -> str | None:
        """What the facts that a register entry binds say now of the system it speaks of."""
        scopes = [scope for scope in self.membership.scopes if entry.covers(scope.system, scope.scene)]
        return configuration_digest(entry.binds, scopes, populations, self.membership)

    def _populations(self) -> dict[str, Population]:
        names = sorted({use.over for use in self.uses.values()})
        return {
            name: Population(
                fact=self.facts[name],
                defined_by=tuple(self.estate.populations.get(name) or self.evidence.promising(name)),
                evidence=self.evidence,
                listed=listed_keys(self.estate, name, self.facts[name].kind),
            )
            for name in names
        }

    def _verdicts(self) -> Verdicts:
        members = {name: self.membership.counts(judged.population) for name, judged in self.judged.items()}
        closed = {name: judged.population.closed(MEMBERSHIP_MAX_AGE) for name, judged in self.judged.items()}
        return Verdicts(
            baseline=self.baseline,
            uses=self.uses,
            counts=self.counts,
            registers=self.registers,
            history=self.was,
            reasons=self.reasons,
            opened=self.opened,
            crashed=self._crashed(),
            origins={use.id: self._origins(use) for use in self.uses.values()},
            excepted=lambda use, scope, assets: excepted(self.judged[use.over], self.membership, use, scope, assets),
            empty=lambda name, scope: closed.get(name, False) and members[name][scope] == (0, 0),
            as_of=self.inputs.as_of,
        )

    def _origins(self, use: Use) -> list[Origin]:
        if any(use.id in judged.errors for judged in self.judged.values()):
            return []
        touched = use.check.build(self.inputs.as_of, use.parameters).touched.fields
        names = {fact.__name__ for fact, _ in touched} | {use.over}
        read = [target for target in self.inputs.targets if target.folder is not None]
        return sorted({target.origin for target in read if names & target.promises})

    # what could not be seen

    def _gaps(self, populations: Mapping[str, Population]) -> None:
        self.gap_rows += collected_gaps(self.inputs.targets)
        self.gap_rows += listing_gaps(self.evidence, MEMBERSHIP_MAX_AGE)
        told = whys_told(self.inputs.targets)
        collectors = {target.source: target.collector for target in self.inputs.targets}
        for name, population in populations.items():
            self.opened[name] = {why for source in population.defined_by for why in told.get((source, name), ())}
            for source, field, why, n, example in self.membership.unplaced(population):
                detail = f"which systems it belongs to is not known for {n} of {name}, such as {example}"
                self._lacks("Placement", field, why, detail, [source], collectors, n, example)
            for lack, users in missing(self.judged[name], self.inputs.as_of, self.estate.precedence):
                explained = {
                    why
                    for source in lack.sources
                    if lack.why is GapWhy.UNSEEN
                    for why in told.get((source, lack.fact), ())
                }
                for use in users:
                    self.reasons.setdefault(use, set()).update(explained or {lack.why})
                detail = f"not known for {lack.count} of the assets judged, such as {lack.example}"
                self._lacks(lack.fact, lack.field, lack.why, detail, lack.sources, collectors, lack.count, lack.example)

    def _lacks(
        self,
        fact: str,
        field: str,
        why: GapWhy,
        detail: str,
        sources: Sequence[str],
        collectors: Mapping[str, str],
        n: int,
        example: str,
    ) -> None:
        self.gap_rows.append(
            gap(
                fact,
                why,
                detail,
                target=", ".join(sources),
                collector=", ".join(sorted({collectors.get(source, "") for source in sources})),
                field=field,
                asset=example if n == 1 else None,
                count=n,
            )
        )

    # the result

    def _assessment(
        self,
        grades: Sequence[Grade],
        populations: Mapping[str, Population],
        findings: Mapping[str, str],
        verdicts: Verdicts,
    ) -> Assessment:
        inputs = self.inputs
        baseline = BaselineRef(id=self.baseline.id, version=self.baseline.version, digest=self.baseline.digest)
        previous = inputs.previous.assessment if inputs.previous is not None else None
        code = code_lock(use.check.id for use in self.uses.values())
        digest = assessment_digest(inputs, code, grades, findings)
        spans = [Span(floor=grade.floor, ceiling=grade.ceiling) for grade in grades]
        eased = [Span(floor=grade.floor_with_exceptions, ceiling=grade.ceiling_with_exceptions) for grade in grades]
        registers, alarms = self._watch(verdicts).told()
        assessment = Assessment(
            schema_version=SCHEMA_VERSION,
            assessment=digest,
            path="",
            institution=self.estate.institution_id,
            as_of=iso(inputs.as_of),
            baseline=baseline,
            estate_digest=self.estate.digest,
            registers_digest=inputs.registers.digest,
            code=code,
            previous=previous,
            collections=[_collection_ref(target) for target in inputs.targets if target.folder is not None],
            headline=Headline(without_exceptions=lowest(spans), with_exceptions=lowest(eased)),
            grades=list(grades),
            gaps=sorted(
                self.gap_rows,
                key=lambda gap: (gap.target, gap.fact, gap.field or "", gap.asset or "", gap.why.value, gap.detail),
            ),
            registers=registers,
            alarms=alarms,
            scopes=list(self._scope_rows(populations)),
            unassigned=[
                Unassigned(population=name, count=n, examples=examples)
                for name, population in populations.items()
                for n, examples in [self.membership.unassigned(population)]
                if n
            ],
            errors=[
                f"{use}: {reason}" for judged in self.judged.values() for use, reason in sorted(judged.errors.items())
            ],
            basis=basis_of(self.estate, self.baseline, inputs.registers, self.uses, self.evidence, self._crashed()),
        )
        if inputs.previous is None:
            return assessment
        regressions, others = turned(inputs.previous, assessment)
        changes = Changes(inputs=input_changes(inputs.previous, assessment), requirements=others)
        return msgspec.structs.replace(assessment, regressions=regressions, changes=changes)

    def _crashed(self) -> frozenset[str]:
        return frozenset(use for judged in self.judged.values() for use in judged.errors)

    def _watch(self, verdicts: Verdicts) -> Watch:
        return Watch(
            registers=self.registers,
            scopes=self.membership.scopes,
            compensated=verdicts.compensated,
            beside=self._beside,
            closed=lambda entry, scope: self._tally(entry, scope).closed,
            as_of=self.inputs.as_of,
            previous=self.inputs.previous,
        )

    def _tally(self, entry: Entry, scope: Scope) -> Tally:
        use = self.uses.get(entry.requirement)
        return Tally(closed=True) if use is None else self.counts[use.over].of(use, scope)

    def _beside(self, entry: Entry, scopes: Sequence[Scope], others: Sequence[str]) -> Beside:
        use = self.uses.get(entry.requirement)
        if use is None:
            return Beside()
        return beside(self.judged[use.over], self.membership, use, scopes, entry.assets, others)

    def _scope_rows(self, populations: Mapping[str, Population]) -> Iterator[ScopeRow]:
        for name, population in populations.items():
            closed = population.closed(MEMBERSHIP_MAX_AGE)
            for scope, (members, undetermined) in self.membership.counts(population).items():
                selected = bool(self.estate.selectors(scope.system, scope.scene, name))
                note = ""
                if not selected and name not in REFERENCED:
                    note = "no selector"
                elif members == 0 and undetermined == 0:
                    note = "no match"
                yield ScopeRow(
                    system=scope.system,
                    scene=scope.scene,
                    population=name,
                    members=members,
                    undetermined=undetermined,
                    closed=closed,
                    note=note,
                )


def assessment_digest(inputs: Inputs, code: str, grades: Sequence[Grade], findings: Mapping[str, str]) -> str:
    """SHA-256 over canonical JSON of everything that the result depends on, and the result."""
    body = {
        "collections": sorted(target.root for target in inputs.targets if target.folder is not None),
        "estate": inputs.estate.digest,
        "baseline": inputs.baseline.digest,
        "registers": inputs.registers.digest,
        "previous": inputs.previous.assessment if inputs.previous is not None else None,
        "code": code,
        "as_of": iso(inputs.as_of),
        "findings": dict(findings),
    }
    digest = hashlib.sha256()
    for part in canonical_parts(body, {"grades": grades}):
        digest.update(part)
    return digest.hexdigest()


def _collection_ref(target: ReadTarget) -> CollectionRef:
    return CollectionRef(
        target=target.target,
        source=target.source,
        collector=target.collector,
        origin=target.origin,
        collected_at=target.collected_at,
        complete=target.complete,
        facts=sum(target.facts.values()),
        gaps=len(target.gaps),
        digest=target.root,
        identities=list(target.identities),
    )
