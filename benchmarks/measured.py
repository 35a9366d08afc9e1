"""Runs one stage of a benchmark in a process of its own and reads what it cost: wall, processor, peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Cost:
    """Seconds of wall clock, seconds of processor (user and system, children included), peak resident megabytes."""

    wall: float
    processor: float
    peak: float
    report: Mapping[str, Any] = field(default_factory=dict)
    """What the process printed as JSON on its last line, if it did."""
    code: int = 0

    def __str__(self) -> str:
        return f"{self.wall:7.2f} s wall  {self.processor:7.2f} s processor  {self.peak:6.0f} MB peak"


def run(command: Sequence[str | Path], *, may_end_with: Sequence[int] = (0,)) -> Cost:
    """Run a command to its end; raises SystemExit where it ends with a code that is not expected."""
    started = time.perf_counter()
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        printed = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if process.returncode not in may_end_with:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}")
    lines = printed.splitlines()
    report = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    kilobytes = usage.ru_maxrss if sys.platform != "darwin" else usage.ru_maxrss / 1024
    return Cost(wall, usage.ru_utime + usage.ru_stime, kilobytes * 1024 / MEGABYTE, report, process.returncode)


class Stages:
    """Wall and processor seconds by name of stage; what a stage holds inside another counts for itself alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[float, float]] = {}
        self._inside = [(0.0, 0.0)]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add what runs inside to the stage."""
        wall, processor = time.perf_counter(), time.process_time()
        self._inside.append((0.0, 0.0))
        yield
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        nested = self._inside.pop()
        self._inside[-1] = (self._inside[-1][0] + wall, self._inside[-1][1] + processor)
        known = self.seconds.get(name, (0.0, 0.0))
        self.seconds[name] = (known[0] + wall - nested[0], known[1] + processor - nested[1])


def spread(values: Sequence[float]) -> str:
    """Median with least and greatest."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return f"{median:.2f} ({ordered[0]:.2f} to {ordered[-1]:.2f})"
