"""Seals a folder: manifest, Merkle root and a signed in-toto statement; verifies folders, assessments and stores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Signer(Protocol):
    """Holds a private key somewhere and signs with it; a file today, a token or a key service later."""

    @property
    def key_id(self) -> str:
        """Identity of the key: 64 hex digits, computed from the public key."""

    @property
    def public_pem(self) -> bytes:
        """The public key as PEM (SubjectPublicKeyInfo)."""

    def sign(self, message: bytes) -> bytes:
        """The raw signature over the message; raises StoreError where the key cannot be used."""


@dataclass(frozen=True)
class Verification:
    """What verifying found: ``ok`` means whole; only ``signer_known`` says by whom."""

    ok: bool
    root: str | None
    key_id: str | None
    signer_known: bool
    problems: tuple[str, ...]
    kind: str = ""
    seal: str | None = None
    sequence: int | None = None
    folders: int = 1


def verify(path: Path, trust: bytes | None = None, anchor: str | None = None) -> Verification:
    """Verify a sealed folder, an assessment with its embedded collections, or a whole store with its chain."""
    raise NotImplementedError
