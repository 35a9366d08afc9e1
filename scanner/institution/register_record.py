"""Writes what is signed, and the chain: one act at a time in a directory, each file whole or not at all."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scanner.column import CLOCK_TOLERANCE
from scanner.errors import UnknownName, UsageError
from scanner.institution.nouns import Approver
from scanner.institution.register_chain import CHAIN, OLDER, Chain, Link, line_of, made_before, missing_links, ssh_place
from scanner.institution.register_entry import Entry, entry_payload
from scanner.institution.register_judging import ENTRY_TYPE, approval_fault, ssh_fault
from scanner.institution.registers import Registers, load_registers
from scanner.model import iso, utc
from scanner.sealed.disk import translated, write_whole
from scanner.sealed.signature import FileSigner, key_id, seal_envelope


@dataclass(frozen=True)
class Desk:
    """Where registers are kept and whose signatures count there; ``baseline_id`` is what is signed for."""

    directory: Path
    approvers: Mapping[str, Approver]
    institution_id: str
    baseline_id: str

    def payload(self, reference: str) -> bytes:
        """The exact bytes that the approver of an entry signs; raises UnknownName."""
        return entry_payload(find_entry(reference, load_registers(self.directory), self.directory), *self._bound)

    @property
    def _bound(self) -> tuple[str, str]:
        return self.institution_id, self.baseline_id

    def sign(self, reference: str, key: Path, at: datetime) -> Path:
        """Sign one entry with the private key in a PEM file and write the envelope beside it and into the chain.

        ``reference`` is the id of an entry, or ``PATH.toml#ID``. Returns the path of the envelope; an older signature
        is replaced. Raises UnknownName for an unknown entry or approver, UsageError where the signature could never
        count, ConfigurationError where the registers are wrong, StoreError where the key cannot be used or the file
        not be written.
        """
        with one_act(self.directory):
            entry, approver = self._signable(reference)
            signer = FileSigner.load(key)
            if not approver.public_key or signer.key_id != key_id(approver.public_key):
                raise UsageError(f"{entry.id}: {key} is not the key of its approver {entry.approver}")
            envelope = seal_envelope(entry_payload(entry, *self._bound), ENTRY_TYPE, signer)
            return self._store(entry, entry.signature, envelope, at)

    def take_ssh(self, reference: str, signature: Path, at: datetime) -> Path:
        """Store what ``ssh-keygen -Y sign`` made of the payload, once it is proved to be the approver's."""
        with one_act(self.directory):
            entry, approver = self._signable(reference)
            with translated(signature):
                content = signature.read_bytes()
            fault = ssh_fault(content, [entry_payload(entry, *self._bound)], approver)
            if fault:
                raise UsageError(f"{entry.id}: {signature}: {fault}")
            return self._store(entry, ssh_place(entry), content, at)

    def _signable(self, reference: str) -> tuple[Entry, Approver]:
        registers = load_registers(self.directory)
        entry = find_entry(reference, registers, self.directory)
        if entry.approver not in self.approvers:
            raise UnknownName("approver", entry.approver, self.approvers)
        fault = approval_fault(entry, self.approvers)
        if fault:
            raise UsageError(f"{entry.id}: {fault}; another approver must sign it")
        registers.chain.must_hold(str(self.directory / CHAIN))
        if not registers.chain.of(entry.id):
            refuse_backdated([entry], registers.chain)
        return entry, self.approvers[entry.approver]

    def _store(self, entry: Entry, name: str, content: bytes, at: datetime) -> Path:
        place = self.directory / name
        write_whole(place, content)
        for other in {entry.signature, ssh_place(entry)} - {name}:
            with translated(self.directory / other):
                (self.directory / other).unlink(missing_ok=True)
        record(self.directory, at, {entry.id})
        return place


@contextmanager
def one_act(directory: Path) -> Iterator[None]:
    """Keep others from writing into the same registers meanwhile; the directory is made if it is missing."""
    with translated(directory):
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with translated(directory):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def record(directory: Path, at: datetime, ids: Collection[str] | None = None) -> list[Link]:
    """Bring the chain up to the entries as they stand, or to those of ``ids``; returns the links written.

    All of one act bear one time, never one before that of the last line. Writes nothing where nothing happened.
    Raises UsageError where the chain is broken or the clock lies behind it.
    """
    registers = load_registers(directory)
    chain = registers.chain
    chain.must_hold(str(directory / CHAIN))
    entries = [entry for entry in registers.entries if ids is None or entry.id in ids]
    links = missing_links(chain, entries, registers.files, act_time(chain, at, directory))
    if links:
        content = registers.files.get(CHAIN, b"") + b"".join(line_of(link) + b"\n" for link in links)
        write_whole(directory / CHAIN, content)
    return links


def act_time(chain: Chain, now: datetime, directory: Path) -> datetime:
    """The time of an act, in whole seconds: now, or that of the last line where another clock is a little ahead.

    Raises UsageError where this clock lies further behind.
    """
    at = utc(now).replace(microsecond=0)
    if not chain.links:
        return at
    last = chain.links[-1].at
    if at < last - CLOCK_TOLERANCE:
        raise UsageError(f"{directory / CHAIN}: ends at {iso(last)}, after now, {iso(at)}; set the clock right")
    return max(at, last)


def refuse_backdated(entries: Sequence[Entry], chain: Chain) -> None:
    """Raise UsageError where an entry that is new to the chain says that it was made before the chain's end."""
    for entry in entries:
        if chain.links and made_before(entry, chain.links[-1].at):
            raise UsageError(
                f"{entry.id}: made_at {iso(entry.made_at)} lies before the end of the chain, "
                f"{iso(chain.links[-1].at)}; {OLDER}"
            )


def find_entry(reference: str, registers: Registers, directory: Path) -> Entry:
    """An entry by its id, or as ``PATH.toml#ID``; raises UnknownName, or UsageError for a file that is none of them."""
    path, mark, wanted = reference.rpartition("#")
    if mark and (Path(path).parent.resolve() != directory.resolve() or Path(path).name not in registers.files):
        raise UsageError(f"{path} is no register file in {directory}")
    held = {entry.id: entry for entry in registers.entries if not mark or Path(entry.file).name == Path(path).name}
    if wanted not in held:
        raise UnknownName("entry", wanted, held)
    return held[wanted]
