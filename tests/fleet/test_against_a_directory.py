"""Agents against the directory of their hosts: one device each, and a computer on which no agent runs is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.section import Section
from checks.device.compliance import state_is_reported_without_silence
from collectors.ad import AdCollector
from collectors.endpoint import COLLECTOR
from scanner.facts import Device
from scanner.judging.evidence import Evidence
from scanner.judging.judge import Use, judge
from scanner.judging.population import Population
from scanner.model import Census, Outcome, Record
from tests.collectors.ad import forest
from tests.collectors.ad.asking import ad_target
from tests.collectors.ad.forest import DOMAIN_SID
from tests.collectors.ad.reading import reading
from tests.collectors.fleet_store import Written, fleet_target, laptop
from tests.collectors.stage import NOW, facts, read
from tests.engine import session
from tests.scanner.miniature import VOCABULARY, Said

KEY = f"corp.test:{DOMAIN_SID}"
VENDORS = ["ou=vendors,dc=corp,dc=test"]
"""Where computers of others lie: unless the directory says so, nobody knows whose the others are."""


@pytest.fixture
def store(tmp_path: Path) -> Written:
    return Written(tmp_path)


def computers(*numbers: int) -> list[Record]:
    """What the directory says of these."""
    port = forest.small()
    for number in numbers:
        pc = forest.user(f"pc-{number}$", number, unit="CN=Computers")
        port.objects.append(replace(pc, values={**pc.values, "objectclass": (b"top", b"user", b"computer")}))
    return reading(port, external_units=VENDORS)


def of_account(number: int | None) -> list[Section]:
    """What the agent tells of a host with this number in the domain."""
    account = None if number is None else f"{DOMAIN_SID}-{number}"
    return [
        replace(section, values={**section.values, "machine_account": account})
        if section.name == "management"
        else section
        for section in laptop()
    ]


def reported(folder: Path, store: Written, directory: list[Record]) -> dict[str, Outcome]:
    """By device: whether its state is reported."""
    target = fleet_target(store.close(), external=False, same={"source": "corp.test", "by": "machine_account"})
    records = read(COLLECTOR, target)

    def said(name: str, records: list[Record], promises: frozenset[str]) -> Said:
        censuses = [record for record in records if isinstance(record, Census)]
        return Said(facts(records), promises, censuses=censuses, source=name)

    evidence = Evidence(
        session(),
        [
            said("fleet", records, COLLECTOR.promises(target)).read("fleet", folder / "read-fleet"),
            said("ad", directory, AdCollector().promises(ad_target(external_units=VENDORS))).read(
                "ad-corp", folder / "read-ad"
            ),
        ],
        VOCABULARY,
        NOW,
    )
    use = Use(state_is_reported_without_silence, {}, timedelta(days=7))
    table = judge(Population(Device, tuple(evidence.promising("Device")), evidence), [use], NOW, {}).table
    rows = evidence.connection.execute(f'SELECT asset, "{use.id}" FROM {table}').fetchall()
    return {asset.removeprefix("device:"): list(Outcome)[code] for asset, code in rows}


def test_each_computer_is_one_device_and_the_one_without_an_agent_fails(store: Written, tmp_path: Path) -> None:
    for number in (2101, 2102):
        store.add(of_account(number))
    assert reported(tmp_path, store, computers(2101, 2102, 2103)) == {
        f"{KEY}-2101": Outcome.PASS,
        f"{KEY}-2102": Outcome.PASS,
        f"{KEY}-2103": Outcome.FAIL,
    }


@pytest.mark.parametrize("other", [None, 2104], ids=["a host that does not tell", "a host of no listed computer"])
def test_a_host_that_is_not_found_there_may_be_the_missing_one(
    store: Written, tmp_path: Path, other: int | None
) -> None:
    store.add(of_account(2101))
    store.add(of_account(other))
    found = reported(tmp_path, store, computers(2101, 2103))
    assert (found[f"{KEY}-2101"], found[f"{KEY}-2103"]) == (Outcome.PASS, Outcome.UNKNOWN)
