"""The port through which probes look at a host, and the real host behind it."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import ipaddress
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import psutil

from agent import linux

LARGEST_FILE = 16 * 1024 * 1024
PIECE = 64 * 1024
LARGEST_OUTPUT = 16 * 1024 * 1024
LARGEST_ANSWER = 4096
PATIENCE = 30.0
"""Seconds that one command may take: PowerShell, dnf and system_profiler need some when nothing of them is cached."""
_SYSTEMS = {"linux": "linux", "win32": "windows", "darwin": "macos"}


@dataclass(frozen=True)
class Ran:
    """How a command ended: exit status, standard output and standard error as text."""

    status: int
    output: str
    errors: str


@dataclass(frozen=True)
class Process:
    """One process: its number, and its name, which Linux cuts to 15 characters."""

    pid: int
    name: str


@dataclass(frozen=True)
class BoundSocket:
    """One socket that waits: ``tcp`` or ``udp``, its local address and port."""

    transport: str
    address: str
    port: int


class Host(Protocol):
    """All that a probe may ask; methods raise FileNotFoundError, PermissionError or OSError as the system does."""

    @property
    def system(self) -> str:
        """``linux``, ``windows``, ``macos`` or another name."""

    def now(self) -> datetime:
        """The time in UTC."""

    def privileged(self) -> bool:
        """Whether the agent runs as root or as an elevated administrator."""

    def read_file(self, path: str) -> bytes:
        """The file's bytes, at most 16 MiB; a larger file raises OSError."""

    def read_end(self, path: str, size: int) -> bytes:
        """At most the last ``size`` bytes of the file."""

    def lines(self, path: str) -> Iterator[str]:
        """The file line by line as text, for files that may be large."""

    def fingerprint(self, path: str) -> str:
        """Text that is another once the file's content, or the names in the folder, are."""

    def listdir(self, path: str) -> list[str]:
        """Sorted names in a directory."""

    def exists(self, path: str) -> bool:
        """Whether the path exists; PermissionError where that may not be known."""

    def readlink(self, path: str) -> str:
        """Where a link points."""

    def modified(self, path: str) -> datetime:
        """When the file was last written, in UTC."""

    def device_number(self, path: str) -> str:
        """``major:minor`` of a block device file."""

    def same_file(self, one: str, other: str) -> bool:
        """Whether two paths lead to one file."""

    def run(self, argv: Sequence[str]) -> Ran:
        """Run an absolute command without a shell, LC_ALL=C, at most `PATIENCE` seconds (TimeoutError)."""

    def run_lines(self, argv: Sequence[str]) -> Iterator[str]:
        """Run as `run` does, and give the output line by line; OSError where the command ends with a failure."""

    def registry(self, key: str, name: str) -> Any:
        """A value below HKEY_LOCAL_MACHINE; FileNotFoundError where there is none."""

    def subkeys(self, key: str) -> list[str]:
        """Sorted names of the keys below one below HKEY_LOCAL_MACHINE; FileNotFoundError where there is none."""

    def machine_account(self) -> str:
        """SID of a Windows host's account in its Active Directory domain; empty where it has joined none."""

    def talk(self, device: str, message: bytes) -> bytes:
        """The answer of a device file to one message, at most 4096 bytes."""

    def host_name(self) -> str:
        """Name that the host gives itself."""

    def addresses(self) -> list[str]:
        """Sorted IP addresses of its interfaces, loopback and link-local ones left out."""

    def networks(self) -> list[str]:
        """Sorted networks of these addresses, such as 10.1.4.0/24; the address alone where no prefix is told."""

    def processes(self) -> list[Process]:
        """Every process that may be seen."""

    def running(self, names: frozenset[str]) -> frozenset[str]:
        """Those of the names under which processes run now, cut as the system cuts them."""

    def services(self) -> Mapping[str, bool]:
        """Windows services by lower-case name, and whether each runs."""

    def sockets(self) -> list[BoundSocket]:
        """Sockets that wait."""

    def clock_status(self) -> int:
        """Status bits of the kernel clock, adjtimex(2)."""

    def local_time(self, naive: datetime) -> datetime:
        """The moment of a local wall-clock time, in UTC."""

    def passed(self, when: datetime) -> bool:
        """Whether a moment is over."""

    def started(self) -> datetime:
        """When the system started, in UTC."""


class ThisHost:
    """The host on which the agent runs."""

    @property
    def system(self) -> str:
        """See `Host`."""
        return _SYSTEMS.get(sys.platform, sys.platform)

    def now(self) -> datetime:
        """See `Host`."""
        return datetime.now(UTC)

    def privileged(self) -> bool:
        """See `Host`."""
        if sys.platform == "win32":
            return bool(ctypes.windll.shell32.IsUserAnAdmin())
        return os.geteuid() == 0

    def read_file(self, path: str) -> bytes:
        """See `Host`."""
        pieces, size = [], 0
        with open(path, "rb", buffering=0) as stream:
            # In pieces, since the kernel sets aside as much memory as one read of a file in /proc/sys asks for.
            while piece := stream.read(PIECE):
                pieces.append(piece)
                size += len(piece)
                if size > LARGEST_FILE:
                    raise OSError(f"{path} is larger than {LARGEST_FILE} bytes")
        return b"".join(pieces)

    def read_end(self, path: str, size: int) -> bytes:
        """See `Host`."""
        with open(path, "rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - size))
            return stream.read(size)

    def lines(self, path: str) -> Iterator[str]:
        """See `Host`."""
        with open(path, encoding="utf-8", errors="replace") as stream:
            yield from stream

    def fingerprint(self, path: str) -> str:
        """See `Host`."""
        mark = linux.file_mark(path) if sys.platform == "linux" else ""
        if mark:
            return mark
        if os.path.isdir(path):
            return "\0".join(self.listdir(path))
        whole = hashlib.blake2b(digest_size=16)
        with open(path, "rb", buffering=0) as stream:
            while piece := stream.read(PIECE):
                whole.update(piece)
        return whole.hexdigest()

    def listdir(self, path: str) -> list[str]:
        """See `Host`."""
        return sorted(os.listdir(path))

    def exists(self, path: str) -> bool:
        """See `Host`."""
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def readlink(self, path: str) -> str:
        """See `Host`."""
        return os.readlink(path)

    def modified(self, path: str) -> datetime:
        """See `Host`."""
        return datetime.fromtimestamp(int(os.stat(path).st_mtime), UTC)

    def device_number(self, path: str) -> str:
        """See `Host`."""
        number = os.stat(path).st_rdev
        return f"{os.major(number)}:{os.minor(number)}"

    def same_file(self, one: str, other: str) -> bool:
        """See `Host`."""
        return os.path.samestat(os.stat(one), os.stat(other))

    def run(self, argv: Sequence[str]) -> Ran:
        """See `Host`."""
        try:
            done = subprocess.run(
                _absolute(argv),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PATIENCE,
                env=_environment(),
                cwd=os.sep,
            )
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{argv[0]} took longer than {PATIENCE} s") from error
        if len(done.stdout) > LARGEST_OUTPUT:
            raise OSError(f"{argv[0]} wrote more than {LARGEST_OUTPUT} bytes")
        return Ran(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def run_lines(self, argv: Sequence[str]) -> Iterator[str]:
        """See `Host`."""
        with subprocess.Popen(
            _absolute(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            cwd=os.sep,
            encoding="utf-8",
            errors="replace",
        ) as child:
            alarm = threading.Timer(PATIENCE, child.kill)
            alarm.start()
            try:
                yield from child.stdout or ()
            finally:
                alarm.cancel()
        if child.returncode != 0:
            raise OSError(f"{argv[0]} ended with status {child.returncode}")

    def registry(self, key: str, name: str) -> Any:
        """See `Host`."""
        if sys.platform != "win32":
            raise FileNotFoundError("only Windows has a registry")
        import winreg

        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY) as handle:
            return winreg.QueryValueEx(handle, name)[0]

    def subkeys(self, key: str) -> list[str]:
        """See `Host`."""
        if sys.platform != "win32":
            raise FileNotFoundError("only Windows has a registry")
        import winreg

        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key, 0, winreg.KEY_READ | winreg.KEY_WOW64_64KEY) as handle:
            return sorted(winreg.EnumKey(handle, place) for place in range(winreg.QueryInfoKey(handle)[0]))

    def machine_account(self) -> str:
        """See `Host`."""
        from agent import windows_account  # not held in memory on other systems

        return windows_account.machine_account()

    def talk(self, device: str, message: bytes) -> bytes:
        """See `Host`."""
        stream = os.open(device, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
        try:
            os.write(stream, message)
            return os.read(stream, LARGEST_ANSWER)
        finally:
            os.close(stream)

    def host_name(self) -> str:
        """See `Host`."""
        return socket.gethostname()

    def addresses(self) -> list[str]:
        """See `Host`."""
        return sorted({address for address, _ in _of_interfaces()})

    def networks(self) -> list[str]:
        """See `Host`."""
        found = set()
        for address, mask in _of_interfaces():
            prefix = f"/{int(ipaddress.ip_address(mask)).bit_count()}" if mask else ""
            found.add(str(ipaddress.ip_network(address + prefix, strict=False)))
        return sorted(found)

    def processes(self) -> list[Process]:
        """See `Host`."""
        if sys.platform == "linux":
            return [Process(number, name) for number, name in linux.process_names()]
        found = []
        for process in psutil.process_iter():
            try:
                found.append(Process(process.pid, process.name()))
            except psutil.Error:
                continue
        return found

    def running(self, names: frozenset[str]) -> frozenset[str]:
        """See `Host`."""
        return names & {process.name for process in self.processes()}

    def services(self) -> Mapping[str, bool]:
        """See `Host`."""
        if sys.platform != "win32":
            return {}
        found = {}
        try:
            for service in psutil.win_service_iter():
                with contextlib.suppress(psutil.NoSuchProcess):  # removed while they are listed
                    found[service.name().lower()] = service.status() == "running"
        except psutil.Error as error:
            raise PermissionError(f"services may not be seen: {error}") from error
        return found

    def sockets(self) -> list[BoundSocket]:
        """See `Host`."""
        if sys.platform == "linux":
            return [BoundSocket(*one) for one in linux.waiting_sockets()]
        try:
            connections = psutil.net_connections(kind="inet")
        except psutil.AccessDenied as error:
            raise PermissionError("sockets of others may not be seen") from error
        found = []
        for one in connections:
            stream = one.type == socket.SOCK_STREAM
            if one.laddr and (one.status == psutil.CONN_LISTEN if stream else not one.raddr):
                found.append(BoundSocket("tcp" if stream else "udp", one.laddr.ip, one.laddr.port))
        return found

    def clock_status(self) -> int:
        """See `Host`."""
        if sys.platform != "linux":
            raise FileNotFoundError("only Linux has adjtimex")
        return linux.clock_status()

    def local_time(self, naive: datetime) -> datetime:
        """See `Host`."""
        return naive.astimezone(UTC)

    def passed(self, when: datetime) -> bool:
        """See `Host`."""
        return self.now() > when

    def started(self) -> datetime:
        """See `Host`."""
        return datetime.fromtimestamp(psutil.boot_time(), UTC)


def _of_interfaces() -> Iterator[tuple[str, str | None]]:
    for entries in psutil.net_if_addrs().values():
        for entry in entries:
            if entry.family in {socket.AF_INET, socket.AF_INET6}:
                address = entry.address.split("%", 1)[0].lower()
                if not address.startswith(("127.", "fe80:", "169.254.")) and address != "::1":
                    yield address, entry.netmask


def _absolute(argv: Sequence[str]) -> list[str]:
    if not os.path.isabs(argv[0]):
        raise ValueError("a command is given by its absolute path")
    return list(argv)


def _environment() -> dict[str, str]:
    environment = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    if sys.platform == "win32":
        environment["SYSTEMROOT"] = os.environ.get("SYSTEMROOT", r"C:\Windows")
    return environment
