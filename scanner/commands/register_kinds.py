"""How commands call the kinds of entries, and which entries are of one."""

from __future__ import annotations

from scanner.institution.register_entry import EntryKind
from scanner.institution.registers import Registers


def word_of(kind: EntryKind) -> str:
    """The command group of a kind."""
    words = {EntryKind.ATTESTATION: "attest", EntryKind.ADOPTION: "plan-register"}
    return words.get(kind, kind.value.replace("_", "-"))


def title_of(kind: EntryKind) -> str:
    """A kind as sentences call it."""
    return {EntryKind.ADOPTION: "adoption plan"}.get(kind, kind.value.replace("_", " "))


def ids_of(kind: EntryKind, registers: Registers) -> set[str]:
    """Ids of the entries of a kind, and of the revocations that take one of them back."""
    kinds = {link.id: link.kind for link in registers.chain.links} | {each.id: each.kind for each in registers.entries}
    held = {id_ for id_, each in kinds.items() if each is kind}
    return (
        held
        | {link.id for link in registers.chain.links if link.revokes in held}
        | {each.id for each in registers.entries if each.revokes in held}
    )
