"""The registers: attestations, drills, reviews, exceptions and scope statements, and whether each of them counts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from scanner.errors import ConfigurationError, Problem
from scanner.institution.nouns import Approver
from scanner.institution.register_chain import CHAIN, Chain, read_chain, ssh_place
from scanner.institution.register_entry import Entry, EntryKind, Known, entry_payload, read_entry
from scanner.institution.register_judging import ENTRY_TYPE, Office, judge_entries
from scanner.institution.register_standing import (
    DocumentVerdict,
    ExceptionEntry,
    JudgedRegisters,
    ScopeStatement,
    Standing,
)
from scanner.institution.toml_source import Table, TomlSource, raise_problems, read_file
from scanner.model import Scene, utc
from scanner.sampling.claim import Need
from scanner.sealed.canonical import files_digest

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
]

MAX_SIGNATURE_BYTES = 1024 * 1024
"""Largest signature file that is read."""

MAX_CHAIN_BYTES = 256 * 1024 * 1024
"""Largest chain that is read: more than half a million events, for a chain is never shortened."""


@dataclass(frozen=True)
class Registers:
    """All entries as written; ``files`` holds the register files and signatures by name, to be sealed."""

    entries: tuple[Entry, ...]
    """In order of ids."""
    digest: str
    """SHA-256 over the canonical JSON of [name, sha256] of every file, in name order."""
    files: Mapping[str, bytes] = field(repr=False)

    @cached_property
    def chain(self) -> Chain:
        """The chain beside the entries."""
        return read_chain(self.files.get(CHAIN, b""))

    def check(
        self,
        approvers: Mapping[str, Approver],
        institution_id: str,
        baseline_ids: Collection[str],
        as_of: datetime,
        previous_chain: bytes = b"",
        samples: Mapping[str, Need] | None = None,
    ) -> JudgedRegisters:
        """How every entry stands at ``as_of``; signatures count that were made for any of ``baseline_ids``.

        An entry is valid from the later of ``made_at`` and ``effective_from`` on, until just before ``expires_at``. It
        must stand in the chain as it is, and the chain must go on where ``previous_chain`` ended.
        ``samples`` is what the baseline asks of the samples that entries rest on.
        """
        baselines = (baseline_ids,) if isinstance(baseline_ids, str) else tuple(sorted(baseline_ids))
        office = Office(
            approvers, institution_id, baselines, self.files, self.chain.against(previous_chain), samples or {}
        )
        return judge_entries(self.entries, office, utc(as_of))


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
    for name in sorted({CHAIN}.union(*({each.signature, ssh_place(each)} for each in entries if each.signature))):
        place = directory / name
        try:
            if place.exists():
                files[name] = read_file(place, MAX_CHAIN_BYTES if name == CHAIN else MAX_SIGNATURE_BYTES)
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


def _registers(entries: Iterable[Entry], files: Mapping[str, bytes]) -> Registers:
    return Registers(tuple(sorted(entries, key=lambda entry: entry.id)), files_digest(files), dict(files))


def _entries(
    files: Mapping[str, bytes], known: Known, problems: list[Problem], shown: Callable[[str], str]
) -> list[Entry]:
    entries: list[Entry] = []
    places: dict[str, Table] = {}
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
                    there = places[entry.id]
                    table.problem("id", f"{entry.id!r} stands at {there.source.file}:{there.line()} already")
                elif entry.id:
                    places[entry.id] = table
                entries.append(entry)
        top.close()
    return entries
