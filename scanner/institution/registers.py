"""The registers: attestations, drills, reviews, exceptions and scope statements, and whether each of them counts."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from scanner.errors import ConfigurationError, Problem, SealError, UnknownName, UsageError
from scanner.institution.nouns import Approver
from scanner.institution.register_entry import Entry, EntryKind, Known, entry_payload, read_entry
from scanner.institution.toml_source import TomlSource, raise_problems, read_file
from scanner.model import RegisterWhy, RequirementState, Scene, iso, utc
from scanner.result import RegisterRow
from scanner.sealed.canonical import files_digest
from scanner.sealed.disk import write_whole
from scanner.sealed.signature import FileSigner, key_id, open_trusted, seal_envelope

__all__ = [
    "ENTRY_TYPE",
    "DocumentVerdict",
    "Entry",
    "EntryKind",
    "ExceptionEntry",
    "JudgedRegisters",
    "Registers",
    "ScopeStatement",
    "Standing",
    "entry_payload",
    "load_registers",
    "parse_registers",
    "sign_entry",
]

ENTRY_TYPE = "application/vnd.ztgrade.register-entry+json"
"""Payload type of a signed entry."""

MAX_SIGNATURE_BYTES = 1024 * 1024
"""Largest signature file that is read."""


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

    @property
    def counts(self) -> bool:
        """Whether it is valid now."""
        return self.why is None


@dataclass(frozen=True)
class JudgedRegisters:
    """The registers at one moment, under one institution, its approvers and a baseline."""

    standings: tuple[Standing, ...]
    """In order of entry ids."""

    def document(self, kind: str, requirement: str, system: str, scene: Scene) -> DocumentVerdict:
        """The verdict on an attestation, drill or review.

        The newest valid entry decides; of several made at one moment a no. A signed no that has expired still stands
        against every yes made before it: what was denied becomes open, never met, by waiting. Entries are open, never
        met, for any other reason, told of the newest one.
        """
        told = [
            standing
            for standing in self.standings
            if standing.entry.kind == kind
            and standing.entry.requirement == requirement
            and standing.entry.covers(system, scene)
        ]
        if not told:
            return DocumentVerdict(RequirementState.UNDETERMINED, RegisterWhy.MISSING, None)
        valid = [standing for standing in told if standing.counts]
        if not valid:
            newest = max(told, key=_age)
            return DocumentVerdict(RequirementState.UNDETERMINED, newest.why, newest.entry.id)
        newest = max(valid, key=_age)
        if newest.entry.denies:
            return DocumentVerdict(RequirementState.NOT_MET, None, newest.entry.id)
        lapsed = [
            each for each in told if each.entry.denies and each.signed and each.past and _age(each) > _age(newest)
        ]
        if lapsed:
            return DocumentVerdict(RequirementState.UNDETERMINED, RegisterWhy.LAPSED, max(lapsed, key=_age).entry.id)
        return DocumentVerdict(RequirementState.MET, None, newest.entry.id)

    def lapsing(self, digest: Callable[[Entry], str | None]) -> JudgedRegisters:
        """The same, where an entry that speaks of settings counts only while they are what they were.

        ``digest`` gives what the facts that an entry binds say now; None where that cannot be told.
        """
        return JudgedRegisters(tuple(self._compared(standing, digest) for standing in self.standings))

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
        """Every entry and how it counts, in order of ids."""
        return [
            RegisterRow(
                id=entry.id,
                kind=entry.kind.value,
                requirement=entry.requirement or entry.item,
                system=entry.system,
                scenes=list(entry.scenes),
                owner=entry.owner,
                approver=entry.approver,
                made_at=iso(entry.made_at),
                expires_at=iso(entry.expires_at),
                document=entry.document.name if entry.document else "",
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
            for standing in self.standings
            if standing.counts and standing.entry.kind is kind and standing.entry.covers(system, scene)
        )


@dataclass(frozen=True)
class Registers:
    """All entries as written; ``files`` holds the register files and signatures by name, to be sealed."""

    entries: tuple[Entry, ...]
    """In order of ids."""
    digest: str
    """SHA-256 over the canonical JSON of [name, sha256] of every file, in name order."""
    files: Mapping[str, bytes] = field(repr=False)

    def check(
        self,
        approvers: Mapping[str, Approver],
        institution_id: str,
        baseline_ids: Collection[str],
        as_of: datetime,
    ) -> JudgedRegisters:
        """How every entry stands at ``as_of``; signatures count that were made for any of ``baseline_ids``.

        An entry is valid from the later of ``made_at`` and ``effective_from`` on, until just before ``expires_at``.
        """
        baselines = (baseline_ids,) if isinstance(baseline_ids, str) else tuple(sorted(baseline_ids))
        moment = utc(as_of)
        return JudgedRegisters(
            tuple(self._standing(entry, approvers, institution_id, baselines, moment) for entry in self.entries)
        )

    def _standing(
        self,
        entry: Entry,
        approvers: Mapping[str, Approver],
        institution_id: str,
        baselines: tuple[str, ...],
        as_of: datetime,
    ) -> Standing:
        fault = _approval_fault(entry, approvers)
        if fault is None:
            key = approvers[entry.approver].public_key
            fault = _signature_fault(entry, self.files.get(entry.signature), key, institution_id, baselines)
        past = as_of >= entry.expires_at
        start = max(entry.made_at, entry.effective_from)
        if fault is not None:
            return Standing(entry, RegisterWhy.SELF_DECLARED, fault, False, past)
        if past:
            return Standing(entry, RegisterWhy.EXPIRED, f"expired at {iso(entry.expires_at)}", True, True)
        if as_of < start:
            return Standing(entry, RegisterWhy.EXPIRED, f"takes effect at {iso(start)}", True, False)
        return Standing(entry, None, "", True, False)


def load_registers(
    directory: Path,
    known: frozenset[str] | None = None,
    systems: Mapping[str, Collection[Scene]] | None = None,
) -> Registers:
    """Read every ``*.toml`` of a directory and the signatures beside them; a missing directory holds no entries.

    With ``known`` the addresses of requirements, with ``systems`` the names of systems and their scenes are checked.
    Raises ConfigurationError with all that is wrong at once.
    """
    problems: list[Problem] = []
    files: dict[str, bytes] = {}
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == ".toml" and path.name[0] != ".")
    except FileNotFoundError:
        paths = []
    except OSError as error:
        raise ConfigurationError([Problem(str(directory), None, "", (error.strerror or str(error)).lower())]) from None
    for path in paths:
        if not path.name.isprintable():
            problems.append(Problem(repr(path.name), None, "", "its name cannot be printed", "rename it"))
            continue
        try:
            files[path.name] = read_file(path)
        except OSError as error:
            problems.append(Problem(str(path), None, "", (error.strerror or str(error)).lower()))
    entries = _entries(files, Known(known, systems), problems, shown=lambda name: str(directory / name))
    for entry in entries:
        place = directory / entry.signature
        try:
            if entry.signature and place.exists():
                files[entry.signature] = read_file(place, MAX_SIGNATURE_BYTES)
        except OSError as error:
            problems.append(Problem(str(place), None, "", (error.strerror or str(error)).lower()))
    raise_problems(problems)
    return _registers(entries, files)


def parse_registers(
    files: Mapping[str, bytes],
    known: frozenset[str] | None = None,
    systems: Mapping[str, Collection[Scene]] | None = None,
) -> Registers:
    """Rebuild the registers from their sealed files, with no file system; raises ConfigurationError."""
    problems: list[Problem] = []
    registers = {name: content for name, content in sorted(files.items()) if name.endswith(".toml")}
    entries = _entries(registers, Known(known, systems), problems, shown=str)
    raise_problems(problems)
    return _registers(entries, files)


def sign_entry(
    reference: str,
    key: Path,
    *,
    directory: Path,
    approvers: Mapping[str, Approver],
    institution_id: str,
    baseline_id: str,
) -> Path:
    """Sign one entry with the private key in a PEM file and write the envelope beside it, whole or not at all.

    ``reference`` is the id of an entry, or ``PATH.toml#ID``. Returns the path of the envelope; an older one is
    replaced. Raises UnknownName for an unknown entry or approver, UsageError where the signature could never count
    (approver and owner are one person, or the key is not the approver's), ConfigurationError where the registers are
    wrong, StoreError where the key cannot be used or the file not be written.
    """
    entry = _find(reference, load_registers(directory), directory)
    if entry.approver not in approvers:
        raise UnknownName("approver", entry.approver, approvers)
    fault = _approval_fault(entry, approvers)
    if fault:
        raise UsageError(f"{entry.id}: {fault}; another approver must sign it")
    signer = FileSigner.load(key)
    if signer.key_id != key_id(approvers[entry.approver].public_key):
        raise UsageError(f"{entry.id}: {key} is not the key of its approver {entry.approver}")
    place = directory / entry.signature
    write_whole(place, seal_envelope(entry_payload(entry, institution_id, baseline_id), ENTRY_TYPE, signer))
    return place


def _age(standing: Standing) -> tuple[datetime, bool, str]:
    return standing.entry.made_at, standing.entry.denies, standing.entry.id


def _registers(entries: Iterable[Entry], files: Mapping[str, bytes]) -> Registers:
    return Registers(tuple(sorted(entries, key=lambda entry: entry.id)), files_digest(files), dict(files))


def _entries(
    files: Mapping[str, bytes], known: Known, problems: list[Problem], shown: Callable[[str], str]
) -> list[Entry]:
    entries: list[Entry] = []
    places: dict[str, str] = {}
    for name, content in files.items():
        try:
            top = TomlSource(shown(name), content).table(problems)
        except ConfigurationError as error:
            problems.extend(error.problems)
            continue
        for kind in EntryKind:
            for table in top.expect_tables(kind.value, required=False):
                entry = read_entry(kind, table, known)
                if entry.id in places:
                    table.problem("id", f"{entry.id!r} stands at {places[entry.id]} already")
                elif entry.id:
                    places[entry.id] = f"{shown(name)}:{table.line()}"
                entries.append(entry)
        top.close()
    return entries


def _person(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _approval_fault(entry: Entry, approvers: Mapping[str, Approver]) -> str | None:
    """Why nobody else than its owner can have approved the entry; None where somebody can."""
    if entry.approver not in approvers:
        return f"{entry.approver} is no approver of this estate"
    owner, approver = approvers.get(entry.owner), approvers[entry.approver]
    names = {_person(entry.owner)} | ({_person(owner.person)} if owner else set())
    if names & {_person(approver.name), _person(approver.person)}:
        return "its owner and its approver are one person"
    return None


def _signature_fault(
    entry: Entry, envelope: bytes | None, key: bytes, institution_id: str, baselines: tuple[str, ...]
) -> str | None:
    if envelope is None:
        return f"is not signed: {entry.signature} is missing"
    try:
        payload = open_trusted(envelope, ENTRY_TYPE, key)
    except SealError:
        return f"the signature in {entry.signature} is not that of {entry.approver}"
    if payload not in {entry_payload(entry, institution_id, baseline) for baseline in baselines}:
        return "was signed otherwise: the entry was edited, or signed for another institution or baseline"
    return None


def _find(reference: str, registers: Registers, directory: Path) -> Entry:
    path, mark, wanted = reference.rpartition("#")
    if mark and (Path(path).parent.resolve() != directory.resolve() or Path(path).name not in registers.files):
        raise UsageError(f"{path} is no register file in {directory}")
    held = {entry.id: entry for entry in registers.entries if not mark or Path(entry.file).name == Path(path).name}
    if wanted not in held:
        raise UnknownName("entry", wanted, held)
    return held[wanted]
