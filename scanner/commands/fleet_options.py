"""What all commands of the fleet share: their options, the database of a folder, and how times and lists are told."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from scanner.commands.printing import say, say_json
from scanner.errors import UsageError
from scanner.fleet.database import Database
from scanner.fleet.settings import load_settings, open_database

folder_option = click.option(
    "--folder",
    envvar="ZTGRADE_FLEET",
    type=click.Path(path_type=Path),
    default=Path("fleet"),
    show_default=True,
    help="The fleet server's folder.",
)
reason_option = click.option("--reason", required=True, help="Why; stands in the audit log.")
networks_option = click.option("--network", "networks", multiple=True, metavar="CIDR", help="Only from there; repeat.")
_UNITS = {"m": 60, "h": 3600, "d": 86_400}


@contextmanager
def database_of(folder: Path) -> Iterator[Database]:
    """A fleet's database, while it is needed; raises ConfigurationError or StoreError."""
    database = open_database(folder, load_settings(folder))
    try:
        yield database
    finally:
        database.close()


def now_ms() -> int:
    """The time in ms since 1970."""
    return int(time.time() * 1000)


def shown_time(ms: int) -> str:
    """A time in ms since 1970 as it is shown."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if ms else "never"


def seconds(life: str) -> int:
    """How long a life is; raises UsageError."""
    found = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", life)
    if not found:
        raise UsageError(f"--life {life!r}: write it like 30m, 24h or 7d")
    return int(found[1]) * _UNITS[found[2]]


def say_list(found: Sequence[Any], lines: Sequence[str], *, as_json: bool) -> None:
    """Things as JSON, or a line for each."""
    if as_json:
        say_json([msgspec.to_builtins(each) for each in found])
        return
    for line in lines:
        say(line.rstrip())
