"""The laws of judging and grading, each as a function that raises AssertionError where it is broken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import scanner.grading.grade as grading
from scanner.column import Claim, Subject, check
from scanner.facts import Authenticators, Placement, Same, SignIn, User
from scanner.facts.identity import Authenticator
from scanner.institution.nouns import Selector
from scanner.model import ItemState, Level, RequirementKind, RequirementState
from scanner.result.grade import RequirementResult
from tests.scanner.miniature import (
    AS_OF,
    FRESH,
    STALE,
    Said,
    any_strong,
    census,
    estate,
    sign_in,
    strong,
    strong_or_none,
    user,
    verdict,
    without,
)

Law = Callable[[Path], object]
MET, NOT_MET, UNDETERMINED = RequirementState.MET, RequirementState.NOT_MET, RequirementState.UNDETERMINED


def true_passes_false_fails_null_is_unknown(folder: Path) -> None:
    """Law 2: outcomes follow Kleene logic."""
    facts = [
        *(user(key) for key in "abc"),
        user("d", enabled=False),
        user("e", enabled=None),
        user("f", enabled=None),
        user("g"),
        sign_in("a"),
        sign_in("b", mfa="report_only"),
        sign_in("c", mfa=None),
        sign_in("d", mfa="report_only"),
        sign_in("e"),
        sign_in("f", mfa="report_only"),
        sign_in("g", mfa=None, excluded=True),
    ]
    assert verdict(folder, {"ad": Said(facts)}).outcomes == {
        "a": "pass",
        "b": "fail",
        "c": "unknown",
        "d": "na",
        "e": "unknown",
        "f": "unknown",
        "g": "fail",
    }


def a_missing_fact_is_unknown(folder: Path) -> None:
    """Law 2: no row is no pass."""
    found = verdict(folder, {"ad": Said([user("a"), user("b"), sign_in("a")])})
    assert found.outcomes == {"a": "pass", "b": "unknown"}


def unknown_membership_makes_the_outcome_unknown(folder: Path) -> None:
    """Law 3: an asset that may belong to the scope counts as unknown, unless the check does not apply."""

    def placed(key: str, groups: list[str] | None) -> Placement:
        return Placement(asset=f"user:ad:{key}", observed_at=FRESH, groups=groups)

    facts = [
        user("in"), sign_in("in"), placed("in", ["staff"]),
        user("out"), sign_in("out", mfa="report_only"), placed("out", []),
        user("maybe"), sign_in("maybe"), placed("maybe", None),
        user("idle", enabled=False), sign_in("idle"), placed("idle", None),
    ]  # fmt: skip
    held = estate({"core": {"User": [Selector(groups=("staff",))]}})
    tally = verdict(folder, {"ad": Said(facts)}, held=held).tally
    assert (tally.passed, tally.failed, tally.unknown) == (1, 0, 1)


def no_selector_leaves_membership_undetermined(folder: Path) -> None:
    """Scopes: a system without a selector for a population says nothing about it."""
    found = verdict(folder, {"ad": Said([user("a"), sign_in("a")])}, held=estate({"core": {}}))
    assert (found.tally.passed, found.tally.unknown) == (0, 1)


def a_listed_key_never_seen_is_a_member_with_nothing_known(folder: Path) -> None:
    """Scopes: the estate names it, no source knows it: unknown, not absent."""
    held = estate({"core": {"User": [Selector(listed=("user:ad:a", "user:ad:ghost"))]}})
    found = verdict(folder, {"ad": Said([user("a"), sign_in("a")])}, held=held)
    assert found.outcomes == {"a": "pass", "ghost": "unknown"}
    assert found.tally.unknown == 1


def read_but_empty_is_no_member(folder: Path) -> None:
    """Scopes: a source that lists no Placement for an asset, in a closed listing, says that it is no member."""
    facts = [user("a"), sign_in("a"), Placement(asset="user:ad:a", observed_at=FRESH, groups=["staff"]), user("b")]
    held = estate({"core": {"User": [Selector(groups=("staff",))]}})
    assert verdict(folder / "closed", {"ad": Said(facts)}, held=held).tally.n == 1
    opened = Said(facts, open=frozenset({"Placement"}))
    assert verdict(folder / "open", {"ad": opened}, held=held).tally.n == 2


def an_open_population_is_never_met(folder: Path) -> None:
    """Law 4: without a closed census nobody knows who is missing."""
    said = {"ad": Said([user("a"), sign_in("a")], open=frozenset({"User"}))}
    tally = verdict(folder, said).tally
    assert not tally.closed
    assert tally.state(1.0) is UNDETERMINED
    assert tally.state(0.5) is UNDETERMINED


def one_failure_disproves_a_need_of_all_even_in_an_open_population(folder: Path) -> None:
    """Law 4: need = 1 with one failure is not met; a smaller need stays undetermined."""
    said = {"ad": Said([user("a"), sign_in("a", mfa="report_only")], open=frozenset({"User"}))}
    tally = verdict(folder, said).tally
    assert tally.state(1.0) is NOT_MET
    assert tally.state(0.5) is UNDETERMINED


def a_census_that_does_not_match_opens_the_population(folder: Path) -> None:
    """Law 4: more, fewer or other keys than the rows seen; the missing ones are unseen members."""
    facts = [user("a"), sign_in("a")]
    more = verdict(folder / "more", {"ad": Said(facts, listed={"User": ["user:ad:a", "user:ad:b"]})})
    assert not more.tally.closed
    assert more.outcomes == {"a": "pass", "b": "unknown"}
    other = verdict(folder / "other", {"ad": Said(facts, listed={"User": ["user:ad:z"]})})
    assert not other.tally.closed


def an_incomplete_or_stale_census_closes_nothing(folder: Path) -> None:
    """Law 4: paging that did not finish, or a listing older than max_age; nor a collection that was cut short."""
    facts = [user("a"), sign_in("a")]
    rest = census("SignIn", ["user:ad:a"])
    cut = Said(facts, censuses=[census("User", ["user:ad:a"], complete=False), rest])
    assert not verdict(folder / "cut", {"ad": cut}).tally.closed
    old = Said(facts, censuses=[census("User", ["user:ad:a"], as_of=STALE), rest])
    assert not verdict(folder / "old", {"ad": old}).tally.closed
    ahead = Said(facts, censuses=[census("User", ["user:ad:a"], as_of=AS_OF + timedelta(days=1)), rest])
    assert not verdict(folder / "ahead", {"ad": ahead}).tally.closed
    assert not verdict(folder / "stopped", {"ad": Said(facts, complete=False)}).tally.closed


def every_defining_source_must_close_the_population(folder: Path) -> None:
    """Law 4: the estate says which sources define a population."""
    said = {
        "ad": Said([user("a"), sign_in("a")]),
        "idp": Said([User(asset="user:idp:x", observed_at=FRESH, enabled=False)], open=frozenset({"User"})),
    }
    assert not verdict(folder / "both", said).tally.closed
    assert verdict(folder / "one", said, defined_by=("ad",)).tally.closed


def a_silent_source_is_not_an_absent_one(folder: Path) -> None:
    """Law 5: a source that promises the fact must speak for the asset, or exclude it by a closed listing."""
    ad = Said([user("a"), sign_in("a")])
    silent = Said([], promises=["SignIn"], open=frozenset({"SignIn"}))
    assert verdict(folder / "silent", {"ad": ad, "idp": silent}).outcomes == {"a": "unknown"}
    excluding = Said([], promises=["SignIn"])
    assert verdict(folder / "excluding", {"ad": ad, "idp": excluding}).outcomes == {"a": "pass"}


def sources_that_differ_leave_the_field_unknown(folder: Path) -> None:
    """Law 5: a conflict is unknown, also where one source says nothing of the field."""
    ad = Said([user("a"), sign_in("a"), user("b"), sign_in("b")])
    idp = Said([sign_in("a", mfa="report_only"), sign_in("b", mfa=None)])
    assert verdict(folder, {"ad": ad, "idp": idp}).outcomes == {"a": "unknown", "b": "unknown"}


def a_source_has_a_say_in_the_fields_it_promises(folder: Path) -> None:
    """Law 5: a field that a source promises and leaves out is unknown; one that it never promised is for the others."""
    half = SignIn(asset="user:ad:a", observed_at=FRESH, mfa="enforced")
    rest = SignIn(asset="user:ad:a", observed_at=FRESH, excluded=False, mfa="report_only")
    said = {
        "ad": Said([user("a")]),
        "idp": Said([half], promises=["SignIn.mfa"]),
        "policies": Said([rest], promises=["SignIn.excluded"]),
    }
    assert verdict(folder / "1", said).outcomes == {"a": "pass"}
    assert verdict(folder / "2", without(said, "policies", facts=[])).outcomes == {"a": "unknown"}
    assert verdict(folder / "3", without(said, "idp", promises=["SignIn"])).outcomes == {"a": "unknown"}
    mute = without(said, "policies", facts=[SignIn(asset="user:ad:a", observed_at=FRESH)])
    assert verdict(folder / "4", mute).outcomes == {"a": "unknown"}


def a_source_that_repeats_itself_differently_is_in_conflict(folder: Path) -> None:
    """Law 5: two rows of one source for one asset count as one only where they agree."""
    said = Said([user("a"), sign_in("a"), sign_in("a", mfa="report_only"), user("b"), sign_in("b"), sign_in("b")])
    assert verdict(folder, {"ad": said}).outcomes == {"a": "unknown", "b": "pass"}


def the_first_source_of_a_precedence_list_decides_without_falling_through(folder: Path) -> None:
    """Law 5: the second is asked only where the first excludes the asset, and each needs a closed listing."""
    held = estate(precedence={"SignIn": ("idp", "ad")})
    users = [user("a"), user("b")]
    ad = Said([*users, sign_in("a"), sign_in("b")])
    idp = Said([sign_in("a", mfa="report_only")])
    assert verdict(folder / "1", {"ad": ad, "idp": idp}, held=held).outcomes == {"a": "fail", "b": "pass"}
    opened = without({"ad": ad, "idp": idp}, "idp", open=frozenset({"SignIn"}))
    assert verdict(folder / "2", opened, held=held).outcomes == {"a": "unknown", "b": "unknown"}
    stale = Said([sign_in("a", mfa="enforced", observed_at=STALE)])
    assert verdict(folder / "3", {"ad": ad, "idp": stale}, held=held).outcomes["a"] == "unknown"


def sameness_needs_an_exact_and_unique_key(folder: Path) -> None:
    """Law 5: facts of two sources meet by Same; a lost or doubled key opens the population and excludes nothing."""
    alias = "user:idp:1"
    ad = Said([user("a")])
    same = Same(asset=alias, observed_at=FRESH, same_as="user:ad:a", by="sid")
    signed = sign_in("a")
    told = type(signed)(asset=alias, observed_at=FRESH, mfa="enforced", excluded=False)
    idp = Said([told, same])
    both = {"ad": ad, "idp": idp}
    found = verdict(folder / "1", both, defined_by=("ad",))
    assert found.outcomes == {"a": "pass"}
    assert found.tally.closed
    lost = Said([told], promises=["SignIn", "Same"], listed={"Same": [alias]})
    found = verdict(folder / "2", {"ad": ad, "idp": lost}, defined_by=("ad",))
    assert found.outcomes == {"a": "unknown"}
    assert not found.tally.closed
    twice = Same(asset="user:idp:2", observed_at=FRESH, same_as="user:ad:a", by="sid")
    found = verdict(folder / "3", {"ad": ad, "idp": Said([told, same, twice])}, defined_by=("ad",))
    assert found.outcomes == {"a": "unknown"}
    assert not found.tally.closed


def losing_sameness_excludes_nobody(folder: Path) -> None:
    """Law 5 and 12: a second source's silence counts as absence only while it is settled who is who."""
    ad = Said([user("a"), sign_in("a")])
    alias = "user:idp:1"
    told = type(sign_in("a"))(asset=alias, observed_at=FRESH, mfa="report_only", excluded=False)
    same = Same(asset=alias, observed_at=FRESH, same_as="user:ad:a", by="sid")
    joined = verdict(folder / "1", {"ad": ad, "idp": Said([told, same])}, defined_by=("ad",))
    assert joined.outcomes == {"a": "unknown"}
    lost = Said([told], promises=["SignIn", "Same"], listed={"Same": [alias]})
    assert verdict(folder / "2", {"ad": ad, "idp": lost}, defined_by=("ad",)).outcomes == {"a": "unknown"}


def staleness_masks_rows_not_outcomes(folder: Path) -> None:
    """Law 6: an old row is not seen; a fresh "not applicable" stays, a fresh failure stays."""
    facts = [
        user("old"), sign_in("old", observed_at=STALE),
        user("fails"), sign_in("fails", mfa="report_only"),
        user("off", enabled=False), sign_in("off", observed_at=STALE),
        user("ahead"), sign_in("ahead", observed_at=AS_OF + timedelta(days=1)),
    ]  # fmt: skip
    assert verdict(folder, {"ad": Said(facts)}).outcomes == {
        "old": "unknown",
        "fails": "fail",
        "off": "na",
        "ahead": "unknown",
    }


def a_stale_row_of_one_source_is_its_silence(folder: Path) -> None:
    """Law 6: masking comes before merging, so a fresh second source does not cover for a stale first one."""
    ad = Said([user("a"), sign_in("a", observed_at=STALE, mfa="report_only")])
    idp = Said([sign_in("a")])
    assert verdict(folder, {"ad": ad, "idp": idp}).outcomes == {"a": "unknown"}


def all_over_an_empty_list_is_unknown_unless_the_check_says(folder: Path) -> None:
    """Law 5: statements over lists follow Kleene logic, and vacuity proves nothing."""

    def methods(key: str, *found: Authenticator) -> Authenticators:
        return Authenticators(asset=f"user:ad:{key}", observed_at=FRESH, methods=list(found))

    good, bad = Authenticator(method="fido2_bound", usable=True), Authenticator(method="sms", usable=True)
    unread, unusable = Authenticator(usable=True), Authenticator(method="sms", usable=False)
    facts = [
        *(user(key) for key in ("none", "good", "bad", "unread", "mixed", "unusable", "dark")),
        methods("none"),
        methods("good", good),
        methods("bad", good, bad),
        methods("unread", good, unread),
        methods("mixed", bad, unread),
        methods("unusable", unusable),
        Authenticators(asset="user:ad:dark", observed_at=FRESH),
    ]
    said = {"ad": Said(facts)}
    shared = {
        "good": "pass",
        "bad": "fail",
        "unread": "unknown",
        "mixed": "fail",
        "unusable": "pass",
        "dark": "unknown",
    }
    assert verdict(folder / "1", said, strong).outcomes == {**shared, "none": "unknown"}
    assert verdict(folder / "2", said, strong_or_none).outcomes == {**shared, "none": "pass"}
    assert verdict(folder / "3", said, any_strong).outcomes == {
        "none": "fail", "good": "pass", "bad": "pass", "unread": "pass", "mixed": "unknown", "unusable": "fail",
        "dark": "unknown",
    }  # fmt: skip


def an_empty_population_is_never_met(folder: Path) -> None:
    """Law 7: n = 0, although closed, proves nothing."""
    tally = verdict(folder, {"ad": Said([user("a", enabled=False), sign_in("a")])}).tally
    assert tally.closed
    assert tally.n == 0
    assert tally.state(1.0) is UNDETERMINED


def unknown_widens_and_never_helps(folder: Path) -> None:
    """Law 7: met only by what passed, disproved only by what failed."""
    assert grading.Tally(9, 0, 1, True).state(0.9) is MET
    assert grading.Tally(9, 0, 1, True).state(0.95) is UNDETERMINED
    assert grading.Tally(8, 2, 0, True).state(0.9) is NOT_MET
    assert grading.Tally(8, 1, 1, True).state(0.9) is UNDETERMINED
    assert grading.Tally(0, 0, 3, True).state(1.0) is UNDETERMINED
    assert folder is not None


def a_crashed_use_is_unknown_for_itself_alone(folder: Path) -> None:
    """Law 7: whatever a check raises, others are judged and the crash is told."""

    @check(over=User, id="miniature.broken")
    def broken(user: Subject) -> Claim:
        """Never."""
        raise RuntimeError("boom")

    found = verdict(folder, {"ad": Said([user("a"), sign_in("a")])}, broken)
    assert found.outcomes == {"a": "unknown"}
    assert "boom" in " ".join(found.judged.errors.values())


def result(state: RequirementState, kind: RequirementKind = RequirementKind.CHECK, seen: int = 1) -> RequirementResult:
    """A requirement in some state."""
    return RequirementResult(id=f"{kind}-{state}", kind=kind, state=state, assessed=seen)


def items_follow_from_their_requirements(folder: Path) -> None:
    """Law 9: states of applicable items."""
    paper = RequirementKind.ATTESTATION
    table = [
        ([result(MET), result(MET)], ItemState.MET),
        ([result(MET), result(NOT_MET)], ItemState.PARTIAL),
        ([result(UNDETERMINED), result(NOT_MET)], ItemState.NOT_MET),
        ([result(NOT_MET)], ItemState.NOT_MET),
        ([result(MET), result(UNDETERMINED, paper, 0)], ItemState.NEEDS_ATTESTATION),
        ([result(UNDETERMINED, paper, 0)], ItemState.NEEDS_ATTESTATION),
        ([result(UNDETERMINED, seen=0), result(UNDETERMINED, paper, 0)], ItemState.NOT_ASSESSED),
        ([result(UNDETERMINED, seen=0), result(MET, paper, 0)], ItemState.UNDETERMINED),
        ([result(UNDETERMINED)], ItemState.UNDETERMINED),
        ([result(UNDETERMINED), result(MET)], ItemState.UNDETERMINED),
    ]
    for requirements, state in table:
        assert grading.item_state(requirements)[0] is state, (requirements, state)
    assert folder is not None


def a_choice_is_met_by_one_branch_and_disproved_by_all(folder: Path) -> None:
    """Law 9: any_of."""
    assert grading.any_of([NOT_MET, MET]) is MET
    assert grading.any_of([NOT_MET, NOT_MET]) is NOT_MET
    assert grading.any_of([NOT_MET, UNDETERMINED]) is UNDETERMINED
    assert grading.any_of([]) is UNDETERMINED
    assert folder is not None


def levels_are_climbed_one_by_one(folder: Path) -> None:
    """Law 10: floor and ceiling; a level without applicable items is passed over and carries neither."""
    met, failed, unsure, na = ItemState.MET, ItemState.NOT_MET, ItemState.UNDETERMINED, ItemState.NOT_APPLICABLE
    one, two, three, four = Level.I, Level.II, Level.III, Level.IV
    gates = {two: MET, three: MET}

    def span(states: dict[Level, list[ItemState]], gates: dict[Level, RequirementState]) -> tuple[Level, Level]:
        found = grading.ladder(states, gates).span
        return found.floor, found.ceiling

    assert span({one: [met], two: [met], three: [met], four: [met]}, gates) == (four, four)
    assert span({one: [met], two: [unsure], three: [met], four: [met]}, gates) == (one, four)
    assert span({one: [failed], two: [met], three: [met], four: [met]}, gates) == (Level.NONE, Level.NONE)
    assert span({one: [met], two: [met, failed], three: [met], four: [met]}, gates) == (one, one)
    assert span({one: [met], two: [ItemState.PARTIAL], three: [met], four: [met]}, gates) == (one, one)
    assert span({one: [met], two: [met], three: [unsure], four: [failed]}, gates) == (two, three)
    assert span({one: [met], two: [met], three: [met], four: [met]}, {two: UNDETERMINED, three: MET}) == (one, four)
    assert span({one: [met], two: [met], three: [met], four: [met]}, {two: NOT_MET, three: MET}) == (one, one)
    assert span({one: [met], two: [na], three: [met], four: [na]}, gates) == (three, three)
    assert span({one: [na], two: [na], three: [na], four: [na]}, gates) == (Level.NONE, Level.NONE)
    assert grading.ladder({one: [met], two: [na]}, gates).passed_over == (two, three, four)
    assert folder is not None


LAWS: tuple[Law, ...] = (
    true_passes_false_fails_null_is_unknown,
    a_missing_fact_is_unknown,
    unknown_membership_makes_the_outcome_unknown,
    no_selector_leaves_membership_undetermined,
    a_listed_key_never_seen_is_a_member_with_nothing_known,
    read_but_empty_is_no_member,
    an_open_population_is_never_met,
    one_failure_disproves_a_need_of_all_even_in_an_open_population,
    a_census_that_does_not_match_opens_the_population,
    an_incomplete_or_stale_census_closes_nothing,
    every_defining_source_must_close_the_population,
    a_silent_source_is_not_an_absent_one,
    sources_that_differ_leave_the_field_unknown,
    a_source_has_a_say_in_the_fields_it_promises,
    a_source_that_repeats_itself_differently_is_in_conflict,
    the_first_source_of_a_precedence_list_decides_without_falling_through,
    sameness_needs_an_exact_and_unique_key,
    losing_sameness_excludes_nobody,
    staleness_masks_rows_not_outcomes,
    a_stale_row_of_one_source_is_its_silence,
    all_over_an_empty_list_is_unknown_unless_the_check_says,
    an_empty_population_is_never_met,
    unknown_widens_and_never_helps,
    a_crashed_use_is_unknown_for_itself_alone,
    items_follow_from_their_requirements,
    a_choice_is_met_by_one_branch_and_disproved_by_all,
    levels_are_climbed_one_by_one,
)
