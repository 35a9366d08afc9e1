"""One section of a host's posture: what a probe saw, or why it could not look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

Branch = TypeVar("Branch")

SEEN = "seen"
DENIED = "denied"
UNSUPPORTED = "unsupported"
ERROR = "error"
STATUSES = (SEEN, DENIED, UNSUPPORTED, ERROR)


class CannotLook(Exception):
    """A probe could not see its whole section; ``status`` says in which way."""

    status = ERROR


class Denied(CannotLook):
    """The right to look is missing; run the agent as root or administrator."""

    status = DENIED


class NotSupported(CannotLook):
    """This system gives no way to look, or none that is trusted here."""

    status = UNSUPPORTED


def by_system(host: Any, otherwise: str, *, linux: Branch, windows: Branch, macos: Branch) -> Branch:
    """The branch of a look for the system of the Host; NotSupported, ``otherwise`` and its name, for any other."""
    branches = {"linux": linux, "windows": windows, "macos": macos}
    if host.system not in branches:
        raise NotSupported(f"{otherwise} {host.system}")
    return branches[host.system]


@dataclass(frozen=True)
class Missing:
    """Why one value of a section that was otherwise seen is None; ``status`` as for sections, never ``seen``."""

    status: str
    detail: str


@dataclass(frozen=True)
class Seen:
    """What a probe saw: values by name, and the reason for each that is None."""

    values: Mapping[str, Any]
    missing: Mapping[str, Missing] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """One section as it is shown, spooled and sent.

    ``values`` holds str, int, bool, None, lists and dicts with text keys, never floats; moments are RFC 3339 text in
    UTC. They count only where ``status`` is ``seen``. ``observed_at`` is RFC 3339 text too.
    """

    name: str
    schema_version: int
    status: str
    detail: str
    observed_at: str
    values: Mapping[str, Any] = field(default_factory=dict)
    missing: Mapping[str, Missing] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "name": self.name,
            "schema_version": self.schema_version,
            "status": self.status,
            "detail": self.detail,
            "observed_at": self.observed_at,
            "values": dict(self.values),
            "missing": {name: {"status": why.status, "detail": why.detail} for name, why in self.missing.items()},
        }

    @classmethod
    def from_dict(cls, plain: Any) -> Section:
        """A section from plain values; raises ValueError where they are not of this form."""
        if not isinstance(plain, dict):
            raise ValueError("a section must be an object")
        expected = {"name", "schema_version", "status", "detail", "observed_at", "values", "missing"}
        if plain.keys() != expected:
            odd = ", ".join(sorted(plain.keys() ^ expected))
            raise ValueError(f"a section has exactly the keys {', '.join(sorted(expected))}; look at {odd}")
        texts = [plain["name"], plain["status"], plain["detail"], plain["observed_at"]]
        if not all(isinstance(text, str) for text in texts) or type(plain["schema_version"]) is not int:
            raise ValueError("name, status, detail and observed_at of a section are texts, schema_version an integer")
        if plain["status"] not in STATUSES:
            raise ValueError(f"the status of a section is one of {', '.join(STATUSES)}")
        if not isinstance(plain["values"], dict) or not isinstance(plain["missing"], dict):
            raise ValueError("values and missing of a section are objects")
        refuse_odd_values(plain["values"])
        missing = {}
        for name, why in plain["missing"].items():
            if not isinstance(why, dict) or why.keys() != {"status", "detail"} or why["status"] not in STATUSES[1:]:
                raise ValueError(f"missing.{name} must have a status and a detail")
            missing[name] = Missing(why["status"], str(why["detail"]))
        return cls(**(plain | {"missing": missing}))


@dataclass(frozen=True)
class Probe:
    """How one section is looked at: name, version of its values, what it reads, and the look itself."""

    name: str
    schema_version: int
    reads: tuple[str, ...]
    """Files, keys and commands that it may read or run, for those who must allow it."""
    look: Callable[[Any], Seen]
    """Takes a Host; raises CannotLook, or OSError and ValueError for what it did not foresee."""


def refuse_odd_values(value: Any, depth: int = 0) -> None:
    """Raise ValueError for a float or any other value that a section may not hold."""
    if depth > 8:
        raise ValueError("a section is nested too deeply")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError("keys in a section are texts")
            refuse_odd_values(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            refuse_odd_values(inner, depth + 1)
    elif value is not None and not isinstance(value, (str, int)):
        raise ValueError(f"a section holds no {type(value).__name__}")


def moment(when: datetime) -> str:
    """RFC 3339 text in UTC, whole seconds; a naive time is refused with ValueError."""
    if when.tzinfo is None:
        raise ValueError("a time without a zone is not a moment")
    return when.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
