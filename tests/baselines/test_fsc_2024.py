"""The shipped baselines are whole, agree with the checks, and speak both languages as people here write them."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from scanner.grading.grade import RULE_VERSION
from scanner.guideline.baseline import Baseline, load_baseline, parse_baseline, shipped_baselines
from scanner.guideline.nouns import NAME_IN_SENTENCE
from scanner.model import Effort, Impact, Level, Pillar, RequirementKind, Scene, ServiceModel, Text
from scanner.registry import checks
from tests.baselines.wanted import DOCUMENTS, GATES, WANTED

LEVELS = {
    "I": "1-1 1-3 1-4 2-1 2-3 3-1 3-4 4-1 5-1 5-3 5-4 5-6",
    "II": "1-2 1-5 2-2 2-4 3-2 3-3 4-2 4-4 4-5 5-5",
    "III": "1-6 2-5 2-6 3-5 3-6 4-3 4-6 5-2 5-7",
    "IV": "1-7 2-7 3-7 4-7 5-8",
}
MOMENT = datetime(2026, 11, 20, tzinfo=UTC)
EXERCISED = {"1-5", "2-4", "2-5", "3-5", "4-2", "4-3", "5-2", "5-5"}
UNLISTED = {"1-7", "2-7", "3-7", "4-7", "5-8"}
OFFICIAL = {
    "1": "身分認證 身分認證 身分互通 身分互通 權限存取 可視性分析 自動化治理",
    "2": "設備合規 設備合規 供應鏈風險 資源存取 威脅防護 可視性分析 自動化治理",
    "3": "網路區隔 網路區隔 流量管理 流量加密 網路韌性 可視性分析 自動化治理",
    "4": "存取授權 存取授權 威脅防護 程式安全 程式部署 可視性分析 自動化治理",
    "5": "外洩防護 外洩防護 資料分類 資料可用性 資料存取 資料加密 可視性分析 自動化治理",
}
FOREIGN = "硬件 硬盤 優化 數據 軟件 網絡 打印 訪問 用戶名 默認 服務器 客戶端 支持 屏幕 質量 信息 文檔 文件夾 登錄帳 賬"
"""Words that Taiwan does not use for these things."""


@cache
def baseline(name: str = "fsc-2024") -> Baseline:
    return load_baseline(name, checks())


def texts(name: str) -> Iterator[tuple[str, str, str]]:
    """File, key and words of every text in a language, as they stand in the files."""

    def walk(file: str, path: str, value: object) -> Iterator[tuple[str, str, str]]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from walk(file, f"{path}.{key}", inner)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                yield from walk(file, f"{path}[{index}]", inner)
        elif isinstance(value, str) and path.endswith((".zh-TW", ".en")):
            yield file, path, value

    for file, content in baseline(name).files.items():
        yield from walk(file, "", tomllib.loads(content.decode()))


def test_the_guideline_has_36_items_on_four_levels() -> None:
    by_level = {level: {item.id for item in baseline().items.values() if item.level == level} for level in LEVELS}
    assert by_level == {level: set(items.split()) for level, items in LEVELS.items()}
    assert Counter(item.pillar for item in baseline().items.values()) == {
        Pillar.IDENTITY: 7,
        Pillar.DEVICE: 7,
        Pillar.NETWORK: 7,
        Pillar.APPLICATION: 7,
        Pillar.DATA: 8,
    }


def test_it_is_written_for_the_rule_that_grades() -> None:
    assert baseline().rule_version == RULE_VERSION


def test_items_stand_in_the_order_of_their_numbers() -> None:
    assert list(baseline().items) == sorted(baseline().items)


def test_functions_carry_their_official_names() -> None:
    for first, functions in OFFICIAL.items():
        items = [item for item in baseline().items.values() if item.id.startswith(f"{first}-")]
        assert [item.function.zh_tw for item in items] == functions.split()


def test_levels_carry_their_official_names() -> None:
    titles = {level: text.title.zh_tw for level, text in baseline().levels.items()}
    for level, name in {"I": "傳統", "II": "起始", "III": "進階", "IV": "最佳化"}.items():
        assert titles[Level(level)].startswith(name)


def test_requirements_are_those_agreed() -> None:
    found = {
        requirement.address: (
            requirement.check,
            requirement.need,
            requirement.max_age // timedelta(days=1),
            dict(requirement.parameters),
        )
        for requirement in baseline().requirements()
        if requirement.kind is RequirementKind.CHECK
    }
    assert found == WANTED


def test_documents_are_those_agreed() -> None:
    found = {
        requirement.address: requirement.kind.value
        for item in baseline().items.values()
        for requirement in (each for top in item.requires for each in top.walk())
        if requirement.asks
    }
    assert found == DOCUMENTS


@pytest.mark.parametrize("name", ["fsc-2024", "fsc-2024-strict"])
def test_every_requirement_says_what_meeting_it_costs_and_choices_leave_it_to_their_branches(name: str) -> None:
    stated = {
        requirement.address: (requirement.effort, requirement.impact)
        for requirement in baseline(name).requirements()
        if requirement.kind is not RequirementKind.ANY_OF
    }
    assert [address for address, cost in stated.items() if None in cost] == []
    assert {effort for effort, _ in stated.values()} == set(Effort)
    assert {impact for _, impact in stated.values()} == set(Impact)


def test_costs_are_marked_as_proposed_by_us() -> None:
    proposed = baseline().provenance["PROPOSED"]
    assert "effort and impact" in proposed.en
    assert "投入與影響" in proposed.zh_tw


def test_an_exercise_takes_days_but_for_the_one_that_cuts_a_path() -> None:
    drills = [each for each in baseline().requirements() if each.kind is RequirementKind.DRILL]
    assert {each.address for each in drills if each.effort is not Effort.SETTING} == {"3-5/failover-drill"}


@pytest.mark.parametrize("name", ["fsc-2024", "fsc-2024-strict"])
def test_reviews_are_counted_over_a_year_and_drills_held_within_one(name: str) -> None:
    year = timedelta(days=365)
    of = {kind: [each for each in baseline(name).requirements() if each.kind is kind] for kind in RequirementKind}
    reviews, drills = of[RequirementKind.REVIEW], of[RequirementKind.DRILL]
    assert {each.address.partition("/")[0]: (each.reviews, each.within) for each in reviews} == dict.fromkeys(
        ("1-6", "2-6", "3-6", "4-6", "5-7"), (4, year)
    )
    assert {each.address.partition("/")[0]: each.max_age for each in drills} == dict.fromkeys(EXERCISED, year)
    assert all("4" in each.says.en and "365" in each.says.en and "365" in each.says.zh_tw for each in reviews)


def test_gates_ask_for_the_documents_that_the_text_of_a_level_asks_for() -> None:
    found = {requirement.address for gate in baseline().gates.values() for requirement in gate}
    assert found == GATES
    assert set(baseline().gates) == {Level.II, Level.III}
    assert {requirement.kind for gate in baseline().gates.values() for requirement in gate} == {
        RequirementKind.ATTESTATION
    }


def test_every_check_is_used_once_but_that_of_disks_which_two_pillars_ask_for() -> None:
    used = Counter(requirement.check for requirement in baseline().requirements() if requirement.check)
    assert set(used) == set(checks())
    shared = {check: n for check, n in used.items() if n > 1}
    assert shared == {"device.compliance.fixed_volumes_are_encrypted": 2}


def test_peers_are_kept_apart_by_the_segment_or_by_every_host_and_by_no_share_of_hosts() -> None:
    choice = baseline().requirement("3-1/peers-apart")
    assert choice.kind is RequirementKind.ANY_OF
    assert {branch.slug: branch.need for branch in choice.branches} == {"peers-restricted": 1.0, "hosts-closed": 1.0}


def test_disks_of_endpoints_stand_beside_the_encryption_of_stores_and_never_in_its_place() -> None:
    item = baseline().items["5-6"]
    assert {"encrypted", "endpoints-encrypted"} <= {requirement.slug for requirement in item.requires}
    assert "disk" not in baseline().requirement("5-6/encrypted").parameters["layers"]


def test_the_eight_items_that_promise_an_action_need_a_drill() -> None:
    exercised = {item.id for item in baseline().items.values() if item.exercised}
    assert exercised == EXERCISED
    drilled = {
        item.id
        for item in baseline().items.values()
        if any(requirement.kind is RequirementKind.DRILL for requirement in item.requires)
    }
    assert drilled == EXERCISED


@pytest.mark.parametrize(
    ("model", "listed"), [(ServiceModel.IAAS, 31), (ServiceModel.PAAS, 29), (ServiceModel.SAAS, 27)]
)
def test_the_cloud_matrix_lists_as_many_items_as_the_source(model: ServiceModel, listed: int) -> None:
    items = baseline().items.values()
    assert sum(bool(item.listed and item.listed[model]) for item in items) == listed
    applicable = [item for item in items if item.applicable(Scene.CLOUD_ACCESS, model)]
    assert len(applicable) == listed + len(UNLISTED)
    assert {item.id for item in items if item.listed is None} == UNLISTED
    assert all(item.applicable(Scene.SYSTEM_OPERATIONS, model) for item in items)


def test_every_scene_has_a_rule_and_a_worked_case() -> None:
    assert list(baseline().scenes) == list(Scene)
    assert all(scene.worked for scene in baseline().scenes.values())


def test_every_sentence_names_something_that_the_check_shows() -> None:
    for requirement in baseline().requirements():
        if requirement.check is None:
            continue
        shown = checks()[requirement.check].build(MOMENT, requirement.parameters).shows
        assert (requirement.because is not None) == bool(shown), requirement.address
        if requirement.because:
            names = [
                set(NAME_IN_SENTENCE.findall(text)) for text in (requirement.because.zh_tw, requirement.because.en)
            ]
            assert names[0] == names[1] == set(shown), requirement.address


@pytest.mark.parametrize("name", ["fsc-2024", "fsc-2024-strict"])
def test_words_are_of_their_language(name: str) -> None:
    wrong = []
    for file, key, words in texts(name):
        chinese = re.search(r"[\u4e00-\u9fff]", words) is not None
        if key.endswith(".en") and (chinese or not words.isascii()):
            wrong.append((file, key, words))
        if key.endswith(".zh-TW") and not chinese and not key.startswith(".words"):
            wrong.append((file, key, words))
        if key.endswith(".zh-TW"):
            wrong.extend((file, key, word) for word in FOREIGN.split() if word in words)
    assert wrong == []


def test_chinese_is_written_in_traditional_characters() -> None:
    """Big5 holds the characters that Taiwan writes and none that were simplified."""
    wrong = []
    for name in shipped_baselines():
        for file, key, words in texts(name):
            strange = [character for character in words if not character.encode("cp950", "ignore")]
            if strange:
                wrong.append((file, key, strange))
    assert wrong == []


def test_chinese_punctuation_stands_in_chinese_text() -> None:
    wrong = [
        (file, key, words)
        for file, key, words in texts("fsc-2024")
        if key.endswith(".zh-TW") and re.search(r"[\u4e00-\u9fff][,;:!?()]|[,;:!?()][\u4e00-\u9fff]", words)
    ]
    assert wrong == []


def test_what_is_said_of_an_item_or_a_fix_is_a_sentence() -> None:
    wrong = []
    for item in baseline().items.values():
        for text in (item.says, item.fix, *(requirement.fix for requirement in item.requires)):
            if not text.en.endswith(".") or not text.zh_tw.endswith("。"):
                wrong.append((item.id, text))
    assert wrong == []


def test_no_text_was_left_empty_or_doubled_between_languages() -> None:
    both = [text for item in baseline().items.values() for text in (item.function, item.title, item.says, item.fix)]
    assert all(isinstance(text, Text) and text.zh_tw != text.en for text in both)


@pytest.mark.parametrize("name", ["fsc-2024", "fsc-2024-strict"])
def test_sealed_bytes_give_the_baseline_back(name: str) -> None:
    assert parse_baseline(dict(baseline(name).files), checks()) == baseline(name)


def test_the_strict_reading_differs_in_one_time_passwords_alone() -> None:
    strict = {requirement.address: requirement for requirement in baseline("fsc-2024-strict").requirements()}
    differing = {
        requirement.address
        for requirement in baseline().requirements()
        if requirement.parameters != strict[requirement.address].parameters
    }
    assert differing == {"1-2/phishing-resistant", "1-2/bound-carrier"}
    for address, name in (("1-2/phishing-resistant", "methods"), ("1-2/bound-carrier", "carriers")):
        plain = set(baseline().requirement(address).parameters[name])
        assert plain - set(strict[address].parameters[name]) == {"otp_hardware"}
    assert baseline("fsc-2024-strict").guideline == "fsc-2024"


def test_software_and_text_message_codes_count_in_neither_reading() -> None:
    for name in shipped_baselines():
        methods = baseline(name).requirement("1-2/phishing-resistant").parameters["methods"]
        assert not {"totp_software", "sms", "push", "voice", "email", "password"} & set(methods)
