"""Whether an entry counts: who approved it, what was signed, what the chain says, what took it back; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from scanner.errors import SealError
from scanner.institution.nouns import Approver
from scanner.institution.register_chain import Chain, Event, Link, signature_of
from scanner.institution.register_entry import Entry, EntryKind, entry_payload
from scanner.institution.register_nouns import person
from scanner.institution.register_standing import JudgedRegisters, Standing
from scanner.institution.ssh_signature import BEGIN, SshFault, read_key, verify_signature
from scanner.model import RegisterWhy, iso
from scanner.sampling.claim import Need, entry_fault
from scanner.sealed.signature import open_trusted

ENTRY_TYPE = "application/vnd.ztgrade.register-entry+json"
"""Payload type of a signed entry."""


@dataclass(frozen=True)
class Office:
    """What entries are held against."""

    approvers: Mapping[str, Approver]
    institution_id: str
    baselines: tuple[str, ...]
    """Signatures for any of these count."""
    files: Mapping[str, bytes]
    chain: Chain
    samples: Mapping[str, Need] = field(default_factory=dict)
    """What the baseline asks of the samples that entries rest on, by requirement."""


def judge_entries(entries: Iterable[Entry], office: Office, as_of: datetime) -> JudgedRegisters:
    """How every entry stands, and what the chain remembers of entries that are no longer there as they were signed."""
    first = [_standing(entry, office, as_of) for entry in entries]
    revocations = _revocations(first, office.chain)
    standings = tuple(_revoked(standing, revocations.get(standing.entry.id, {})) for standing in first)
    present = {standing.entry.id for standing in first}
    sound = {each.entry.id for each in first if each.signed and each.why is not RegisterWhy.UNCHAINED}
    last: dict[str, Link] = {}
    denied: dict[str, Link] = {}
    kept: set[str] = set()
    for link in office.chain.remembered:
        last[link.id] = link
        if link.event is Event.SIGNED or link.kind is EntryKind.REVOCATION:
            kept.add(link.id)
        if link.event is Event.SIGNED and link.denies:
            denied[link.id] = link
    return JudgedRegisters(
        standings,
        gone=tuple(link for id_, link in sorted(last.items()) if id_ in kept and id_ not in present),
        silenced=tuple(link for id_, link in sorted(denied.items()) if id_ not in sound),
    )


def _standing(entry: Entry, office: Office, as_of: datetime) -> Standing:
    past = as_of >= entry.expires_at
    start = max(entry.made_at, entry.effective_from)
    fault = approval_fault(entry, office.approvers) or _signature_fault(entry, office)
    if fault is not None:
        return Standing(entry, RegisterWhy.SELF_DECLARED, fault, False, past)
    chained = office.chain.fault_of(entry, signature_of(entry, office.files) or b"")
    if chained and not entry.denies:
        return Standing(entry, RegisterWhy.UNCHAINED, chained, True, past)
    if past:
        return Standing(entry, RegisterWhy.EXPIRED, f"expired at {iso(entry.expires_at)}", True, True)
    if as_of < start:
        return Standing(entry, RegisterWhy.EXPIRED, f"takes effect at {iso(start)}", True, False)
    if not entry.denies and (unproved := entry_fault(entry, office.samples)):
        return Standing(entry, RegisterWhy.UNPROVED, unproved, True, False)
    # A no is not undone by losing the chain.
    return Standing(entry, None, f"denies all the same: {chained}" if chained else "", True, False)


def _revocations(standings: Iterable[Standing], chain: Chain) -> dict[str, dict[str, Standing | None]]:
    """By the entry that they take back, revocations by id; None for one of which only the chain still tells."""
    found: dict[str, dict[str, Standing | None]] = {}
    for link in chain.remembered:
        if link.revokes:
            found.setdefault(link.revokes, {})[link.id] = None
    for standing in standings:
        if standing.entry.revokes:
            found.setdefault(standing.entry.revokes, {})[standing.entry.id] = standing
    return found


def _revoked(standing: Standing, revocations: Mapping[str, Standing | None]) -> Standing:
    """The standing once revocations are heard: a yes falls at once, a no only by the approver's signature."""
    if not revocations or standing.entry.kind is EntryKind.REVOCATION:
        return standing
    valid = sorted(id_ for id_, each in revocations.items() if each is not None and each.counts)
    if valid:
        return replace(standing, why=RegisterWhy.REVOKED, detail=f"revoked by {valid[0]}", withdrawn=True)
    id_, held = sorted(revocations.items())[0]
    fault = "is gone from the registers" if held is None else f"does not count: {held.detail}"
    if standing.entry.denies:
        detail = "; ".join(part for part in (standing.detail, f"not revoked: {id_} {fault}") if part)
        return replace(standing, detail=detail)
    unsigned = held is not None and held.why is RegisterWhy.SELF_DECLARED
    told = f"revoked, not signed: {id_} {fault}" if unsigned else f"revoked by {id_}, which {fault}"
    return replace(standing, why=RegisterWhy.REVOKED, detail=told)


def approval_fault(entry: Entry, approvers: Mapping[str, Approver]) -> str | None:
    """Why nobody else than its owner can have approved the entry; None where somebody can."""
    if entry.approver not in approvers:
        return f"{entry.approver} is no approver of this estate"
    owner, approver = approvers.get(entry.owner), approvers[entry.approver]
    names = {person(entry.owner)} | ({person(owner.person)} if owner else set())
    names |= {person(each.person) for each in approvers.values() if person(each.name) in names}
    if names & {person(approver.name), person(approver.person)}:
        return "its owner and its approver are one person"
    return None


def _signature_fault(entry: Entry, office: Office) -> str | None:
    signature, approver = signature_of(entry, office.files), office.approvers[entry.approver]
    if signature is None:
        return f"is not signed: {entry.signature} is missing"
    payloads = {baseline: entry_payload(entry, office.institution_id, baseline) for baseline in office.baselines}
    if signature.startswith(BEGIN.encode()):
        return ssh_fault(signature, payloads.values(), approver)
    if not approver.public_key:
        return f"the signature in {entry.signature} is an envelope, and {approver.name} has a key of SSH"
    try:
        payload = open_trusted(signature, ENTRY_TYPE, approver.public_key)
    except SealError:
        return f"the signature in {entry.signature} is not that of {entry.approver}"
    return None if payload in payloads.values() else _difference(payload, entry, office)


def ssh_fault(signature: bytes, payloads: Iterable[bytes], approver: Approver) -> str | None:
    """Why a signature of SSH is not the approver's over any of the payloads; None where it is."""
    if not approver.ssh_key:
        return f"is signed with SSH, and {approver.name} has no ssh_key in the estate"
    fault = ""
    for payload in payloads:
        try:
            verify_signature(signature, payload, read_key(approver.ssh_key))
            return None
        except SshFault as error:
            fault = str(error)
    return f"the signature of SSH {fault}"


def _difference(payload: bytes, entry: Entry, office: Office) -> str:
    """What a payload that the approver did sign says otherwise."""
    try:
        signed = json.loads(payload)
        told = {"entry": signed["entry"]["id"], "institution": signed["institution"], "baseline": signed["baseline"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        return "was signed otherwise: what was signed is no entry"
    if told["entry"] != entry.id:
        return f"was signed otherwise: it is the signature of another entry, {told['entry']}"
    if told["institution"] != office.institution_id:
        return f"was signed otherwise: for another institution, {told['institution']}"
    if told["baseline"] not in office.baselines:
        return f"was signed otherwise: for another baseline, {told['baseline']}"
    return "was signed otherwise: the entry was edited since"
