"""What a directory refuses, and what ldap3, ssl, the socket and Kerberos raise, as errors of ours."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Any

from ldap3.core.exceptions import (  # type: ignore[import-untyped]
    LDAPException,
    LDAPSessionTerminatedByServerError,
    LDAPSocketCloseError,
    LDAPSocketReceiveError,
    LDAPSocketSendError,
)
from ldap3.core.results import RESULT_CODES  # type: ignore[import-untyped]
from pyasn1.error import PyAsn1Error  # type: ignore[import-untyped]

from collectors.ports.ldap_answers import Answer
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
_BAD_BINDINGS = ("80090346", "35b")
_SKEW = "80090324"
_CHANNEL = "the directory demands a signed or sealed session, or channel binding, for this way in"
_CLOCKS = "the clocks of this host and of the domain are more than five minutes apart"
_KERBEROS: tuple[tuple[str, type[ReadError], str], ...] = (
    (
        "no kerberos credentials|no credentials cache|credentials cache file|matching credential not found",
        AccessDenied,
        "there is no ticket: get one with kinit -k -t KEYTAB ACCOUNT, in the cache that KRB5CCNAME names",
    ),
    ("ticket expired", AccessDenied, "the ticket has expired: renew it before the scan, by k5start or kinit -k"),
    ("clock skew", AccessDenied, _CLOCKS),
    ("cannot (contact|find|resolve).*kdc|cannot find kdc", Unreachable, "no KDC of the realm answers"),
    (
        "not found in kerberos database|server not found",
        AccessDenied,
        "the KDC knows no service ldap/NAME: options.server_name is the full name of the domain controller",
    ),
)
"""What MIT Kerberos says, the error of ours, and what to do."""


def refusal(result: Mapping[str, Any], *, ticket: bool = False) -> ReadError:
    """The error for a bind that the server answered with anything but success.

    With ``ticket`` no password was sent, so that none was wrong, and nothing can be locked.
    """
    message = str(result.get("message") or "").strip().rstrip("\x00")
    found = re.search(r"\bdata ([0-9a-f]+)", message)
    data = found.group(1) if found else ""
    code = result["result"]
    if code == 8 or data in _BAD_BINDINGS:
        return AccessDenied(_CHANNEL)
    if data == _SKEW:
        return AccessDenied(_CLOCKS)
    if code not in (49, 53) and (not data or code in (51, 52)):
        return failure(result, "the login")
    if ticket and data in ("", "52e"):
        return AccessDenied(f"the directory did not accept the ticket: perhaps {_CLOCKS}, or its key has changed")
    reason = _REFUSED.get(data, f"data {data}") if data else result.get("description", "")
    return LoginRefused(f"the directory refused the login: {reason}")


def failure(result: Mapping[str, Any], what: str) -> ReadError:
    """The error for a request that the server answered with anything but success."""
    code = result["result"]
    said = f"{what}: {result.get('description')} {result.get('message') or ''}".strip().rstrip("\x00")
    if code in (1, 13, 32, 48, 50):  # of a base that may not be seen AD says that there is none
        return AccessDenied(said)
    if code in (3, 4, 11):
        return Truncated(said)
    if code == 10:
        places = ", ".join(result.get("referrals") or ()) or "another server"
        return Unsupported(f"{said} (it refers to {places}, which is not followed)")
    if code in (2, 12, 16, 18, 53):
        return Unsupported(said)
    if code == 51:
        return Throttled(said)
    if code == 52:
        return Unreachable(said)
    return Malformed(said)


def ended(answer: Answer, what: str) -> ReadError:
    """The error for a search that did not end well."""
    result = {
        "result": answer.code,
        "description": RESULT_CODES.get(answer.code, f"result {answer.code}"),
        "message": answer.message,
        "referrals": answer.referrals,
    }
    return failure(result, what)


class translated:
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
            raise _of_kerberos(said) from error
        searching = self._doing.startswith("searching")
        broken = (LDAPSessionTerminatedByServerError, LDAPSocketReceiveError, LDAPSocketSendError)
        cut = isinstance(error, (*broken, ConnectionError, ssl.SSLError))
        if searching and cut and not re.search("timed out|temporarily unavailable", said):
            raise Truncated(f"{said} (the connection broke off)") from error
        if isinstance(error, (LDAPException, OSError)):
            raise Unreachable(said) from error
        if isinstance(error, (PyAsn1Error, ValueError, KeyError, IndexError, TypeError, AttributeError)):
            raise Malformed(f"{said} ({type(error).__name__})") from error


def _of_kerberos(said: str) -> ReadError:
    for pattern, kind, hint in _KERBEROS:
        if re.search(pattern, said, re.IGNORECASE):
            return kind(f"{said} ({hint})")
    return AccessDenied(f"{said} (Kerberos)")


def _words(error: BaseException) -> str:
    """What the error says, without the lists of tuples that ldap3 wraps around it."""
    text = str(error) or type(error).__name__
    if found := re.search(r"certificate verify failed: ([^(]+)", text):
        return f"the certificate is not trusted: {found.group(1).strip()}".replace("\\", "")
    if "No such file" in text:
        return f"ca_file: {text}"
    if isinstance(error, LDAPSocketCloseError):
        return "the connection was closed"
    return text
