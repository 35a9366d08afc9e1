from __future__ import annotations

import pytest

from collectors.advisories.severity import of_vector, of_word, worse


@pytest.mark.parametrize(
    ("vector", "word"),
    [
        # Scores that FIRST publishes in its examples for CVSS 3.1: 9.9, 8.8, 7.5, 7.8, 6.1, 4.2, 3.1, 0.
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", "critical"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "critical"),
        ("CVSS:3.1/AV:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "high"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "high"),
        ("CVSS:3.0/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", "high"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "medium"),
        ("CVSS:3.1/AV:L/AC:H/PR:H/UI:N/S:U/C:L/I:N/A:N", "low"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", "low"),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", None),
        ("CVSS:3.1/AV:N", None),
        ("CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", None),
        ("high", None),
    ],
)
def test_vectors_become_words(vector: str, word: str | None) -> None:
    assert of_vector(vector) == word


def test_words_of_feeds_are_few_and_silence_is_none_of_them() -> None:
    assert [of_word(word) for word in ("High", "important", "low**", "unimportant", "not yet assigned", "")] == [
        "high", "high", "low", "low", None, None,
    ]  # fmt: skip
    assert (worse("low", "high"), worse(None, "low"), worse(None, None)) == ("high", "low", None)
