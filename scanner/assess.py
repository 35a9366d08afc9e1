"""From sealed collections to a graded result: pure, given collections, estate, baseline, registers and as_of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

import checks
import scanner
from scanner.canonical import canonical_json, sha256_hex
from scanner.collection import Collection, censuses, gaps
from scanner.column import Check
from scanner.coverage import collected_gaps, listing_gaps, whys_told
from scanner.estate import Estate
from scanner.evidence import Evidence, ReadTarget, connect
from scanner.explain import missing
from scanner.grade import Tally, any_of, blocking, gate_state, item_state, ladder, lowest
from scanner.guideline import Baseline, Item, Requirement
from scanner.history import history_of, regressions
from scanner.judge import Judged, Population, Use, findings_digest, judge
from scanner.model import (
    Collector,
    Fact,
    GapWhy,
    ItemState,
    Level,
    Origin,
    Pillar,
    RequirementKind,
    RequirementState,
    iso,
)
from scanner.registers import JudgedRegisters, Registers
from scanner.result import (
    SCHEMA_VERSION,
    Assessment,
    BaselineRef,
    CollectionRef,
    GapRow,
    GateResult,
    Grade,
    Headline,
    ItemResult,
    RegisterRow,
    RequirementResult,
    ScopeRow,
    Span,
    Unassigned,
)
from scanner.scope import REFERENCED, Membership, Scope, listed_keys
from scanner.tally import Counts, count, excepted

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
    findings: Mapping[str, str] = field(default_factory=dict)
    """Digest of the findings per population."""


def read_targets(
    estate: Estate, collectors: Mapping[str, Collector], newest: Mapping[str, Collection]
) -> tuple[ReadTarget, ...]:
    """Every target of the estate with the collection that counts for it; a target never read keeps its promises."""
    found = []
    for name, target in sorted(estate.targets.items()):
        promises = frozenset(target.promises or ())
        if target.promises is None:
            promises = collectors[target.collector].promises(target)
        collection = newest.get(name)
        if collection is None:
            found.append(ReadTarget(name, target.source, target.collector, promises))
            continue
        meta = collection.meta
        found.append(
            ReadTarget(
                target=name,
                source=target.source,
                collector=meta.collector,
                promises=promises,
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


def code_lock() -> str:
    """Version of ztgrade and SHA-256 over the source of everything that judges and grades."""
    digest = hashlib.sha256()
    for package in (scanner, checks):
        (root,) = package.__path__
        for path in sorted(Path(root).rglob("*.py")):
            if NOT_JUDGING & set(path.relative_to(root).parts):
                continue
            digest.update(f"{package.__name__}/{path.relative_to(root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"ztgrade {scanner.__version__} sha256:{digest.hexdigest()}"


def grade(inputs: Inputs, registry: Mapping[str, Check[Any]], facts: Mapping[str, type[Fact]]) -> Graded:
    """Judge every use, tally every scope, grade every system x scene x pillar."""
    return _Grading(inputs, registry, facts).run()


class _Grading:
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
        )
        self.judged: dict[str, Judged] = {}
        self.counts: dict[str, Counts] = {}
        self.reasons: dict[str, set[GapWhy]] = {}
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
        self._gaps(populations)
        grades = [self._grade(scope, pillar) for scope in self.membership.scopes for pillar in Pillar]
        findings = {name: findings_digest(judged) for name, judged in sorted(self.judged.items())}
        return Graded(
            self.inputs,
            self._assessment(grades, populations, findings),
            self.evidence,
            self.judged,
            self.membership,
            self.uses,
            findings,
        )

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

    # requirements, items, grades

    def _requirement(self, requirement: Requirement, scope: Scope) -> RequirementResult:
        if requirement.kind is RequirementKind.ANY_OF:
            branches = [self._requirement(branch, scope) for branch in requirement.branches]
            return RequirementResult(
                id=requirement.slug,
                kind=requirement.kind,
                state=any_of([branch.state for branch in branches]),
                state_with_exceptions=any_of([branch.state_with_exceptions or branch.state for branch in branches]),
                origin=sorted({origin for branch in branches for origin in branch.origin}),
                branches=branches,
                last_proved=self._last_proved(scope, requirement, any_of([branch.state for branch in branches])),
            )
        if requirement.check is not None:
            return self._check(requirement, scope)
        verdict = self.registers.document(requirement.kind, requirement.address, scope.system, scope.scene)
        return RequirementResult(
            id=requirement.slug,
            kind=requirement.kind,
            state=verdict.state,
            state_with_exceptions=verdict.state,
            origin=[Origin.SUPPLIED] if verdict.entry else [],
            why=[verdict.why.value] if verdict.why else [],
            entry=verdict.entry,
            last_proved=self._last_proved(scope, requirement, verdict.state),
        )

    def _check(self, requirement: Requirement, scope: Scope) -> RequirementResult:
        use = self.uses[requirement.address]
        judged = self.judged[use.over]
        tally = self.counts[use.over].of(use, scope)
        state = tally.state(requirement.need)
        taken = 0
        assets = [
            asset
            for entry in self.registers.exceptions(requirement.address, scope.system, scope.scene)
            for asset in entry.assets
        ]
        if assets:
            taken = excepted(judged, self.membership, use, scope, assets)
        lenient = Tally(tally.passed, tally.failed - taken, tally.unknown, tally.closed).state(requirement.need)
        open_whys = {GapWhy.UNSEEN} if not tally.closed else set()
        unsettled = tally.unknown > 0 or not tally.closed or tally.n == 0
        whys = (self.reasons.get(use.id, set()) | open_whys) if unsettled else set()
        if use.id in judged.errors:
            whys = {GapWhy.ERROR}
        return RequirementResult(
            id=requirement.slug,
            kind=requirement.kind,
            state=state,
            state_with_exceptions=lenient,
            origin=self._origins(use),
            population=tally.n,
            assessed=tally.passed + tally.failed,
            passed=tally.passed,
            failed=tally.failed,
            unknown=tally.unknown,
            excepted=taken,
            over=use.over,
            use=use.id,
            closed=tally.closed,
            need=requirement.need,
            why=sorted(why.value for why in whys),
            last_proved=self._last_proved(scope, requirement, state),
        )

    def _origins(self, use: Use) -> list[Origin]:
        built = use.check.build(self.inputs.as_of, use.parameters)
        names = {fact.__name__ for fact, _ in built.touched.fields} | {use.over}
        return sorted(
            {target.origin for target in self.inputs.targets if target.folder is not None and names & target.promises}
        )

    def _last_proved(self, scope: Scope, requirement: Requirement, state: RequirementState) -> str | None:
        if state is not RequirementState.UNDETERMINED:
            return None
        return self.was.proved.get((scope.column, requirement.address))

    def _not_applicable(self, item: Item, scope: Scope) -> str | None:
        if not item.applicable(scope.scene, scope.service_model):
            return f"the cloud matrix does not ask it of {scope.service_model.value}"
        for statement in self.registers.statements(scope.system, scope.scene):
            if statement.item != item.id:
                continue
            judged = self.judged.get(statement.population)
            if judged is None or not judged.population.closed(MEMBERSHIP_MAX_AGE):
                continue
            members, undetermined = self.membership.counts(judged.population)[scope]
            if members == 0 and undetermined == 0:
                return f"signed scope statement {statement.id}; {statement.population} is closed and empty"
        return None

    def _item(self, item: Item, scope: Scope) -> tuple[ItemResult, ItemState]:
        """The item without exceptions, and its state with them."""
        results = [self._requirement(requirement, scope) for requirement in item.requires]
        reason = self._not_applicable(item, scope)
        if reason is not None:
            state = lenient = ItemState.NOT_APPLICABLE
        else:
            state, reason = item_state(results)
            lenient, _ = item_state(
                [msgspec.structs.replace(r, state=r.state_with_exceptions or r.state) for r in results]
            )
        proved = [r.last_proved for r in results if r.last_proved]
        return (
            ItemResult(
                id=item.id,
                level=item.level,
                state=state,
                reason=reason,
                last_proved=min(proved) if proved and state is not ItemState.NOT_APPLICABLE else None,
                requirements=results,
            ),
            lenient,
        )

    def _gates(self, scope: Scope) -> list[GateResult]:
        found = []
        for level, requirements in sorted(self.baseline.gates.items(), key=lambda entry: entry[0].rank):
            results = [self._requirement(requirement, scope) for requirement in requirements]
            found.append(GateResult(level=level, state=gate_state(results), requirements=results))
        return found

    def _grade(self, scope: Scope, pillar: Pillar) -> Grade:
        gates = self._gates(scope)
        strict: dict[Level, list[ItemState]] = {}
        lenient: dict[Level, list[ItemState]] = {}
        items = []
        for item in self.baseline.items.values():
            if item.pillar is not pillar:
                continue
            result, with_exceptions = self._item(item, scope)
            items.append(result)
            strict.setdefault(item.level, []).append(result.state)
            lenient.setdefault(item.level, []).append(with_exceptions)
        gate_states = {gate.level: gate.state for gate in gates}
        found, eased = ladder(strict, gate_states), ladder(lenient, gate_states)
        return Grade(
            system=scope.system,
            scene=scope.scene,
            pillar=pillar,
            floor=found.span.floor,
            ceiling=found.span.ceiling,
            floor_with_exceptions=eased.span.floor,
            ceiling_with_exceptions=eased.span.ceiling,
            target=scope.target,
            passed_over=list(found.passed_over),
            gates=gates,
            blocking=blocking(found.span.floor, items, gates),
            items=items,
        )

    # what could not be seen

    def _gaps(self, populations: Mapping[str, Population]) -> None:
        self.gap_rows += collected_gaps(self.inputs.targets)
        self.gap_rows += listing_gaps(self.evidence, MEMBERSHIP_MAX_AGE)
        told = whys_told(self.inputs.targets)
        collectors = {target.source: target.collector for target in self.inputs.targets}
        for name in populations:
            judged = self.judged[name]
            for lack, users in missing(judged, self.inputs.as_of, self.estate.precedence):
                explained = {
                    why
                    for source in lack.sources
                    if lack.why is GapWhy.UNSEEN
                    for why in told.get((source, lack.fact), ())
                }
                for use in users:
                    self.reasons.setdefault(use, set()).update(explained or {lack.why})
                self.gap_rows.append(
                    GapRow(
                        target=", ".join(lack.sources),
                        collector=", ".join(sorted({collectors.get(source, "") for source in lack.sources})),
                        fact=lack.fact,
                        field=lack.field,
                        asset=lack.example if lack.count == 1 else None,
                        why=lack.why,
                        detail=f"not known for {lack.count} of the assets judged, such as {lack.example}",
                        count=lack.count,
                    )
                )

    # the result

    def _assessment(
        self, grades: Sequence[Grade], populations: Mapping[str, Population], findings: Mapping[str, str]
    ) -> Assessment:
        inputs = self.inputs
        baseline = BaselineRef(id=self.baseline.id, version=self.baseline.version, digest=self.baseline.digest)
        previous = inputs.previous.assessment if inputs.previous is not None else None
        code = code_lock()
        digest = assessment_digest(inputs, code, grades, findings)
        spans = [Span(floor=grade.floor, ceiling=grade.ceiling) for grade in grades]
        eased = [Span(floor=grade.floor_with_exceptions, ceiling=grade.ceiling_with_exceptions) for grade in grades]
        return Assessment(
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
            registers=self._register_rows(),
            regressions=list(regressions(self.was, grades)),
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
        )

    def _register_rows(self) -> list[RegisterRow]:
        return list(self.registers.rows())

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
        "grades": msgspec.to_builtins(list(grades)),
        "findings": dict(findings),
    }
    return sha256_hex(canonical_json(body))


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
