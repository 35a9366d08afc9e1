"""How a fact field states its one-line documentation and its sensitivity."""

from __future__ import annotations

import msgspec

from scanner.model import Sensitivity


def _described(sensitivity: Sensitivity, doc: str) -> msgspec.Meta:
    return msgspec.Meta(description=doc, extra={"sensitivity": sensitivity.value})


def public(doc: str) -> msgspec.Meta:
    """A field whose value anyone may know."""
    return _described(Sensitivity.PUBLIC, doc)


def internal(doc: str) -> msgspec.Meta:
    """A field that helps whoever maps the institution."""
    return _described(Sensitivity.INTERNAL, doc)


def personal(doc: str) -> msgspec.Meta:
    """A field that names a person; stored in the identity file, never judged."""
    return _described(Sensitivity.PERSONAL, doc)


def secret_adjacent(doc: str) -> msgspec.Meta:
    """A field that tells where or how a secret is kept, never the secret."""
    return _described(Sensitivity.SECRET_ADJACENT, doc)
