"""Resolves references to secrets; a secret is never part of an error, a repr or a log."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from scanner.errors import SecretUnavailable

SUPPORTED = ("env:NAME", "file:PATH")
"""Schemes of references that can be resolved."""

MAX_SECRET_BYTES = 64 * 1024
"""Largest file that is read as a secret."""

_LATER = frozenset({"systemd", "keyring", "exec"})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def reference_fault(reference: str) -> str | None:
    """What is wrong with the form of a reference; None where it can be resolved later. Never quotes it."""
    scheme, colon, rest = reference.partition(":")
    supported = " or ".join(SUPPORTED)
    if colon and scheme in _LATER:
        return f"references of the form {scheme}: are not supported yet; use {supported}"
    if not colon or scheme not in ("env", "file"):
        # The text itself may be a secret that was pasted here.
        return f"not a reference to a secret; write {supported}, never the secret itself"
    if scheme == "env" and not _VARIABLE.fullmatch(rest):
        return "env: needs the name of an environment variable"
    if scheme == "file" and (not rest.strip() or "\0" in rest):
        return "file: needs a path"
    return None


def resolve(reference: str, base: Path) -> str:
    """The secret behind ``env:NAME`` or ``file:PATH`` (relative to ``base``), without one trailing line end.

    Raises SecretUnavailable where the variable is unset or empty, where the file is missing, no regular file, empty,
    larger than 64 KiB or not UTF-8, where group or others have any right to it, or where somebody other than the
    running user or root owns it.
    """
    fault = reference_fault(reference)
    if fault:
        raise SecretUnavailable(fault)
    scheme, _, rest = reference.partition(":")
    if scheme == "env":
        secret = os.environ.get(rest, "")
        if not secret:
            raise SecretUnavailable(f"environment variable {rest} is not set or empty; set it for this run")
        return secret
    return read_private(base / rest).removesuffix("\n").removesuffix("\r")


def read_private(path: Path) -> str:
    """Text of a file that only the running user or root can reach; raises SecretUnavailable as ``resolve`` does."""
    try:
        # A named pipe must not hold the run up, so the file is opened without waiting and judged by its descriptor.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, "EIO")
        raise SecretUnavailable(f"{path}: cannot be opened ({reason})") from None
    try:
        held = os.fstat(descriptor)
        if not stat.S_ISREG(held.st_mode):
            raise SecretUnavailable(f"{path}: not a regular file")
        if held.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SecretUnavailable(f"{path}: group or others have rights to it; run chmod 600 on it")
        if held.st_uid not in (os.geteuid(), 0):
            raise SecretUnavailable(f"{path}: owned by user {held.st_uid}; it must belong to the running user or root")
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            content = stream.read(MAX_SECRET_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_SECRET_BYTES:
        raise SecretUnavailable(f"{path}: larger than {MAX_SECRET_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SecretUnavailable(f"{path}: not UTF-8 text") from None
    if not text.strip():
        raise SecretUnavailable(f"{path}: empty")
    return text
