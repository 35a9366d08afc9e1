"""Resolves references to secrets; a secret is never part of an error, a repr or a log."""

from __future__ import annotations

import errno
import importlib
import os
import re
import stat
import struct
from pathlib import Path

from scanner.errors import SecretUnavailable
from scanner.institution.secret_program import first_line, words_of

SUPPORTED = ("env:NAME", "file:PATH", "systemd:NAME", "keyring:SERVICE/USER", "exec:/PROGRAM ARGUMENTS")
"""Schemes of references that can be resolved."""

MAX_SECRET_BYTES = 64 * 1024
"""Largest file, and longest answer of a program, that is taken as a secret."""

CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
"""Variable in which systemd names the folder of a service's credentials (systemd.exec(5), LoadCredential=)."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CREDENTIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,254}")
_SCHEMES = frozenset(form.partition(":")[0] for form in SUPPORTED)
_ACL = "system.posix_acl_access"
_ACL_USER, _ACL_GROUPS_AND_OTHERS = 0x02, frozenset({0x04, 0x08, 0x20})


def reference_fault(reference: str) -> str | None:
    """What is wrong with the form of a reference; None where it can be resolved later. Never quotes it."""
    scheme, colon, rest = reference.partition(":")
    if not colon or scheme not in _SCHEMES:
        # The text itself may be a secret that was pasted here.
        return f"not a reference to a secret; write {' or '.join(SUPPORTED)}, never the secret itself"
    if scheme == "env" and not _VARIABLE.fullmatch(rest):
        return "env: needs the name of an environment variable"
    if scheme == "file" and (not rest.strip() or "\0" in rest):
        return "file: needs a path"
    if scheme == "systemd" and not _CREDENTIAL.fullmatch(rest):
        return "systemd: needs the name of a credential: letters, digits and _ . @ - only, no path"
    if scheme == "keyring" and not all(_entry_of(rest)):
        return "keyring: needs SERVICE/USER; what stands behind the last / is the user"
    if scheme == "exec":
        return words_of(rest)[1]
    return None


def credential_name(reference: str) -> str | None:
    """Name of the credential behind a well-formed ``systemd:NAME``; None for any other reference."""
    scheme, _, rest = reference.partition(":")
    return rest if scheme == "systemd" and reference_fault(reference) is None else None


def resolve(reference: str, base: Path) -> str:
    """The secret behind a reference of one of the ``SUPPORTED`` forms, without one trailing line end.

    A path of ``file:`` is relative to ``base``. Of what a program prints, only the first line counts.

    Raises SecretUnavailable where a variable is unset or empty, where a file is missing, no regular file, empty, larger
    than 64 KiB or not UTF-8, where group or others have any right to it or somebody other than the running user or root
    owns it, where no keyring or no entry of it is there, and where a program is not safe to run, fails or is late.
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
    if scheme == "systemd":
        return _without_line_end(_from_systemd(rest))
    if scheme == "keyring":
        return _from_keyring(*_entry_of(rest))
    if scheme == "exec":
        return first_line(words_of(rest)[0], MAX_SECRET_BYTES)
    return _without_line_end(read_private(base / rest))


def read_private(path: Path) -> str:
    """Text of a file that only the running user or root can reach; raises SecretUnavailable as ``resolve`` does."""
    # A named pipe must not hold the run up, so the file is opened without waiting and judged by its descriptor.
    descriptor = _opened(path, os.O_NONBLOCK)
    try:
        held = _owned(descriptor, path)
        if held.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SecretUnavailable(f"{path}: group or others have rights to it; run chmod 600 on it")
        return _text(descriptor, path)
    finally:
        os.close(descriptor)


def _without_line_end(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _entry_of(rest: str) -> tuple[str, str]:
    service, _, user = rest.rpartition("/")
    return service.strip(), user.strip()


def _from_systemd(name: str) -> str:
    """Text of a credential, opened below the folder that the service manager made, links not followed."""
    given = os.environ.get(CREDENTIALS_DIRECTORY, "")
    if not os.path.isabs(given):
        raise SecretUnavailable(
            f"systemd:{name}: ${CREDENTIALS_DIRECTORY} is not set; run ztgrade as a service with"
            f" LoadCredential={name}, which ztgrade schedule systemd writes"
        )
    folder = Path(given)
    place = folder / name
    within = _opened(folder, os.O_DIRECTORY)
    try:
        held = os.fstat(within)
        if held.st_uid not in (os.geteuid(), 0) or held.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise SecretUnavailable(f"{folder}: others than the running user and root could put a credential there")
        descriptor = _opened(place, os.O_NONBLOCK | os.O_NOFOLLOW, name, within)
    finally:
        os.close(within)
    try:
        held = _owned(descriptor, place)
        if held.st_mode & (stat.S_IRWXG | stat.S_IRWXO) and not _is_granted_to_this_user_alone(descriptor, held):
            raise SecretUnavailable(f"{place}: group or others have rights to it, as no credential of a service has")
        return _text(descriptor, place)
    finally:
        os.close(descriptor)


def _is_granted_to_this_user_alone(descriptor: int, held: os.stat_result) -> bool:
    """Whether the group bits are but the mask of an ACL that lets the running user read, and nobody else.

    systemd leaves a credential to root (mode 0400) and grants the user of the service read by ACL; the mask of the ACL
    then shows as group bits, mode 0440 (its ``write_credential``; since version 254).
    """
    if held.st_mode & (stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO):
        return False
    try:
        acl = os.getxattr(descriptor, _ACL)
    except OSError:
        return False
    # acl(5) as the kernel stores it: a version of 4 bytes, then entries of tag, rights and id.
    entries = struct.iter_unpack("<HHI", acl[4:]) if len(acl) % 8 == 4 else iter([(0x20, 1, 0)])
    return not any(
        rights and (tag in _ACL_GROUPS_AND_OTHERS or (tag == _ACL_USER and holder not in (os.geteuid(), 0)))
        for tag, rights, holder in entries
    )


def _from_keyring(service: str, user: str) -> str:
    try:
        keyring = importlib.import_module("keyring")
        errors = importlib.import_module("keyring.errors")
    except ImportError:
        raise SecretUnavailable("keyring: needs the package keyring; install ztgrade with its extra keyring") from None
    try:
        secret = keyring.get_password(service, user)
    except errors.NoKeyringError:
        raise SecretUnavailable(
            "keyring: no backend is available to this process; a service has no desktop session, use systemd: there"
        ) from None
    except (errors.KeyringError, RuntimeError, OSError) as error:
        raise SecretUnavailable(f"keyring: its backend refused ({type(error).__name__}); unlock it first") from None
    if not isinstance(secret, str) or not secret:
        raise SecretUnavailable(
            f"keyring: no entry for {user!r} in {service!r}; make it with: keyring set SERVICE USER"
        )
    return secret


def _opened(path: Path, flags: int, name: str | None = None, within: int | None = None) -> int:
    try:
        return os.open(name or path, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=within)
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, "EIO")
        raise SecretUnavailable(f"{path}: cannot be opened ({reason})") from None


def _owned(descriptor: int, path: Path) -> os.stat_result:
    held = os.fstat(descriptor)
    if not stat.S_ISREG(held.st_mode):
        raise SecretUnavailable(f"{path}: not a regular file")
    if held.st_uid not in (os.geteuid(), 0):
        raise SecretUnavailable(f"{path}: owned by user {held.st_uid}; it must belong to the running user or root")
    return held


def _text(descriptor: int, path: Path) -> str:
    with os.fdopen(descriptor, "rb", closefd=False) as stream:
        content = stream.read(MAX_SECRET_BYTES + 1)
    if len(content) > MAX_SECRET_BYTES:
        raise SecretUnavailable(f"{path}: larger than {MAX_SECRET_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SecretUnavailable(f"{path}: not UTF-8 text") from None
    if not text.strip():
        raise SecretUnavailable(f"{path}: empty")
    return text
