"""Answers of AWS as files: how they are named and redacted, and how a folder of them is read in place of AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from collectors.capture_file import content_where_there
from collectors.ports.aws import Answer, Operation
from scanner.errors import (
    AccessDenied,
    LoginRefused,
    Malformed,
    ReadError,
    Truncated,
    Unreachable,
    Unsupported,
)
from scanner.model import Access, Capture, Target
from scanner.sealed.canonical import canonical_json

LARGEST = 512 * 1024 * 1024
LOST = "ztgrade_lost"
NONE = "ztgrade_none"
_KEY_ID = re.compile(rb"\b((?:AKIA|ASIA)[A-Z0-9]{2})[A-Z0-9]{8,}([A-Z0-9]{4})\b")
_SHARED = frozenset({"sts:externalid", "aws:referer"})
"""Condition keys whose values serve as passwords."""
_SEEDS = frozenset({"Base32StringSeed", "QRCodePNG", "ServicePassword", "ServiceCredentialSecret", "SecretAccessKey"})
_ERRORS = {kind.__name__: kind for kind in (AccessDenied, LoginRefused, Malformed, Truncated, Unreachable, Unsupported)}


def file_name(operation: Operation, region: str, parameters: Mapping[str, Any]) -> str:
    """Such as ``describe-volumes.us-east-1.json`` or ``get-bucket-tagging.my-bucket.json``."""
    # The CLI has two commands of this name, and a bucket may be called like an account.
    parts = [f"s3control-{operation.file}" if operation.service == "s3control" else operation.file]
    if region and operation.service not in {"s3", "s3control"}:
        parts.append(quote(region, safe="-"))
    given = [",".join(map(str, one)) if isinstance(one, list) else str(one) for one in parameters.values()]
    parts += [quote(one, safe="") for one in given]
    return ".".join(parts) + ".json"


def recorded(
    operation: Operation, region: str, parameters: Mapping[str, Any], answer: Answer | ReadError | None
) -> Capture:
    """What was answered, as the AWS CLI prints it, without secrets; losses and "there is none" are kept too."""
    content: Any
    match answer:
        case ReadError():
            content = {LOST: {"error": type(answer).__name__, "detail": str(answer)}}
        case None:
            content = {NONE: True}
        case _:
            content = _without_secrets(answer)
    raw = _KEY_ID.sub(rb"\1...\2", canonical_json(content))
    return Capture(name=file_name(operation, region, parameters), media_type="application/json", content=raw)


class Recording:
    """A folder of answers; a call without a file is a loss, never "none"."""

    def __init__(self, access: Access, folder: Path, *, regions: tuple[str, ...], implied: frozenset[str]) -> None:
        self._access = access
        self._folder = folder
        self._regions = regions
        self._implied = implied

    def ask(self, operation: Operation, region: str = "", **parameters: Any) -> Answer | None:
        """The recorded answer; raises the recorded loss, and Unreachable where nothing was recorded."""
        names = [file_name(operation, region, parameters)]
        if region and self._regions == (region,):
            names.append(file_name(operation, "", parameters))
        if operation.permission in self._implied and not any((self._folder / name).exists() for name in names):
            return {"State": "COMPLETE"}
        content = self._read(names)
        if content.get(NONE) is True:
            return None
        if isinstance(lost := content.get(LOST), dict):
            kind = _ERRORS.get(str(lost.get("error")), Unreachable)
            raise kind(str(lost.get("detail")))
        # With --max-items or --no-paginate the CLI itself leaves the rest out.
        paged = {"NextToken", operation.page_out} - {""}
        if (operation.more and content.get(operation.more)) or any(content.get(token) for token in paged):
            raise Truncated(f"{names[0]}: not all pages were recorded")
        return content

    @contextmanager
    def enter(self, role: str) -> Iterator[Recording]:
        """The recording of another account: it lies in a folder with the number of the account for a name."""
        account = role.split(":")[4]
        yield Recording(self._access, self._folder / account, regions=self._regions, implied=self._implied)

    def _read(self, names: list[str]) -> dict[str, Any]:
        for name in names:
            path = self._folder / name
            raw = self._access.call(lambda path=path, name=name: content_where_there(path, LARGEST, named=name))  # type: ignore[misc]
            if raw is None:
                continue
            try:
                content = json.loads(raw.decode("utf-8-sig"))
            except (ValueError, RecursionError) as error:
                raise Malformed(f"{name}: not JSON: {error}") from error
            if not isinstance(content, dict):
                raise Malformed(f"{name}: expected a JSON object")
            return content
        raise Unreachable(f"{names[0]}: nothing was recorded")


def captured_at(target: Target) -> datetime | None:
    """When the recording was made, by the option ``captured_at``; None where it does not say, or without a zone."""
    given = target.options.get("captured_at")
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            return None
    return given.astimezone(UTC) if isinstance(given, datetime) and given.tzinfo is not None else None


def _without_secrets(value: Any, inside: str = "") -> Any:
    match value:
        case Mapping():
            return {
                key: "[redacted]" if key in _SEEDS else _without_secrets(item, str(key)) for key, item in value.items()
            }
        case list() | tuple():
            return [_without_secrets(item, inside) for item in value]
        case str() if inside.lower() in _SHARED:
            return "[redacted]*" if any(sign in value for sign in "*?$") else "[redacted]"
        case str() if inside == "Policy" and any(shared in value.lower() for shared in _SHARED):
            try:
                return json.dumps(_without_secrets(json.loads(value)))
            except (ValueError, RecursionError):
                return "[redacted]"
    return value
