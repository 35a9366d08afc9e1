"""Collected text is shown whole in meaning and harmless in effect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.visible import FIELD_LIMIT, Shown, code_lines, prose, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("HR-Laptop 01", "HR-Laptop 01"),
        ("人事系統（總行）", "人事系統（總行）"),
        ("a\x00b\x1b[31m", "a⟨U+0000⟩b⟨U+001B⟩[31m"),
        ("x\u202egnp.exe", "x⟨U+202E⟩gnp.exe"),
        ("zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"),
        ("\x85\x9b", "⟨U+0085⟩⟨U+009B⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("nbsp\u00a0", "nbsp⟨U+00A0⟩"),
        ("filler\u3164", "filler⟨U+3164⟩"),
        ("全形\u3000空白", "全形\u3000空白"),
    ],
)
def test_what_hides_or_reorders_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_megabyte_is_cut_and_the_rest_is_counted() -> None:
    shown = visible("A" * 1_000_000)

    assert shown == "A" * FIELD_LIMIT + f"… ⟨+{1_000_000 - FIELD_LIMIT:,}⟩"


def test_a_tower_of_marks_does_not_cover_other_lines() -> None:
    assert visible("e" + "\u0301" * 50).count("\u0301") == 4


@given(st.text(alphabet=st.characters()))
def test_every_text_becomes_short_encodable_and_free_of_controls(text: str) -> None:
    shown = visible(text)

    shown.encode("utf-8")
    assert len(shown) <= FIELD_LIMIT + 30
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in shown)


def test_showing_twice_changes_nothing() -> None:
    once = visible("A" * 1000)

    assert isinstance(once, Shown)
    assert visible(once) is once


def test_prose_runs_lines_together_and_code_keeps_them() -> None:
    assert prose("one\n   two") == "one two"
    assert code_lines("one\n  two\r") == "one\n  two⟨U+000D⟩"
