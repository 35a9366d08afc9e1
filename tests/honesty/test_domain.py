"""Whatever is hidden in a domain: no requirement becomes met, nothing vanishes, the loss is named."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from collectors.ad import AdCollector, attributes
from tests.collectors.ad.asking import AskingAccess
from tests.collectors.stage import NOW
from tests.honesty.directory import Domain
from tests.honesty.law import Outcome
from tests.honesty.losses_of_domains import EXAMPLES, TARGET, Domains
from tests.honesty.places import Place, faults, institution
from tests.honesty.share import drawn, every_one
from tests.honesty.table import DOCUMENT, accepted, gathered, row, section

WORDS = (
    "An attribute is denied on every object at once, then on one object of each kind; the DACL that denies it is "
    "shown, as a server shows it. Not among these losses: a single definition of a later schema hidden among "
    "its like, for a filter does not find what may not be read."
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with institution(tmp_path_factory.mktemp("domain")) as found:
        yield found


@pytest.fixture(scope="module")
def attributes_lost(place: Place) -> list[Outcome]:
    return place.told(Domains().everywhere())


@pytest.fixture(scope="module")
def on_one(place: Place) -> list[Outcome]:
    return place.told(drawn(Domains().on_one(), 8))


@pytest.fixture(scope="module")
def objects_hidden(place: Place) -> list[Outcome]:
    domains = Domains()
    parts = (domains.units(), domains.hidden(), domains.members(), domains.schema(), domains.configuration())
    return [one for part in parts for one in place.told(drawn(part, 4))]


@pytest.fixture(scope="module")
def cut(place: Place) -> list[Outcome]:
    whole = Domain()
    access = AskingAccess(place.bench.institution.estate.targets[TARGET], at=NOW)
    assert list(AdCollector(lambda _: whole).read(access))
    return place.told(drawn(Domains().cut(whole.given), 3))


def test_an_attribute_denied_improves_nothing(attributes_lost: list[Outcome]) -> None:
    assert len(attributes_lost) == len(attributes.DECLARED) + len(attributes.ROOT)
    assert faults(attributes_lost) == []
    assert sum(bool(one.undetermined) for one in attributes_lost) > 15


def test_an_attribute_denied_on_one_object_improves_nothing(on_one: list[Outcome]) -> None:
    whole = len({*attributes.OBJECT, *attributes.GROUP}) * len(EXAMPLES)
    assert len(on_one) == (whole if every_one() else -(-whole // 8))
    assert faults(on_one) == []


def test_no_unit_object_or_definition_hidden_improves_anything(objects_hidden: list[Outcome]) -> None:
    assert len(objects_hidden) > (100 if every_one() else 25)
    assert faults(objects_hidden) == []


def test_no_search_broken_off_improves_anything(cut: list[Outcome]) -> None:
    assert len(cut) > (80 if every_one() else 25)
    assert faults(cut) == []


def test_remembering_populations_gives_what_grading_afresh_gives(place: Place, on_one: list[Outcome]) -> None:
    for one in random.Random(7).sample([one for one in on_one if not one.same], 2):
        assert place.bench.in_full(one.loss), one.loss.name


def test_the_table_is_the_accepted_one(
    attributes_lost: list[Outcome], on_one: list[Outcome], objects_hidden: list[Outcome], cut: list[Outcome]
) -> None:
    if not every_one():
        assert [name for name in attributes.DECLARED if f"| {name} |" not in DOCUMENT.read_text("utf-8")] == []
        return
    rows = [row(one) for one in attributes_lost] + gathered([*on_one, *objects_hidden, *cut])
    now = section("One domain", WORDS, rows, [*attributes_lost, *on_one, *objects_hidden, *cut])

    assert accepted("domain", now) == now
