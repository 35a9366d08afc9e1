"""Every error that ztgrade raises on purpose; each says why and what to do next.

ZtgradeError
├── UsageError                  exit 2: the command or the configuration is wrong
│   ├── ConfigurationError      a file is wrong; carries every Problem found in it
│   ├── UnknownName             a name that no registry holds
│   └── SecretUnavailable       a secret reference that cannot be resolved
├── ReadError                   a source could not be read; becomes a Gap, never ends a run
│   ├── AccessDenied            refused for lack of a right
│   ├── LoginRefused            the credential itself was refused; never retried
│   ├── Unreachable             no connection, or none in time
│   ├── Throttled               asked to slow down; retried with backoff
│   ├── Unsupported             the source does not know the request
│   ├── Malformed               the answer could not be understood
│   └── Truncated               the answer was cut off
├── StoreError                  exit 2: the store cannot be used as asked
│   └── StoreBusy               another process writes to it
├── SealError                   exit 3: what lies on disk is not whole or not authentic
└── EngineError                 exit 1: a defect or an exhausted machine
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scanner.model import GapWhy


class ZtgradeError(Exception):
    """Base of all; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class UsageError(ZtgradeError):
    """The command or its configuration is wrong."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in one file: where, what, what was expected, and what to do."""

    file: str
    line: int | None
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        where = f"{place}: {self.key}: " if self.key else f"{place}: "
        return where + self.message + (f" ({self.hint})" if self.hint else "")


class ConfigurationError(UsageError):
    """A file is wrong; says everything that is wrong with it at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnknownName(UsageError):
    """A name that no registry holds."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"there is no {what} {name!r}{nearest(name, known)}")


class SecretUnavailable(UsageError):
    """A secret reference cannot be resolved; the secret itself is never part of the message."""


class ReadError(ZtgradeError):
    """A source could not be read; collecting turns it into a gap."""

    why = GapWhy.ERROR


class AccessDenied(ReadError):
    """The source refused for lack of a right."""

    why = GapWhy.DENIED


class LoginRefused(ReadError):
    """The credential itself was refused; retrying could lock the account."""

    why = GapWhy.DENIED


class Unreachable(ReadError):
    """No connection, or none in time."""

    why = GapWhy.UNREACHABLE


class Throttled(ReadError):
    """The source asks to slow down; ``retry_after`` in seconds where it says so."""

    why = GapWhy.UNREACHABLE

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class Unsupported(ReadError):
    """The source does not know the request."""

    why = GapWhy.UNSUPPORTED


class Malformed(ReadError):
    """The answer could not be understood."""

    why = GapWhy.MALFORMED


class Truncated(ReadError):
    """The answer was cut off."""

    why = GapWhy.TRUNCATED


class StoreError(ZtgradeError):
    """The store cannot be used as asked."""

    exit_code = 2


class StoreBusy(StoreError):
    """Another process writes to the store."""


class SealError(ZtgradeError):
    """What lies on disk is not whole or not authentic."""

    exit_code = 3

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class EngineError(ZtgradeError):
    """A defect of ztgrade or an exhausted machine."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint naming the nearest valid word, or the valid words where none is near."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    if not words:
        return "; none is known"
    shown = ", ".join(words[:12]) + (", ..." if len(words) > 12 else "")
    return f"; expected one of {shown}"
