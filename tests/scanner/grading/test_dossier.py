"""The dossier has every word, example and place of evidence that a report shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import scanner
from scanner.commands.explaining import graded_again
from scanner.grading.assess import Graded
from scanner.grading.dossier import EXAMPLES_PER_OUTCOME, dossier, evidence_of, examples, seen, sentence
from scanner.grading.grade import RULE_VERSION
from scanner.model import Outcome
from scanner.result.dossier import Dossier
from tests.scanner.commands.stage import Institution, sign_in, user

KEYS = [f"u{number:02}" for number in range(EXAMPLES_PER_OUTCOME + 5)]


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    made = Institution(tmp_path_factory.mktemp("small"))
    made.supply(
        [user(key) for key in KEYS]
        + [user("unseen"), user("well"), sign_in("well", policy="CA-01")]
        + [sign_in(key, mfa="not_required", policy="CA-09") for key in KEYS]
    )
    return graded_again(Path(made.scan()["path"]))


@pytest.fixture(scope="module")
def told(graded: Graded) -> Dossier:
    return dossier(graded, root="r" * 64, key="k" * 64)


def test_every_item_requirement_and_gate_has_its_words(graded: Graded, told: Dossier) -> None:
    baseline = graded.inputs.baseline
    assert [item.id for item in told.items] == list(baseline.items)
    spoken = [text for item in told.items for text in item.requirements] + told.gates
    assert [text.id for text in spoken] == [requirement.address for requirement in baseline.requirements()]
    for text in spoken:
        assert text.says.zh_tw and text.says.en and text.fix.zh_tw and text.fix.en
        assert bool(text.check) is bool(text.rule) is bool(text.doc)
        assert not text.rule or text.rule.startswith("applies: ")


def test_it_says_where_it_comes_from(graded: Graded, told: Dossier) -> None:
    assert told.assessment is graded.assessment
    assert (told.root, told.key, told.rule_version) == ("r" * 64, "k" * 64, RULE_VERSION)
    assert told.generated_by == f"ztgrade {scanner.__version__}"
    assert {name: title.en for name, title in told.systems.items()} == {"core": "Core"}


def test_examples_are_what_did_not_pass_with_a_sentence_and_the_place_of_the_bytes(
    graded: Graded, told: Dossier
) -> None:
    rows = [example for example in told.examples if example.requirement == "1-1/mfa-enforced"]
    failed = [example for example in rows if example.outcome is Outcome.FAIL]
    unknown = [example for example in rows if example.outcome is Outcome.UNKNOWN]
    assert [example.asset for example in failed] == [f"user:ad:{key}" for key in KEYS[:EXAMPLES_PER_OUTCOME]]
    assert [example.asset for example in unknown] == ["user:ad:unseen"]
    assert "CA-09" in failed[0].sentence.en and "CA-09" in failed[0].sentence.zh_tw
    assert "(not seen)" in unknown[0].sentence.en and "未取得" in unknown[0].sentence.zh_tw
    assert all(example.systems == ["core"] and example.item == "1-1" for example in rows)
    path = Path(graded.assessment.path)
    for example in failed:
        assert [place.rpartition("/")[2] for place in example.evidence] == ["SignIn.parquet", "User.parquet"]
        assert all((path / "inputs/collections" / place).is_file() for place in example.evidence)
    assert [place.rpartition("/")[2] for place in unknown[0].evidence] == ["User.parquet"]


def test_no_example_passed(told: Dossier) -> None:
    assert {example.outcome for example in told.examples} == {Outcome.FAIL, Outcome.UNKNOWN}
    assert not any("{" in example.sentence.en for example in told.examples)


def test_fewer_examples_can_be_asked_for(graded: Graded) -> None:
    few = [example for example in examples(graded, 1) if example.requirement == "1-1/mfa-enforced"]
    assert [example.outcome for example in few] == [Outcome.FAIL, Outcome.UNKNOWN]


def test_a_requirement_without_a_sentence_shows_bare_values(graded: Graded) -> None:
    requirement = graded.inputs.baseline.requirement("1-1/mfa-enforced")
    (row,) = seen(graded, graded.uses[requirement.address], asset="user:ad:u00")
    said = sentence(graded.inputs.baseline, replace(requirement, because=None), row)
    assert "SignIn.mfa = " in said.en and "SignIn.mfa = " in said.zh_tw


def test_an_asset_nobody_spoke_of_has_no_evidence(graded: Graded) -> None:
    use = graded.uses["1-1/mfa-enforced"]
    assert evidence_of(graded, use, ["user:ad:zoe"]) == {"user:ad:zoe": []}
    assert evidence_of(graded, use, []) == {}
