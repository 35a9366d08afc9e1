"""No known false pass about a directory, a cloud account or an endpoint passes, under the baseline's own parameters.

Each situation says what its sources saw, what every requirement must then say (fail or unknown), and what alone would
have to be otherwise for it to pass, so that none of them fails for a reason of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from scanner import registry
from scanner.facts import Application, NetworkDevice
from scanner.guideline.nouns import Requirement
from scanner.model import Fact, Outcome, RequirementState, promised_facts, promised_fields
from tests.checks.situation import READ, baseline, outcomes, promised, use_of
from tests.checks.situations_of_accounts import ACCOUNTS
from tests.checks.situations_of_endpoints import ENDPOINTS
from tests.checks.situations_of_machines import MACHINES
from tests.checks.situations_of_people import PEOPLE
from tests.checks.situations_of_stores import STORES
from tests.scanner.miniature import AS_OF, Said, Verdict, sign_in, user, verdict

SITUATIONS = (*PEOPLE, *ACCOUNTS, *MACHINES, *ENDPOINTS, *STORES)
ITEMS = {
    "every",
    *("1-1", "1-2", "1-3", "1-4", "1-5", "1-6", "1-7"),
    *("2-1", "2-2", "2-3", "2-4", "2-5", "2-6", "2-7", "3-1", "3-2", "3-4", "4-1", "4-2"),
    *("5-1", "5-4", "5-6", "5-7", "5-8"),
}
"""Items of which false passes are known that look like what a directory, a cloud account or an agent shows."""
UNSPOKEN = {
    "1-4": "whether an application checks the assurance that a token claims stands in the application alone",
}
"""Items of these of which none of the sources says anything that a check takes."""
DOCUMENTS = {
    "1-1/covered-entrances": "two factors that are both known by heart, or a way in that no source reads",
    "1-2/token-ledger": "carriers that are bound to nobody in particular",
    "1-3/assurance-table": "a stranger enrolled without proof of who they are",
    "1-4/mechanism-table": "single sign-on, without a word on how sure it is",
    "1-5/revocation-drill": "conditions that never refused a session",
    "1-6/log-review": "alerts without anybody who reviews",
    "1-7/lifecycle-automation": "a script run by hand, reviews that approve themselves",
    "2-1/unmanaged-rule": "a spreadsheet that nobody compared with what is plugged in",
    "2-2/repair-times": "a scan that nothing follows from",
    "2-3/vendor-declaration": "a vendor's word that was never given",
    "2-4/isolation-drill": "posture that reaches the decision point and never shut anybody out",
    "2-5/response-drill": "a sensor that never stopped anything",
    "2-6/log-review": "a console that nobody looks at",
    "2-7/policy-trace": "settings that no policy asked for",
    "3-1/zone-matrix": "rules that nobody reviews",
    "3-2/boundary-change": "a boundary that never followed a need",
    "4-1/role-matrix": "duties that exclude each other in one hand",
    "4-2/session-drill": "activation that was never asked for",
    "5-1/sensitive-definition": "leak prevention for a pilot group, or for mail alone",
    "5-4/recovery-objectives": "a copy in the same region under the same account",
    "5-6/key-custody": "one person who holds the whole key",
    "5-7/log-review": "logs that nobody reads",
    "5-8/lifecycle-automation": "a retention rule on paper",
}
"""What no fact of these sources can show, by the document without which the item is not met whatever they show."""
ELSEWHERE = {
    "application.event_logs.application_events_arrive": "a trail speaks of an account, never of an application",
    "application.event_logs.application_events_carry_decisions": "as above",
    "device.event_logs.device_events_carry_decisions": "the judging of a trail is that of 1-6, by the same function",
    "network.event_logs.clock_is_synchronised": "an agent speaks of its host, never of a network device",
    "network.event_logs.network_events_arrive": "a trail speaks of an account, never of a network device",
    "network.event_logs.network_events_carry_decisions": "the judging of a trail is that of 1-6, by the same function",
}
"""Checks that take a fact which these sources yield of other assets, and why no situation stands here for them."""


@cache
def known() -> Mapping[str, Requirement]:
    return {requirement.address: requirement for requirement in baseline().requirements()}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[int, bool, str], Outcome]:
    return outcomes(SITUATIONS, known(), tmp_path_factory.mktemp("situations"))


each = pytest.mark.parametrize(
    "place", range(len(SITUATIONS)), ids=[f"{each.item}: {each.says}" for each in SITUATIONS]
)


@each
def test_the_false_pass_does_not_pass(found: Mapping[tuple[int, bool, str], Outcome], place: int) -> None:
    wanted = SITUATIONS[place].judged
    assert {address: found[place, False, address] for address in wanted} == wanted


@each
def test_it_passes_once_it_is_mended(found: Mapping[tuple[int, bool, str], Outcome], place: int) -> None:
    wanted = SITUATIONS[place].judged
    assert {address: found[place, True, address] for address in wanted} == dict.fromkeys(wanted, Outcome.PASS)


def test_every_situation_names_requirements_that_exist_and_never_a_pass() -> None:
    for situation in SITUATIONS:
        assert situation.judged.keys() <= known().keys(), situation.says
        assert set(situation.judged.values()) <= {Outcome.FAIL, Outcome.UNKNOWN}, situation.says
        assert situation.item == "every" or any(
            address.startswith(f"{situation.item}/") for address in situation.judged
        )


def test_no_situation_stands_there_twice() -> None:
    told = [(each.item, each.says) for each in SITUATIONS]
    assert len(set(told)) == len(told)
    facts = [json.dumps([each.said, list(each.judged)], default=str, sort_keys=True) for each in SITUATIONS]
    assert len(set(facts)) == len(facts)


def test_every_item_with_known_false_passes_is_told_of() -> None:
    assert {situation.item for situation in SITUATIONS} == ITEMS - UNSPOKEN.keys()


def test_neither_source_feeds_the_items_that_are_left_out() -> None:
    assert {address for address in fed() if address.split("/")[0] in UNSPOKEN} == set()


def test_what_no_fact_can_show_takes_a_document_of_its_own() -> None:
    required = {each.address: each for item in baseline().items.values() for each in item.requires}
    assert {required[address].check for address in DOCUMENTS} == {None}
    assert {address for address in DOCUMENTS if required[address].branches} == set()
    assert {address.split("/")[0] for address in DOCUMENTS} == ITEMS - {"every", "3-4"}


@pytest.mark.parametrize("source", READ)
def test_a_source_says_in_a_situation_what_its_collector_promises(source: str) -> None:
    promises = promised(source)
    facts, fields = promised_facts(promises), promised_fields(promises)
    beyond = {
        f"{fact.__name__}.{name}"
        for situation in SITUATIONS
        for speaker, fact, name in situation.facts()
        if speaker == source
        and (fact.__name__ not in facts or (name and name not in fields.get(fact.__name__, {name})))
    }
    assert beyond == set()


def fed() -> dict[str, str]:
    """Check by address of each requirement whose claim rests on something that one of the sources says."""
    every = [promised(source) for source in READ]
    resting: dict[str, str] = {}
    for address, requirement in known().items():
        if requirement.check is None:
            continue
        touched = use_of(requirement).check.build(AS_OF, requirement.parameters).holds.touched.fields
        if any(_says(promises, fact, name) for promises in every for fact, name in touched):
            resting[address] = requirement.check
    return resting


def _says(promises: frozenset[str], fact: type[Fact], name: str) -> bool:
    fields = promised_fields(promises).get(fact.__name__, frozenset({name}))
    return fact.__name__ in promised_facts(promises) and name in fields


def test_every_check_that_the_sources_feed_has_a_situation_or_says_why_not() -> None:
    told = {known()[address].check for situation in SITUATIONS for address in situation.judged}
    resting = set(fed().values())
    assert resting - told == ELSEWHERE.keys()
    assert all(len(reason) > 7 for reason in ELSEWHERE.values())


def test_checks_left_out_are_of_assets_that_the_sources_do_not_log() -> None:
    checks = registry.checks()
    streams = {name for name in ELSEWHERE if name.endswith("_carry_decisions")}
    assert {checks[name].over for name in ELSEWHERE.keys() - streams} == {Application, NetworkDevice}


def told(folder: Path, said: Said, address: str) -> Verdict:
    """What one requirement says of a whole population of accounts."""
    requirement = known()[address]
    use = use_of(requirement)
    return verdict(folder, {"ad": said}, use.check, max_age=use.max_age, **requirement.parameters)


def state(folder: Path, said: Said, address: str = "1-1/mfa-enforced") -> RequirementState:
    return told(folder, said, address).tally.state(known()[address].need)


def person(key: str, mfa: str = "enforced") -> list[Fact]:
    return [user(key, category="person"), sign_in(key, mfa=mfa)]


class TestOfWholePopulations:
    """False passes that befall every item: what is counted, not what one asset says."""

    def test_everybody_counts(self, tmp_path: Path) -> None:
        assert state(tmp_path, Said([*person("a"), *person("b")])) is RequirementState.MET

    def test_an_empty_inventory_is_not_met(self, tmp_path: Path) -> None:
        said = Said([], promises=["User", "SignIn"])
        assert state(tmp_path, said) is RequirementState.UNDETERMINED

    def test_a_policy_for_the_pilot_group_alone_is_disproved(self, tmp_path: Path) -> None:
        said = Said([*person("pilot"), *person("clerk", "not_required")])
        assert state(tmp_path, said) is RequirementState.NOT_MET

    def test_a_policy_that_only_records_is_disproved(self, tmp_path: Path) -> None:
        assert state(tmp_path, Said(person("a", "report_only"))) is RequirementState.NOT_MET

    def test_a_requirement_that_applies_to_nobody_is_not_met(self, tmp_path: Path) -> None:
        said = Said([user("a", category="service"), sign_in("a")])
        assert state(tmp_path, said) is RequirementState.UNDETERMINED

    def test_a_list_that_nobody_vouches_for_is_not_met(self, tmp_path: Path) -> None:
        said = Said([*person("a"), *person("b")], open=frozenset({"User"}))
        assert state(tmp_path, said) is RequirementState.UNDETERMINED

    def test_a_list_that_names_more_than_was_read_is_not_met(self, tmp_path: Path) -> None:
        said = Said(person("a"), listed={"User": ["user:ad:a", "user:ad:hidden"]})
        assert state(tmp_path, said) is RequirementState.UNDETERMINED

    def test_whoever_could_not_be_read_is_no_pass(self, tmp_path: Path) -> None:
        said = Said([*person("a"), user("b", category="person")])
        assert state(tmp_path, said) is RequirementState.UNDETERMINED
