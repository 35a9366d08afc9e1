"""Asks a program for a secret: no shell, hardly any environment, limits of time and size, and no word of it told."""

from __future__ import annotations

import errno
import os
import pwd
import selectors
import shlex
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from scanner.errors import SecretUnavailable

SECONDS = 30.0
"""Time that a program has to print the secret and end."""

_PIECE = 4096


def words_of(command: str) -> tuple[tuple[str, ...], str | None]:
    """Program and arguments of a command, quoted as for a POSIX shell, and what is wrong with it; never quotes it."""
    if any(letter < " " or letter == "\x7f" for letter in command):
        return (), "exec: needs one line without control characters"
    try:
        words = tuple(shlex.split(command))
    except ValueError:
        return (), "exec: a quotation mark is not closed"
    if not words or not os.path.isabs(words[0]):
        return (), "exec: needs the absolute path of a program, then its arguments; no shell reads them"
    return words, None


def first_line(words: tuple[str, ...], limit: int) -> str:
    """First line that a program prints, without its line end, once it has ended with 0.

    Raises SecretUnavailable, without a word of what was printed, where others could change the program, where it cannot
    be started, ends otherwise, takes longer than ``SECONDS``, prints more than ``limit`` bytes, no text or nothing.
    """
    given = words[0]
    program = _safe(given)
    try:
        running = subprocess.Popen(
            words,
            executable=program,  # what was judged is what runs, whatever the links say by now
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_environment(),
            start_new_session=True,  # no terminal to ask on, and one group to end
        )
    except OSError as error:
        raise SecretUnavailable(f"{given}: cannot be started ({_name(error)})") from None
    with running:
        try:
            printed = _read(running, given, limit)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            raise
    if running.returncode != 0:
        how = f"exit code {running.returncode}" if running.returncode > 0 else f"signal {-running.returncode}"
        raise SecretUnavailable(f"{given}: ended with {how}; run it by hand as the same user to see why")
    try:
        line = printed.decode("utf-8-sig").partition("\n")[0].removesuffix("\r")
    except UnicodeDecodeError:
        raise SecretUnavailable(f"{given}: printed no UTF-8 text") from None
    if not line.strip():
        raise SecretUnavailable(f"{given}: the first line that it printed is empty")
    return line


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "EIO")


def _environment() -> dict[str, str]:
    """All that the program is told: where commands are, its locale, and the home of the running user."""
    surroundings = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    with suppress(KeyError):
        surroundings["HOME"] = pwd.getpwuid(os.geteuid()).pw_dir
    return surroundings


def _safe(given: str) -> str:
    """The program with its links followed; nobody but the running user and root may be able to put another there."""
    try:
        program = Path(given).resolve(strict=True)
        held = program.stat()
        around = [(folder, folder.stat()) for folder in {*program.parents, *Path(given).parents}]
    except (OSError, RuntimeError) as error:
        reason = _name(error) if isinstance(error, OSError) else "ELOOP"
        raise SecretUnavailable(f"{given}: cannot be found ({reason})") from None
    if not stat.S_ISREG(held.st_mode) or not os.access(program, os.X_OK):
        raise SecretUnavailable(f"{given}: not a program that the running user may run")
    for fault in _faults(program, held, around):
        raise SecretUnavailable(f"{fault}; only the running user and root may be able to change what runs")
    return str(program)


def _faults(program: Path, held: os.stat_result, around: list[tuple[Path, os.stat_result]]) -> Iterator[str]:
    trusted = (os.geteuid(), 0)
    for place, found in [(program, held), *around]:
        if found.st_uid not in trusted:
            yield f"{place}: owned by user {found.st_uid}"
        # In a sticky folder such as /tmp nobody can replace what belongs to somebody else.
        shielded = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not shielded:
            yield f"{place}: group or others may write to it"


def _read(running: subprocess.Popen[bytes], given: str, limit: int) -> bytes:
    """What the program prints until it closes its output and ends."""
    late = SecretUnavailable(f"{given}: not ended after {SECONDS:g} seconds")
    end = time.monotonic() + SECONDS
    printed = bytearray()
    assert running.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(running.stdout, selectors.EVENT_READ)
        while True:
            left = end - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise late
            piece = os.read(running.stdout.fileno(), _PIECE)
            if not piece:
                break
            printed += piece
            if len(printed) > limit:
                raise SecretUnavailable(f"{given}: printed more than {limit} bytes")
    try:
        running.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise late from None
    return bytes(printed)
