"""Whatever is taken away from the cloud accounts: no requirement becomes met, nothing vanishes, the loss is named."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from collectors.aws import AwsCollector
from collectors.aws.look import Asked
from scanner.model import Access, RequirementState
from tests.collectors.ad.asking import AskingAccess
from tests.collectors.stage import NOW
from tests.honesty.clouds import Asking
from tests.honesty.grading import states, tallies
from tests.honesty.law import Loss, Outcome
from tests.honesty.losses_of_clouds import FAILURES, RIGHTS, Clouds
from tests.honesty.places import Place, faults, institution
from tests.honesty.share import drawn, every_one
from tests.honesty.table import DOCUMENT, accepted, gathered, row, section

WORDS = "Rights are denied in both accounts at once, as a role that is the same in each would have it."


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with institution(tmp_path_factory.mktemp("clouds")) as found:
        yield found


def answered_by(asked: Asked) -> Callable[[Access], Asked]:
    """Connects to these answers, whatever is to be read."""
    return lambda _: asked


@pytest.fixture(scope="module")
def asked(place: Place) -> dict[str, Asking]:
    """What reading each account asks."""
    found = {}
    for name, answers in place.answers.items():
        found[name] = Asking(answers)
        access = AskingAccess(place.bench.institution.estate.targets[name], at=NOW)
        assert list(AwsCollector(answered_by(found[name])).read(access))
    return found


@pytest.fixture(scope="module")
def rights(place: Place) -> list[Outcome]:
    return place.told(Clouds(place.answers).rights())


@pytest.fixture(scope="module")
def failures(place: Place) -> list[Outcome]:
    return place.told(Clouds(place.answers).failures())


@pytest.fixture(scope="module")
def pairs(place: Place) -> list[Outcome]:
    return place.told(drawn(Clouds(place.answers).pairs(), 10))


@pytest.fixture(scope="module")
def places(place: Place, asked: dict[str, Asking]) -> list[Outcome]:
    """Regions, single answers, and the session."""
    clouds = Clouds(place.answers)
    regions = {region for one in asked.values() for region in one.regions}
    questions = {name: one.questions for name, one in asked.items()}
    parts = _chained(clouds.regions(regions), clouds.answers_lost(), clouds.sessions_lost(questions))
    return place.told(drawn(parts, 8))


def _chained(*parts: Iterator[Loss]) -> Iterator[Loss]:
    for part in parts:
        yield from part


def test_the_institution_has_something_to_lose(place: Place, asked: dict[str, Asking]) -> None:
    whole = place.bench.whole
    found = list(states(whole.grades).values())

    assert found.count(RequirementState.MET) > 30
    assert found.count(RequirementState.NOT_MET) > 30
    assert {name for name, held in whole.populations.items() if held.closed} >= {"User", "Device", "Account", "Segment"}
    assert tallies(whole.grades) == tallies(place.bench.grader.whole.assessment.grades)
    assert set(RIGHTS) - {right for one in asked.values() for right in one.rights} == set()


def test_a_right_denied_improves_nothing(rights: list[Outcome]) -> None:
    assert [one.loss.name for one in rights] == list(RIGHTS)
    assert faults(rights) == []
    assert sum(bool(one.undetermined) for one in rights) > 10


def test_pairs_of_rights_denied_improve_nothing(pairs: list[Outcome]) -> None:
    assert len(pairs) == (200 if every_one() else 20)
    assert faults(pairs) == []


def test_no_way_of_failing_improves_anything(failures: list[Outcome]) -> None:
    assert len(failures) == len(FAILURES) * len(RIGHTS)
    assert faults(failures) == []


def test_no_region_no_answer_and_no_session_lost_improves_anything(places: list[Outcome]) -> None:
    assert len(places) > (50 if every_one() else 6)
    assert faults(places) == []


def test_remembering_populations_gives_what_grading_afresh_gives(place: Place, pairs: list[Outcome]) -> None:
    for one in random.Random(7).sample(pairs, 2):
        assert place.bench.in_full(one.loss), one.loss.name


def test_the_table_is_the_accepted_one(
    rights: list[Outcome], failures: list[Outcome], pairs: list[Outcome], places: list[Outcome]
) -> None:
    if not every_one():
        assert [name for name in RIGHTS if f"| {name} |" not in DOCUMENT.read_text("utf-8")] == []
        return
    regions = [one for one in places if not one.loss.group]
    others = [one for one in (*pairs, *failures, *places) if one.loss.group]
    rows = [row(one) for one in (*rights, *regions)] + gathered(others)
    now = section("Two cloud accounts", WORDS, rows, [*rights, *pairs, *failures, *places])

    assert accepted("clouds", now) == now
