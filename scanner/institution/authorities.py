"""Certificates of the authorities that a target's server is trusted by."""

from __future__ import annotations

import re
import warnings

from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import load_pem_x509_certificate

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----")


def authorities(content: bytes) -> str:
    """The certificates of a PEM file, in PEM and without what stands around them; ValueError says what is wrong."""
    text = content.decode("utf-8", "replace")
    if "PRIVATE KEY" in text:
        raise ValueError("a private key stands where only certificates belong")
    blocks = _BLOCK.findall(text)
    if not blocks:
        raise ValueError("holds no certificate in PEM")
    with warnings.catch_warnings():  # some authorities number their certificates in a way that is no longer proper
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for number, block in enumerate(blocks, 1):
            try:
                load_pem_x509_certificate(block.encode())
            except ValueError as error:
                raise ValueError(f"certificate {number} of {len(blocks)} is damaged") from error
    return "\n".join(blocks) + "\n"
