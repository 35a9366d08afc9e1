"""A distribution as pip leaves it behind: metadata with entry points, and the packages that it brings."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from scanner import registry

COLLECTOR = '''"""Reads a vault."""
from scanner.model import Permission


class Vault:
    """Reads a vault."""

    name = "{name}"
    version = "1"
    permissions = (Permission("read", "to see", ("User",)),)

    def promises(self, target):
        return frozenset({{"User"}})

    def plan(self, target):
        yield from ()

    def read(self, access):
        yield from ()


COLLECTOR = Vault()
'''

CHECK = '''"""A check of others."""
from scanner.column import Claim, check
from scanner.facts import User


@check(over=User)
def {name}(user):
    """The account may sign in."""
    return Claim(applies=True, holds=user.enabled)
'''


class Distribution:
    """Writes distributions into one folder that Python imports from; ``named`` is what their modules begin with."""

    def __init__(self, folder: Path, named: str) -> None:
        self.folder = folder
        self.named = named

    def install(
        self, entries: Mapping[str, Mapping[str, str]], files: Mapping[str, str], name: str = "acme-ztgrade"
    ) -> None:
        """Entry points by group and name, files by path; ``NAMED`` in a path or a value is what modules begin with."""
        info = self.folder / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        groups = [
            f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in points.items())
            for group, points in entries.items()
        ]
        (info / "entry_points.txt").write_text("\n".join(groups).replace("NAMED", self.named))
        for path, text in files.items():
            place = self.folder / path.replace("NAMED", self.named)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text.replace("NAMED", self.named), encoding="utf-8")
        importlib.invalidate_caches()
        forget()


def forget() -> None:
    """Have the registries look again."""
    registry.collector_stock.cache_clear()
    registry.check_stock.cache_clear()


def distributions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Distribution]:
    """What a fixture yields from: an empty place for distributions, forgotten afterwards."""
    monkeypatch.syspath_prepend(str(folder))
    made = Distribution(folder, f"acme_{abs(hash(str(folder)))}")
    yield made
    for name in [name for name in sys.modules if name.split(".")[0] == made.named]:
        del sys.modules[name]
    monkeypatch.undo()
    importlib.invalidate_caches()
    forget()
