"""Reads a recorded domain with the collector; shared by the tests of what it makes of entries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from collectors.ad import AdCollector
from scanner.model import Gap, Record
from tests.collectors.ad.asking import AskingAccess, ad_target
from tests.collectors.ad.forest import AUTHENTICATED, OURS, READ, RecordedPort, ace, descriptor, guid
from tests.collectors.stage import NOW


def reading(port: RecordedPort, promises: tuple[str, ...] | None = None, **options: Any) -> list[Record]:
    """Everything that the collector makes of a recorded domain."""
    target = replace(ad_target("ldaps://dc", **options), promises=promises)
    return list(AdCollector(lambda access: port).read(AskingAccess(target, at=NOW)))


def gaps_of(records: list[Record], asset: str) -> set[tuple[str, str | None]]:
    """Facts and fields that are gaps of one asset."""
    return {(row.fact, row.field) for row in records if isinstance(row, Gap) and row.asset == asset}


def hiding(*names: str) -> bytes:
    """A descriptor that shows everything but these attributes."""
    return descriptor(*(ace("OD", 0x10, OURS, guid(name)) for name in names), ace("A", READ, AUTHENTICATED))
