"""A stand-in for what collecting hands to a collector, and small files to read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from scanner.model import Collector, Fact, Gap, Record, Target, keys_digest

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
ResultT = TypeVar("ResultT")


@dataclass
class StagedAccess:
    """Access to one target without caps, secrets or sources."""

    target: Target
    calls: list[str] = field(default_factory=list)

    def now(self) -> datetime:
        return NOW

    def user(self) -> str | None:
        """No account name."""
        return None

    def secret(self) -> str:
        raise AssertionError("no collector of files asks for a secret")

    def login(self, attempt: Callable[[], ResultT]) -> ResultT:
        raise AssertionError("no collector of files logs in")

    def call(self, attempt: Callable[[], ResultT]) -> ResultT:
        self.calls.append("call")
        return attempt()


def read(collector: Collector, target: Target) -> list[Record]:
    """Everything that the collector yields."""
    return list(collector.read(StagedAccess(target)))


def facts(records: Iterable[Record]) -> list[Fact]:
    return [record for record in records if isinstance(record, Fact)]


def gaps(records: Iterable[Record], fact: str | None = None) -> list[Gap]:
    return [record for record in records if isinstance(record, Gap) and fact in {None, record.fact}]


def user(number: int, **fields: Any) -> dict[str, Any]:
    """One User row."""
    row = {"fact": "User", "asset": f"user:corp:{number:04}", "observed_at": "2026-11-20T01:00:00Z", "enabled": True}
    return row | fields


def ndjson(rows: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def census(fact: str, keys: Iterable[str], *, name_keys: bool = False) -> dict[str, Any]:
    """One stated census."""
    ordered = sorted(set(keys))
    stated = {"fact": fact, "query": "all of them", "n": len(ordered), "digest": keys_digest(ordered)}
    return stated | ({"keys": ordered} if name_keys else {})


def statement(*censuses: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The payload of a sidecar."""
    return {
        "schema_version": 1,
        "supplied_by": "personnel department",
        "population_source": "personnel system",
        "period": {"from": "2026-11-01", "to": "2026-11-20"},
        "as_of": "2026-11-20T00:00:00Z",
        "censuses": list(censuses),
    } | changes


def key_pair() -> tuple[bytes, bytes]:
    """A fresh Ed25519 key: private and public PEM."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public


def import_target(folder: Path | None, *promises: str, **options: Any) -> Target:
    return Target(
        name="hr", collector="import", source="hr", captures=folder, promises=promises or None, options=options
    )
