"""Every threat that the document names has tests, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
THREATS = 16


def chapters() -> dict[int, tuple[str, list[str]]]:
    """Title and named tests by number."""
    text = (ROOT / "docs" / "fleet-threats.md").read_text("utf-8")
    found = {}
    for number, title, body in re.findall(r"^## (\d+)\. (.+)\n((?:(?!^## ).*\n)*)", text, re.MULTILINE):
        found[int(number)] = title, re.findall(r"^- `(.+)`$", body, re.MULTILINE)
    return found


@cache
def named_in(path: str) -> frozenset[str]:
    """Names of the tests of a file."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[:5] == "test_")


def test_every_threat_stands_there_with_tests_of_its_own() -> None:
    told = chapters()

    assert sorted(told) == list(range(1, THREATS + 1))
    assert [title for title, tests in told.values() if not tests] == []


@pytest.mark.parametrize("named", sorted({name for _, tests in chapters().values() for name in tests}))
def test_a_test_that_the_document_names_exists(named: str) -> None:
    path, name = named.split("::")

    assert name in named_in(path)
