"""The nouns that every part of the house shares; no I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Protocol, TypeVar

import msgspec


class Pillar(StrEnum):
    """The five pillars of the guideline."""

    IDENTITY = "identity"
    DEVICE = "device"
    NETWORK = "network"
    APPLICATION = "application"
    DATA = "data"


class Level(StrEnum):
    """Maturity levels in rising order; ``none`` is below level I."""

    NONE = "none"
    I = "I"  # noqa: E741 (the guideline's own numeral)
    II = "II"
    III = "III"
    IV = "IV"

    @property
    def rank(self) -> int:
        """Position on the ladder: 0 for none, 4 for IV."""
        return list(Level).index(self)


class Scene(StrEnum):
    """The six high-risk scenes of point four of the guideline."""

    REMOTE_WORK = "remote_work"
    CLOUD_ACCESS = "cloud_access"
    SYSTEM_OPERATIONS = "system_operations"
    APPLICATION_ADMINISTRATION = "application_administration"
    SERVICE_PROVIDER = "service_provider"
    CROSS_INSTITUTION = "cross_institution"


class ServiceModel(StrEnum):
    """Who runs the layers below a system; decides the cloud matrix in the cloud_access scene."""

    ON_PREMISES = "on_premises"
    IAAS = "iaas"
    PAAS = "paas"
    SAAS = "saas"


class Sensitivity(StrEnum):
    """What the disclosure of a fact field would cost."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"
    SECRET_ADJACENT = "secret_adjacent"


class Origin(StrEnum):
    """Where a collection came from."""

    LIVE = "live"
    CAPTURE = "capture"
    SUPPLIED = "supplied"


class GapWhy(StrEnum):
    """Why something could not be had."""

    DENIED = "denied"
    UNREACHABLE = "unreachable"
    UNSUPPORTED = "unsupported"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    STALE = "stale"
    CONFLICT = "conflict"
    UNSEEN = "unseen"
    ERROR = "error"


class RegisterWhy(StrEnum):
    """Why a document requirement is not satisfied by a register entry."""

    MISSING = "missing"
    EXPIRED = "expired"
    LAPSED = "lapsed"
    SELF_DECLARED = "self_declared"
    REVOKED = "revoked"
    UNCHAINED = "unchained"
    TOO_FEW = "too_few"
    """Reviews in force add up to fewer than the baseline asks for within its period."""
    TOO_OLD = "too_old"
    """The event lies further back than the baseline lets it count."""
    UNCOMPENSATED = "uncompensated"
    """The check that is to compensate the failure is not met."""
    UNPROVED = "unproved"
    """The sample that the entry rests on does not prove what is needed."""


class AlarmWord(StrEnum):
    """What is to be looked at again about an exception."""

    WIDENED = "widened"
    STALE = "stale"
    EXPIRING = "expiring"
    COMPENSATION_LOST = "compensation_lost"


class Outcome(StrEnum):
    """What one use of a check says of one asset."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    NA = "na"

    @property
    def code(self) -> int:
        """The int8 under which findings files store the outcome."""
        return list(Outcome).index(self)


class RequirementKind(StrEnum):
    """How a requirement is satisfied."""

    CHECK = "check"
    ATTESTATION = "attestation"
    DRILL = "drill"
    REVIEW = "review"
    ANY_OF = "any_of"


class RequirementState(StrEnum):
    """The verdict on one requirement in one scope."""

    MET = "met"
    NOT_MET = "not_met"
    UNDETERMINED = "undetermined"


class ItemState(StrEnum):
    """The verdict on one item of the guideline in one scope."""

    MET = "met"
    PARTIAL = "partial"
    NOT_MET = "not_met"
    NEEDS_ATTESTATION = "needs_attestation"
    UNDETERMINED = "undetermined"
    NOT_ASSESSED = "not_assessed"
    NOT_APPLICABLE = "not_applicable"


class Effort(StrEnum):
    """What it takes to mend something, in rising order."""

    SETTING = "setting"
    CHANGE = "change"
    PROJECT = "project"
    PROGRAMME = "programme"

    @property
    def rank(self) -> int:
        """Position on the scale: 0 for setting, 3 for programme."""
        return list(Effort).index(self)


class Impact(StrEnum):
    """What users and operations notice of mending something, in rising order."""

    NONE = "none"
    LOW = "low"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """Position on the scale: 0 for none, 2 for high."""
        return list(Impact).index(self)


class FailOn(StrEnum):
    """Which results make the exit code non-zero."""

    NEVER = "never"
    BELOW_TARGET = "below-target"
    REGRESSION = "regression"
    NEW_GAP = "new-gap"


ENUMS: tuple[type[StrEnum], ...] = (
    Pillar,
    Level,
    Scene,
    ServiceModel,
    Sensitivity,
    Origin,
    GapWhy,
    RegisterWhy,
    AlarmWord,
    Outcome,
    RequirementKind,
    RequirementState,
    ItemState,
    Effort,
    Impact,
    FailOn,
)

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment with its time zone; naive times are refused when decoded."""


class Text(msgspec.Struct, frozen=True, kw_only=True, rename={"zh_tw": "zh-TW"}):
    """The same words in both languages."""

    zh_tw: str
    en: str

    def in_language(self, language: str) -> str:
        """The words in ``zh-TW`` or ``en``."""
        return self.zh_tw if language == "zh-TW" else self.en


class Fact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one source saw of one asset at one moment.

    ``None`` in a field means that the source did not say. "Never", "none" and "unlimited" have values of their own.
    """

    kind: ClassVar[str] = "*"
    """Kind of asset that the fact speaks of; ``*`` for any."""
    population: ClassVar[bool] = False
    """Whether the assets of this fact form a population that checks may judge."""
    absent: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Fields, and what they say of an asset that is known to lack what the fact tells of."""

    asset: Annotated[str, msgspec.Meta(description="Key of the asset, kind:source:key, globally unique.", min_length=3)]
    observed_at: Annotated[datetime, msgspec.Meta(description="When the source said so, with its time zone.", tz=True)]


class Gap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that could not be seen: a fact type of a whole source, of one asset, or one field of it."""

    fact: str
    why: GapWhy
    detail: str
    asset: str | None = None
    field: str | None = None
    count: int = 1


class Census(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The statement that a listing is complete: it closes a population only if the rows seen match it.

    ``digest`` is SHA-256, in hex, over the sorted asset keys joined by a line feed. ``keys`` names them where the
    listing is small enough to keep, so that a missing one can be named.
    """

    fact: str
    query: str
    as_of: Instant
    complete: bool
    n: int
    digest: str
    keys: tuple[str, ...] | None = None


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """Raw bytes as the source gave them, secrets already redacted, kept by their SHA-256."""

    name: str
    media_type: str
    content: bytes


class SourceIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Proof of who answered: TLS certificate, host key, tenant, domain SID, machine-id."""

    kind: str
    value: str


Record = Fact | Gap | Census | Capture | SourceIdentity


def keys_digest(keys: Iterable[str]) -> str:
    """SHA-256 in hex over the sorted distinct keys, joined by a line feed; the digest a census carries."""
    return hashlib.sha256("\n".join(sorted(set(keys))).encode("utf-8", "surrogatepass")).hexdigest()


class Listing:
    """Collects the keys of one listing while a collector pages through it, then states the census."""

    def __init__(self, fact: type[Fact], query: str) -> None:
        self.fact = fact.__name__
        self.query = query
        self._keys: set[str] = set()

    def add(self, key: str) -> None:
        """Note that the source listed this asset, whether or not it can then be read."""
        self._keys.add(key)

    def census(self, *, as_of: datetime, complete: bool = True) -> Census:
        """The census; ``complete`` only if paging ran to its end without a limit."""
        ordered = tuple(sorted(self._keys))
        return Census(
            fact=self.fact,
            query=self.query,
            as_of=as_of,
            complete=complete,
            n=len(ordered),
            digest=keys_digest(ordered),
            keys=ordered if len(ordered) <= 100_000 else None,
        )


@dataclass(frozen=True)
class Target:
    """One source to read: what, where, with which credential, and which facts it promises."""

    name: str
    collector: str
    source: str
    """Name under which populations and selectors speak of it; targets of one inventory share a source."""
    address: str = ""
    credential: str | None = None
    site: str = "default"
    captures: Path | None = None
    promises: tuple[str, ...] | None = None
    """Fact types expected of it, or ``Fact.field`` where it speaks of single fields; None: the collector's own list."""
    timeout_seconds: int = 300
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedCall:
    """One thing that reading a target would do; ``ztgrade plan`` prints it and sends nothing."""

    host: str
    login: str
    call: str


@dataclass(frozen=True)
class Permission:
    """One right that a collector asks for, and the fact types that are lost without it."""

    name: str
    why: str
    facts: tuple[str, ...]


def promised_facts(promises: Iterable[str]) -> frozenset[str]:
    """Fact types of promises, each of which is ``Fact``, or ``Fact.field`` for a field of it."""
    return frozenset(promise.partition(".")[0] for promise in promises)


def promised_fields(promises: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Fields by fact type, where a source speaks of some fields only; of a fact that is not here it speaks of all."""
    given = frozenset(promises)
    parts = [promise.partition(".") for promise in given]
    whole = {fact for fact, _, name in parts if not name}
    return {
        fact: frozenset(name for other, _, name in parts if other == fact)
        for fact in sorted({fact for fact, _, _ in parts} - whole)
    }


def narrowed(own: Iterable[str], target: Target) -> frozenset[str]:
    """What a collector promises for a target: its own promises, less what the target's list leaves out.

    What the target lists beyond them stays a promise, which nobody keeps.
    """
    mine = frozenset(own)
    if target.promises is None:
        return mine
    asked = frozenset(target.promises)
    kept = {promise for promise in mine if promise in asked or promise.partition(".")[0] in asked}
    return frozenset(kept) | {promise for promise in asked if "." in promise or promise not in promised_facts(mine)}


ResultT = TypeVar("ResultT")


class Access(Protocol):
    """What collecting hands to a collector: the only clock, the only secret, and the only way to log in or call."""

    @property
    def target(self) -> Target:
        """The target being read."""

    def now(self) -> datetime:
        """The time, in UTC."""

    def secret(self) -> str:
        """The secret of the target's credential; raises SecretUnavailable."""

    def user(self) -> str | None:
        """The account name that goes with the secret, where the credential has one."""

    def login(self, attempt: Callable[[], ResultT]) -> ResultT:
        """Try once to log in; a LoginRefused is never retried and counts against the credential everywhere."""

    def call(self, attempt: Callable[[], ResultT]) -> ResultT:
        """Make one call; Throttled is retried with backoff, stop file and time-out are heeded before each try."""


class Collector(Protocol):
    """Reads one kind of source, read-only, and yields what it saw and what it could not see."""

    name: str
    version: str
    permissions: tuple[Permission, ...]

    def promises(self, target: Target) -> frozenset[str]:
        """Fact types that this target is expected to yield, or ``Fact.field`` where it never speaks of the others.

        A field that a source never fills is then left to the other sources of the fact.
        """

    def plan(self, target: Target) -> Iterator[PlannedCall]:
        """What reading would do; sends nothing."""

    def read(self, access: Access) -> Iterator[Record]:
        """Facts, gaps, censuses, captures and the source's identity, as they come; may raise ReadError."""


def utc(moment: datetime) -> datetime:
    """The same moment in UTC; naive times are refused."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone is not a moment")
    return moment.astimezone(UTC)


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC with a ``Z``, at microsecond precision only where there are microseconds."""
    return utc(moment).isoformat().replace("+00:00", "Z")
