"""A seeded run of odd requests against a real server in its own process: never a 500, and little memory."""

from __future__ import annotations

from pathlib import Path

from scanner.fleet.signal_callers import let_in
from scanner.fleet.signal_keys import make_key
from tests.scanner.fleet.fuzzing import Fuzzer
from tests.scanner.fleet.lab import enrolled, make_fleet
from tests.scanner.fleet.served import Served, enrols

STEPS = 200
MOST = 20 * 1024 * 1024


def test_odd_requests_never_fail_the_server_and_cost_it_little_memory(tmp_path: Path) -> None:
    folder = make_fleet(tmp_path / "server", per_minute=100_000, request_seconds=5)
    make_key(folder)
    settings = folder / "fleet.toml"
    settings.write_text(settings.read_text() + "\n[signal]\nenabled = true\nper_minute = 100000\n")
    server = Served(folder)
    with server.database() as database:
        secret = let_in(database, "fuzzer", 3600, (), server.ms)
    before = server.memory()
    fuzzer = Fuzzer(server.port, 20261123, enrols(server), secret)
    for _ in range(STEPS):
        fuzzer.step()
    fuzzer.close()
    grown = server.memory() - before
    enrolled(server)
    healthy = server.get("/healthz")[0]
    code, told = server.end(), server.told()

    assert fuzzer.tally.failures == []
    assert (healthy, code) == (200, 0)
    assert [line for line in told.splitlines() if "listens at" not in line] == [], "nothing of it reaches the log"
    assert grown <= MOST
    statuses = {status for _, status in fuzzer.tally.counts}
    assert {200, 400, 401, 404, 405, 415} <= statuses, "it came further than the door"
    assert set(fuzzer.tally.sent) == set(fuzzer.ways), "in all its ways"
