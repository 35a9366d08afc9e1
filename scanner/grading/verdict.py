"""From tallies and registers to requirements, items and grades, scope by scope; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from scanner.grading.grade import Tally, any_of, blocking, gate_state, item_state, ladder
from scanner.grading.history import History
from scanner.grading.occurrence import document_verdict
from scanner.guideline.nouns import Baseline, Item, Requirement
from scanner.institution.register_entry import Entry
from scanner.institution.registers import JudgedRegisters
from scanner.judging.judge import Use
from scanner.judging.scope import Scope
from scanner.judging.tally import Counts
from scanner.model import GapWhy, ItemState, Level, Origin, Pillar, RequirementKind, RequirementState
from scanner.result.grade import GateResult, Grade, ItemResult, RequirementResult


@dataclass(frozen=True)
class Verdicts:
    """All that grades follow from, once outcomes are counted."""

    baseline: Baseline
    uses: Mapping[str, Use]
    """Use by requirement address."""
    counts: Mapping[str, Counts]
    """Tallies by population."""
    registers: JudgedRegisters
    history: History
    reasons: Mapping[str, AbstractSet[GapWhy]]
    """Why outcomes of a use stayed unknown, by use id."""
    opened: Mapping[str, AbstractSet[GapWhy]]
    """Why the listing of a population is open, as far as collecting said, by population."""
    crashed: AbstractSet[str]
    """Ids of uses that crashed."""
    origins: Mapping[str, Sequence[Origin]]
    """Where the evidence of a use came from, by use id."""
    excepted: Callable[[Use, Scope, Sequence[str]], int]
    """How many of the assets an exception names are members that fail the use."""
    empty: Callable[[str, Scope], bool]
    """Whether a population is closed and empty in a scope."""
    as_of: datetime
    _told: dict[object, Any] = field(default_factory=dict, repr=False, compare=False)
    """What was found once: most scopes are alike, and what is equal in them is held once."""

    @cached_property
    def _entries(self) -> Mapping[str, Entry]:
        return {each.entry.id: each.entry for each in self.registers.standings}

    def compensated(self, entry: Entry, scope: Scope) -> bool:
        """Whether an exception has nothing to compensate it, or the check that is to do so is met now in the scope."""
        address = entry.acceptance.compensated_by if entry.acceptance else ""
        if not address:
            return True
        requirement = self.baseline.requirement(address)
        if requirement.check is None:
            return False
        use = self.uses[address]
        return self.counts[use.over].of(use, scope).state(requirement.need) is RequirementState.MET

    def _requirement(self, requirement: Requirement, scope: Scope) -> RequirementResult:
        if requirement.kind is RequirementKind.ANY_OF:
            return self._choice(requirement, scope)
        if requirement.check is not None:
            return self._check(requirement, scope)
        verdict, reviewed = document_verdict(self.registers, requirement, scope.system, scope.scene, self.as_of)
        last_proved = self._last_proved(scope, requirement, verdict.state)
        key = (requirement.address, verdict.state, verdict.why, verdict.entry, reviewed, last_proved)
        if key not in self._told:
            self._told[key] = RequirementResult(
                id=requirement.slug,
                kind=requirement.kind,
                state=verdict.state,
                state_with_exceptions=verdict.state,
                origin=[Origin.SUPPLIED] if verdict.entry else [],
                why=[verdict.why.value] if verdict.why else [],
                entry=verdict.entry,
                reviewed=reviewed,
                last_proved=last_proved,
            )
        return self._result(key)

    def _result(self, key: object) -> RequirementResult:
        found: RequirementResult = self._told[key]
        return found

    def _choice(self, requirement: Requirement, scope: Scope) -> RequirementResult:
        branches = [self._requirement(branch, scope) for branch in requirement.branches]
        state = any_of([branch.state for branch in branches])
        last_proved = self._last_proved(scope, requirement, state)
        key = (requirement.address, tuple(map(id, branches)), last_proved)
        if key not in self._told:
            self._told[key] = RequirementResult(
                id=requirement.slug,
                kind=requirement.kind,
                state=state,
                state_with_exceptions=any_of([branch.state_with_exceptions or branch.state for branch in branches]),
                origin=sorted({origin for branch in branches for origin in branch.origin}),
                branches=branches,
                last_proved=last_proved,
            )
        return self._result(key)

    def _check(self, requirement: Requirement, scope: Scope) -> RequirementResult:
        use = self.uses[requirement.address]
        tally = self.counts[use.over].of(use, scope)
        assets = [
            asset
            for entry in self.registers.exceptions(requirement.address, scope.system, scope.scene)
            if entry.id not in self._entries or self.compensated(self._entries[entry.id], scope)
            for asset in entry.assets
        ]
        taken = self.excepted(use, scope, assets) if assets else 0
        last_proved = self._last_proved(scope, requirement, tally.state(requirement.need))
        key = (requirement.address, tally, taken, last_proved)
        if key not in self._told:
            self._told[key] = self._counted(requirement, use, tally, taken, last_proved)
        return self._result(key)

    def _counted(
        self, requirement: Requirement, use: Use, tally: Tally, taken: int, last_proved: str | None
    ) -> RequirementResult:
        state = tally.state(requirement.need)
        lenient = Tally(tally.passed, tally.failed - taken, tally.unknown, tally.closed).state(requirement.need)
        open_whys = set() if tally.closed else set(self.opened.get(use.over) or {GapWhy.UNSEEN})
        unsettled = tally.unknown > 0 or not tally.closed or tally.n == 0
        whys = (self.reasons.get(use.id, set()) | open_whys) if unsettled else set()
        if use.id in self.crashed:
            whys = {GapWhy.ERROR}
        return RequirementResult(
            id=requirement.slug,
            kind=requirement.kind,
            state=state,
            state_with_exceptions=lenient,
            origin=list(self.origins.get(use.id, ())),
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
            last_proved=last_proved,
        )

    def _last_proved(self, scope: Scope, requirement: Requirement, state: RequirementState) -> str | None:
        if state is not RequirementState.UNDETERMINED:
            return None
        return self.history.proved.get((scope.column, requirement.address))

    def _not_applicable(self, item: Item, scope: Scope) -> str | None:
        if not item.applicable(scope.scene, scope.service_model):
            return f"the cloud matrix does not ask it of {scope.service_model.value}"
        for statement in self.registers.statements(scope.system, scope.scene):
            if statement.item == item.id and self.empty(statement.population, scope):
                return f"signed scope statement {statement.id}; {statement.population} is closed and empty"
        return None

    def _item(self, item: Item, scope: Scope) -> tuple[ItemResult, ItemState]:
        """The item without exceptions, and its state with them."""
        results = [self._requirement(requirement, scope) for requirement in item.requires]
        reason = self._not_applicable(item, scope)
        key = (item.id, tuple(map(id, results)), reason)
        if key not in self._told:
            self._told[key] = self._settled(item, results, reason)
        found: tuple[ItemResult, ItemState] = self._told[key]
        return found

    def _settled(
        self, item: Item, results: list[RequirementResult], reason: str | None
    ) -> tuple[ItemResult, ItemState]:
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
            key = (level, tuple(map(id, results)))
            if key not in self._told:
                self._told[key] = GateResult(level=level, state=gate_state(results), requirements=results)
            found.append(self._told[key])
        return found

    def grades(self, scope: Scope) -> list[Grade]:
        """One cell for each pillar: system x scene x pillar."""
        gates = self._gates(scope)
        return [self._grade(scope, pillar, gates) for pillar in Pillar]

    def grade(self, scope: Scope, pillar: Pillar) -> Grade:
        """One cell: system x scene x pillar."""
        return self._grade(scope, pillar, self._gates(scope))

    def _grade(self, scope: Scope, pillar: Pillar, gates: list[GateResult]) -> Grade:
        held = [self._item(item, scope) for item in self.baseline.items.values() if item.pillar is pillar]
        key = (pillar, tuple(id(result) for result, _ in held), tuple(map(id, gates)))
        if key not in self._told:
            self._told[key] = self._climbed(scope, pillar, gates, held)
        alike: Grade = self._told[key]
        return msgspec.structs.replace(alike, system=scope.system, scene=scope.scene, target=scope.target)

    @staticmethod
    def _climbed(
        scope: Scope, pillar: Pillar, gates: list[GateResult], held: Sequence[tuple[ItemResult, ItemState]]
    ) -> Grade:
        strict: dict[Level, list[ItemState]] = {}
        lenient: dict[Level, list[ItemState]] = {}
        items = []
        for result, with_exceptions in held:
            items.append(result)
            strict.setdefault(result.level, []).append(result.state)
            lenient.setdefault(result.level, []).append(with_exceptions)
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
