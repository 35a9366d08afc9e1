"""Fuzzes a real fleet server for so many seconds; prints counts by status, and how its memory grew.

    python benchmarks/fleet_fuzz.py [SECONDS] [SEED]

Beside the requests of tests/scanner/fleet/fuzzing.py, connections stand open that send a byte a second. Ends with code
1 where the server gave a 500, answered what its OpenAPI document does not know, wrote to its log, or grew by more than
20 MB.
"""

from __future__ import annotations

import socket
import ssl
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scanner.fleet.signal_callers import let_in
from scanner.fleet.signal_keys import make_key
from tests.scanner.fleet.fuzzing import Fuzzer
from tests.scanner.fleet.lab import make_fleet
from tests.scanner.fleet.served import Served, enrols

MOST_MB = 20
SLOW = 100
"""Connections that dawdle."""


class Slow(threading.Thread):
    """Connections that send their request a byte at a time, and come back when they are cut off."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port, self.cut, self._ends = port, 0, threading.Event()

    def run(self) -> None:
        """Until told to end."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        content = b"POST /v1/hb HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n" + b"{" * 100
        lines: dict[int, tuple[ssl.SSLSocket, int]] = {}
        while not self._ends.wait(1):
            for number in range(SLOW):
                try:
                    if number not in lines:
                        plain = socket.create_connection(("127.0.0.1", self._port), 5)
                        lines[number] = (context.wrap_socket(plain), 0)
                    sock, sent = lines[number]
                    sock.sendall(content[sent : sent + 1])
                    lines[number] = (sock, sent + 1)
                except OSError:
                    self.cut += 1
                    lines.pop(number)[0].close() if number in lines else None
        for sock, _ in lines.values():
            sock.close()

    def end(self) -> None:
        """Let go of all."""
        self._ends.set()
        self.join()


def main() -> int:
    """Fuzz, then print."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory() as place:
        folder = make_fleet(Path(place) / "fleet", per_minute=100_000, request_seconds=10)
        make_key(folder)
        settings = folder / "fleet.toml"
        settings.write_text(settings.read_text() + "\n[signal]\nenabled = true\nper_minute = 100000\n")
        server = Served(folder)
        with server.database() as database:
            secret = let_in(database, "fuzzer", 86_400, (), server.ms)
        fuzzer = Fuzzer(server.port, seed, enrols(server), secret, most=256 * 1024)
        slow = Slow(server.port)
        slow.start()
        begun = time.monotonic()
        memory = [server.memory()]
        requests = 0
        while time.monotonic() - begun < seconds:
            fuzzer.step()
            requests += 1
            if requests % 200 == 0:
                memory.append(server.memory())
        took = time.monotonic() - begun
        slow.end()
        fuzzer.close()
        healthy = server.get("/healthz")[0]
        memory.append(server.memory())
        code, told = server.end(), server.told()
    tally = fuzzer.tally
    by_status: Counter[int] = Counter()
    for (_, status), count in tally.counts.items():
        by_status[status] += count
    print(f"seed {seed}: {requests} steps in {took:.0f} s, {slow.cut} slow connections cut off, {tally.closed} closed")
    print("by kind:", ", ".join(f"{name} {count}" for name, count in sorted(tally.sent.items())))
    print("by status:", ", ".join(f"{status}: {count}" for status, count in sorted(by_status.items())))
    for (path, status), count in sorted(tally.counts.items()):
        print(f"  {path:24} {status} {count}")
    grown = (max(memory) - memory[0]) / 1e6
    print(
        f"memory: {memory[0] / 1e6:.1f} MB before, {max(memory) / 1e6:.1f} MB at most, {memory[-1] / 1e6:.1f} MB after"
    )
    print(f"grown by {grown:.1f} MB; health {healthy}; ended with {code}")
    lines = [line for line in told.splitlines() if "listens at" not in line]
    print(f"{len(lines)} other lines in the log", *lines[:40], sep="\n  ")
    print("over time:", " ".join(f"{each / 1e6:.0f}" for each in memory))
    for failure in tally.failures[:20]:
        print("FAILURE", failure)
    return 1 if tally.failures or lines or grown > MOST_MB or healthy != 200 else 0


if __name__ == "__main__":
    sys.exit(main())
