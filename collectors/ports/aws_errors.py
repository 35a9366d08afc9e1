"""What AWS, its client library and the network say when a call fails, in the words of the house."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ResponseStreamingError,
)
from botocore.exceptions import ConnectionError as NoConnection

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

DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AllAccessDisabled",
        "AuthorizationError",
        "Forbidden",
        "InsufficientPrivilegesException",
        "NotAuthorized",
        "OperationNotPermittedException",
        "OptInRequired",
        "RegionDisabledException",
        "UnauthorizedAccess",
        "UnauthorizedOperation",
    }
)
REFUSED = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
"""EC2 says RequestExpired of a credential that is over."""
SKEWED = frozenset({"RequestInTheFuture", "RequestTimeTooSkewed"})
SLOWER = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
UNKNOWN = frozenset(
    {
        "InvalidAction",
        "MethodNotAllowed",
        "NotImplemented",
        "NotImplementedException",
        "UnknownOperation",
        "UnknownOperationException",
        "UnsupportedOperation",
        "UnsupportedOperationException",
    }
)
BROKEN = frozenset(
    {
        "DependencyTimeoutException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "KMSInternalException",
        "RequestTimeout",
        "ServiceFailure",
        "ServiceFailureException",
        "Unavailable",
    }
)


class Expired(AccessDenied):
    """The credential was good and is no longer; worth a renewal."""


def code_of(error: ClientError) -> str:
    """The error code that AWS gave; empty where the answer was none of AWS's."""
    details: Any = error.response.get("Error", {})
    return str(details.get("Code") or "")


def from_answer(error: ClientError) -> ReadError:
    """The error for an answer that AWS marks as one; an answer that is not AWS's own is never taken for "none"."""
    code = code_of(error)
    details: Any = error.response
    status = int(details.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    said = f"{code or status}: {details.get('Error', {}).get('Message') or 'no message'}"
    if code in DENIED:
        return AccessDenied(said)
    if code in REFUSED:
        return LoginRefused(said)
    if code in EXPIRED:
        return Expired(f"the credential expired during reading ({said})")
    if code in SKEWED:
        return AccessDenied(f"the clocks of this host and of AWS differ ({said})")
    if code in SLOWER or status in {429, 503}:
        return Throttled(said, _seconds(details))
    if code in UNKNOWN or (status in {404, 405, 501} and not _named(code)):
        return Unsupported(f"the server does not know the call ({said})")
    if code in BROKEN:
        return Unreachable(f"the server failed ({said})")
    if status in {401, 403} and not _named(code):
        return AccessDenied(said)
    return Malformed(f"an answer that cannot be understood ({said})")


def from_library(error: BotoCoreError) -> ReadError:
    """The error for what the client library met before, during or after the exchange."""
    said = f"{type(error).__name__}: {error}"
    match error:
        case NoCredentialsError() | PartialCredentialsError() | CredentialRetrievalError():
            return LoginRefused(said)
        case ResponseStreamingError():
            return Truncated(said)
        case HTTPClientError() | NoConnection():
            return Unreachable(said)
    if "Incomplete" in type(error).__name__:
        return Truncated(said)
    return Malformed(said)


def _named(code: str) -> bool:
    """Whether the code is AWS's own word, not a status that the library put in place of one."""
    return bool(code) and not code.isdigit()


def _seconds(answer: Any) -> float | None:
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    given = str(headers.get("retry-after", ""))
    return float(given) if given.isdigit() else None
