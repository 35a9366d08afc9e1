"""Speaks to AWS with boto3: one call at a time, page by page, and only calls of a list given beforehand."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
import botocore.session
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError

from collectors.ports.aws_errors import Expired, code_of, from_answer, from_library
from collectors.ports.aws_models import loader_of
from scanner.errors import (
    AccessDenied,
    EngineError,
    LoginRefused,
    Malformed,
    ReadError,
    SecretUnavailable,
    Throttled,
    Truncated,
    Unreachable,
)
from scanner.model import Access

MOST_PAGES = 100_000
CONNECT_SECONDS = 10
READ_SECONDS = 60
AMBIENT_LOGINS = frozenset(
    {("sso", "GetRoleCredentials"), ("sso-oidc", "CreateToken"), ("sts", "AssumeRoleWithWebIdentity")}
)
"""Calls by which the client library fetches a credential of its surroundings, where the target names none."""
CLIENTS_KEPT = 6
"""Clients kept open; each holds the model of a whole service."""

Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Operation:
    """One call of the AWS API: how it is paged, which answers mean "there is none", and which right it takes."""

    service: str
    """Name of the service as boto3 has it."""
    name: str
    right: str = ""
    """IAM action, where it is not ``service:name``."""
    lists: tuple[str, ...] = ()
    """Keys of the answer that hold lists, joined over all pages; each must be there."""
    page_in: str = ""
    page_out: str = ""
    more: str = ""
    """Key of the answer that says that there are more pages."""
    none: frozenset[str] = frozenset()
    """Error codes by which AWS says that nothing of the kind exists."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that are always sent."""

    @property
    def permission(self) -> str:
        """The IAM action that it takes."""
        return self.right or f"{self.service}:{self.name}"

    @property
    def file(self) -> str:
        """Its name as the AWS CLI has it, such as ``describe-volumes``."""
        return xform_name(self.name, "-")


ASSUME_ROLE = Operation("sts", "AssumeRole")


class AwsPort:
    """Sends calls under the restraint of ``access``; answers are plain JSON values, times as RFC 3339 text in UTC.

    Retries of the library are off: throttled calls are repeated by ``access.call``, which knows the target's time and
    the stop file; a lost connection is tried once more, for every call here only reads. A credential that expires is
    renewed each time that it does, unless it was over before it answered anything.
    """

    def __init__(
        self,
        access: Access,
        allowed: Iterable[Operation],
        *,
        home_region: str,
        door: AwsPort | None = None,
        role: str = "",
    ) -> None:
        """``role`` is an ARN, assumed with the credential of the port ``door``."""
        self._access = access
        self._allowed = tuple(allowed)
        self._names = frozenset((operation.service, operation.name) for operation in self._allowed)
        self._models: Loader = loader_of(self._names) if door is None else door._models
        self._home = home_region
        self._door = door
        self._role = role
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._answered = False
        self._proven = False
        self._shut: AccessDenied | None = None
        self.sent: Counter[str] = Counter() if door is None else door.sent
        """Requests sent, by ``service:Operation``; those of roles that were entered from here included."""

    @contextmanager
    def enter(self, role: str) -> Iterator[AwsPort]:
        """A port with the credential of a role, by its ARN; assumed with this port's at the first call, closed after.

        A role that refuses says nothing against the credential that asked: that is AccessDenied, and no login refused.
        """
        inside = AwsPort(self._access, self._allowed, home_region=self._home, door=self, role=role)
        try:
            yield inside
        finally:
            inside.close()

    def close(self) -> None:
        """Let go of connections and of the models that they hold."""
        while self._clients:
            self._clients.popitem()[1].close()
        self._session = None

    def ask(self, operation: Operation, region: str = "", **parameters: Any) -> Answer | None:
        """The whole answer, every page of it, or None where AWS says that there is none; raises ReadError.

        Raises EngineError, and sends nothing, for a call that is not on the list.
        """
        if (operation.service, operation.name) not in self._names:
            raise EngineError(
                f"the call {operation.service}:{operation.name} is not on the list of calls that may be made"
            )
        asked = {**operation.given, **parameters}
        whole: dict[str, Any] = {}
        for number in range(1, MOST_PAGES + 1):
            page = self._page(operation, region or self._home, asked)
            if page is None:
                return None
            for name in operation.lists:
                if not isinstance(page.get(name), list):
                    raise Malformed(f"page {number} of the answer has no list {name}")
            whole = {**page, **{name: [*whole.get(name, ()), *page[name]] for name in operation.lists}}
            token = page.get(operation.page_out) if operation.page_out else None
            if operation.more and page.get(operation.more) and not token:
                raise Truncated(f"page {number} says that there are more, and not where they begin")
            if not token:
                return {key: value for key, value in whole.items() if key != operation.page_out}
            if token == asked.get(operation.page_in):
                raise Truncated(f"page {number} leads to itself")
            asked[operation.page_in] = token
        raise Truncated(f"there are more than {MOST_PAGES} pages")

    def _page(self, operation: Operation, region: str, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            return self._tried(operation, region, asked)
        except Expired as expired:
            if not self._answered:
                raise AccessDenied(str(expired)) from expired
            self.close()
            try:
                return self._tried(operation, region, asked)
            except Expired as again:
                raise AccessDenied(f"{again}, and the renewed one is over as well") from again
        except Unreachable:
            if not self._proven:
                raise
            return self._tried(operation, region, asked)

    def _tried(self, operation: Operation, region: str, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        def attempt() -> dict[str, Any] | None:
            return self._exchanged(operation, region, asked)

        if self._session is None:
            self._open()
        if self._proven:
            answer = self._access.call(attempt)
        else:
            try:
                answer = self._access.login(attempt)
            except Throttled:  # that is no refusal, and a login is tried only once
                answer = self._access.call(attempt)
        self._proven = self._answered = True
        return answer

    def _exchanged(self, operation: Operation, region: str, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            client = self._client(operation.service, region)
            answer = getattr(client, xform_name(operation.name))(**asked)
        except ClientError as error:
            if code_of(error) in operation.none:
                return None
            translated = from_answer(error)
            if isinstance(translated, LoginRefused) and self._door is not None:
                raise AccessDenied(f"the role was assumed and is not accepted: {translated}") from error
            if isinstance(translated, LoginRefused) and self._proven and region != self._home:
                # A region that is not opted into says so of a credential that is good everywhere else.
                raise AccessDenied(f"not accepted in this region: {translated}") from error
            raise translated from error
        except BotoCoreError as error:
            raise from_library(error) from error
        except (ResponseParserError, ValueError, TypeError, AttributeError, LookupError) as error:
            # The parsers of the library meet hostile or broken answers with whatever Python raises.
            raise Malformed(f"an answer that cannot be parsed ({type(error).__name__}: {str(error)[:200]})") from error
        answer.pop("ResponseMetadata", None)
        plain: dict[str, Any] = _plain(answer)
        return plain

    def _client(self, service: str, region: str) -> Any:
        key = (service, region)
        if key not in self._clients:
            while len(self._clients) >= CLIENTS_KEPT:
                self._clients.pop(next(iter(self._clients))).close()
            self._clients[key] = self._new_client(self._session, service, region)
        return self._clients[key]

    def _open(self) -> None:
        """Open a session with the target's credential, or with that of the role, assumed now."""
        given: Any = self._secrets() if self._door is None else self._keys_of_role(self._door)
        library = botocore.session.Session()
        library.register_component("data_loader", self._models)
        self._session = boto3.session.Session(**given, botocore_session=library)
        self._session.events.register("before-call", self._guard)
        self._answered = False
        self._proven = self._proven or self._door is not None

    def _keys_of_role(self, door: AwsPort) -> dict[str, str]:
        """Keys of the role, fresh; a role that once refused is not asked for again."""
        if self._shut is not None:
            raise AccessDenied(str(self._shut))
        asked = {"RoleArn": self._role, "RoleSessionName": "ztgrade"}
        if isinstance(external := self._access.target.options.get("external_id"), str):
            asked["ExternalId"] = external
        try:
            return _keys((door.ask(ASSUME_ROLE, **asked) or {}).get("Credentials"))
        except AccessDenied as error:
            self._shut = AccessDenied(_said_of(self._role, error))
            raise self._shut from error
        except Throttled as error:
            raise Throttled(_said_of(self._role, error), error.retry_after) from error
        except ReadError as error:
            raise type(error)(_said_of(self._role, error)) from error

    def _secrets(self) -> dict[str, str]:
        """Key of the target's credential: the account name is its id, or the secret is what ``aws sts`` printed."""
        name = self._access.target.credential
        if name is None:
            return {}
        secret = self._access.secret().strip()
        if not secret.startswith("{"):
            user = self._access.user()
            if not user:
                raise SecretUnavailable(f"credential {name!r} has no user; set it to the access key id")
            return {"aws_access_key_id": user, "aws_secret_access_key": secret}
        try:
            given = json.loads(secret)
            return _keys(given.get("Credentials", given))
        except (ValueError, AttributeError, Malformed):
            raise SecretUnavailable(
                f"credential {name!r} is no JSON with AccessKeyId and SecretAccessKey, as aws sts prints it"
            ) from None

    def _guard(self, model: Any, **_: Any) -> None:
        """Let nothing through that is not on the list: the library makes calls of its own, such as s3:HeadBucket."""
        name = (str(model.service_model.service_name), str(model.name))
        ambient = self._access.target.credential is None and name in AMBIENT_LOGINS
        if name not in self._names and not ambient:
            raise AccessDenied(f"not sent: {':'.join(name)}, which the client library wanted, is not on our list")
        self.sent[":".join(name)] += 1

    def _new_client(self, session: Any, service: str, region: str) -> Any:
        address = self._access.target.address or None
        settings: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": min(READ_SECONDS, self._access.target.timeout_seconds),
            "retries": {"total_max_attempts": 1, "mode": "standard"},
            "s3": {"addressing_style": "path"} if address else None,
            "ignore_configured_endpoint_urls": True,
            "max_pool_connections": 2,
            "user_agent_extra": "ztgrade",
        }
        return session.client(service, region_name=region, endpoint_url=address, config=Config(**settings))


def _keys(given: object) -> dict[str, str]:
    """A credential as boto3 takes it, from one as STS gives it; raises Malformed, and never says what was given."""
    held = given if isinstance(given, Mapping) else {}
    key, secret, token = (held.get(name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
    if not (isinstance(key, str) and key and isinstance(secret, str) and secret and isinstance(token, str | None)):
        raise Malformed("a credential without AccessKeyId or SecretAccessKey")
    keys = {"aws_access_key_id": key, "aws_secret_access_key": secret}
    return {**keys, "aws_session_token": token} if token else keys


def _said_of(role: str, error: ReadError) -> str:
    return f"{ASSUME_ROLE.permission} of {role}: {error}"


def opened(access: Access, allowed: Iterable[Operation], *, home_region: str) -> AwsPort:
    """A port with the credential of the target, or with the role that its option ``assume_role`` names."""
    port = AwsPort(access, allowed, home_region=home_region)
    role = access.target.options.get("assume_role")
    if not isinstance(role, str):
        return port
    return AwsPort(access, allowed, home_region=home_region, door=port, role=role)


def _plain(value: Any) -> Any:
    """JSON values: times as RFC 3339 in UTC, bytes in Base64, as the AWS CLI prints them."""
    match value:
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case datetime():
            aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
            return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case bytes() | bytearray():
            return base64.b64encode(value).decode()
        case None | str() | bool() | int() | float():
            return value
    raise Malformed(f"a {type(value).__name__} stands in the answer")
