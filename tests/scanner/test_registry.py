"""The registry finds what is installed and refuses what is not well formed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from scanner import registry
from scanner.errors import EngineError, UnknownName
from scanner.facts import FACTS

COLLECTOR = """
from collections.abc import Iterator
from scanner.model import Permission


class Reader:
    name = "{name}"
    version = "1"
    permissions = (Permission("read", "to see", ("{fact}",)),)

    def promises(self, target):
        return frozenset({{"User"}})

    def plan(self, target):
        yield from ()

    def read(self, access):
        yield from ()


COLLECTOR = Reader()
"""

CHECK = """
from scanner.column import Claim, check
from scanner.facts import User


@check(over=User, id="{id}")
def enabled(user):
    {doc}
    return Claim(applies=True, holds=user.enabled)
"""


class Packages:
    """Writes throw-away packages and imports them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = f"pretend_{abs(hash(str(root)))}"

    def make(self, files: Mapping[str, str]) -> ModuleType:
        for name, text in {"__init__.py": "", **files}.items():
            path = self.root / self.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        return importlib.import_module(self.name)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Packages(tmp_path)
    yield made
    for name in [name for name in sys.modules if name.split(".")[0] == made.name]:
        del sys.modules[name]


def test_a_module_or_folder_with_the_attribute_is_a_collector_and_others_are_not(packages: Packages) -> None:
    package = packages.make(
        {
            "zeta.py": COLLECTOR.format(name="zeta", fact="User"),
            "alpha/__init__.py": COLLECTOR.format(name="alpha", fact="User"),
            "alpha/paging.py": COLLECTOR.format(name="hidden", fact="User"),
            "reading.py": "",
        }
    )

    assert list(registry.collectors_in(package)) == ["alpha", "zeta"]


def test_everything_wrong_with_collectors_is_said_at_once(packages: Packages) -> None:
    package = packages.make(
        {
            "a.py": COLLECTOR.format(name="same", fact="User"),
            "b.py": COLLECTOR.format(name="same", fact="User"),
            "c.py": COLLECTOR.format(name="third", fact="Usr"),
            "d.py": "COLLECTOR = object()",
        }
    )

    with pytest.raises(EngineError) as caught:
        registry.collectors_in(package)

    said = str(caught.value)
    assert "'same' is taken" in said
    assert "'Usr', which is no fact type" in said
    assert "COLLECTOR.read must be a method" in said
    assert "COLLECTOR.permissions must be a tuple" in said


def test_checks_are_found_however_deep_and_an_imported_one_counts_once(packages: Packages) -> None:
    text = CHECK.format(id="identity.pretend.enabled", doc='"""The account may sign in."""')
    package = packages.make(
        {
            "identity/__init__.py": "",
            "identity/pretend.py": text,
            "borrower.py": f"from {packages.name}.identity.pretend import enabled\n",
        }
    )

    assert list(registry.checks_in(package)) == ["identity.pretend.enabled"]


def test_two_checks_with_one_id_and_a_check_without_words_are_refused(packages: Packages) -> None:
    package = packages.make(
        {
            "a.py": CHECK.format(id="one", doc='"""True."""'),
            "b.py": CHECK.format(id="one", doc='"""True."""'),
            "c.py": CHECK.format(id="mute", doc=""),
        }
    )

    with pytest.raises(EngineError) as caught:
        registry.checks_in(package)

    assert "two checks have the id 'one'" in str(caught.value)
    assert "mute has no docstring" in str(caught.value)


def test_facts_keep_the_order_of_the_vocabulary_and_cannot_be_changed() -> None:
    assert list(registry.facts().values()) == list(FACTS)
    with pytest.raises(TypeError):
        registry.facts()["Other"] = FACTS[0]  # type: ignore[index]


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'User'"):
        registry.find("fact", "Usr", registry.facts())
    assert registry.find("fact", "User", registry.facts()) is FACTS[0]


def test_what_is_installed_is_well_formed() -> None:
    assert all(name == collector.name for name, collector in registry.collectors().items())
    assert all(name == check.id for name, check in registry.checks().items())
