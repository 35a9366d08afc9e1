from __future__ import annotations

import signal
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from agent.cycle import Cycle
from agent.resident import Resident
from agent.state import Attempts, Standing

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Told:
    """A cycle that only says what was done with it."""

    done: list[str] = field(default_factory=list)
    attempts: Attempts = field(default_factory=Attempts)
    left: float = 0.0
    accepted: str = ""
    trouble: BaseException | None = None

    def collect(self) -> None:
        self.done.append("looked")
        if self.trouble:
            raise self.trouble

    def tell(self) -> bool:
        self.done.append("told")
        return True

    def wait(self) -> float:
        return self.left

    def identity(self) -> None:
        return None

    def standing(self) -> Standing:
        return Standing(accepted_at=self.accepted)


def turns(told: Told, count: int, now: float = 1_000_000.0) -> list[float]:
    """The pauses before so many turns."""
    stop, pauses = threading.Event(), []

    def pause(seconds: float) -> float:
        pauses.append(seconds)
        if len(pauses) > count:
            stop.set()
        return 0.0

    Resident(cast(Any, told), stop, now=lambda: now, pause=pause).run()
    return pauses


def test_it_looks_and_tells_in_each_interval() -> None:
    told = Told()
    pauses = turns(told, 3)
    assert told.done == ["looked", "told"] * 3
    assert pauses[0] == 0.0
    assert all(0 < pause <= 300 for pause in pauses[1:])


def test_after_a_restart_it_waits_for_its_turn() -> None:
    assert turns(Told(accepted="2026-01-01T00:00:00Z"), 0)[0] > 0


def test_it_keeps_looking_while_it_may_not_speak() -> None:
    told = Told(left=5000.0, attempts=Attempts(failures=1))
    turns(told, 3)
    assert told.done == ["looked"] * 3


def test_it_tries_again_sooner_than_its_turn_without_looking_again() -> None:
    told = Told(left=0.0, attempts=Attempts(failures=2))
    pauses = turns(told, 3)
    assert told.done == ["looked", "told", "told", "told"]
    assert pauses[1] == 1.0


@pytest.mark.parametrize(
    "trouble", [OSError("x"), ValueError("x"), MemoryError(), RecursionError(), KeyError("x"), struct.error("x")]
)
def test_no_trouble_ends_it(trouble: BaseException) -> None:
    told = Told(trouble=trouble)
    assert turns(told, 3)[1:] == [60.0] * 3


HANGING = """
import threading, time
from agent.resident import Resident, end_on_signals
class Hanging:
    def standing(self):
        raise ValueError
    def collect(self):
        print("hangs", flush=True)
        time.sleep(60)
stop = threading.Event()
end_on_signals(stop)
Resident(Hanging(), stop).run()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_whatever_it_does(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", HANGING], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hangs\n"
        asked = time.monotonic()
        process.send_signal(number)
        assert process.wait(20) == 0
        assert time.monotonic() - asked < 10


def test_a_cycle_has_all_that_the_loop_asks_for() -> None:
    assert all(hasattr(Cycle, name) for name in ("collect", "tell", "wait", "identity", "standing"))
