"""How entries of the registers stand at one moment, and what follows from them; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from scanner.institution.register_chain import Link
from scanner.institution.register_entry import Entry, EntryKind
from scanner.model import RegisterWhy, RequirementState, Scene, iso
from scanner.result.register import RegisterRow


@dataclass(frozen=True)
class DocumentVerdict:
    """What the registers say of one document requirement in one scope, and by which entry."""

    state: RequirementState
    why: RegisterWhy | None
    entry: str | None


@dataclass(frozen=True)
class ExceptionEntry:
    """Exact assets that a valid exception takes out."""

    assets: tuple[str, ...]
    id: str


@dataclass(frozen=True)
class ScopeStatement:
    """A valid statement that the scope has no asset of the population, so that the item does not apply.

    It counts only together with a closed census that is empty.
    """

    item: str
    population: str
    id: str


@dataclass(frozen=True)
class Standing:
    """How one entry stands at one moment: it counts, or why not."""

    entry: Entry
    why: RegisterWhy | None
    detail: str
    signed: bool
    """The right approver signed exactly this; it may still be out of its time."""
    past: bool
    """``expires_at`` is reached."""
    withdrawn: bool = False
    """A signed revocation took it back."""

    @property
    def counts(self) -> bool:
        """Whether it is valid now."""
        return self.why is None


@dataclass(frozen=True)
class JudgedRegisters:
    """The registers at one moment, under one institution, its approvers and a baseline."""

    standings: tuple[Standing, ...]
    """In order of entry ids."""
    gone: tuple[Link, ...] = ()
    """The last that the chain says of entries that the registers no longer hold, drafts aside; in order of ids."""
    silenced: tuple[Link, ...] = ()
    """What the chain says of signed entries that denied, and that are no longer there as they were signed."""

    def document(self, kind: str, requirement: str, system: str, scene: Scene) -> DocumentVerdict:
        """The verdict on an attestation, drill or review.

        The newest valid entry decides; of several made at one moment a no. A signed no that has expired or was revoked
        still stands against every yes made before it: what was denied becomes open, never met, by waiting or by taking
        the no back. A signed no that the chain tells of and that is gone stands against every yes. Entries are open,
        never met, for any other reason, told of the newest one.
        """
        told = [
            standing
            for standing in self._by_requirement.get((kind, system, requirement), ())
            if standing.entry.covers(system, scene)
        ]
        lost = [
            link.id
            for link in self.silenced
            if (link.kind.value, link.requirement, link.system) == (kind, requirement, system)
        ]
        if not told:
            return DocumentVerdict(RequirementState.UNDETERMINED, RegisterWhy.MISSING, min(lost, default=None))
        valid = [standing for standing in told if standing.counts]
        if not valid:
            newest = max(told, key=_age)
            return DocumentVerdict(RequirementState.UNDETERMINED, newest.why, newest.entry.id)
        newest = max(valid, key=_age)
        if newest.entry.denies:
            return DocumentVerdict(RequirementState.NOT_MET, None, newest.entry.id)
        if lost:
            return DocumentVerdict(RequirementState.UNDETERMINED, RegisterWhy.UNCHAINED, min(lost))
        lapsed = [
            each
            for each in told
            if each.entry.denies and each.signed and (each.past or each.withdrawn) and _age(each) > _age(newest)
        ]
        if lapsed:
            return DocumentVerdict(RequirementState.UNDETERMINED, RegisterWhy.LAPSED, max(lapsed, key=_age).entry.id)
        return DocumentVerdict(RequirementState.MET, None, newest.entry.id)

    def lapsing(self, digest: Callable[[Entry], str | None]) -> JudgedRegisters:
        """The same, where an entry that speaks of settings counts only while they are what they were.

        ``digest`` gives what the facts that an entry binds say now; None where that cannot be told.
        """
        return replace(self, standings=tuple(self._compared(standing, digest) for standing in self.standings))

    def _compared(self, standing: Standing, digest: Callable[[Entry], str | None]) -> Standing:
        entry = standing.entry
        if not entry.binds or not standing.counts:
            return standing
        if entry.denies:  # a change does not make good what was denied
            return standing
        if digest(entry) == entry.binds_sha256:
            return standing
        detail = f"what it speaks of has changed since it was made: {', '.join(entry.binds)}"
        return replace(standing, why=RegisterWhy.LAPSED, detail=detail)

    def exceptions(self, requirement: str, system: str, scene: Scene) -> list[ExceptionEntry]:
        """Valid exceptions to a requirement in a scope, in order of their ids."""
        return [
            ExceptionEntry(entry.assets, entry.id)
            for entry in self._valid(EntryKind.EXCEPTION, system, scene)
            if entry.requirement == requirement
        ]

    def statements(self, system: str, scene: Scene) -> list[ScopeStatement]:
        """Valid scope statements about a scope, in order of their ids."""
        return [
            ScopeStatement(entry.item, entry.population, entry.id)
            for entry in self._valid(EntryKind.SCOPE_STATEMENT, system, scene)
        ]

    def rows(self) -> list[RegisterRow]:
        """Every entry and how it counts, those that are gone among them, in order of ids."""
        return sorted([*self._held(), *(_gone_row(link) for link in self.gone)], key=lambda row: row.id)

    def _held(self) -> list[RegisterRow]:
        return [
            RegisterRow(
                id=entry.id,
                kind=entry.kind.value,
                requirement=entry.requirement or entry.item or entry.revokes,
                system=entry.system,
                scenes=list(entry.scenes),
                owner=entry.owner,
                approver=entry.approver,
                made_at=iso(entry.made_at),
                expires_at=iso(entry.expires_at),
                document=entry.document.name if entry.document else "",
                document_sha256=entry.document.sha256 if entry.document else "",
                counts=standing.counts,
                why=standing.why,
                detail=standing.detail,
                assets=len(entry.assets),
            )
            for standing in self.standings
            for entry in (standing.entry,)
        ]

    def _valid(self, kind: EntryKind, system: str, scene: Scene) -> Iterable[Entry]:
        return (
            standing.entry
            for standing in self.of(kind.value, system)
            if standing.counts and standing.entry.covers(system, scene)
        )

    def of(self, kind: str, system: str) -> Sequence[Standing]:
        """Standings of one kind of entry of one system, in order of entry ids."""
        return self._by_place.get((kind, system), [])

    @cached_property
    def _by_place(self) -> dict[tuple[str, str], list[Standing]]:
        """Standings by kind and system: every requirement of every scope asks for its own."""
        found: dict[tuple[str, str], list[Standing]] = {}
        for standing in self.standings:
            found.setdefault((standing.entry.kind.value, standing.entry.system), []).append(standing)
        return found

    @cached_property
    def _by_requirement(self) -> dict[tuple[str, str, str], list[Standing]]:
        found: dict[tuple[str, str, str], list[Standing]] = {}
        for standing in self.standings:
            entry = standing.entry
            found.setdefault((entry.kind.value, entry.system, entry.requirement), []).append(standing)
        return found


def _age(standing: Standing) -> tuple[datetime, bool, str]:
    return standing.entry.made_at, standing.entry.denies, standing.entry.id


def _gone_row(link: Link) -> RegisterRow:
    return RegisterRow(
        id=link.id,
        kind=link.kind.value,
        requirement=link.requirement or link.revokes,
        system=link.system,
        scenes=[],
        owner="",
        approver="",
        made_at=iso(link.made_at),
        expires_at="",
        document="",
        counts=False,
        why=RegisterWhy.UNCHAINED,
        detail=f"line {link.seq} of the chain tells of it, but the registers no longer hold it; restore it from a copy",
    )
