"""Finds what other distributions add through entry points, and loads it whole or not at all."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from scanner.errors import EngineError, ZtgradeError

OWN = "ztgrade"
"""The distribution that everything else comes with."""

COLLECTORS, CHECKS, BASELINES = "ztgrade.collectors", "ztgrade.checks", "ztgrade.baselines"
"""Groups of entry points: an object that is a collector, a package with checks, a package folder with a baseline."""

FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    SystemExit,  # a plug-in that ends the process would choose its exit code
    TypeError,
    ValueError,
)
"""What code of others may raise while it is imported; anything else ends the run too, with the plug-in in its notes."""

ResultT = TypeVar("ResultT")
_VALUE = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.\w+)*)\s*(?::\s*(?P<attribute>[\w.]+)\s*)?(?:\[.*\]\s*)?")


@dataclass(frozen=True, order=True)
class Plugin:
    """One entry point: its group and name, the distribution it is from, and what it names."""

    group: str
    name: str
    distribution: str
    """Name and version."""
    value: str

    @property
    def place(self) -> str:
        """How messages name it."""
        return f"plug-in {self.distribution}, entry point {self.name!r} of {self.group}"

    @property
    def module(self) -> str:
        """The module or package that it names; raises EngineError where the entry point is not of that form."""
        return self._parts()[0]

    @property
    def source(self) -> Path:
        """Folder of the outermost package that the module is in, or the file of a module on its own.

        Raises EngineError where there is neither.
        """
        names = self.module.split(".")
        for depth in range(1, len(names) + 1):
            file = getattr(importlib.import_module(".".join(names[:depth])), "__file__", None)
            if file is not None:  # a namespace package has none
                return Path(file).parent if Path(file).stem == "__init__" else Path(file)
        raise EngineError(f"{self.module} has no source")

    def load(self) -> Any:
        """What it names, imported; raises what the code raises, so call it within ``attempt``."""
        module, attributes = self._parts()
        found: Any = importlib.import_module(module)
        for name in attributes:
            found = getattr(found, name)
        return found

    def attempt(self, action: Callable[[], ResultT]) -> ResultT:
        """Run code of the plug-in; raises EngineError, naming the plug-in and what to do, where that fails."""
        try:
            return action()
        except ZtgradeError as error:
            raise EngineError(f"{self.place}: {'; '.join(str(error).splitlines())}; mend or uninstall it") from error
        except FAILURES as error:
            reason = f"{type(error).__name__}: {error}"
            raise EngineError(f"{self.place}: cannot be loaded ({reason}); mend or uninstall it") from error
        except BaseException as error:
            error.add_note(f"while loading {self.place}; mend or uninstall it")
            raise

    def _parts(self) -> tuple[str, tuple[str, ...]]:
        match = _VALUE.fullmatch(self.value)
        if match is None:
            raise EngineError(f"{self.value!r} names nothing that can be imported")
        return match["module"], tuple((match["attribute"] or "").split(".")) if match["attribute"] else ()


def plugins(group: str) -> tuple[Plugin, ...]:
    """Every entry point of a group among the installed distributions, by name; nothing is imported."""
    return tuple(
        sorted({Plugin(group, entry.name, _from(entry), entry.value.strip()) for entry in entry_points(group=group)})
    )


def _from(entry: EntryPoint) -> str:
    if entry.dist is None:
        return "of no distribution"
    return f"{entry.dist.metadata['Name'] or 'without a name'} {entry.dist.version}"
