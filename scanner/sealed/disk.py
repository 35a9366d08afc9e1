"""Durable, private files: what is written is synced, kept from others, and a full or read-only disk says what to do."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scanner.errors import StoreError

_ADVICE = {
    errno.ENOSPC: "the disk is full; free space or move the store, then run it again",
    errno.EDQUOT: "the disk quota is used up; raise it or free space, then run it again",
    errno.EFBIG: "a file may not grow this large; raise the file size limit (ulimit -f), then run it again",
    errno.EROFS: "the file system is read-only; mount it writable or choose another store",
    errno.EACCES: "permission is denied; run as the owner of the store",
    errno.EPERM: "the operation is not permitted; run as the owner of the store",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n), then run it again",
}
_FULL = ("no space left", "disk is full", "quota exceeded", "file too large", "max_temp_directory_size")


def disk_trouble(path: Path, error: OSError) -> StoreError:
    """The StoreError for what the operating system refused at a path."""
    advice = _ADVICE.get(error.errno or 0, f"{error.strerror or error}; check the disk, then run it again")
    return StoreError(f"{path}: {advice}")


def is_full(message: str) -> bool:
    """Whether an engine's message says that the disk took no more."""
    lowered = message.lower()
    return any(word in lowered for word in _FULL)


def disk_full(path: Path) -> StoreError:
    """The StoreError where an engine, not the operating system, reported a full disk."""
    return StoreError(f"{path}: {_ADVICE[errno.ENOSPC]}")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise StoreError, naming what to do, for every OSError inside."""
    try:
        yield
    except OSError as error:
        raise disk_trouble(path, error) from error


def make_private(folder: Path) -> None:
    """Make a folder, and its missing parents, that only its owner may enter; existing ones are left as they are."""
    missing = [step for step in (folder, *folder.parents) if not step.exists()]
    for step in reversed(missing):
        step.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read, and sync it; an existing file is an error."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def place_private(path: Path, content: bytes) -> None:
    """Write a private file that is there either whole or not at all; replaces what lay there."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    write_private(draft, content)
    draft.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def settle(folder: Path) -> None:
    """Make a whole tree private and durable: files 0600 unless they are links shared with a sealed folder, synced."""
    for here, _, names in os.walk(folder, topdown=False):
        for name in names:
            descriptor = os.open(os.path.join(here, name), os.O_RDONLY | os.O_NOFOLLOW)
            try:
                if os.fstat(descriptor).st_nlink == 1:
                    os.fchmod(descriptor, 0o600)
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
        os.chmod(here, 0o700)
        sync_folder(Path(here))


def remove_tree(folder: Path) -> None:
    """Remove a tree or a file; what cannot be removed stays for the next attempt."""
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
    else:
        with suppress(OSError):
            folder.unlink()


def open_to_others(path: Path) -> bool:
    """Whether the group or anyone else has any right to a path."""
    return bool(path.stat().st_mode & 0o077)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, replacing an older one; raises StoreError where the disk refuses."""
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(path.parent)
