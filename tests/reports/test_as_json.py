"""The JSON is the Assessment, field for field, and safe wherever it is pasted."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from reports import as_json
from scanner.result.assessment import Assessment
from tests.reports.dossier_sample import HOSTILE, dossier


def test_a_consumer_reads_back_the_very_assessment() -> None:
    sample = dossier(hostile=False)

    read = msgspec.json.decode(as_json.render(sample, "en"), type=Assessment)

    assert msgspec.structs.replace(read, unassigned=[]) == msgspec.structs.replace(sample.assessment, unassigned=[])


def test_keys_are_those_of_the_assessment_and_the_dossier_beside_them() -> None:
    shown = json.loads(as_json.render(dossier(), "en"))

    assert set(shown) == {*Assessment.__struct_fields__, "dossier"}
    assert set(shown["dossier"]) == {
        *("items", "gates", "examples", "systems", "rule_version", "root", "key"),
        *("institution", "strict", "generated_by", "selection", "lift", "crosswalks"),
    }
    assert shown["dossier"]["items"][0]["title"]["zh-TW"] == "多因子身分驗證"


def test_bytes_are_the_same_each_time_and_in_each_language() -> None:
    assert as_json.render(dossier(), "en") == as_json.render(dossier(), "zh-TW")


def test_hostile_text_is_escaped_and_still_itself() -> None:
    text = as_json.render(dossier(), "en").decode("utf-8")

    assert not re.search("[<>&\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    targets = [row["target"] for row in json.loads(text)["collections"]]
    assert HOSTILE.replace("\ud800", "\ufffd") in targets


def test_another_language_is_refused() -> None:
    with pytest.raises(ValueError, match="zh-TW or en"):
        as_json.render(dossier(), "ja")
