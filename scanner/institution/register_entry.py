"""One entry of the registers: who says what about which requirement, until when; no I/O."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from scanner.errors import nearest
from scanner.facts import FACTS
from scanner.institution.nouns import key_fault
from scanner.institution.toml_source import Table
from scanner.model import Level, Pillar, Scene, iso
from scanner.sealed.canonical import canonical_json

LONGEST_EXCEPTION = timedelta(days=365)
"""An accepted risk is looked at again within a year."""

SHORTEST_REASON = 30
"""Characters that the reason of an exception or a revocation has at least."""

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""When an entry expires that states no end: plans and revocations need none."""

_REQUIREMENT = re.compile(r"([1-9]-[1-9][0-9]?|I|II|III|IV)(/[a-z0-9][a-z0-9-]*)+")
_ITEM = re.compile(r"[1-9]-[1-9][0-9]?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


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
    """The answer is no."""
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
    plan: Plan | None = None
    """What an adoption plan says."""
    revokes: str = ""
    """Id of the entry that a revocation takes back."""
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Every field but the signature, as written: what is signed."""

    def covers(self, system: str, scene: Scene) -> bool:
        """Whether it speaks of this scope."""
        return self.system == system and (not self.scenes or scene in self.scenes)


@dataclass(frozen=True)
class Known:
    """Names that entries may use; None where they are not known."""

    requirements: frozenset[str] | None = None
    systems: Mapping[str, Collection[Scene]] | None = None


def entry_payload(entry: Entry, institution: str, baseline_id: str) -> bytes:
    """What the approver signs: canonical JSON of every field as written, the institution and the baseline."""
    fields = {"kind": str(entry.kind), **{key: _plain(value) for key, value in entry.fields.items()}}
    return canonical_json({"baseline": baseline_id, "entry": fields, "institution": institution})


def read_entry(kind: EntryKind, table: Table, known: Known) -> Entry:
    """One entry of a register file; what is wrong is added to the problems of the table."""
    before = len(table.problems)
    id_ = table.expect_name("id")
    system, scenes = ("", ()) if kind is EntryKind.REVOCATION else _scope(table, known.systems)
    made_at = table.expect_moment("made_at")
    binds, binds_sha256 = _bound(table) if kind is EntryKind.ATTESTATION else ((), "")
    entry = Entry(
        kind=kind,
        id=id_,
        requirement="" if kind in UNADDRESSED else _requirement(table, known.requirements),
        system=system,
        scenes=scenes,
        owner=table.expect_str("owner"),
        approver=table.expect_str("approver"),
        made_at=made_at,
        effective_from=table.expect_moment("effective_from", made_at),
        expires_at=table.expect_moment("expires_at", NEVER if kind in LASTING else None),
        document=_document(table, kind),
        signature=_signature(table, id_),
        file=table.source.file,
        denies=_denies(table, kind),
        statement=table.expect_str("statement", "" if kind in (EntryKind.EXCEPTION, EntryKind.REVOCATION) else None),
        assets=_exception(table) if kind is EntryKind.EXCEPTION else (),
        item=_item(table, known.requirements) if kind is EntryKind.SCOPE_STATEMENT else "",
        population=_population(table) if kind is EntryKind.SCOPE_STATEMENT else "",
        binds=binds,
        binds_sha256=binds_sha256,
        plan=_plan(table, scenes) if kind is EntryKind.ADOPTION else None,
        revokes=_revoked(table, id_) if kind is EntryKind.REVOCATION else "",
        fields={key: value for key, value in table.data.items() if key != "signature"},
    )
    times = _happened(table, kind, made_at)
    if len(table.problems) == before:
        _check_order(table, entry, times)
    return entry


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value


def _scope(table: Table, systems: Mapping[str, Collection[Scene]] | None) -> tuple[str, tuple[Scene, ...]]:
    system = table.expect_str("system") if systems is None else table.expect_word("system", systems, what="system")
    scenes = table.expect_enums("scenes", Scene) if "scenes" in table else table.expect_enums("scenes", Scene, ())
    if systems is not None and system in systems:
        for scene in scenes:
            if scene not in systems[system]:
                table.problem("scenes", f"{scene.value!r} is not a scene of {system}{nearest(scene, systems[system])}")
    return system, scenes


def _requirement(table: Table, known: frozenset[str] | None) -> str:
    address = table.expect_str("requirement")
    if not address:
        return ""
    if known is not None and address not in known:
        table.problem("requirement", f"there is no requirement {address!r}{nearest(address, known)}")
    elif not _REQUIREMENT.fullmatch(address):
        table.problem("requirement", f"{address!r} is not an address", "1-1/covered-entrances or II/protect-surface")
    return address


def _item(table: Table, known: frozenset[str] | None) -> str:
    item = table.expect_str("item")
    items = None if known is None else {found[0] for address in known if (found := _ITEM.match(address))}
    if item and items is not None and item not in items:
        table.problem("item", f"there is no item {item!r}{nearest(item, items)}")
    elif item and not _ITEM.fullmatch(item):
        table.problem("item", f"{item!r} is not an item", "1-4")
    return item


def _population(table: Table) -> str:
    return table.expect_word("population", [fact.__name__ for fact in FACTS if fact.population], what="population")


def _document(table: Table, kind: EntryKind) -> Document | None:
    if "document" not in table and kind in UNDOCUMENTED:
        table.expect_raw("document")
        return None
    inner = table.expect_table("document")
    if "document" not in table:
        return None
    document = Document(inner.expect_str("name"), inner.expect_str("sha256"))
    if document.sha256 and not _SHA256.fullmatch(document.sha256):
        inner.problem("sha256", "expected 64 hex digits in lower case", "sha256sum FILE")
    return document


def _bound(table: Table) -> tuple[tuple[str, ...], str]:
    if "binds" not in table and "binds_sha256" not in table:
        table.expect_raw("binds")
        table.expect_raw("binds_sha256")
        return (), ""
    judged = {fact.kind for fact in FACTS if fact.population}
    binds = table.expect_list("binds", known=[fact.__name__ for fact in FACTS if fact.kind in judged], what="fact")
    digest = table.expect_str("binds_sha256")
    if digest and not _SHA256.fullmatch(digest):
        table.problem("binds_sha256", "expected 64 hex digits in lower case", "ztgrade attest add --binds FACT")
    return binds, digest


def _signature(table: Table, id_: str) -> str:
    name = table.expect_str("signature", f"{id_}.dsse.json")
    if posixpath.isabs(name) or ".." in name.split("/") or not name.endswith(".json"):
        table.problem("signature", f"{name!r} is not a .json file inside the directory of the registers")
        return ""
    return posixpath.normpath(name)


def _denies(table: Table, kind: EntryKind) -> bool:
    if kind not in (EntryKind.ATTESTATION, EntryKind.REVIEW):
        return False
    return table.expect_enum("answer", Answer) is Answer.NO


def _exception(table: Table) -> tuple[str, ...]:
    table.expect_enum("type", ExceptionType)
    _reason(table)
    return table.expect_list(
        "assets", valid=lambda key: "names exact assets, no patterns" if "*" in key else key_fault(key)
    )


def _reason(table: Table) -> None:
    reason = table.expect_str("reason")
    if reason and len(" ".join(reason.split())) < SHORTEST_REASON:
        table.problem("reason", f"expected at least {SHORTEST_REASON} characters that say why")


def _plan(table: Table, scenes: tuple[Scene, ...]) -> Plan:
    if len(scenes) != 1:
        table.problem("scenes", "a plan is for one scene", "write one plan for each scene")
    pillar = table.expect_enum("pillar", Pillar) if "pillar" in table else table.expect_raw("pillar")
    current, target = table.expect_enum("current", Level), table.expect_enum("target", Level)
    if "current" in table and "target" in table and target.rank <= current.rank:
        table.problem("target", f"{target.value!r} does not lie above current, {current.value!r}")
    return Plan(pillar, current, target, table.expect_moment("due").date(), table.expect_enum("status", PlanStatus))


def _revoked(table: Table, id_: str) -> str:
    _reason(table)
    revokes = table.expect_name("revokes")
    if revokes and revokes == id_:
        table.problem("revokes", "is the entry itself", "the id of the entry that is taken back")
    return revokes


def _happened(table: Table, kind: EntryKind, made_at: datetime) -> tuple[tuple[str, datetime], ...]:
    """Moments that lie before the entry was made, in their order; reads the other fields of drills and reviews."""
    if kind is EntryKind.DRILL:
        for key in ("trigger", "decision", "action"):
            table.expect_str(key)
        return (("occurred_at", table.expect_moment("occurred_at")),)
    if kind is EntryKind.REVIEW:
        table.expect_int("count", minimum=0)
        return (("period_from", table.expect_moment("period_from")), ("period_to", table.expect_moment("period_to")))
    return ()


def _check_order(table: Table, entry: Entry, happened: tuple[tuple[str, datetime], ...]) -> None:
    moments = (*happened, ("made_at", entry.made_at))
    for (earlier, one), (later, other) in pairwise(moments):
        if one > other:
            table.problem(later, f"lies before {earlier}")
    if entry.expires_at <= max(entry.made_at, entry.effective_from):
        table.problem("expires_at", "lies before it was made or takes effect")
    if entry.kind is EntryKind.EXCEPTION and entry.expires_at - entry.made_at > LONGEST_EXCEPTION:
        table.problem("expires_at", f"an exception lasts at most {LONGEST_EXCEPTION.days} days from made_at")
