"""What Linux tells without a program: processes, sockets that wait, the state of the clock, marks of files."""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import struct
import time

_LISTENING, _UNCONNECTED = 1 << 10, 1 << 7
"""States of include/net/tcp_states.h, as a mask; a UDP socket without a peer is in the second."""
_SOCK_DIAG, _BY_FAMILY, _DUMP = 4, 20, 0x301
_HEADER, _REQUEST = struct.Struct("=LHHLL"), struct.Struct("=BBBxL48x")
_ERROR, _DONE = 2, 3
_INTERRUPTED = 0x10
"""NLM_F_DUMP_INTR: what is listed changed while it was listed."""
_PLACE = 16 + 4
"""Of the port in an answer, after its header and the first fields of inet_diag_msg."""
_YOUNG = 2.0
"""Seconds after a write in which a second one might bear the same time."""

BoundAddress = tuple[str, str, int]
"""``tcp`` or ``udp``, address and port."""


def process_names() -> list[tuple[int, str]]:
    """Number and name of every process, the name cut to 15 characters as the kernel keeps it."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                descriptor = os.open(f"/proc/{entry}/comm", os.O_RDONLY)
            except OSError:
                continue  # it has ended
            try:
                name = os.read(descriptor, 64)
            except OSError:
                continue
            finally:
                os.close(descriptor)
            found.append((int(entry), name.decode("utf-8", "replace").removesuffix("\n")))
    return found


def waiting_sockets() -> list[BoundAddress]:
    """Sockets that wait, by sock_diag(7): the kernel lists these alone, where /proc/net/tcp makes it go through all.

    Raises OSError where the kernel does not answer so.
    """
    found = []
    for transport, protocol, states in (("tcp", 6, _LISTENING), ("udp", 17, _UNCONNECTED)):
        for family in (socket.AF_INET, socket.AF_INET6):
            found += [(transport, address, port) for address, port in _dump(family, protocol, states)]
    return found


def _dump(family: socket.AddressFamily, protocol: int, states: int) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as asked:
        asked.settimeout(5.0)
        body = _REQUEST.pack(family, protocol, 0, states)
        asked.send(_HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _DUMP, 1, 0) + body)
        while True:
            answer = asked.recv(256 * 1024)
            place = 0
            while place < len(answer):
                length, kind, flags, _, _ = _HEADER.unpack_from(answer, place)
                if flags & _INTERRUPTED or length < _HEADER.size:
                    raise OSError("the kernel's list of sockets changed while it was read")
                if kind in {_ERROR, _DONE}:
                    (error,) = struct.unpack_from("=i", answer, place + _HEADER.size)
                    if error:
                        raise OSError(-error, os.strerror(-error), "sock_diag")
                    return found
                found.append(_bound(family, answer, place + _PLACE))
                place += (length + 3) & ~3


def _bound(family: socket.AddressFamily, answer: bytes, place: int) -> tuple[str, int]:
    (port,) = struct.unpack_from("!H", answer, place)
    size = 4 if family == socket.AF_INET else 16
    return socket.inet_ntop(family, answer[place + 4 : place + 4 + size]), port


def file_mark(path: str) -> str:
    """Text that is another after every write to a file or to the names in a folder; empty where nothing proves that.

    Device, inode, size, and the times of the last write and of the last change, which no program can set. It is for
    what lies on a disk: files that the kernel makes up (whose device has major number 0, as have those of networks)
    bear no such times, and what was written just now may be written again within the same. Raises OSError as stat(2).
    """
    found = os.stat(path)
    young = abs(time.time() - max(found.st_mtime, found.st_ctime)) < _YOUNG
    lasting = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    if not lasting or not os.major(found.st_dev) or young:
        return ""
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


def clock_status() -> int:
    """Status bits of the kernel clock, adjtimex(2)."""

    class Timex(ctypes.Structure):
        """The head of struct timex; the rest is room for what the kernel writes."""

        _fields_ = (
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("esterror", ctypes.c_long),
            ("status", ctypes.c_int),
            ("rest", ctypes.c_char * 256),
        )

    timex = Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        raise OSError(ctypes.get_errno(), "adjtimex")
    return int(timex.status)
