"""What the endpoint agent costs: resident memory of ``ztagent run``, processor of a cycle, one ``ztagent once``.

    python benchmarks/agent_footprint.py [CYCLES]

A fleet server of this house runs on loopback in a process of its own; the agent enrols there over TLS and then runs
its resident loop without pauses. Memory is VmRSS and Pss of the resident process after its cycles; processor is user
and system time of the resident process and, apart, of the processes that it starts: signatures and the commands of its
probes. In a container most probes would say so and end; here they look all the same, since hosts are none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from fleet_peers import spent
from measured import spread

from agent.signing import OPENSSL
from agent.watch import ANEW_AFTER
from scanner.fleet import operations, tokens
from scanner.fleet.authority import pin_of
from scanner.fleet.settings import load_settings, open_database

ROOT = Path(__file__).resolve().parent.parent
INTERVAL = 300
"""Seconds between cycles where the server sets nothing else."""
SERVER = """
import sys, time
from pathlib import Path
from scanner.fleet.serving import FleetServer
server = FleetServer(Path(sys.argv[1]), time.time)
server.run(lambda address: print(address[1], flush=True))
"""
COMMAND = """
import sys
sys.path[:0] = {paths!r}
from {module} import main
status = main(sys.argv[1:])
print(open("/proc/self/status").read(), file=sys.stderr)
sys.exit(status)
"""
AGENT = """
import sys
sys.path[:0] = {paths!r}
import json, resource, threading, time
from pathlib import Path
from agent.cycle import Cycle, Outside
from agent.host import ThisHost
from agent.posture import section_names
from agent.resident import Resident
from agent.settings import load
from agent.signing import KeyProcess
from agent.state import StateFolder
import agent.cli

def memory():
    status = Path("/proc/self/status").read_text()
    rollup = Path("/proc/self/smaps_rollup").read_text()
    places = ((status, "VmRSS:"), (rollup, "\\nPss:"), (status, "VmHWM:"))
    return [int(text.split(word)[1].split()[0]) / 1024 for text, word in places]

class Machine(ThisHost):
    # This host, as if it were no container.
    def read_file(self, path):
        return b"systemd\\n" if path == "/proc/1/comm" else super().read_file(path)

    def readlink(self, path):
        return super().readlink(path.replace("/proc/1/ns/", "/proc/self/ns/"))

    def fingerprint(self, path):
        return "systemd" if path == "/proc/1/comm" else super().fingerprint(path)

    def exists(self, path):
        return path not in ("/.dockerenv", "/run/.containerenv") and super().exists(path)

    def same_file(self, one, other):
        return True

folder = Path({folder!r})
cycle = Cycle(StateFolder(folder), load(folder, section_names()), Outside(Machine(), KeyProcess()))
stop, count, after_first, spent = threading.Event(), 0, [], []

def pause(seconds):
    global count
    count += 1
    if count in (1, 2, {cycles} + 1):
        spent.append((resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)))
    if count == 2:
        after_first.extend(memory())
        time.sleep(2.5)  # files that were written just now are read anew
    if count > {cycles} + 1:
        stop.set()
    return 0.0

Resident(cycle, stop, pause=pause).run()

def cost(before, after):
    return [1000 * (now.ru_utime + now.ru_stime - then.ru_utime - then.ru_stime)
            for now, then in zip(spent[after], spent[before])]

found = {{"first": after_first, "last": memory(), "whole": cost(0, 1)}}
found["cost"] = [total / ({cycles} - 1) for total in cost(1, 2)]
print(json.dumps(found | {{"seq": cycle.standing().seq, "errors": dict(cycle.attempts.errors)}}))
"""


def main() -> None:
    """Measure and print."""
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as place:
        fleet, state = Path(place) / "fleet", Path(place) / "state"
        chosen = {"url": "https://127.0.0.1:8443", "domain": "lab.example", "listen": "127.0.0.1:0", "per_minute": 6000}
        operations.make_fleet(fleet, Path(place) / "root", chosen, int(time.time() * 1000))
        with subprocess.Popen([sys.executable, "-c", SERVER, fleet], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            try:
                _measure(fleet, state, port, cycles)
            finally:
                server.terminate()


def _measure(fleet: Path, state: Path, port: int, cycles: int) -> None:
    database = open_database(fleet, load_settings(fleet))
    pin = pin_of((fleet / "server.pem").read_bytes())
    token = tokens.mint(database, url=f"https://127.0.0.1:{port}", pin=pin, now=int(time.time() * 1000))
    database.close()
    paths = [str(ROOT), sysconfig.get_paths()["purelib"]]
    ztagent = [sys.executable, "-I", "-S", "-c", COMMAND.format(paths=paths, module="agent.cli")]
    keys = [sys.executable, "-I", "-S", "-c", COMMAND.format(paths=paths, module="agent.keys")]
    state.mkdir(mode=0o700)
    (state / "agent.toml").write_text('key = "file"\n')  # see agent_keys.py for one in a TPM
    enrol = [*ztagent, "enroll", "--token-file", "-", "--state", state]
    subprocess.run(enrol, input=token.encode(), capture_output=True, check=True)
    for flags in (["-I", "-S"], ["-I"]):
        code = AGENT.format(paths=paths, folder=str(state), cycles=cycles)
        done = subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        print(f"resident, python {' '.join(flags)}, {cycles} cycles, message {found['seq']}, errors {found['errors']}")
        for name in ("first", "last"):
            rss, pss, peak = found[name]
            print(f"  after the {name} cycle: {rss:.1f} MB RSS, {pss:.1f} MB PSS, peak {peak:.1f} MB")
        for name, what in (("whole", "the first cycle, as every whole look"), ("cost", "each cycle after it")):
            own, others = found[name]
            print(f"  processor of {what}: {own:.0f} ms resident, {others:.0f} ms signatures and commands of probes")
        whole, cycle = sum(found["whole"]), sum(found["cost"])
        share = (cycle + (whole - cycle) * INTERVAL / ANEW_AFTER) / (10 * INTERVAL)
        print(f"  share of one core, a cycle every {INTERVAL} s, a whole look every {ANEW_AFTER:.0f} s: {share:.4f} %")
    _tell("ztagent once", [*ztagent, "once", "--now", "--state", state], b"")
    (key,) = (state / "keys").glob("*.pem")
    if Path(OPENSSL).exists():
        signs = [OPENSSL, "dgst", "-sha256", "-sign", key, key]
        walls, costs, peaks, _ = zip(*(spent(signs) for _ in range(5)), strict=True)
        print(f"openssl, one signature: {spread(walls)} s wall, {spread(costs)} s processor, peak {spread(peaks)} MB")
    _tell("key process, one signature where there is no openssl", [*keys, "sign", key], b"x" * 300)


def _tell(what: str, command: list[str | Path], given: bytes) -> None:
    """Run it five times; it ends with its own peak, for the one that the kernel keeps counts the parent before exec."""
    walls, spent, peaks = [], [], []
    for _ in range(5):
        before, started = os.times(), time.perf_counter()
        done = subprocess.run(command, input=given, capture_output=True, check=True)
        walls.append(time.perf_counter() - started)
        after = os.times()
        spent.append(after.children_user + after.children_system - before.children_user - before.children_system)
        peaks.append(int(done.stderr.split(b"VmHWM:")[1].split()[0]) / 1024)
    print(f"{what}: {spread(walls)} s wall, {spread(spent)} s processor, peak {spread(peaks)} MB")


if __name__ == "__main__":
    main()
