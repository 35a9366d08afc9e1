"""What the kernel tells, held against what it tells another way."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from agent import linux
from agent.host import ThisHost
from agent.probes import listeners

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it asks the kernel of Linux")


def test_sockets_that_wait_are_those_of_the_tables() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as waits,
        socket.create_connection(waits.getsockname()) as connected,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unconnected,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as with_peer,
    ):
        unconnected.bind(("127.0.0.2", 0))
        with_peer.connect(("127.0.0.1", 9))
        own = {("tcp", *waits.getsockname()), ("udp", *unconnected.getsockname())}
        others = {("tcp", *connected.getsockname()), ("udp", *with_peer.getsockname())}
        found = set(linux.waiting_sockets())
        tables = {(one.transport, one.address, one.port) for one in listeners._tables(ThisHost())}
    assert own <= found
    assert own <= tables
    assert not found & others


def test_every_process_is_named_as_the_kernel_names_it() -> None:
    found = dict(linux.process_names())
    assert found[os.getpid()] == Path("/proc/self/comm").read_text().rstrip("\n")


def test_a_file_bears_another_mark_after_each_write_and_none_while_it_is_young(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    assert linux.file_mark(str(path)) == ""
    assert linux.file_mark("/proc/self/status") == ""
    assert linux.file_mark(sys.executable) == linux.file_mark(sys.executable)


def test_the_fingerprint_is_that_of_the_content_where_no_mark_is(tmp_path: Path) -> None:
    host, path = ThisHost(), tmp_path / "file"
    path.write_text("one")
    first = host.fingerprint(str(path))
    times = path.stat()
    path.write_text("two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert host.fingerprint(str(path)) != first
    before = host.fingerprint(str(tmp_path))
    (tmp_path / "another").touch()
    assert host.fingerprint(str(tmp_path)) != before
    with pytest.raises(FileNotFoundError):
        host.fingerprint(str(tmp_path / "missing"))
