"""5-6 Encryption of data: sensitive content rests encrypted under keys that the institution holds."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import DataStore, EncryptionAtRest


@check(over=DataStore)
def sensitive_content_is_encrypted(store: Subject, *, layers: list[str]) -> Claim:
    """Sensitive content is encrypted above the disk, and so are its exports and backups."""
    encryption = store[EncryptionAtRest]
    return Claim(
        applies=store.sensitive,
        holds=encryption.layer.is_in(layers) & encryption.copies_encrypted,
        shows={"layer": encryption.layer, "copies_encrypted": encryption.copies_encrypted},
    )


@check(over=DataStore)
def keys_are_held_by_institution(store: Subject) -> Claim:
    """The institution holds the key, keeps it apart from the data, and renews it on schedule."""
    encryption = store[EncryptionAtRest]
    held = (encryption.key_holder == "institution") & encryption.key_apart
    return Claim(
        applies=store.sensitive,
        holds=held & (encryption.rotation == "scheduled"),
        shows={
            "key_holder": encryption.key_holder,
            "key_apart": encryption.key_apart,
            "rotation": encryption.rotation,
        },
    )
