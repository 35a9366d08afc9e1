"""What every collector must keep, in settings that go well, are denied, are empty, or are broken."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.cli import as_json
from agent.probes import observe_all
from collectors.importing import COLLECTOR as IMPORT
from collectors.importing import sign_sidecar
from collectors.local import LocalCollector
from scanner import registry
from scanner.column import fields_of
from scanner.facts import FACTS
from scanner.model import Census, Collector, Fact, Gap, Record, SourceIdentity, Target, promised_facts
from tests.agent.recorded import CONTAINER, DEBIAN_LAPTOP, NOT_ROOT, RecordedHost
from tests.collectors.ad import forest
from tests.collectors.ad.forest import RecordedPort
from tests.collectors.aws import recorded as aws
from tests.collectors.fleet_store import NOW_MS, Written, fleet_target, laptop
from tests.collectors.stage import census, import_target, key_pair, ndjson, read, statement, user

Setting = Callable[[Path], tuple[Collector, Target]]
PRIVATE, PUBLIC = key_pair()
KNOWN = {fact.__name__: fact for fact in FACTS}


def _here(host: RecordedHost) -> Setting:
    return lambda folder: (LocalCollector(lambda: host), Target(name="here", collector="local", source="here"))


def _recorded(content: bytes | None) -> Setting:
    def build(folder: Path) -> tuple[Collector, Target]:
        if content is not None:
            (folder / "sections.json").write_bytes(content)
        target = Target(name="there", collector="local", source="there", captures=folder)
        return registry.collectors()["local"], target

    return build


def _files(files: dict[str, bytes], *, closed: bool = False) -> Setting:
    def build(folder: Path) -> tuple[Collector, Target]:
        for name, content in files.items():
            (folder / name).write_bytes(content)
            if closed:
                sign_sidecar(folder / name, statement(census("User", ["user:corp:0001"])), PRIVATE)
        return IMPORT, import_target(folder, "User", "Employment", supplier_key=PUBLIC.decode())

    return build


def _folder(given: Path | None) -> Setting:
    return lambda folder: (IMPORT, import_target(given, "User", "Employment"))


def _cloud(files: dict[str, Any], **options: Any) -> Setting:
    def build(folder: Path) -> tuple[Collector, Target]:
        aws.write(folder, files)
        return registry.collectors()["aws"], aws.recorded_target(folder, **options)

    return build


def _domain(port: RecordedPort | None = None, content: bytes | None = None) -> Setting:
    def build(folder: Path) -> tuple[Collector, Target]:
        if port is not None:
            forest.write(folder, port)
        if content is not None:
            (folder / "domain.ldif").write_bytes(content)
        target = Target(name="corp", collector="ad", source="corp", captures=folder)
        return registry.collectors()["ad"], target

    return build


def _fleet(*agents: dict[str, Any], content: bytes | None = None, absent: bool = False) -> Setting:
    def build(folder: Path) -> tuple[Collector, Target]:
        if content is not None:
            (folder / "fleet.db").write_bytes(content)
        elif not absent and not (folder / "fleet.db").exists():
            store = Written(folder)
            for agent in agents:
                store.add(**agent)
            store.close()
        return registry.collectors()["endpoint"], fleet_target(folder)

    return build


SETTINGS: dict[str, dict[str, Setting]] = {
    "ad": {
        "happy": _domain(forest.small()),
        "denied": _domain(forest.denied()),
        "empty": _domain(RecordedPort([forest.group("Domain Users", 513)], forest.containers())),
        "broken": _domain(content=b"\xff{"),
        "absent": _domain(),
    },
    "aws": {
        "happy": _cloud(aws.account()),
        "denied": _cloud(aws.denied(aws.account())),
        "empty": _cloud(aws.nothing_in(aws.account())),
        "broken": _cloud(dict.fromkeys(aws.account(), b"\xff{")),
        "absent": _cloud({}),
        "undated": _cloud(aws.account(), captured_at="yesterday"),
    },
    "endpoint": {
        "happy": _fleet({"sections": laptop()}, {"sections": laptop(), "status": "evicted"}),
        "denied": _fleet({"sections": observe_all(NOT_ROOT)}),
        "suspected": _fleet({"sections": laptop(), "clone": NOW_MS}, {"sections": laptop()}),
        "mute": _fleet({}),
        "empty": _fleet(),
        "broken": _fleet(content=b"\xff{"),
        "absent": _fleet(absent=True),
    },
    "local": {
        "happy": _here(DEBIAN_LAPTOP),
        "recorded": _recorded(as_json(observe_all(DEBIAN_LAPTOP)).encode()),
        "denied": _here(NOT_ROOT),
        "container": _here(CONTAINER),
        "empty": _here(RecordedHost()),
        "foreign": _here(RecordedHost(system="sunos5")),
        "broken": _recorded(b"\xff{"),
        "absent": _recorded(None),
    },
    "import": {
        "happy": _files({"User.ndjson": ndjson([user(1)])}, closed=True),
        "open": _files({"User.ndjson": ndjson([user(1)])}),
        "csv": _files({"User.csv": b"asset,observed_at\nuser:corp:1,2026-11-20T01:00:00Z\n"}),
        "denied": _files({"a.ndjson": b'{"gap": {"fact": "User", "why": "denied", "detail": "no right"}}\n'}),
        "empty": _files({}),
        "empty file": _files({"User.ndjson": b"", "Employment.csv": b""}),
        "broken": _files({"User.ndjson": b"\xff\xfe\n{", "x.csv": b'a,b\n"'}),
        "absent": _folder(Path("/nowhere/at/all")),
        "unset": _folder(None),
    },
}
CASES = [(name, setting) for name, settings in SETTINGS.items() for setting in settings]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Collector, Target, list[Record]]:
    name, setting = request.param
    collector, target = SETTINGS[name][setting](tmp_path)
    return collector, target, read(collector, target)


def test_every_collector_has_its_settings() -> None:
    assert set(SETTINGS) == set(registry.collectors())
    assert all({"happy", "denied", "empty", "broken"} <= set(settings) for settings in SETTINGS.values())


def test_every_promised_fact_is_seen_or_missed_by_name(case: tuple[Collector, Target, list[Record]]) -> None:
    collector, target, records = case
    spoken = {type(record).__name__ for record in records if isinstance(record, Fact)}
    spoken |= {record.fact for record in records if isinstance(record, Gap)}
    spoken |= {record.fact for record in records if isinstance(record, Census) and record.complete and record.n == 0}
    assert promised_facts(collector.promises(target)) <= spoken


def test_a_closed_census_names_only_what_was_read(case: tuple[Collector, Target, list[Record]]) -> None:
    _, _, records = case
    for record in records:
        if isinstance(record, Census) and record.complete and record.keys is not None:
            seen = {fact.asset for fact in records if isinstance(fact, Fact) and type(fact).__name__ == record.fact}
            assert seen == set(record.keys)


def test_no_fact_is_closed_that_has_a_gap_for_the_whole_source(case: tuple[Collector, Target, list[Record]]) -> None:
    _, _, records = case
    whole = {gap.fact for gap in records if isinstance(gap, Gap) and gap.asset is None and gap.field is None}
    closed = {record.fact for record in records if isinstance(record, Census) and record.complete}
    assert not whole & closed


def test_gaps_name_known_facts_and_fields_and_say_why(case: tuple[Collector, Target, list[Record]]) -> None:
    _, _, records = case
    for gap in records:
        if isinstance(gap, Gap):
            assert gap.fact in {*KNOWN, "*"}
            assert gap.field is None or gap.field in fields_of(KNOWN[gap.fact])
            assert gap.detail.strip()


def test_assets_are_of_the_kind_that_the_fact_speaks_of(case: tuple[Collector, Target, list[Record]]) -> None:
    _, _, records = case
    for fact in records:
        if isinstance(fact, Fact):
            kind = fact.asset.split(":", 1)[0]
            assert type(fact).kind in {"*", kind}
            assert fact.observed_at.tzinfo is not None


def test_reading_twice_yields_the_same(case: tuple[Collector, Target, list[Record]]) -> None:
    collector, target, records = case
    assert read(collector, target) == records


def test_whoever_answers_is_named_where_facts_were_read(case: tuple[Collector, Target, list[Record]]) -> None:
    _, _, records = case
    if any(isinstance(record, Fact) for record in records):
        assert any(isinstance(record, SourceIdentity) for record in records)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_collectors_describe_themselves(name: str, tmp_path: Path) -> None:
    collector = registry.collectors()[name]
    assert (collector.name, bool(collector.version), bool(collector.permissions)) == (name, True, True)
    for permission in collector.permissions:
        assert permission.name
        assert permission.why
        assert set(permission.facts) <= {*KNOWN, "*"}
    for build in SETTINGS[name].values():
        _, target = build(tmp_path)
        assert all(call.host and call.call for call in collector.plan(target))
    assert inspect.isgeneratorfunction(collector.read)
