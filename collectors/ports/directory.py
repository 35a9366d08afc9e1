"""What a directory is to a collector: entries, one session, and where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import urlsplit

from scanner.errors import Unreachable

Scope = Literal["base", "subtree"]


@dataclass(frozen=True)
class Entry:
    """One object of a directory: its distinguished name and the raw values by attribute name in lower case.

    ``asked`` has the attributes that were asked for, in lower case: what was not asked for is not absent.
    """

    dn: str
    values: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()

    def first(self, attribute: str) -> bytes | None:
        """The first value of an attribute, by its name in lower case; None where it was not given."""
        found = self.values.get(attribute)
        return found[0] if found else None


class DirectoryPort(Protocol):
    """One session with a directory."""

    def root(self, attributes: tuple[str, ...]) -> Entry:
        """The entry of the server itself (rootDSE)."""

    def search(
        self, base: str, scope: Scope, query: str, attributes: tuple[str, ...], *, descriptors: bool = False
    ) -> Iterator[Entry]:
        """Entries page by page; with ``descriptors`` owner, group and DACL may be asked for. Raises ReadError."""

    def certificate(self) -> str | None:
        """SHA-256 of the server's certificate in hex."""

    def close(self) -> None:
        """End the session."""


@dataclass(frozen=True)
class Address:
    """Where the directory is and how TLS begins: at once (ldaps) or after StartTLS (ldap); never without."""

    host: str
    port: int
    at_once: bool

    @staticmethod
    def parse(text: str) -> Address:
        """From ``host``, ``host:port``, ``ldaps://host`` or ``ldap://host``; raises Unreachable."""
        try:
            parts = urlsplit(text if "://" in text else f"ldaps://{text}")
            port = parts.port
        except ValueError as error:
            raise Unreachable(f"address {text!r}: {error}") from error
        if parts.scheme not in {"ldap", "ldaps"} or not parts.hostname:
            raise Unreachable(f"address {text!r}: expected ldaps://HOST or ldap://HOST (with StartTLS)")
        at_once = parts.scheme == "ldaps"
        return Address(parts.hostname, port or (636 if at_once else 389), at_once)
