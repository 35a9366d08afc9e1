"""The nouns of the registers: kinds of entry, what each may say, and the entry itself; no I/O."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from scanner.model import Level, Pillar, Scene
from scanner.sampling.sample import Sample

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""When an entry expires that states no end: plans and revocations need none."""


class EntryKind(StrEnum):
    """Kinds of entry, by the name of their array of tables."""

    ATTESTATION = "attestation"
    DRILL = "drill"
    REVIEW = "review"
    EXCEPTION = "exception"
    SCOPE_STATEMENT = "scope_statement"
    ADOPTION = "adoption"
    """What is planned for a scene of a system; it grades nothing."""
    REVOCATION = "revocation"
    """Takes back another entry, from the moment it was made on."""


UNADDRESSED = frozenset({EntryKind.SCOPE_STATEMENT, EntryKind.ADOPTION, EntryKind.REVOCATION})
"""Kinds that speak of no requirement."""
LASTING = frozenset({EntryKind.ADOPTION, EntryKind.REVOCATION})
"""Kinds that need no end."""
UNDOCUMENTED = UNADDRESSED | {EntryKind.EXCEPTION}
"""Kinds that need no document."""


class Answer(StrEnum):
    """What the document says of the requirement."""

    YES = "yes"
    NO = "no"
    PARTLY = "partly"
    """Not all of it: no more of a yes than no."""


class ExceptionType(StrEnum):
    """Why a failure is accepted."""

    RISK_ACCEPTED = "risk_accepted"
    COMPENSATING_CONTROL = "compensating_control"
    FALSE_POSITIVE = "false_positive"
    PLANNED = "planned"


class PlanStatus(StrEnum):
    """How far an adoption plan has come."""

    PLANNED = "planned"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    LATE = "late"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Plan:
    """From which level to which, by when; ``pillar`` None means all of them."""

    pillar: Pillar | None
    current: Level
    target: Level
    due: date
    """The last day (UTC) on which it is in time."""
    status: PlanStatus

    def overdue(self, as_of: datetime) -> bool:
        """Whether its day has passed and it is neither done nor dropped."""
        return self.status not in (PlanStatus.DONE, PlanStatus.DROPPED) and as_of.astimezone(UTC).date() > self.due


@dataclass(frozen=True)
class Acceptance:
    """What an exception says of the failures that it accepts."""

    type: ExceptionType
    compensated_by: str
    """Address of the check that is to hold instead; empty unless the type is a compensating control."""
    matched: int | None
    """How many of the named assets failed when it was approved; None where it is not noted."""
    beyond: int | None
    """How many assets failed the requirement then that no exception names; None where it is not noted."""


@dataclass(frozen=True)
class Document:
    """The document that the entry rests on, by name and SHA-256 in hex."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Entry:
    """One entry as written. ``scenes`` empty means every scene of the system; times are UTC."""

    kind: EntryKind
    id: str
    requirement: str
    """Address of the requirement; empty for kinds that speak of none."""
    system: str
    """Empty for a revocation, which speaks of an entry."""
    scenes: tuple[Scene, ...]
    owner: str
    approver: str
    made_at: datetime
    effective_from: datetime
    expires_at: datetime
    document: Document | None
    signature: str
    """File of the envelope, relative to the directory of the registers; empty where what is written is no such file."""
    file: str
    denies: bool = False
    """The answer is not yes."""
    reviewer: str = ""
    """Who read an attestation before it went to the approver; empty where nobody is named."""
    statement: str = ""
    assets: tuple[str, ...] = ()
    """Exact keys that an exception names."""
    item: str = ""
    population: str = ""
    """Item and population that a scope statement declares empty."""
    binds: tuple[str, ...] = ()
    """Facts that an attestation speaks of; when what they say of the system changes, it lapses."""
    binds_sha256: str = ""
    """Digest of what they said when it was made, in hex."""
    occurred_at: datetime | None = None
    """When what a drill tells of happened."""
    period: tuple[datetime, datetime] | None = None
    """What a review looked at, or what an attestation speaks of: from when, until when."""
    count: int = 0
    """How often it was reviewed within the period."""
    acceptance: Acceptance | None = None
    """What an exception says."""
    plan: Plan | None = None
    """What an adoption plan says."""
    revokes: str = ""
    """Id of the entry that a revocation takes back."""
    sample: Sample | None = None
    """What an attestation or a review rests on, where not everything was looked at."""
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Every field but the signature, as written: what is signed."""

    def covers(self, system: str, scene: Scene) -> bool:
        """Whether it speaks of this scope."""
        return self.system == system and (not self.scenes or scene in self.scenes)


def person(name: str) -> str:
    """A name without what spellings differ in: case, width, spaces, marks and letters that are not shown."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in folded if letter.isalnum()) or folded
