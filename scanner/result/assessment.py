"""One sealed assessment: the JSON that ``assess --json`` prints."""

from __future__ import annotations

import msgspec

from scanner.model import Scene
from scanner.result.basis import Basis
from scanner.result.change import Changes, Regression
from scanner.result.collection import CollectionRef, GapRow
from scanner.result.grade import Grade, Span
from scanner.result.register import AlarmRow, RegisterRow

SCHEMA_VERSION = 1


class BaselineRef(msgspec.Struct, frozen=True, kw_only=True):
    """Which baseline graded, by identity and digest."""

    id: str
    version: str
    digest: str


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """The lowest floor and ceiling of all grades, without and with accepted exceptions."""

    without_exceptions: Span
    with_exceptions: Span


class ScopeRow(msgspec.Struct, frozen=True, kw_only=True):
    """Membership of one population in one scope."""

    system: str
    scene: Scene
    population: str
    members: int
    undetermined: int
    closed: bool
    note: str = ""


class Unassigned(msgspec.Struct, frozen=True, kw_only=True):
    """Assets that no system claims."""

    population: str
    count: int
    examples: list[str]


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """One sealed assessment; the JSON that ``assess --json`` prints."""

    schema_version: int
    assessment: str
    path: str
    institution: str
    as_of: str
    baseline: BaselineRef
    estate_digest: str
    registers_digest: str
    code: str
    previous: str | None
    collections: list[CollectionRef]
    headline: Headline
    grades: list[Grade]
    gaps: list[GapRow]
    registers: list[RegisterRow] = []
    alarms: list[AlarmRow] = []
    regressions: list[Regression] = []
    scopes: list[ScopeRow] = []
    unassigned: list[Unassigned] = []
    errors: list[str] = []
    """Uses that crashed, each with its reason; any makes the exit code 1."""
    changes: Changes | None = None
    """None without a previous assessment."""
    basis: Basis | None = None
    """None in assessments made before it was recorded."""
