"""The kernel obeys every law of judging and grading."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scanner.laws import LAWS, Law


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law_holds(law: Law, tmp_path: Path) -> None:
    assert law(tmp_path) is None
