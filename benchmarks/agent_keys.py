"""What one signature of the endpoint agent costs, with its key in a file and in a TPM.

    python benchmarks/agent_keys.py [SIGNATURES]

The TPM is one in software (swtpm, ``make lab-deps``) in a process of its own, whose processor is not counted, as that
of a chip would not be; a chip takes longer to answer. Processor is user and system time of the agent and of what it
starts for a signature. No kernel stands before a simulator and makes room for keys; what that takes is counted in the
last line alone.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measured import spread

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agent import tpm_keys
from agent.settings import HARDWARE
from agent.signing import KeyProcess
from tests.agent.soft_tpm import SoftTpm

CONTENT = b"x" * 300


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as place:
        keys, tpm = Path(place) / "keys", SoftTpm(Path(place) / "chip")
        keys.mkdir(mode=0o700)
        try:
            process = KeyProcess(tpm.tcti)
            there = keys / f"{process.make(keys, HARDWARE)}.tpm"
            here = keys / f"{process.make(keys)}.pem"
            loaded = there.with_suffix(".ctx")
            makes_room, tpm_keys.WITHOUT_ROOM_KEPT = tpm_keys.WITHOUT_ROOM_KEPT, ()
            _tell("key in a file", count, lambda: process.sign(here, CONTENT))
            _tell("key in the TPM", count, lambda: process.sign(there, CONTENT), lambda: tpm.tool("flushcontext", "-t"))
            tpm_keys.WITHOUT_ROOM_KEPT = makes_room
            _tell("the first since a start", count // 2, lambda: process.sign(there, CONTENT), loaded.unlink)
        finally:
            tpm.stop()


def _tell(what: str, count: int, sign: Callable[[], object], before: Callable[[], object] = lambda: None) -> None:
    walls, spent = [], []
    for _ in range(count):
        before()
        told, started = _processor(), time.perf_counter()
        sign()
        walls.append((time.perf_counter() - started) * 1000)
        spent.append((_processor() - told) * 1000)
    print(f"{what}: {spread(spent)} ms processor, {spread(walls)} ms wall")


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
