"""The agent beside other collectors of inventory on this machine, in one run: wall, processor, memory, what each tells.

    python benchmarks/fleet_peers.py [ROUNDS]

Peers are those of facter, fusioninventory-inventory and lynis that are installed (Debian: facter,
fusioninventory-agent, lynis); what is missing is said. They do not do the same work: lynis audits and judges,
fusioninventory lists hardware in depth. Processor is user and system time with all children, memory the largest
resident set of any of the processes. The last round's output is counted: values that are no list or object, its size.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fleet_agents
from measured import spread

from scanner.fleet import tokens
from scanner.fleet.authority import pin_of
from scanner.fleet.settings import load_settings, open_database

ROOT = Path(__file__).resolve().parent.parent
AGENT = "import sys; sys.path[:0] = {paths!r}; from agent.cli import main; sys.exit(main(sys.argv[1:]))"

WATCH = """
import os, sys
quiet = os.open(os.devnull, os.O_WRONLY)
told = os.dup(2)
os.set_inheritable(told, False)
os.dup2(quiet, 2)
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
usage = os.wait4(child, 0)[2]
os.write(told, b"%f %d" % (usage.ru_utime + usage.ru_stime, usage.ru_maxrss))
"""
"""Starts a command from a small process: the peak of a child begins with the memory of whoever started it."""


@dataclass(frozen=True)
class Peer:
    """One collector: its command, and how what it tells is counted."""

    name: str
    command: Sequence[str | Path]
    count: Callable[[bytes], str]
    rounds: int = 0
    """How often it runs; 0 for as often as asked."""


def values(found: Any) -> int:
    """Values that are no list or object."""
    if isinstance(found, dict):
        return sum(map(values, found.values()))
    if isinstance(found, list):
        return sum(map(values, found))
    return int(found is not None and found != "")


def in_json(output: bytes) -> str:
    """Top-level names and values of JSON."""
    found = json.loads(output)
    return f"{len(found)} facts, {values(found)} values"


def in_sections(output: bytes) -> str:
    """Sections of the agent and their values."""
    found = json.loads(output)
    sections = found.get("sections", found)
    every = sections if isinstance(sections, list) else list(sections.values())
    told = [section.get("section", section).get("values", {}) for section in every]
    return f"{len(every)} sections, {sum(map(values, told))} values"


def in_xml(output: bytes) -> str:
    """Kinds of entries, and texts, of fusioninventory's XML."""
    content = ElementTree.fromstring(output).find("CONTENT")
    every = list(content) if content is not None else []
    texts = sum(1 for entry in every for node in entry.iter() if node.text and node.text.strip())
    return f"{len({entry.tag for entry in every})} kinds of entries, {texts} values"


def in_audit(output: bytes) -> str:
    """Tests that lynis ran, of its report."""
    tests = next((line for line in output.decode(errors="replace").splitlines() if "Tests performed" in line), "")
    return f"an audit, {''.join(filter(str.isdigit, tests)) or 'unknown number of'} tests"


def spent(command: Sequence[str | Path]) -> tuple[float, float, float, bytes]:
    """Wall and processor seconds, megabytes and output of one run."""
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        wrapped = [sys.executable, "-I", "-S", "-c", WATCH, *map(str, command)]
        done = subprocess.run(wrapped, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, check=True)
        wall = time.perf_counter() - began
        output.seek(0)
        processor, kilobytes = done.stderr.split()
        return wall, float(processor), int(kilobytes) / 1024, output.read()


def compare(peers: Sequence[Peer], rounds: int) -> None:
    """Run them in turn, so that what else the machine does meets all alike."""
    found: dict[str, list[tuple[float, float, float, bytes]]] = {peer.name: [] for peer in peers}
    for turn in range(rounds):
        for peer in peers:
            if not peer.rounds or turn < peer.rounds:
                found[peer.name].append(spent(peer.command))
    for peer in peers:
        walls, processors, peaks, outputs = zip(*found[peer.name], strict=True)
        try:
            told = peer.count(outputs[-1])
        except (ValueError, ElementTree.ParseError) as error:
            told = f"output not understood: {error}"
        print(f"{peer.name} ({len(walls)} times)")
        print(f"  wall {spread(walls)} s, processor {spread(processors)} s, memory {spread(peaks)} MB")
        print(f"  tells {told}, {len(outputs[-1])} bytes")


def main() -> None:
    """Enrol an agent at a server of our own and run all."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(fleet_agents.machine())
    paths = [str(ROOT), sysconfig.get_paths()["purelib"]]
    ztagent = [sys.executable, "-I", "-S", "-c", AGENT.format(paths=paths)]
    with (
        tempfile.TemporaryDirectory() as place,
        fleet_agents.fleet(Path(place)) as folder,
        fleet_agents.serving(folder) as served,
    ):
        state = Path(place) / "state"
        database = open_database(folder, load_settings(folder))
        pin = pin_of((folder / "server.pem").read_bytes())
        token = tokens.mint(database, url=f"https://127.0.0.1:{served.port}", pin=pin, now=int(time.time() * 1000))
        database.close()
        enrol = [*ztagent, "enroll", "--token-file", "-", "--state", str(state)]
        subprocess.run(enrol, input=token.encode(), capture_output=True, check=True)
        subprocess.run([*ztagent, "once", "--now", "--state", state], capture_output=True, check=True)
        peers = [
            Peer(
                "ztagent once (looks, signs, tells the server)", [*ztagent, "once", "--now", "--state", state], _nothing
            ),
            Peer("ztagent show --json", [*ztagent, "show", "--json", "--state", state], in_sections),
        ]
        audit = Peer("lynis audit system", ["lynis", "audit", "system", "--quick", "--no-colors"], in_audit, rounds=1)
        for program, peer in (
            ("facter", Peer("facter --json", ["facter", "--json"], in_json)),
            ("fusioninventory-inventory", Peer("fusioninventory-inventory", ["fusioninventory-inventory"], in_xml)),
            ("lynis", audit),
        ):
            if shutil.which(program):
                peers.append(peer)
            else:
                print(f"{program} is not installed: not compared")
        compare(peers, rounds)


def _nothing(output: bytes) -> str:
    return "the server what changed"


if __name__ == "__main__":
    main()
