"""Real servers, filled from the description of the lab bank, give what the hand-written tables say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from scanner import registry
from scanner.grading.assess import Graded
from scanner.guideline.baseline import load_baseline
from scanner.model import Origin
from tests.lab import samba
from tests.lab.bank_lab import ACCOUNTS, DIRECTORY, BankLab, bank_lab
from tests.scanner.demo.tables import Lab, all_levels, collected, expected_levels, levels, place, states, table


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BankLab]:
    samba.demand()
    with bank_lab(tmp_path_factory.mktemp("bank")) as running:
        yield running


@pytest.fixture(scope="module")
def lab(servers: BankLab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return collected(servers.estate, tmp_path_factory.mktemp("read"), datetime.now(UTC), servers.names)


@pytest.fixture(scope="module")
def graded(lab: Lab) -> Graded:
    return lab.graded()


def test_a_directory_and_two_accounts_answer_live_and_the_rest_are_captures(lab: Lab) -> None:
    assert {read.target for read in lab.inputs.targets if read.origin is Origin.LIVE} == {DIRECTORY, *ACCOUNTS}
    assert [read.target for read in lab.inputs.targets if not read.complete] == []


def test_every_finding_of_the_tables(lab: Lab, graded: Graded) -> None:
    assert graded.assessment.errors == []
    outcomes = lab.outcomes(graded)
    rows = table("findings.csv")
    differing = [row for row in rows if outcomes.get((row["check"], row["asset"])) != row["outcome"]]
    assert differing == []


def test_every_item_of_the_tables(graded: Graded) -> None:
    rows = table("items.csv")
    found = {scope: states(graded, *scope) for scope in {(row["system"], row["scene"]) for row in rows}}
    assert [row for row in rows if found[row["system"], row["scene"]][row["item"]] != row["state"]] == []


def test_every_level_of_the_tables(lab: Lab, graded: Graded) -> None:
    assert all_levels(graded.assessment) == expected_levels()
    strict = load_baseline("fsc-2024-strict", registry.checks())
    got = levels(lab.graded(baseline=strict).assessment)
    rows = table("strict.csv")
    assert {place(row): got[place(row)] for row in rows} == {place(row): (row["floor"], row["ceiling"]) for row in rows}


def test_a_listing_that_misses_a_key_opens_the_population_it_defines(lab: Lab) -> None:
    populations = {name: named for name, named in lab.inputs.estate.populations.items() if name != "Segment"}
    got = levels(lab.graded(estate=replace(lab.inputs.estate, populations=populations)).assessment)
    rows = table("open_population.csv")
    assert {place(row): got[place(row)] for row in rows} == {place(row): (row["floor"], row["ceiling"]) for row in rows}
