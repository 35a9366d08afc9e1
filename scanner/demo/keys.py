"""Demo keys of the lab bank: derived from names that stand here, so anybody can make them; they protect nothing."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from scanner.sealed.signature import FileSigner

SEED = "ztgrade lab bank, demo key, not a secret: "
SUPPLIER = "supplier"
OUTSIDER = "outsider"
"""Signs entries that must not count: no approver of the bank holds this key."""


def demo_signer(holder: str) -> FileSigner:
    """The Ed25519 demo key of a named holder; the same on every machine."""
    return FileSigner(Ed25519PrivateKey.from_private_bytes(hashlib.sha256((SEED + holder).encode()).digest()))
