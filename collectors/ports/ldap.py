"""LDAP over verified TLS: one login, paged reading, and every error of ldap3 as one of ours."""

from __future__ import annotations

import hashlib
import importlib.util
import ssl
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import ldap3  # type: ignore[import-untyped]
from ldap3.protocol.microsoft import security_descriptor_control  # type: ignore[import-untyped]

from collectors.ports.directory import Address, DirectoryPort, Entry, Scope
from collectors.ports.ldap_answers import Answer, Answers
from collectors.ports.ldap_errors import ended, refusal, translated
from scanner.errors import LoginRefused, Malformed, ReadError, Unsupported
from scanner.model import Access, Target

PAGE = 1000
OWNER_GROUP_AND_DACL = 7
CONNECT_SECONDS = 10
ANSWER_SECONDS = 60
SASL_IN_PROGRESS = 14
_SCOPES: Mapping[str, str] = {"base": ldap3.BASE, "subtree": ldap3.SUBTREE}


def connect(access: Access) -> DirectoryPort:
    """Open, verify the certificate and log in, once; raises Unreachable, LoginRefused, Unsupported.

    Options of the target: ``ca_file`` (path or PEM; default: what the machine trusts), ``server_name`` (name in the
    certificate where the address is another one), ``bind`` (simple, kerberos, ntlm). Simple binds and Kerberos, channel
    binding included, are proved against a server; NTLM is not.
    """
    target = access.target
    address = Address.parse(target.address)
    with translated(f"{address.host}:{address.port}", "connecting"):
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
        with translated(where, "connecting"):
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
            with translated(where, "connecting"):
                connection.open(read_server_info=False)
                if not address.at_once:
                    connection.start_tls(read_server_info=False)
            _heed_refusals(connection)
            with translated(where, "logging in"):
                accepted = connection.bind(read_server_info=False)
            if not accepted:
                raise refusal(connection.result)
        except ReadError:
            _shut(connection)
            raise
        return connection

    return _LdapPort(access, access.login(attempt), where)


@dataclass(frozen=True)
class _Question:
    """One page of one search."""

    base: str
    scope: Scope
    query: str
    attributes: tuple[str, ...]
    descriptors: bool
    cookie: bytes | None = None

    @property
    def name(self) -> str:
        return self.base or "rootDSE"


@dataclass
class _Ahead:
    """A page that was asked for while its predecessor is being used."""

    question: _Question
    number: int = 0
    came: Answer | None = None
    error: ReadError | None = None
    dropped: bool = False


class _LdapPort:
    def __init__(self, access: Access, connection: ldap3.Connection, where: str) -> None:
        self._access = access
        self._connection = connection
        self._where = where
        self._ahead: _Ahead | None = None
        seconds = access.target.timeout_seconds
        self._answers = Answers(lambda most: connection.socket.recv(most), seconds)
        # ldap3 then hands out the number of a search instead of reading and decoding its answer.
        connection.post_send_search = lambda number: number

    def root(self, attributes: tuple[str, ...]) -> Entry:
        for entry in self.search("", "base", "(objectClass=*)", attributes):
            return entry
        raise Malformed(f"{self._where}: the server does not describe itself (rootDSE)")

    def search(
        self, base: str, scope: Scope, query: str, attributes: tuple[str, ...], *, descriptors: bool = False
    ) -> Iterator[Entry]:
        question = _Question(base, scope, query, attributes, descriptors)
        asked = frozenset(name.lower() for name in attributes)
        try:
            while True:
                answer = self._access.call(lambda question=question: self._page(question))  # type: ignore[misc]
                for dn, values in answer.rows:
                    yield Entry(dn, values, asked)
                if not answer.cookie:
                    return
                question = replace(question, cookie=answer.cookie)
        finally:
            if self._ahead is not None and replace(self._ahead.question, cookie=question.cookie) == question:
                self._ahead.dropped = True

    def _page(self, question: _Question) -> Answer:
        """One page; the next is asked for at once, so that the server works on it while this one is used."""
        ahead = self._ahead
        self._settle()
        answer = None
        if ahead is not None and (ahead.dropped or ahead.question == question):
            self._ahead = None
            if not ahead.dropped:
                if ahead.error is not None:
                    raise ahead.error
                answer = ahead.came
        if answer is None:
            answer = self._read(self._ask(question), question)
        if answer.code != 0:
            raise ended(answer, question.name)
        if answer.cookie and self._ahead is None:
            ahead = self._ahead = _Ahead(replace(question, cookie=answer.cookie))
            try:
                ahead.number = self._ask(ahead.question)
            except ReadError as error:  # of the next page, not of this one, which has come
                ahead.error = error
        return answer

    def _settle(self) -> None:
        """Take in the page that was asked for ahead; what goes wrong is kept for whoever asks for it."""
        ahead = self._ahead
        if ahead is None or ahead.came is not None or ahead.error is not None:
            return
        try:
            ahead.came = self._read(ahead.number, ahead.question)
        except ReadError as error:
            ahead.error = error

    def _ask(self, question: _Question) -> int:
        pages = question.scope == "subtree"
        with translated(self._where, f"searching {question.name}"):
            number: int = self._connection.search(
                question.base,
                question.query,
                _SCOPES[question.scope],
                attributes=list(question.attributes),
                controls=security_descriptor_control(sdflags=OWNER_GROUP_AND_DACL) if question.descriptors else None,
                paged_size=PAGE if pages else None,
                paged_criticality=pages,
                paged_cookie=question.cookie,
            )
        return number

    def _read(self, number: int, question: _Question) -> Answer:
        with translated(self._where, f"searching {question.name}"):
            return self._answers.to(number)

    def certificate(self) -> str | None:
        der = self._connection.server.tls.peer_certificate
        return hashlib.sha256(der).hexdigest() if der else None

    def close(self) -> None:
        try:
            with translated(self._where, "ending"):
                self._connection.unbind()
        finally:
            _shut(self._connection)


def _heed_refusals(connection: ldap3.Connection) -> None:
    """Raise what the server answers to any step of a login: ldap3 gives a refusal to Kerberos as if it were a token."""
    take = connection.post_send_single_response

    def taken(number: int) -> Any:
        came = take(number)
        giving_up = sys.exc_info()[1] is not None  # Kerberos has failed, and ldap3 tells the server so
        if not giving_up and connection.result["result"] not in (0, SASL_IN_PROGRESS):
            raise refusal(connection.result, ticket=connection.authentication == ldap3.SASL)
        return came

    connection.post_send_single_response = taken


def _shut(connection: ldap3.Connection) -> None:
    """Close the socket, which ldap3 leaves open where a handshake or an answer failed."""
    if connection.socket is not None:
        connection.socket.close()


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
            raise Unsupported("bind 'kerberos' needs the Python package gssapi: pip install 'ztgrade[kerberos]'")
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
