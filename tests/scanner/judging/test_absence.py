"""A device without an agent is told from one of which only nobody spoke, and from one that stands there otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from checks.device.compliance import state_is_reported_without_silence
from scanner.facts import Device, EndpointAgent, Same
from scanner.judging.evidence import Evidence
from scanner.judging.judge import Use, judge
from scanner.judging.population import Population
from scanner.model import Fact, Gap, GapWhy, Outcome
from tests.engine import session
from tests.scanner.miniature import AS_OF, FRESH, STALE, VOCABULARY, WEEK, Said, census

AGENT: dict[str, Any] = {"state": "enrolled", "ever_reported": True, "silent": False}


def device(key: str, source: str = "mdm") -> Device:
    return Device(asset=f"device:{source}:{key}", observed_at=FRESH, category="laptop", external=False)


def agent(key: str, known: str | None, **changes: Any) -> list[Fact]:
    """One agent of the fleet, and under which key device management knows its host."""
    asset = f"device:fleet:{key}"
    return [
        device(key, "fleet"),
        EndpointAgent(asset=asset, observed_at=FRESH, **(AGENT | changes)),
        Same(asset=asset, observed_at=FRESH, same_as=known and f"device:{known}", by="serial"),
    ]


FLEET = [*agent("1", "mdm:A"), *agent("2", "mdm:B")]
MDM = [device(key) for key in "ABC"]
"""C is the one on which no agent runs."""


def outcomes(folder: Path, gaps: tuple[Gap, ...] = (), **said: Said) -> dict[str, Outcome]:
    """What is said of each device by the check that asks for reports."""
    targets = [each.read(name, folder / name) for name, each in said.items()]
    targets = [replace(target, gaps=gaps) if target.source == "fleet" else target for target in targets]
    evidence = Evidence(session(), targets, VOCABULARY, AS_OF)
    population = Population(Device, tuple(evidence.promising("Device")), evidence)
    use = Use(state_is_reported_without_silence, {}, WEEK)
    table = judge(population, [use], AS_OF, {}).table
    rows = evidence.connection.execute(f'SELECT asset, "{use.id}" FROM {table}').fetchall()
    return {asset.removeprefix("device:"): list(Outcome)[code] for asset, code in rows}


def of_c(folder: Path, fleet: Said, mdm: Said | None = None, gaps: tuple[Gap, ...] = ()) -> Outcome:
    return outcomes(folder, gaps, fleet=fleet, mdm=mdm or Said(MDM))["mdm:C"]


def test_a_listed_device_on_which_no_agent_runs_fails(tmp_path: Path) -> None:
    assert outcomes(tmp_path, fleet=Said(FLEET), mdm=Said(MDM)) == {
        "mdm:A": Outcome.PASS,
        "mdm:B": Outcome.PASS,
        "mdm:C": Outcome.FAIL,
    }


def test_an_agent_that_was_removed_leaves_its_device_without_one(tmp_path: Path) -> None:
    removed = [fact for fact in agent("3", None, state="evicted") if isinstance(fact, EndpointAgent)]
    assert of_c(tmp_path, Said([*FLEET, *removed])) is Outcome.FAIL


OPEN = {
    "the listing of agents is not whole": Said(FLEET, open=frozenset({"EndpointAgent"})),
    "the listing of agents names more than was read": Said(
        FLEET, listed={"EndpointAgent": ["device:fleet:1", "device:fleet:2", "device:fleet:3"]}
    ),
    "the listing of the fleet's devices is not whole": Said(FLEET, open=frozenset({"Device"})),
    "which devices are the same is not wholly told": Said(FLEET, open=frozenset({"Same"})),
    "the host of one agent could not be named": Said([*FLEET, *agent("3", None)]),
    "two agents claim one device": Said([*FLEET, *agent("3", "mdm:B")]),
    "one agent's device is not found there: it may be this one, spelt otherwise": Said([*FLEET, *agent("3", "mdm:c")]),
    "agents are known to another source": Said([*agent("1", "cmdb:A"), *agent("2", "cmdb:B")]),
    "agents are known to no other source": Said([fact for fact in FLEET if not isinstance(fact, Same)]),
    "no agent was enrolled": Said([], promises=["Device", "EndpointAgent", "Same"]),
    "the fleet was not read to its end": Said(FLEET, complete=False),
    "the listing of agents is of last month": Said(
        FLEET,
        censuses=[
            census(name, ["device:fleet:1", "device:fleet:2"], as_of=STALE if name == "EndpointAgent" else FRESH)
            for name in ("Device", "EndpointAgent", "Same")
        ],
    ),
}


@pytest.mark.parametrize("why", OPEN)
def test_where_its_absence_is_not_proved_it_is_not_known(tmp_path: Path, why: str) -> None:
    assert of_c(tmp_path, OPEN[why]) is Outcome.UNKNOWN


def test_the_listing_need_not_bear_the_name_that_stands_in_its_keys(tmp_path: Path) -> None:
    """A directory's keys bear the name of its domain, whatever its target is called."""
    fleet = Said([*agent("1", "bank.example:S-1"), *agent("2", "bank.example:S-2")])
    directory = Said([device(key, "bank.example") for key in ("S-1", "S-2", "S-3")])
    found = outcomes(tmp_path, fleet=fleet, ad=directory)
    assert (found["bank.example:S-1"], found["bank.example:S-3"]) == (Outcome.PASS, Outcome.FAIL)
    elsewhere = outcomes(tmp_path / "more", fleet=fleet, ad=directory, mdm=Said(MDM))
    assert (elsewhere["bank.example:S-3"], elsewhere["mdm:C"]) == (Outcome.FAIL, Outcome.UNKNOWN)


def test_losing_a_listing_makes_no_other_device_one_without_an_agent(tmp_path: Path) -> None:
    both = [device(key) for key in "ABCD"]
    found = outcomes(tmp_path / "both", fleet=Said(FLEET), mdm=Said(MDM), console=Said(both))
    assert (found["mdm:C"], found["mdm:D"]) == (Outcome.FAIL, Outcome.FAIL)
    assert outcomes(tmp_path / "one", fleet=Said(FLEET), mdm=Said(MDM))["mdm:C"] is Outcome.FAIL


@pytest.mark.parametrize("asset", ["device:mdm:C", None])
def test_what_the_fleet_could_not_see_is_not_absent(tmp_path: Path, asset: str | None) -> None:
    gap = Gap(fact="EndpointAgent", why=GapWhy.DENIED, detail="could not look", asset=asset)
    assert of_c(tmp_path, Said(FLEET), gaps=(gap,)) is Outcome.UNKNOWN


def test_a_gap_of_another_device_hides_nothing(tmp_path: Path) -> None:
    gap = Gap(fact="EndpointAgent", why=GapWhy.DENIED, detail="could not look", asset="device:mdm:D")
    assert of_c(tmp_path, Said(FLEET), gaps=(gap,)) is Outcome.FAIL


def test_a_device_that_the_fleet_lists_and_of_whose_agent_it_says_nothing_is_not_known(tmp_path: Path) -> None:
    silent = [fact for fact in agent("3", "mdm:C") if not isinstance(fact, EndpointAgent)]
    assert of_c(tmp_path, Said([*FLEET, *silent])) is Outcome.UNKNOWN


def test_an_agent_heard_long_ago_is_not_absent(tmp_path: Path) -> None:
    old = [
        EndpointAgent(asset="device:fleet:3", observed_at=FRESH - timedelta(days=60), **AGENT)
        if isinstance(fact, EndpointAgent)
        else fact
        for fact in agent("3", "mdm:C")
    ]
    assert of_c(tmp_path, Said([*FLEET, *old])) is Outcome.UNKNOWN


def test_a_second_source_of_agents_must_leave_it_out_as_well(tmp_path: Path) -> None:
    mdm = Said([*MDM, EndpointAgent(asset="device:mdm:C", observed_at=FRESH, **AGENT)])
    assert of_c(tmp_path, Said(FLEET), mdm) is Outcome.PASS


def test_losing_any_row_of_the_fleet_makes_nothing_better_and_nothing_worse_than_unknown(tmp_path: Path) -> None:
    whole = outcomes(tmp_path / "whole", fleet=Said(FLEET), mdm=Said(MDM))
    said = Said(FLEET)
    stated = said.read("fleet", tmp_path / "stated").censuses
    for number, lost in enumerate(FLEET):
        less = Said(
            [fact for fact in FLEET if fact is not lost], promises=["Device", "EndpointAgent", "Same"], censuses=stated
        )
        found = outcomes(tmp_path / str(number), fleet=less, mdm=Said(MDM))
        assert {found[name] for name in found.keys() & whole.keys() if found[name] is not whole[name]} <= {
            Outcome.UNKNOWN
        }
