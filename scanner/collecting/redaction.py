"""Keeps every secret that was resolved in this run out of what is stored, shown and logged."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec

from scanner.model import Capture, Census, Fact, Gap, GapWhy, Record, SourceIdentity

MARKERS = ("[redacted]", "***", "------")
KEPT_CHARACTERS = 2000
"""Longest detail of a gap that is kept."""


def printable(text: str, limit: int = KEPT_CHARACTERS) -> str:
    """One line of the text without control, formatting or surrogate characters, cut to ``limit`` characters."""
    line = "".join(letter if letter.isprintable() else " " for letter in text[: limit * 4])
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


class Redactor:
    """Knows the secrets and the usual ways of writing them; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: tuple[str, ...] = ()
        self._contents: tuple[bytes, ...] = ()
        self._marker = MARKERS[0]

    def learn(self, secret: str, user: str | None = None) -> None:
        """Add a secret: as it is, escaped, quoted for a URL, in Base64, and as HTTP Basic with its user."""
        if not secret:
            return
        raw = secret.encode("utf-8", "surrogatepass")
        texts = {
            secret,
            repr(secret)[1:-1],
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            quote(raw, safe=""),
            quote_plus(raw),
            base64.b64encode(raw).decode(),
        }
        if user is not None:
            texts.add(base64.b64encode(user.encode("utf-8", "surrogatepass") + b":" + raw).decode())
        with self._lock:
            texts |= set(self._texts)
            contents = {text.encode("utf-8", "surrogatepass") for text in texts} | set(self._contents)
            contents.add(secret.encode("utf-16-le", "surrogatepass"))
            self._texts = tuple(sorted(texts, key=lambda text: (-len(text), text)))
            self._contents = tuple(sorted(contents, key=lambda content: (-len(content), content)))
            self._marker = next((item for item in MARKERS if not any(text in item for text in texts)), "")

    def text(self, text: str) -> str:
        """The text with every known secret replaced."""
        for secret in self._texts:
            text = text.replace(secret, self._marker)
        # What stands around a marker can complete a secret anew; removal always ends, as it only shortens.
        while held := [secret for secret in self._texts if secret in text]:
            text = text.replace(held[0], "")
        return text

    def content(self, content: bytes) -> bytes:
        """The bytes with every known secret replaced."""
        marker = self._marker.encode()
        for secret in self._contents:
            content = content.replace(secret, marker)
        while held := [secret for secret in self._contents if secret in content]:
            content = content.replace(held[0], b"")
        return content

    def detail(self, text: str) -> str:
        """The text as the detail of a gap or a line of progress: redacted, on one line, not too long."""
        return self.text(printable(self.text(text)))

    def record(self, record: Record) -> Iterator[Record]:
        """The record without any secret.

        A fact field that holds one is not altered, for that would be evidence of something else; it is lost, with a
        gap that says so. Asset keys stay as they are: a weak secret must not rename assets.
        """
        match record:
            case Fact():
                yield from self._fact(record)
            case Gap():
                yield msgspec.structs.replace(record, detail=self.detail(record.detail))
            case Census():
                yield msgspec.structs.replace(record, query=self.text(record.query))
            case Capture():
                content = self.content(bytes(record.content))
                yield msgspec.structs.replace(record, name=self.text(record.name), content=content)
            case SourceIdentity():
                yield msgspec.structs.replace(record, value=self.text(record.value))

    def _fact(self, fact: Fact) -> Iterator[Record]:
        if not self._texts:
            yield fact
            return
        fields = [name for name in fact.__struct_fields__ if name not in {"asset", "observed_at"}]
        lost = [name for name in fields if self._holds(getattr(fact, name))]
        yield msgspec.structs.replace(fact, **dict.fromkeys(lost)) if lost else fact
        for name in lost:
            yield Gap(
                fact=type(fact).__name__,
                why=GapWhy.MALFORMED,
                detail="the field held the secret of a credential and was not kept",
                asset=fact.asset,
                field=name,
            )

    def _holds(self, value: Any) -> bool:
        match value:
            case str():
                return any(secret in value for secret in self._texts)
            case msgspec.Struct():
                return any(self._holds(getattr(value, name)) for name in value.__struct_fields__)
            case list() | tuple():
                return any(self._holds(item) for item in value)
        return False
