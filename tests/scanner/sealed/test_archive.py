"""Between the store and grading: which collections count, what is sealed, and what comes out of a sealed folder."""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec
import pytest

from scanner.commands.session import installed, open_baseline, open_registers
from scanner.errors import SealError, UsageError
from scanner.grading.assess import Graded, grade
from scanner.institution.estate import Estate, load_estate
from scanner.model import Level, Origin
from scanner.sealed.archive import (
    Registry,
    counting,
    find_assessment,
    inputs_from,
    previous_of,
    read_result,
    regrade,
    reopen,
    seal,
)
from scanner.sealed.store import Store
from tests.scanner.commands.stage import Institution, sign_in, user

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return installed()


@pytest.fixture(scope="module")
def institution(tmp_path_factory: pytest.TempPathFactory) -> Institution:
    made = Institution(tmp_path_factory.mktemp("small"))
    made.supply([user("amy"), user("bob"), sign_in("amy"), sign_in("bob", mfa="not_required")])
    made.run("collect", "--quiet")
    return made


@pytest.fixture(scope="module")
def estate(institution: Institution) -> Estate:
    return load_estate(institution.estate)


def graded_now(store: Store, estate: Estate, registry: Registry, as_of: datetime) -> Graded:
    baseline = open_baseline("fsc-2024")
    previous = previous_of(store, baseline, as_of)
    registers = open_registers(estate, baseline)
    inputs, collections = inputs_from(store, estate, baseline, registers, as_of, registry, previous=previous)
    graded = grade(inputs, registry.checks, registry.facts)
    graded.assessment, _ = seal(store, graded, collections)
    return graded


@pytest.fixture(scope="module")
def graded(institution: Institution, estate: Estate, registry: Registry) -> Graded:
    with Store.open(institution.store) as store:
        return graded_now(store, estate, registry, datetime.now(UTC))


def path_of(graded: Graded) -> Path:
    return Path(graded.assessment.path)


# which collections count


def seal_collections(store: Store, estate: Estate, *given: tuple[datetime, bool]) -> list[str]:
    roots = []
    for finished_at, complete in given:
        with store.writing() as writer:
            collection = writer.collection(
                estate.targets["ad"],
                collector="import",
                version="1",
                origin=Origin.SUPPLIED,
                started_at=finished_at,
                estate_digest=estate.digest,
                promises=["User"],
            )
            roots.append(collection.seal(complete, finished_at).root)
    return roots


def test_the_newest_complete_collection_that_had_ended_counts(tmp_path: Path, estate: Estate) -> None:
    noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
    with Store.open(tmp_path / "store", create=True) as store:
        old, new, half, later = seal_collections(
            store, estate, (noon - DAY, True), (noon, True), (noon + DAY, False), (noon + 3 * DAY, True)
        )
        at = {
            moment: {name: found.root for name, found in counting(store, estate, moment).items()}
            for moment in (noon - 2 * DAY, noon - DAY, noon, noon + DAY, noon + 3 * DAY)
        }
    assert list(at.values()) == [{}, {"ad": old}, {"ad": new}, {"ad": new}, {"ad": later}]
    assert half not in {root for found in at.values() for root in found.values()}


def test_a_collection_of_a_target_that_left_the_estate_does_not_count(institution: Institution, estate: Estate) -> None:
    with Store.open(institution.store) as store:
        assert set(counting(store, estate, datetime.now(UTC))) == {"ad"}
        assert counting(store, dataclasses.replace(estate, targets={}), datetime.now(UTC)) == {}


# what is sealed


def test_a_sealed_result_holds_everything_it_was_built_from(graded: Graded, estate: Estate) -> None:
    path = path_of(graded)
    names = {place.relative_to(path).as_posix() for place in path.rglob("*") if place.is_file()}
    (root,) = (place.name for place in (path / "inputs/collections").iterdir())
    assert names >= {
        "assessment.json",
        "manifest.json",
        "statement.dsse.json",
        "inputs/inputs.json",
        "inputs/estate/estate.toml",
        "inputs/baseline/baseline.toml",
        "findings/User.parquet",
        "members/User.parquet",
        f"inputs/collections/{root}/facts/SignIn.parquet",
    }
    assert (path / "inputs/estate/estate.toml").read_bytes() == estate.path.read_bytes()
    assert read_result(path) == msgspec.structs.replace(graded.assessment, path="")


def test_findings_and_members_lie_beside_each_other_asset_by_asset(graded: Graded) -> None:
    path, use = path_of(graded), graded.uses["1-1/mfa-enforced"]
    with duckdb.connect() as fresh:
        found = fresh.execute(f"SELECT asset, \"{use.id}\" FROM '{path}/findings/User.parquet' ORDER BY asset")
        assert found.fetchall() == [("user:ad:amy", 0), ("user:ad:bob", 1)]
        placed = fresh.execute(f"SELECT asset, \"core/remote_work\" FROM '{path}/members/User.parquet' ORDER BY asset")
        assert [(asset, bool(member)) for asset, member in placed.fetchall()] == [
            ("user:ad:amy", True),
            ("user:ad:bob", True),
        ]


def test_the_same_moment_and_evidence_give_the_same_digest(
    graded: Graded, institution: Institution, estate: Estate, registry: Registry
) -> None:
    inputs = graded.inputs
    again = grade(inputs, registry.checks, registry.facts)
    assert again.assessment.assessment == graded.assessment.assessment
    later = grade(
        dataclasses.replace(inputs, as_of=inputs.as_of + timedelta(seconds=1)), registry.checks, registry.facts
    )
    assert later.assessment.assessment != graded.assessment.assessment


# what comes out again


def test_a_copy_gives_the_same_inputs_and_the_same_result(graded: Graded, registry: Registry, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(path_of(graded), tmp_path / "copy"))
    inputs, sealed = reopen(copy, registry)
    assert sealed.assessment == graded.assessment.assessment
    assert inputs.as_of == graded.inputs.as_of
    assert inputs.estate.digest == graded.inputs.estate.digest
    assert inputs.baseline.digest == graded.inputs.baseline.digest
    assert inputs.registers.digest == graded.inputs.registers.digest
    found = regrade(copy, registry)
    assert (found.same, found.differences) == (True, ())


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("assessment.json", "cannot be read as an assessment"),
        ("inputs/inputs.json", "the inputs cannot be read"),
        ("inputs/collections", "the collection of ad is missing"),
    ],
)
def test_what_is_missing_from_a_sealed_folder_is_named(
    graded: Graded, registry: Registry, tmp_path: Path, gone: str, words: str
) -> None:
    copy = Path(shutil.copytree(path_of(graded), tmp_path / "copy"))
    place = copy / gone
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    with pytest.raises(SealError, match=words):
        reopen(copy, registry)


@pytest.mark.parametrize("content", [b"", b"{}", b"[", b'{"schema_version": "1"}', b"\xff"])
def test_a_result_that_cannot_be_understood_is_a_seal_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "assessment.json").write_bytes(content)
    with pytest.raises(SealError, match="restore the folder"):
        read_result(tmp_path)


def test_a_false_grade_is_found_even_where_it_was_sealed(graded: Graded, registry: Registry, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(path_of(graded), tmp_path / "copy"))
    result = json.loads((copy / "assessment.json").read_bytes())
    result["grades"][0]["floor"] = "IV"
    result["headline"]["without_exceptions"]["floor"] = "IV"
    result["assessment"] = "0" * 64
    (copy / "assessment.json").write_text(json.dumps(result))
    found = regrade(copy, registry)
    assert not found.same
    assert found.rebuilt.grades[0].floor is Level.NONE
    assert [line.partition(":")[0] for line in found.differences] == [
        "headline",
        "core / remote_work / identity",
    ]


def test_the_previous_assessment_is_the_last_one_of_the_same_baseline_and_not_later(
    graded: Graded, institution: Institution, estate: Estate, registry: Registry
) -> None:
    baseline, strict = open_baseline("fsc-2024"), open_baseline("fsc-2024-strict")
    with Store.open(institution.store) as store:
        first = previous_of(store, baseline, graded.inputs.as_of)
        assert first is not None and first.assessment == graded.assessment.assessment
        assert previous_of(store, strict, graded.inputs.as_of) is None
        assert previous_of(store, baseline, graded.inputs.as_of - DAY) is None
        second = graded_now(store, estate, registry, datetime.now(UTC))
        assert second.assessment.previous == graded.assessment.assessment
        again = regrade(path_of(second), registry)
        assert again.same, again.differences


def test_an_assessment_is_found_by_enough_of_its_digest(graded: Graded, institution: Institution) -> None:
    path = path_of(graded)
    assert find_assessment(str(path), None) == path
    with Store.open(institution.store) as store:
        assert find_assessment(path.name, store) == find_assessment(path.name[:6], store) == path
        for wrong in (path.name[:5], "0" * 12, ""):
            with pytest.raises(UsageError, match="list assessments"):
                find_assessment(wrong, store)
    with pytest.raises(UsageError, match="--store"):
        find_assessment("latest", None)


def test_a_result_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "assessment.json").write_bytes(b'{"schema_version": 2}')
    with pytest.raises(UsageError, match="newer version"):
        read_result(tmp_path)
