"""Files of the agent: written whole or not at all, for their owner alone, and one agent per folder."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agent.errors import Misconfigured

LARGEST = 4 * 1024 * 1024
"""Bytes of a file of the agent; a larger one is none of its own."""

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file: after a crash at any moment it holds what it held or ``content``, whole. OSError if it cannot."""
    part = path.with_name(f".{path.name}.part")
    try:
        with open(os.open(part, _FLAGS, 0o600), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    except OSError:
        with suppress(OSError):
            os.unlink(part)
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """`write_whole` for plain values."""
    # On one line, for with an indent Python does it in Python, at ten times the cost.
    write_whole(path, json.dumps(value, ensure_ascii=False, sort_keys=True).encode() + b"\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """What `write_json` wrote; None where there is no file. Raises ValueError for anything but one object."""
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    if len(content) > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST} bytes")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} holds no JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no object")
    return value


def remove(path: Path) -> None:
    """Take a file away, if it is there."""
    with suppress(FileNotFoundError):
        os.unlink(path)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; Windows has no such call, and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private_folder(folder: Path) -> Path:
    """The folder, made where it is missing; raises Misconfigured where others may look into it or own it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(
            f"{folder} cannot be made: {error.strerror}; run as root, or name another --state"
        ) from None
    refuse_others(folder, 0o700)
    return folder


def refuse_others(path: Path, wanted: int) -> None:
    """Raise Misconfigured where somebody else owns the path or may read or change it; on Windows the installer's ACL
    does this."""
    if sys.platform == "win32":
        return
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        raise Misconfigured(f"{path} is a link; put the real thing there")
    if found.st_uid != os.geteuid():
        raise Misconfigured(f"{path} belongs to user {found.st_uid}, not to {os.geteuid()}, who runs the agent")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise Misconfigured(f"{path} has the rights {mode:04o}, so others may use it; run chmod {wanted:o} {path}")


@contextmanager
def only_agent(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold the folder for this process; raises Misconfigured where another agent holds it for ``patience`` seconds. The
    kernel lets go of it when the process ends, however it ends."""
    until = time.monotonic() + patience
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        while not _locked(descriptor):
            if time.monotonic() >= until:
                raise Misconfigured(f"another agent works in {folder}; stop it, or name another --state")
            time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
