"""The files of the agent as every package carries them, and the one time that all of them bear."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

AGENT = Path(__file__).resolve().parents[1]
LEFT_OUT = frozenset({"packaging", "__pycache__"})
"""Folders of ``agent`` that no package carries."""
CARRIED = frozenset({".py", ".toml", ".json"})
EARLIEST = 315_532_800
"""1980-01-01, the earliest time that a zip file knows; files are of then where SOURCE_DATE_EPOCH says nothing."""


def payload(agent: Path = AGENT) -> dict[str, bytes]:
    """What the agent consists of, by path from the folder that is to be imported from, in order."""
    found = {}
    for path in sorted(agent.rglob("*")):
        parts = path.relative_to(agent).parts
        if path.is_file() and path.suffix in CARRIED and not LEFT_OUT & set(parts):
            found["/".join(("agent", *parts))] = path.read_bytes()
    return dict(sorted(found.items()))


def version_of(files: dict[str, bytes]) -> str:
    """The version that a payload says of itself; raises ValueError where it says none of the form 1.2.3."""
    found = re.search(rb'^__version__ = "([0-9]+(?:\.[0-9]+){1,3})"$', files["agent/__init__.py"], re.MULTILINE)
    if not found:
        raise ValueError('agent/__init__.py: expected __version__ = "N.N.N"; write it so')
    return found[1].decode()


def epoch() -> int:
    """Seconds since 1970 that every packed file bears: SOURCE_DATE_EPOCH, so that two runs give the same bytes."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given and not re.fullmatch(r"[0-9]{1,11}", given):
        raise ValueError(f"SOURCE_DATE_EPOCH is {given!r}; expected whole seconds since 1970")
    return max(int(given or EARLIEST), EARLIEST)


def zip_time(seconds: int) -> tuple[int, int, int, int, int, int]:
    """The same for a zip file, in UTC."""
    return time.gmtime(seconds)[:6]
