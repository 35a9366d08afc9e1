"""Reads one entry of the registers: who says what about which requirement, until when; no I/O."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from scanner.errors import nearest
from scanner.facts import FACTS
from scanner.institution.nouns import key_fault
from scanner.institution.register_nouns import (
    LASTING,
    NEVER,
    UNADDRESSED,
    UNDOCUMENTED,
    Acceptance,
    Answer,
    Document,
    Entry,
    EntryKind,
    ExceptionType,
    Plan,
    PlanStatus,
    person,
)
from scanner.institution.toml_source import Table
from scanner.model import Level, Pillar, Scene, iso
from scanner.sampling.sample import read_sample
from scanner.sealed.canonical import canonical_json

__all__ = [
    "NEVER",
    "Answer",
    "Document",
    "Entry",
    "EntryKind",
    "ExceptionType",
    "Known",
    "Plan",
    "PlanStatus",
    "entry_payload",
    "read_entry",
]

LONGEST_EXCEPTION = timedelta(days=365)
"""An accepted risk is looked at again within a year."""

SHORTEST_REASON = 30
"""Characters that the reason of an exception or a revocation has at least."""

PERIOD = ("period_from", "period_to")

_REQUIREMENT = re.compile(r"([1-9]-[1-9][0-9]?|I|II|III|IV)(/[a-z0-9][a-z0-9-]*)+")
_ITEM = re.compile(r"[1-9]-[1-9][0-9]?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


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
    # A scope statement may speak of a system or a scene that was taken out of the estate: that is what it says.
    systems = None if kind is EntryKind.SCOPE_STATEMENT else known.systems
    system, scenes = ("", ()) if kind is EntryKind.REVOCATION else _scope(table, systems)
    made_at = table.expect_moment("made_at")
    binds, binds_sha256 = _bound(table) if kind is EntryKind.ATTESTATION else ((), "")
    requirement = "" if kind in UNADDRESSED else _requirement(table, "requirement", known.requirements)
    assets = _assets(table) if kind is EntryKind.EXCEPTION else ()
    times = _happened(table, kind)
    entry = Entry(
        kind=kind,
        id=id_,
        requirement=requirement,
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
        assets=assets,
        item=_item(table, known.requirements) if kind is EntryKind.SCOPE_STATEMENT else "",
        population=_population(table) if kind is EntryKind.SCOPE_STATEMENT else "",
        binds=binds,
        binds_sha256=binds_sha256,
        occurred_at=times["occurred_at"] if kind is EntryKind.DRILL else None,
        reviewer=_reviewer(table) if kind is EntryKind.ATTESTATION else "",
        period=(times["period_from"], times["period_to"]) if "period_from" in times else None,
        count=table.expect_int("count", minimum=0) if kind is EntryKind.REVIEW else 0,
        acceptance=_acceptance(table, requirement, assets, known) if kind is EntryKind.EXCEPTION else None,
        plan=_plan(table, scenes) if kind is EntryKind.ADOPTION else None,
        revokes=_revoked(table, id_) if kind is EntryKind.REVOCATION else "",
        sample=read_sample(table) if kind in (EntryKind.ATTESTATION, EntryKind.REVIEW) else None,
        fields={key: value for key, value in table.data.items() if key != "signature"},
    )
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


def _requirement(table: Table, key: str, known: frozenset[str] | None) -> str:
    address = table.expect_str(key)
    if not address:
        return ""
    if known is not None and address not in known:
        table.problem(key, f"there is no requirement {address!r}{nearest(address, known)}")
    elif not _REQUIREMENT.fullmatch(address):
        table.problem(key, f"{address!r} is not an address", "1-1/covered-entrances or II/protect-surface")
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
    return table.expect_enum("answer", Answer) is not Answer.YES


def _reviewer(table: Table) -> str:
    reviewer = table.expect_str("reviewer", "")
    if reviewer and person(reviewer) == person(str(table.data.get("owner", ""))):
        table.problem("reviewer", "is its owner", "somebody else who read it, or nobody")
    return reviewer


def _assets(table: Table) -> tuple[str, ...]:
    return table.expect_list(
        "assets", valid=lambda key: "names exact assets, no patterns" if "*" in key else key_fault(key)
    )


def _acceptance(table: Table, requirement: str, assets: tuple[str, ...], known: Known) -> Acceptance:
    _reason(table)
    type_ = table.expect_enum("type", ExceptionType)
    compensated_by = ""
    if type_ is ExceptionType.COMPENSATING_CONTROL:
        compensated_by = _requirement(table, "compensated_by", known.requirements)
        if compensated_by and compensated_by == requirement:
            table.problem("compensated_by", "is the requirement that fails", "the check that holds in its place")
    elif "compensated_by" in table:
        table.expect_raw("compensated_by")
        table.problem("compensated_by", f"does not suit type {type_.value!r}", "only a compensating_control names one")
    matched, beyond = (
        table.expect_int(key, minimum=0) if key in table else table.expect_raw(key) for key in ("matched", "beyond")
    )
    if matched is not None and assets and matched > len(assets):
        table.problem("matched", f"is {matched}, of {len(assets)} assets named")
    return Acceptance(type_, compensated_by, matched, beyond)


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


def _happened(table: Table, kind: EntryKind) -> dict[str, datetime]:
    """Moments that lie before the entry was made, in their order; reads what else a drill tells."""
    if kind is EntryKind.DRILL:
        for key in ("trigger", "decision", "action"):
            table.expect_str(key)
    keys = {EntryKind.DRILL: ("occurred_at",), EntryKind.REVIEW: PERIOD}.get(kind, ())
    if kind is EntryKind.ATTESTATION and any(key in table for key in PERIOD):
        keys = PERIOD
    return {key: table.expect_moment(key) for key in keys}


def _check_order(table: Table, entry: Entry, happened: Mapping[str, datetime]) -> None:
    moments = (*happened.items(), ("made_at", entry.made_at))
    for (earlier, one), (later, other) in pairwise(moments):
        if one > other:
            table.problem(later, f"lies before {earlier}")
    if entry.expires_at <= max(entry.made_at, entry.effective_from):
        table.problem("expires_at", "lies before it was made or takes effect")
    if entry.kind is EntryKind.EXCEPTION and entry.expires_at - entry.made_at > LONGEST_EXCEPTION:
        table.problem("expires_at", f"an exception lasts at most {LONGEST_EXCEPTION.days} days from made_at")
