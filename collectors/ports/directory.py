"""LDAP over verified TLS: one login, paged reading, and every error of ldap3 as one of ours."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

import ldap3  # type: ignore[import-untyped]
from ldap3.core.exceptions import (  # type: ignore[import-untyped]
    LDAPException,
    LDAPSessionTerminatedByServerError,
    LDAPSocketCloseError,
    LDAPSocketReceiveError,
    LDAPSocketSendError,
)
from ldap3.protocol.microsoft import security_descriptor_control  # type: ignore[import-untyped]
from pyasn1.error import PyAsn1Error  # type: ignore[import-untyped]

from scanner.errors import (
    AccessDenied,
    LoginRefused,
    Malformed,
    ReadError,
    Throttled,
    Truncated,
    Unreachable,
    Unsupported,
)
from scanner.model import Access, Target

PAGE = 1000
OWNER_GROUP_AND_DACL = 7
CONNECT_SECONDS = 10
ANSWER_SECONDS = 60
Scope = Literal["base", "subtree"]
_SCOPES: Mapping[str, str] = {"base": ldap3.BASE, "subtree": ldap3.SUBTREE}
_REFUSED: Mapping[str, str] = {
    "525": "there is no such account",
    "52e": "wrong password",
    "52f": "the account may not sign in this way",
    "530": "not at this hour",
    "531": "not from this host",
    "532": "the password has expired",
    "533": "the account is disabled",
    "568": "the account is in too many groups",
    "701": "the account has expired",
    "773": "the password must be changed first",
    "775": "the account is locked",
}
"""What Active Directory writes after ``data`` where it refuses a bind, in hex."""


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


def connect(access: Access) -> DirectoryPort:
    """Open, verify the certificate and log in, once; raises Unreachable, LoginRefused, Unsupported.

    Options of the target: ``ca_file`` (path or PEM; default: what the machine trusts), ``server_name`` (name in the
    certificate where the address is another one), ``bind`` (simple, kerberos, ntlm). Simple binds are proved against a
    server; a whole login by Kerberos or NTLM is not.
    """
    target = access.target
    address = Address.parse(target.address)
    with _translated(f"{address.host}:{address.port}", "connecting"):
        server = ldap3.Server(
            address.host,
            port=address.port,
            use_ssl=address.at_once,
            tls=_tls(target, address.host),
            get_info=ldap3.NONE,
            connect_timeout=min(CONNECT_SECONDS, target.timeout_seconds),
        )
    way = _way(target, access, address)
    where = f"{address.host}:{address.port}"

    def attempt() -> ldap3.Connection:
        with _translated(where, "connecting"):
            connection = ldap3.Connection(
                server,
                read_only=True,
                auto_referrals=False,
                check_names=False,
                auto_encode=False,
                return_empty_attributes=False,
                receive_timeout=min(ANSWER_SECONDS, target.timeout_seconds),
                **way,
            )
        try:
            with _translated(where, "connecting"):
                connection.open(read_server_info=False)
                if not address.at_once:
                    connection.start_tls(read_server_info=False)
            with _translated(where, "logging in"):
                accepted = connection.bind(read_server_info=False)
            if not accepted:
                raise refusal(connection.result)
        except ReadError:
            _shut(connection)
            raise
        return connection

    return _LdapPort(access, access.login(attempt), where)


class _LdapPort:
    def __init__(self, access: Access, connection: ldap3.Connection, where: str) -> None:
        self._access = access
        self._connection = connection
        self._where = where

    def root(self, attributes: tuple[str, ...]) -> Entry:
        for entry in self.search("", "base", "(objectClass=*)", attributes):
            return entry
        raise Malformed(f"{self._where}: the server does not describe itself (rootDSE)")

    def search(
        self, base: str, scope: Scope, query: str, attributes: tuple[str, ...], *, descriptors: bool = False
    ) -> Iterator[Entry]:
        cookie: bytes | None = None
        pages = scope == "subtree"
        while True:
            entries, cookie = self._access.call(
                lambda cookie=cookie: self._page(base, scope, query, attributes, descriptors, cookie)  # type: ignore[misc]
            )
            yield from entries
            if not (pages and cookie):
                return

    def _page(
        self,
        base: str,
        scope: Scope,
        query: str,
        attributes: tuple[str, ...],
        descriptors: bool,
        cookie: bytes | None,
    ) -> tuple[list[Entry], bytes | None]:
        connection = self._connection
        with _translated(self._where, f"searching {base or 'rootDSE'}"):
            connection.search(
                base,
                query,
                _SCOPES[scope],
                attributes=list(attributes),
                controls=security_descriptor_control(sdflags=OWNER_GROUP_AND_DACL) if descriptors else None,
                paged_size=PAGE if scope == "subtree" else None,
                paged_criticality=scope == "subtree",
                paged_cookie=cookie,
            )
            result, response = connection.result, connection.response
            if result["result"] != 0:
                raise failure(result, base or "rootDSE")
            asked = frozenset(name.lower() for name in attributes)
            entries = [
                Entry(
                    row["dn"],
                    {name.lower(): tuple(values) for name, values in row["raw_attributes"].items() if values},
                    asked,
                )
                for row in response or ()
                if row["type"] == "searchResEntry"
            ]
            controls = result.get("controls") or {}
            paged = controls.get("1.2.840.113556.1.4.319")
        return entries, paged["value"]["cookie"] if paged else None

    def certificate(self) -> str | None:
        der = self._connection.server.tls.peer_certificate
        return hashlib.sha256(der).hexdigest() if der else None

    def close(self) -> None:
        try:
            with _translated(self._where, "ending"):
                self._connection.unbind()
        finally:
            _shut(self._connection)


def _shut(connection: ldap3.Connection) -> None:
    """Close the socket, which ldap3 leaves open where a handshake or an answer failed."""
    if connection.socket is not None:
        connection.socket.close()


def refusal(result: Mapping[str, Any]) -> ReadError:
    """The error for a bind that the server answered with anything but success."""
    message = str(result.get("message") or "").strip().rstrip("\x00")
    said = re.search(r"\bdata ([0-9a-f]+)", message)
    code = result["result"]
    if code in (49, 53) or said:
        reason = _REFUSED.get(said.group(1), f"data {said.group(1)}") if said else result.get("description", "")
        return LoginRefused(f"the directory refused the login: {reason}")
    if code == 8:
        return AccessDenied("the directory demands a signed or sealed session, or channel binding, for this way in")
    return failure(result, "the login")


def failure(result: Mapping[str, Any], what: str) -> ReadError:
    """The error for a request that the server answered with anything but success."""
    code = result["result"]
    said = f"{what}: {result.get('description')} {result.get('message') or ''}".strip().rstrip("\x00")
    if code in (1, 13, 32, 48, 50):  # of a base that may not be seen AD says that there is none
        return AccessDenied(said)
    if code in (3, 4, 11):
        return Truncated(said)
    if code in (2, 12, 16, 18, 53):
        return Unsupported(said)
    if code == 51:
        return Throttled(said)
    if code == 52:
        return Unreachable(said)
    return Malformed(said)


class _translated:
    """Turns what ldap3, ssl and the socket raise into one of our errors; a body's own ReadError passes."""

    def __init__(self, where: str, doing: str) -> None:
        self._where = where
        self._doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, ReadError):
            return
        said = f"{self._where}: {self._doing}: {_words(error)}"
        if type(error).__module__.startswith("gssapi."):  # an extra, so that it cannot be imported here
            raise AccessDenied(f"{said} (Kerberos; is there a ticket?)") from error
        searching = self._doing.startswith("searching")
        cut = isinstance(
            error, (LDAPSessionTerminatedByServerError, LDAPSocketReceiveError, LDAPSocketSendError, ConnectionError)
        )
        if searching and cut and not re.search("timed out|temporarily unavailable", said):
            raise Truncated(f"{said} (the connection broke off)") from error
        if isinstance(error, (LDAPException, OSError)):
            raise Unreachable(said) from error
        if isinstance(error, (PyAsn1Error, ValueError, KeyError, IndexError, TypeError, AttributeError)):
            raise Malformed(f"{said} ({type(error).__name__})") from error


def _words(error: BaseException) -> str:
    """What the error says, without the lists of tuples that ldap3 wraps around it."""
    text = str(error) or type(error).__name__
    if found := re.search(r"certificate verify failed: ([^(]+)", text):
        return f"the certificate is not trusted: {found.group(1).strip()}"
    if "No such file" in text:
        return f"ca_file: {text}"
    if isinstance(error, LDAPSocketCloseError):
        return "the connection was closed"
    return text


class _VerifiedTls(ldap3.Tls):  # type: ignore[misc]
    """TLS in which OpenSSL itself checks chain, dates and name; ldap3 compares names with what Python has given up."""

    def __init__(self, authority: str | None, name: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED, sni=name)
        self._authority = authority
        self._name = name

    def wrap_socket(self, connection: ldap3.Connection, do_handshake: bool = True) -> None:
        if self._authority is not None and "-----BEGIN" in self._authority:
            context = ssl.create_default_context(cadata=self._authority)
        else:
            context = ssl.create_default_context(cafile=self._authority)
        wrapped = context.wrap_socket(connection.socket, server_hostname=self._name)
        self.peer_certificate = wrapped.getpeercert(binary_form=True)
        connection.socket = wrapped


def _tls(target: Target, host: str) -> ldap3.Tls:
    authority = target.options.get("ca_file")
    return _VerifiedTls(str(authority) if authority else None, str(target.options.get("server_name") or host))


def _way(target: Target, access: Access, address: Address) -> dict[str, Any]:
    """Arguments of ldap3 for the way in; the secret is resolved here and kept nowhere else."""
    bind = str(target.options.get("bind", "simple"))
    if bind == "kerberos":
        if importlib.util.find_spec("gssapi") is None:
            raise Unsupported("bind 'kerberos' needs the Python package gssapi; install it, or use bind 'simple'")
        name = str(target.options.get("server_name") or address.host)
        return {"authentication": ldap3.SASL, "sasl_mechanism": ldap3.KERBEROS, "sasl_credentials": (name,)}
    if bind not in {"simple", "ntlm"}:
        raise Unsupported(f"there is no bind {bind!r}: simple, kerberos or ntlm")
    user, password = access.user(), access.secret()
    if not user or not password:
        raise LoginRefused("the credential lacks an account name or a password; an anonymous login is not tried")
    way: dict[str, Any] = {"user": user, "password": password}
    if bind == "simple":
        return {**way, "authentication": ldap3.SIMPLE}
    # No server at hand speaks NTLM the way ldap3 does, so that neither this nor its channel binding is proven.
    binding = {"channel_binding": ldap3.TLS_CHANNEL_BINDING} if address.at_once else {}
    return {**way, "authentication": ldap3.NTLM, **binding}
