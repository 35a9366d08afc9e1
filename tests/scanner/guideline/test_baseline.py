"""A baseline is read strictly, all that is wrong with it is said at once, and sealed bytes give it back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scanner.column import Check, Claim, check
from scanner.errors import ConfigurationError, Problem, UnknownName
from scanner.facts import Activity, SignIn, User
from scanner.guideline.baseline import load_baseline, parse_baseline, shipped_baselines
from scanner.model import Effort, Impact, Level, Pillar, RequirementKind, Scene, ServiceModel


@check(over=User, id="fake.factor_is_enforced")
def factor_is_enforced(user: Any, *, modes: list[str]) -> Claim:
    """A second factor is enforced."""
    sign_in = user[SignIn]
    return Claim(
        applies=user.enabled,
        holds=sign_in.mfa.is_in(modes),
        shows={"policy": sign_in.policy, "mfa": sign_in.mfa, "conditions": sign_in.conditions},
    )


@check(over=User, id="fake.account_is_used")
def account_is_used(user: Any, *, days: int) -> Claim:
    """The account was used lately."""
    return Claim(
        applies=user.enabled,
        holds=user.clock.within(user[Activity].idle_since, days=days),
        shows={"idle_since": user[Activity].idle_since},
    )


CHECKS: Mapping[str, Check[Any]] = {each.id: each for each in (factor_is_enforced, account_is_used)}


def both(*keys: str) -> str:
    return "\n".join(f'{key}.zh-TW = "{key} 中文"\n{key}.en = "{key} English"' for key in keys)


SCENES = "\n".join(f'[scenes.{scene}]\nprovenance = "OWN"\n{both("title", "rule")}' for scene in Scene)
PILLARS = "[pillars]\n" + "\n".join(both(f"{pillar}.title") for pillar in Pillar)
LEVELS = "\n".join(
    f'[levels.{level}]\nprovenance = "OWN"\n{both("title", "says")}' for level in Level if level is not Level.NONE
)
WORDS = "\n".join(
    f'[words.{word}]\nzh-TW = "{word}詞"\nen = "{word} word"'
    for word in ("true", "false", "empty", "not_required", "report_only", "enforced", "no_password")
)
MAIN = f"""schema_version = 1
id = "small"
version = "1"
rule_version = "1"
{both("title", "source", "rule", "matrix")}
[counts]
I = 1
II = 0
III = 0
IV = 0
[provenance.OWN]
zh-TW = "自訂"
en = "own"
{PILLARS}
{LEVELS}
[[levels.II.requires]]
slug = "protect-surface"
attestation = true
{both("says", "fix", "asks")}
{SCENES}
{WORDS}
"""
ITEM = f"""[items."1-1"]
pillar = "identity"
level = "I"
provenance = "OWN"
matrix.listed = {{ iaas = true, paas = false, saas = false }}
{both("function", "title", "says", "fix")}

[[items."1-1".requires]]
slug = "mfa-enforced"
check = "fake.factor_is_enforced"
need = 0.9
max_age = "7d"
modes = ["enforced"]
says.zh-TW = "至少 {{need}} 強制"
says.en = "At least {{need}} enforced"
{both("fix")}
because.zh-TW = "{{policy}}：{{mfa}}，{{conditions}}"
because.en = "{{policy}}: {{mfa}}, {{conditions}}"

[[items."1-1".requires]]
slug = "used-or-nobody"
{both("says", "fix")}
[[items."1-1".requires.any_of]]
slug = "used"
check = "fake.account_is_used"
max_age = "12h"
days = 90
says.zh-TW = "{{days}} 天內使用"
says.en = "Used within {{days}} days"
{both("fix")}
[[items."1-1".requires.any_of]]
slug = "nobody"
attestation = true
{both("says", "fix", "asks")}
"""
FILES = {"baseline.toml": MAIN, "identity.toml": ITEM}


def parse(files: Mapping[str, str]) -> Any:
    return parse_baseline({name: text.encode() for name, text in files.items()}, CHECKS)


def problems_of(files: Mapping[str, str]) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as caught:
        parse(files)
    return caught.value.problems


def only_problem(old: str, new: str, file: str = "identity.toml") -> Problem:
    assert old in FILES[file]
    problems = problems_of({**FILES, file: FILES[file].replace(old, new, 1)})
    assert len(problems) == 1, problems
    assert problems[0].file == file
    return problems[0]


def write(folder: Path, files: Mapping[str, str]) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_check_requirement_carries_all_that_judging_needs() -> None:
    requirement = parse(FILES).items["1-1"].requires[0]
    assert requirement.address == "1-1/mfa-enforced"
    assert requirement.kind is RequirementKind.CHECK
    assert requirement.check == "fake.factor_is_enforced"
    assert requirement.need == 0.9
    assert requirement.max_age == timedelta(days=7)
    assert dict(requirement.parameters) == {"modes": ["enforced"]}
    assert requirement.asks is None


def test_words_take_their_numbers_from_the_parameters() -> None:
    baseline = parse(FILES)
    assert baseline.requirement("1-1/mfa-enforced").says.en == "At least 90% enforced"
    assert baseline.requirement("1-1/used").says.zh_tw == "90 天內使用"


def test_a_choice_has_branches_with_addresses_of_their_own() -> None:
    baseline = parse(FILES)
    choice = baseline.items["1-1"].requires[1]
    assert choice.kind is RequirementKind.ANY_OF
    assert [branch.address for branch in choice.branches] == ["1-1/used", "1-1/nobody"]
    assert choice.branches[0].max_age == timedelta(hours=12)
    assert baseline.requirement("1-1/nobody").kind is RequirementKind.ATTESTATION
    assert baseline.requirement("1-1/nobody").asks.en == "asks English"


def test_gates_stand_under_the_level_that_they_guard() -> None:
    baseline = parse(FILES)
    assert list(baseline.gates) == [Level.II]
    assert baseline.gates[Level.II][0].address == "II/protect-surface"


def test_an_unknown_address_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean '1-1/mfa-enforced'"):
        parse(FILES).requirement("1-1/mfa-enforce")


@pytest.mark.parametrize(
    ("scene", "model", "applies"),
    [
        (Scene.CLOUD_ACCESS, ServiceModel.IAAS, True),
        (Scene.CLOUD_ACCESS, ServiceModel.PAAS, False),
        (Scene.CLOUD_ACCESS, ServiceModel.ON_PREMISES, True),
        (Scene.REMOTE_WORK, ServiceModel.PAAS, True),
    ],
)
def test_the_matrix_holds_in_the_cloud_scene_only(scene: Scene, model: ServiceModel, applies: bool) -> None:
    assert parse(FILES).items["1-1"].applicable(scene, model) is applies


def test_an_item_that_the_matrix_does_not_list_stays_applicable() -> None:
    unlisted = ITEM.replace("matrix.listed = { iaas = true, paas = false, saas = false }\n", "")
    item = parse({**FILES, "identity.toml": unlisted}).items["1-1"]
    assert item.listed is None
    assert item.applicable(Scene.CLOUD_ACCESS, ServiceModel.SAAS)


def test_a_requirement_may_say_what_meeting_it_costs() -> None:
    stated = ITEM.replace("need = 0.9", 'need = 0.9\neffort = "project"\nimpact = "high"')
    first, _ = parse({**FILES, "identity.toml": stated}).items["1-1"].requires

    assert (first.effort, first.impact) == (Effort.PROJECT, Impact.HIGH)
    assert {(each.effort, each.impact) for each in parse(FILES).requirements()} == {(None, None)}


def test_a_review_may_state_how_many_lie_within_which_period_and_a_drill_how_recent_it_is() -> None:
    counted = 'review = true\nreviews = 4\nwithin = "365d"'
    stated = ITEM.replace("attestation = true", counted)
    found = parse({**FILES, "identity.toml": stated}).requirement("1-1/nobody")
    assert (found.reviews, found.within, found.max_age) == (4, timedelta(days=365), timedelta(0))
    drill = parse({**FILES, "identity.toml": ITEM.replace("attestation = true", 'drill = true\nmax_age = "365d"')})
    found = drill.requirement("1-1/nobody")
    assert (found.reviews, found.within, found.max_age) == (0, timedelta(0), timedelta(days=365))


def test_a_document_may_state_what_a_sample_behind_it_must_prove() -> None:
    for kind in ("attestation", "review"):
        sampled = f"{kind} = true\nsample_need = 0.95\nsample_confidence = 0.99"
        stated = ITEM.replace("attestation = true", sampled)
        found = parse({**FILES, "identity.toml": stated}).requirement("1-1/nobody")
        assert (found.sample_need, found.sample_confidence) == (0.95, 0.99)
    plain = parse(FILES).requirement("1-1/nobody")
    assert (plain.sample_need, plain.sample_confidence) == (0, 0)


def test_a_sentence_says_values_in_words_and_null_as_not_seen() -> None:
    baseline = parse(FILES)
    requirement = baseline.requirement("1-1/mfa-enforced")
    said = baseline.sentence(requirement, {"policy": None, "mfa": "report_only", "conditions": []})
    assert said.en == "(not seen): report_only word, empty word"
    assert said.zh_tw == "（未取得）：report_only詞，empty詞"
    assert baseline.sentence(baseline.requirement("1-1/nobody"), {}) is None


def test_values_are_said_by_their_kind() -> None:
    baseline = parse(FILES)
    assert baseline.say(True).en == "true word"
    assert baseline.say(["a", "enforced"]).zh_tw == "a、enforced詞"
    assert baseline.say(datetime(2026, 11, 20, 1, 2, tzinfo=UTC)).en == "2026-11-20 01:02 UTC"
    assert baseline.say(7).zh_tw == "7"


def test_the_digest_covers_names_and_bytes() -> None:
    listed = [[name, hashlib.sha256(text.encode()).hexdigest()] for name, text in sorted(FILES.items())]
    canonical = json.dumps(listed, separators=(",", ":")).encode()
    assert parse(FILES).digest == hashlib.sha256(canonical).hexdigest()
    assert parse({**FILES, "identity.toml": ITEM + "\n"}).digest != parse(FILES).digest


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ("fake.factor_is_enforced", "fake.factor_is_enforce", "check", "did you mean 'fake.factor_is_enforced'"),
        ('modes = ["enforced"]\n', "", "", "'modes' is missing"),
        ('modes = ["enforced"]', 'modes = "enforced"', "modes", "does not suit"),
        ('modes = ["enforced"]', 'modes = ["enfroced"]', "check", "never 'enfroced'"),
        ("modes =", "days = 3\nmodes =", "days", "unknown key"),
        ("days = 90", "days = true", "days", "does not suit"),
        ("need = 0.9", "need = 0", "need", "above 0"),
        ("need = 0.9", "need = 1.5", "need", "found 1.5"),
        ('max_age = "7d"', 'max_age = "7 days"', "max_age", "like 7d or 24h"),
        ('level = "I"', 'level = "V"', "level", "there is no"),
        ('level = "I"', 'level = "none"', "level", "an item has a level"),
        ('provenance = "OWN"', 'provenance = "OWNN"', "provenance", "did you mean 'OWN'"),
        ('slug = "nobody"', 'slug = "used"', "slug", "stands there twice"),
        ('slug = "nobody"', 'slug = "No body"', "slug", "hyphens"),
        ("because.en = ", "because.de = ", "because", "'en' is missing"),
        ("{policy}:", "{polcy}:", "because.en", "did you mean 'policy'"),
        ("{policy}:", "{policy:", "because.en", "a brace"),
        ("At least {need}", "At least {ned}", "says.en", "did you mean 'need'"),
        ("attestation = true", "attestation = false", "attestation", "is not true"),
        ("attestation = true", "review = true\nreviews = 4", "", "'within' is missing"),
        ("attestation = true", 'review = true\nwithin = "365d"', "", "'reviews' is missing"),
        ("attestation = true", 'review = true\nreviews = 0\nwithin = "365d"', "reviews", "from 1"),
        ("attestation = true", 'review = true\nreviews = 4\nwithin = "year"', "within", "like 7d"),
        ("attestation = true", 'review = true\nreviews = 4\nwithin = "9h"', "within", "one day"),
        ("attestation = true", 'drill = true\nmax_age = "often"', "max_age", "like 7d"),
        ("attestation = true", 'attestation = true\nmax_age = "7d"', "max_age", "unknown key"),
        ("attestation = true", "attestation = true\nsample_need = 0.9", "", "'sample_confidence' is missing"),
        (
            "attestation = true",
            "attestation = true\nsample_need = 0.9\nsample_confidence = 0.5",
            "sample_confidence",
            "from 0.9",
        ),
        (
            "attestation = true",
            "drill = true\nsample_need = 0.9\nsample_confidence = 0.95",
            "sample_need",
            "unknown key",
        ),
        ("attestation = true", "attestation = true\ndrill = true", "", "exactly one of"),
        ("attestation = true\n", "", "", "exactly one of"),
        ('provenance = "OWN"', 'provenance = "OWN"\nexercised = true', "exercised", "needs a drill"),
        ("iaas = true, ", "", "", "'iaas' is missing"),
        ("need = 0.9", 'effort = "chance"\nimpact = "low"', "effort", "did you mean 'change'"),
        ("need = 0.9", 'effort = "change"\nimpact = "lwo"', "impact", "did you mean 'low'"),
        ("need = 0.9", 'effort = "change"', "", "'impact' is missing"),
        ("need = 0.9", 'impact = "low"', "", "'effort' is missing"),
        (
            'slug = "used-or-nobody"',
            'slug = "used-or-nobody"\neffort = "change"\nimpact = "low"',
            "effort",
            "state it for each branch",
        ),
    ],
)
def test_a_flaw_is_told_with_file_line_and_key(old: str, new: str, key: str, says: str) -> None:
    problems = problems_of({**FILES, "identity.toml": ITEM.replace(old, new, 1)})
    found = [each for each in problems if says in str(each)]
    assert found, problems
    assert found[0].file == "identity.toml"
    assert found[0].line is not None
    assert found[0].key.endswith(key)


def test_a_flaw_names_the_line_of_the_key() -> None:
    problem = only_problem("need = 0.9", "need = 0")
    assert problem.line == ITEM.splitlines().index("need = 0.9") + 1


def test_a_value_without_words_cannot_be_named_by_a_sentence() -> None:
    silent = MAIN.replace('[words.report_only]\nzh-TW = "report_only詞"\nen = "report_only word"\n', "")
    problems = problems_of({**FILES, "baseline.toml": silent})
    assert {problem.hint for problem in problems} == {"add words.report_only"}


def test_a_missing_language_is_a_flaw() -> None:
    problem = only_problem('function.en = "function English"\n', "")
    assert "'en' is missing" in problem.message


def test_all_flaws_are_said_at_once() -> None:
    broken = ITEM.replace("need = 0.9", "need = 0").replace('max_age = "12h"', 'max_age = "soon"')
    messages = [str(problem) for problem in problems_of({**FILES, "identity.toml": broken})]
    assert len(messages) == 2
    assert any("need" in message for message in messages)
    assert any("max_age" in message for message in messages)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("I = 1", "I = 2", "says 2 items, but 1 were read"),
        ("[levels.IV]", "[levels.V]", "did you mean"),
        ("[scenes.remote_work]", "[scenes.remote_works]", "did you mean 'remote_work'"),
        ("schema_version = 1", "schema_version = 2", "found 2"),
        ("[words.empty]", "[words.blank]", "lacks 'empty'"),
        ('id = "small"\n', "", "'id' is missing"),
    ],
)
def test_the_main_file_is_held_to_the_vocabulary(old: str, new: str, says: str) -> None:
    problems = problems_of({**FILES, "baseline.toml": MAIN.replace(old, new, 1)})
    assert any(says in str(problem) for problem in problems), problems


def test_an_item_stands_in_one_file_only() -> None:
    problems = problems_of({**FILES, "other.toml": ITEM})
    assert any("stands in two files" in problem.message for problem in problems)


def test_a_file_that_is_no_toml_is_told_with_its_line() -> None:
    problems = problems_of({**FILES, "identity.toml": "[items\n"})
    assert any(problem.file == "identity.toml" and problem.line == 1 for problem in problems)


def test_a_baseline_without_its_main_file_is_refused() -> None:
    assert [problem.file for problem in problems_of({"identity.toml": ITEM})] == ["baseline.toml"]


CHILD = f"""schema_version = 1
id = "small-strict"
version = "2"
extends = "../small"
{both("title", "source")}
[[replace]]
requirement = "1-1/mfa-enforced"
need = 1
says.zh-TW = "全部強制"
says.en = "All enforced"
[[replace]]
requirement = "1-1/used"
days = 30
"""


def test_an_extending_baseline_replaces_only_what_it_names(tmp_path: Path) -> None:
    write(tmp_path / "small", FILES)
    strict = load_baseline(write(tmp_path / "strict", {"baseline.toml": CHILD}), CHECKS)
    parent = load_baseline(tmp_path / "small", CHECKS)
    assert (strict.id, strict.version, strict.extends, strict.guideline) == ("small-strict", "2", "../small", "small")
    changed = strict.requirement("1-1/mfa-enforced")
    assert (changed.need, changed.says.en) == (1.0, "All enforced")
    assert changed.parameters == parent.requirement("1-1/mfa-enforced").parameters
    assert strict.requirement("1-1/used").says.en == "Used within 30 days"
    assert strict.requirement("1-1/nobody") == parent.requirement("1-1/nobody")


def test_an_extending_baseline_seals_the_files_of_its_parent(tmp_path: Path) -> None:
    write(tmp_path / "small", FILES)
    strict = load_baseline(write(tmp_path / "strict", {"baseline.toml": CHILD}), CHECKS)
    assert list(strict.files) == ["baseline.toml", "extends/baseline.toml", "extends/identity.toml"]
    assert parse_baseline(strict.files, CHECKS) == strict
    altered = {**strict.files, "extends/identity.toml": strict.files["extends/identity.toml"] + b"\n"}
    assert parse_baseline(altered, CHECKS).digest != strict.digest


def test_replacing_may_be_repeated_down_a_chain(tmp_path: Path) -> None:
    write(tmp_path / "small", FILES)
    write(tmp_path / "strict", {"baseline.toml": CHILD})
    grandchild = CHILD.replace("../small", "../strict").replace("days = 30", "days = 7")
    strictest = load_baseline(write(tmp_path / "strictest", {"baseline.toml": grandchild}), CHECKS)
    assert strictest.requirement("1-1/used").parameters == {"days": 7}
    assert strictest.guideline == "small"
    assert "extends/extends/identity.toml" in strictest.files


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"1-1/used"', '"1-1/use"', "did you mean '1-1/used'"),
        ('"1-1/used"', '"1-1/mfa-enforced"', "replaced twice"),
        ("days = 30", "hours = 30", "unknown key"),
        ("days = 30", 'days = "x"', "does not suit"),
        ("days = 30", "", "replaces nothing"),
    ],
)
def test_a_flaw_in_a_replacement_is_told_where_it_stands(tmp_path: Path, old: str, new: str, says: str) -> None:
    write(tmp_path / "small", FILES)
    folder = write(tmp_path / "strict", {"baseline.toml": CHILD.replace(old, new, 1)})
    with pytest.raises(ConfigurationError) as caught:
        load_baseline(folder, CHECKS)
    found = [problem for problem in caught.value.problems if says in str(problem)]
    assert found, caught.value.problems
    assert found[0].file == "baseline.toml"
    assert found[0].line is not None


def test_a_chain_that_comes_back_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "strict", {"baseline.toml": CHILD.replace("../small", "../strict")})
    with pytest.raises(ConfigurationError, match="comes back"):
        load_baseline(tmp_path / "strict", CHECKS)


def test_extending_what_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "strict", {"baseline.toml": CHILD.replace("../small", "fsc-2025")})
    with pytest.raises(ConfigurationError, match=r"extends: there is no .* did you mean 'fsc-2024'"):
        load_baseline(tmp_path / "strict", CHECKS)


def test_a_file_that_cannot_be_read_is_told_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    write(tmp_path / "small", FILES)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigurationError, match=r"baseline\.toml: cannot be read: Permission denied"):
        load_baseline(tmp_path / "small", CHECKS)


def test_an_id_that_is_neither_shipped_nor_a_folder_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'fsc-2024'"):
        load_baseline("fsc-2025", CHECKS)


def test_the_shipped_baselines_are_listed() -> None:
    assert shipped_baselines() == ("fsc-2024", "fsc-2024-strict")
