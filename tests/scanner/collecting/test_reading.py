"""Forms of records are met once, before threads read."""

from __future__ import annotations

import subprocess
import sys

RACE = """
import sys, threading, msgspec
from scanner.collecting.reading import meet
sys.setswitchinterval(1e-6)
for number in range(150):
    inner = [msgspec.defstruct(f"I{n}", [(f"field{k}", int | None, None) for k in range(10)]) for n in range(8)]
    outer = msgspec.defstruct(f"O{number}", [(f"field{n}", list[form] | None, None) for n, form in enumerate(inner)])
    meet([outer])
    start = threading.Barrier(6)
    def read():
        start.wait()
        assert msgspec.convert({"field7": [{"field9": 1}]}, outer).field7[0].field9 == 1
    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print("read")
"""
"""Ends by a signal within some rounds where ``meet`` does nothing."""


def test_threads_that_validate_a_form_for_the_first_time_do_not_end_the_process() -> None:
    ran = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout.strip()) == (0, "read"), ran.stderr[-500:]
