"""Which scopes a directory belongs to follows from its members, and only from what every source has settled."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.facts import Directory, Placement, User
from scanner.grading.assess import MEMBERSHIP_MAX_AGE
from scanner.judging.evidence import Evidence
from scanner.judging.population import Population
from scanner.judging.scope import Membership
from tests.engine import session
from tests.scanner.miniature import AS_OF, FRESH, VOCABULARY, Said, estate, user

HOME, OTHER = "directory:ad:home", "directory:ad:other"


def belongs(folder: Path, idp: Said) -> dict[str, bool | None]:
    """Membership of two directories in the only system, whose one user is placed in the first by one source."""
    facts = [
        user("a"),
        Placement(asset="user:ad:a", observed_at=FRESH, directory=HOME),
        *(Directory(asset=key, observed_at=FRESH) for key in (HOME, OTHER)),
    ]
    targets = [said.read(name, folder / name) for name, said in (("ad", Said(facts)), ("idp", idp))]
    evidence = Evidence(session(), targets, VOCABULARY, AS_OF)
    people, directories = Population(User, ("ad",), evidence), Population(Directory, ("ad",), evidence)
    membership = Membership(estate(), evidence, MEMBERSHIP_MAX_AGE)
    for population in (people, directories):
        population.build()
    membership.build(people)
    membership.build_referenced(directories, [people])
    return {asset: places[0][1] for asset, places in membership.of(directories).items()}


@pytest.mark.parametrize(
    ("idp", "expected"),
    [
        (Said([], promises=["Placement"]), {HOME: True, OTHER: False}),
        (Said([], promises=["Placement"], open=frozenset({"Placement"})), {HOME: None, OTHER: None}),
        (
            Said([Placement(asset="user:ad:a", observed_at=FRESH, directory=OTHER)]),
            {HOME: None, OTHER: None},
        ),
    ],
    ids=["excluded by a closed listing", "silent", "in conflict"],
)
def test_a_directory_is_out_only_where_no_unread_source_could_place_a_member_in_it(
    idp: Said, expected: dict[str, bool | None], tmp_path: Path
) -> None:
    assert belongs(tmp_path, idp) == expected
