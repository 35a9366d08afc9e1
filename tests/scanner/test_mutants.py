"""Broken kernels, one per way of letting lost evidence help; the law named beside each must catch it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import scanner.grading.grade
import scanner.judging.evidence
import scanner.judging.judge
import scanner.judging.population
import scanner.judging.scope
import scanner.judging.tally
import scanner.judging.world
import tests.scanner.miniature
from scanner.derive.same import Sameness, sameness
from scanner.grading.grade import Ladder, Tally
from scanner.judging.evidence import Evidence
from scanner.judging.world import with_quantified as truly_quantified
from scanner.model import ItemState, Level, RequirementState
from scanner.result.grade import Span
from tests.scanner import laws
from tests.scanner.laws import Law

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def unknown_passes(patch: Patch) -> None:
    patch.setattr(scanner.judging.judge, "OUTCOME_SQL", scanner.judging.judge.OUTCOME_SQL.replace("ELSE 2", "ELSE 0"))


def unknown_applies_is_na(patch: Patch) -> None:
    broken = scanner.judging.judge.OUTCOME_SQL.replace("WHEN NOT {applies}", "WHEN NOT coalesce({applies}, false)")
    patch.setattr(scanner.judging.judge, "OUTCOME_SQL", broken)


def unknown_holds_fails(patch: Patch) -> None:
    broken = scanner.judging.judge.OUTCOME_SQL.replace("AND NOT {holds}", "AND NOT coalesce({holds}, false)")
    patch.setattr(scanner.judging.judge, "OUTCOME_SQL", broken)


def unknown_membership_is_none(patch: Patch) -> None:
    real = scanner.judging.tally.count

    def count(judged: Any, membership: Any) -> Any:
        connection = judged.population.evidence.connection
        table = membership.placed(judged.population)
        for scope in membership.distinct:
            connection.execute(f'UPDATE {table} SET "{scope.column}" = coalesce("{scope.column}", 0)')
        return real(judged, membership)

    patch.setattr(tests.scanner.miniature, "count", count)


def stale_or_unread_placement_is_no_member(patch: Patch) -> None:
    real = scanner.judging.scope._told
    patch.setattr(scanner.judging.scope, "_told", lambda voice, criterion: f"coalesce({real(voice, criterion)}, false)")


def listed_keys_are_forgotten(patch: Patch) -> None:
    patch.setattr(tests.scanner.miniature, "listed_keys", lambda *_: frozenset())


def every_listing_is_closed(patch: Patch) -> None:
    patch.setattr(Evidence, "target_closed", lambda *_: True)


def a_census_need_not_match(patch: Patch) -> None:
    real = Evidence.keys_digest

    def keys_digest(self: Evidence, target: Any, fact: str) -> tuple[int, str]:
        stated = [(census.n, census.digest) for census in target.censuses if census.fact == fact]
        return stated[0] if stated else real(self, target, fact)

    patch.setattr(Evidence, "keys_digest", keys_digest)


def a_census_never_ages(patch: Patch) -> None:
    real = Evidence.target_closed

    def target_closed(self: Evidence, target: Any, fact: str, max_age: Any) -> bool:
        return real(self, target, fact, max_age * 1000)

    patch.setattr(Evidence, "target_closed", target_closed)


def one_defining_source_suffices(patch: Patch) -> None:
    def closed(self: Any, max_age: Any) -> bool:
        return any(self.evidence.closed(source, self.name, max_age) for source in self.defined_by)

    patch.setattr(scanner.judging.population.Population, "closed", closed)


def silence_is_absence(patch: Patch) -> None:
    patch.setattr(Evidence, "excludes", lambda *_: True)


def conflicts_are_settled_by_the_first(patch: Patch) -> None:
    patch.setattr(scanner.judging.world, "conflict_sql", lambda *_: "")


def whatever_a_source_says_counts(patch: Patch) -> None:
    patch.setattr(Evidence, "fields", lambda *_: None)


def no_source_has_to_speak_of_every_field(patch: Patch) -> None:
    real = scanner.judging.world.agreed

    def agreed(voices: Any, info: Any) -> str:
        name = scanner.judging.evidence.identifier(info.name)
        values = [f"CASE WHEN {voice.fresh} THEN {voice.alias}.{name} END" for voice in voices if voice.join]
        return f"coalesce({', '.join(values)})" if len(values) > 1 else real(voices, info)

    patch.setattr(scanner.judging.world, "agreed", agreed)


def doubled_rows_take_any(patch: Patch) -> None:
    real = Evidence._build_rows

    def build_rows(self: Evidence, source: str, fact: str) -> str | None:
        query = real(self, source, fact)
        return None if query is None else query.replace("count(DISTINCT", "1 + 0 * count(DISTINCT")

    patch.setattr(Evidence, "_build_rows", build_rows)


def precedence_falls_through(patch: Patch) -> None:
    patch.setattr(scanner.judging.world, "decided", lambda voices, info: _first_that_spoke(voices, info))


def _first_that_spoke(voices: Any, info: Any) -> str:
    values = [f"CASE WHEN {voice.fresh} THEN {voice.alias}.{info.name} END" for voice in voices if voice.join]
    return f"coalesce({', '.join(values)})"


def sameness_is_taken_for_granted(patch: Patch) -> None:
    patch.setattr(Evidence, "identity_known", lambda *_: True)


def doubled_keys_are_merged(patch: Patch) -> None:
    real = sameness

    def merged(pairs: Any) -> Sameness:
        listed = list(pairs)
        found = real(listed)
        return Sameness({**{alias: key for alias, key in listed if key}, **found.canonical}, frozenset())

    patch.setattr(scanner.judging.evidence, "sameness", merged)


def evidence_never_ages(patch: Patch) -> None:
    patch.setattr(Evidence, "cutoff", lambda *_: "TIMESTAMP '1970-01-01'")


def the_future_counts(patch: Patch) -> None:
    patch.setattr(Evidence, "horizon", lambda *_: "TIMESTAMP '2999-01-01'")


def vacuity_proves(patch: Patch) -> None:
    real = truly_quantified

    def with_quantified(connection: Any, world: str, statements: Any) -> str:
        return real(connection, world, statements).replace("CAST(NULL AS BOOLEAN)", "CAST(true AS BOOLEAN)")

    patch.setattr(scanner.judging.judge, "with_quantified", with_quantified)


def an_unread_element_is_skipped(patch: Patch) -> None:
    real = scanner.judging.world._fold

    def fold(statement: Any) -> str:
        return real(statement).replace(f'bool_or("{statement.name}" IS NULL)', "false")

    patch.setattr(scanner.judging.world, "_fold", fold)


def an_open_population_counts_as_closed(patch: Patch) -> None:
    real = Tally.state
    patch.setattr(Tally, "state", lambda self, need: real(Tally(self.passed, self.failed, self.unknown, True), need))


def a_failure_in_an_open_population_is_forgotten(patch: Patch) -> None:
    real = Tally.state

    def state(self: Tally, need: float) -> RequirementState:
        return real(self, need) if self.closed else RequirementState.UNDETERMINED

    patch.setattr(Tally, "state", state)


def empty_is_met(patch: Patch) -> None:
    real = Tally.state
    patch.setattr(Tally, "state", lambda self, need: real(self, need) if self.n else RequirementState.MET)


def unknown_is_left_out_of_n(patch: Patch) -> None:
    real = Tally.state
    patch.setattr(Tally, "state", lambda self, need: real(Tally(self.passed, self.failed, 0, self.closed), need))


def unknown_counts_as_failed(patch: Patch) -> None:
    real = Tally.state

    def state(self: Tally, need: float) -> RequirementState:
        return real(Tally(self.passed, self.failed + self.unknown, 0, self.closed), need)

    patch.setattr(Tally, "state", state)


def a_crash_passes(patch: Patch) -> None:
    real = scanner.judging.judge.judge

    def judge(population: Any, uses: Any, as_of: datetime, precedence: Any) -> Any:
        judged = real(population, uses, as_of, precedence)
        for use in judged.errors:
            population.evidence.connection.execute(f'UPDATE {judged.table} SET "{use}" = 0')
        return judged

    patch.setattr(tests.scanner.miniature, "judge", judge)


def any_requirement_met_meets_the_item(patch: Patch) -> None:
    real = scanner.grading.grade.item_state

    def item_state(requirements: Any) -> tuple[ItemState, str]:
        if any(r.state is RequirementState.MET for r in requirements):
            return ItemState.MET, ""
        return real(requirements)

    patch.setattr(scanner.grading.grade, "item_state", item_state)


def missing_documents_are_forgiven(patch: Patch) -> None:
    real = scanner.grading.grade.item_state

    def item_state(requirements: Any) -> tuple[ItemState, str]:
        state, why = real(requirements)
        return (ItemState.MET if state is ItemState.NEEDS_ATTESTATION else state), why

    patch.setattr(scanner.grading.grade, "item_state", item_state)


def one_refuted_branch_disproves_a_choice(patch: Patch) -> None:
    def any_of(states: Any) -> RequirementState:
        return RequirementState.NOT_MET if RequirementState.NOT_MET in states else RequirementState.MET

    patch.setattr(scanner.grading.grade, "any_of", any_of)


def levels_can_be_skipped(patch: Patch) -> None:
    def ladder(states: Any, gates: Any) -> Ladder:
        held = [level for level in states if all(state is ItemState.MET for state in states[level])]
        top = max(held, key=lambda level: level.rank, default=Level.NONE)
        return Ladder(Span(floor=top, ceiling=top))

    patch.setattr(scanner.grading.grade, "ladder", ladder)


def gates_are_ignored(patch: Patch) -> None:
    real = scanner.grading.grade.ladder
    patch.setattr(scanner.grading.grade, "ladder", lambda states, gates: real(states, {}))


MUTANTS: tuple[tuple[Mutant, Law], ...] = (
    (unknown_passes, laws.true_passes_false_fails_null_is_unknown),
    (unknown_applies_is_na, laws.true_passes_false_fails_null_is_unknown),
    (unknown_holds_fails, laws.a_missing_fact_is_unknown),
    (unknown_membership_is_none, laws.unknown_membership_makes_the_outcome_unknown),
    (stale_or_unread_placement_is_no_member, laws.read_but_empty_is_no_member),
    (listed_keys_are_forgotten, laws.a_listed_key_never_seen_is_a_member_with_nothing_known),
    (every_listing_is_closed, laws.an_open_population_is_never_met),
    (a_census_need_not_match, laws.a_census_that_does_not_match_opens_the_population),
    (a_census_never_ages, laws.an_incomplete_or_stale_census_closes_nothing),
    (one_defining_source_suffices, laws.every_defining_source_must_close_the_population),
    (silence_is_absence, laws.a_silent_source_is_not_an_absent_one),
    (conflicts_are_settled_by_the_first, laws.sources_that_differ_leave_the_field_unknown),
    (whatever_a_source_says_counts, laws.a_source_has_a_say_in_the_fields_it_promises),
    (no_source_has_to_speak_of_every_field, laws.a_source_has_a_say_in_the_fields_it_promises),
    (doubled_rows_take_any, laws.a_source_that_repeats_itself_differently_is_in_conflict),
    (precedence_falls_through, laws.the_first_source_of_a_precedence_list_decides_without_falling_through),
    (sameness_is_taken_for_granted, laws.sameness_needs_an_exact_and_unique_key),
    (doubled_keys_are_merged, laws.sameness_needs_an_exact_and_unique_key),
    (evidence_never_ages, laws.staleness_masks_rows_not_outcomes),
    (the_future_counts, laws.staleness_masks_rows_not_outcomes),
    (vacuity_proves, laws.all_over_an_empty_list_is_unknown_unless_the_check_says),
    (an_unread_element_is_skipped, laws.all_over_an_empty_list_is_unknown_unless_the_check_says),
    (an_open_population_counts_as_closed, laws.an_open_population_is_never_met),
    (
        a_failure_in_an_open_population_is_forgotten,
        laws.one_failure_disproves_a_need_of_all_even_in_an_open_population,
    ),
    (empty_is_met, laws.an_empty_population_is_never_met),
    (unknown_is_left_out_of_n, laws.unknown_widens_and_never_helps),
    (unknown_counts_as_failed, laws.unknown_widens_and_never_helps),
    (a_crash_passes, laws.a_crashed_use_is_unknown_for_itself_alone),
    (any_requirement_met_meets_the_item, laws.items_follow_from_their_requirements),
    (missing_documents_are_forgiven, laws.items_follow_from_their_requirements),
    (one_refuted_branch_disproves_a_choice, laws.a_choice_is_met_by_one_branch_and_disproved_by_all),
    (levels_can_be_skipped, laws.levels_are_climbed_one_by_one),
    (gates_are_ignored, laws.levels_are_climbed_one_by_one),
)


@pytest.mark.parametrize(("mutant", "law"), MUTANTS, ids=lambda item: item.__name__)
def test_law_catches_mutant(mutant: Mutant, law: Law, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        law(tmp_path)
