"""What collecting hands to the collector, with a log of logins and calls; and views on what came back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from scanner.facts import User
from scanner.model import Capture, Census, Fact, Gap, Record, Target

ResultT = TypeVar("ResultT")
FactT = TypeVar("FactT", bound=Fact)


@dataclass
class AskingAccess:
    """Access with an account name and a password."""

    target: Target
    account: str | None = "svc-scan@corp.test"
    password: str = ""
    at: datetime | None = None
    log: Counter[str] = field(default_factory=Counter)

    def now(self) -> datetime:
        return self.at or datetime.now(UTC)

    def user(self) -> str | None:
        return self.account

    def secret(self) -> str:
        return self.password

    def login(self, attempt: Callable[[], ResultT]) -> ResultT:
        self.log["login"] += 1
        return attempt()

    def call(self, attempt: Callable[[], ResultT]) -> ResultT:
        self.log["call"] += 1
        return attempt()


def ad_target(address: str = "", captures: Path | None = None, seconds: int = 300, **options: Any) -> Target:
    """A target of collector ``ad``."""
    return Target(
        name="corp",
        collector="ad",
        source="ad-corp",
        address=address,
        credential="reader",
        captures=captures,
        timeout_seconds=seconds,
        options=options,
    )


def by_login(records: Iterable[Record], fact: type[FactT]) -> dict[str, FactT]:
    """Facts of one type by the login of their user, or the asset where there is no user."""
    rows = list(records)
    names = {row.asset: row.login or row.asset for row in rows if isinstance(row, User)}
    return {names.get(row.asset, row.asset): row for row in rows if type(row) is fact}


def whole_gaps(records: Iterable[Record]) -> dict[str, list[str]]:
    """Details of the gaps for whole fact types."""
    found: dict[str, list[str]] = {}
    for row in records:
        if isinstance(row, Gap) and row.asset is None and row.field is None:
            found.setdefault(row.fact, []).append(row.detail)
    return found


def closed(records: Iterable[Record]) -> set[str]:
    """Fact types with a complete census."""
    return {row.fact for row in records if isinstance(row, Census) and row.complete}


def keep(records: Iterable[Record], folder: Path) -> Path:
    """Write the captures as files."""
    for row in records:
        if isinstance(row, Capture):
            (folder / row.name).write_bytes(row.content)
    return folder
