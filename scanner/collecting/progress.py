"""Tells a person on stderr how collecting goes; never touches stdout, never shows a control character or a secret."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from scanner.collecting.redaction import printable

SHOWN_CHARACTERS = 160
REPORT_EVERY = 1000
"""Records of one target between two reports."""


class ReadState(StrEnum):
    """How the reading of one target ended."""

    READ = "read"
    LOST = "lost"
    TIMED_OUT = "timed_out"
    REFUSED = "refused"
    STOPPED = "stopped"
    NOT_STARTED = "not_started"


@dataclass(frozen=True)
class Summary:
    """What became of one target: rows per fact type, gaps, seconds, and the root of its collection, if it has one."""

    target: str
    source: str
    collector: str
    state: ReadState
    rows: Mapping[str, int]
    gaps: int
    complete: bool
    seconds: float
    detail: str = ""
    root: str | None = None

    @property
    def line(self) -> str:
        """One line for a person."""
        if self.root is None:
            said = f"{self.state.value}, nothing sealed"
        else:
            said = f"{self.state.value}, {sum(self.rows.values())} facts, {self.gaps} gaps, {self.seconds:.1f} s"
        return f"{self.target}: {said}" + (f": {self.detail}" if self.detail else "")


class Progress(Protocol):
    """What collecting tells while it runs; may be called from several threads."""

    def begun(self, targets: int) -> None:
        """So many targets will be read."""

    def started(self, target: str) -> None:
        """Reading of a target begins."""

    def advanced(self, target: str, records: int) -> None:
        """So many records of the target have come in all."""

    def waiting(self, target: str, seconds: float) -> None:
        """The source asked to slow down; the next try comes after so many seconds."""

    def ended(self, summary: Summary) -> None:
        """A target is done with, one way or another."""

    def closed(self) -> None:
        """The run is over, or broken off."""


class Silent:
    """Says nothing; keeps the summaries."""

    def __init__(self) -> None:
        self.summaries: list[Summary] = []

    def begun(self, targets: int) -> None:
        """Nothing is shown."""

    def started(self, target: str) -> None:
        """Nothing is shown."""

    def advanced(self, target: str, records: int) -> None:
        """Nothing is shown."""

    def waiting(self, target: str, seconds: float) -> None:
        """Nothing is shown."""

    def ended(self, summary: Summary) -> None:
        """Keep the summary."""
        self.summaries.append(summary)

    def closed(self) -> None:
        """Nothing is shown."""


class Lines(Silent):
    """Plain lines, for a file, a journal, or a terminal without colours."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lock = threading.Lock()

    def begun(self, targets: int) -> None:
        """One line for the run."""
        self._write(f"reading {targets} targets")

    def started(self, target: str) -> None:
        """One line for each target."""
        self._write(f"{target}: reading")

    def waiting(self, target: str, seconds: float) -> None:
        """One line for each wait."""
        self._write(f"{target}: asked to slow down, waiting {seconds:.0f} s")

    def ended(self, summary: Summary) -> None:
        """One line for each target."""
        super().ended(summary)
        self._write(summary.line)

    def _write(self, line: str) -> None:
        with self._lock:
            try:
                self._stream.write(printable(line, SHOWN_CHARACTERS) + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                return  # a reader that went away does not end a run


class Bars(Silent):
    """A live view: one bar for the run, one line for each target under way, results above them."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._view = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, int] = {}
        self._lock = threading.Lock()
        self._all = self._view.add_task("targets", note="", total=None)

    def begun(self, targets: int) -> None:
        """Show the bar of the run."""
        self._view.update(self._all, total=targets)
        self._view.start()

    def started(self, target: str) -> None:
        """Show a line for the target."""
        with self._lock:
            shown = printable(target, SHOWN_CHARACTERS // 4)
            self._tasks[target] = self._view.add_task(shown, total=None, note="")

    def advanced(self, target: str, records: int) -> None:
        """Count its records."""
        self._note(target, f"{records} records")

    def waiting(self, target: str, seconds: float) -> None:
        """Say why nothing moves."""
        self._note(target, f"asked to slow down, waiting {seconds:.0f} s")

    def ended(self, summary: Summary) -> None:
        """Take the line away and print the result above the bars."""
        super().ended(summary)
        with self._lock:
            task = self._tasks.pop(summary.target, None)
        if task is not None:
            self._view.remove_task(task)  # type: ignore[arg-type]
        self._view.advance(self._all)
        with suppress(OSError, ValueError):  # a terminal that went away does not end a run
            self._view.console.print(Text(printable(summary.line, SHOWN_CHARACTERS)), soft_wrap=True)

    def closed(self) -> None:
        """Leave the terminal as it was."""
        self._view.stop()

    def _note(self, target: str, note: str) -> None:
        with self._lock:
            task = self._tasks.get(target)
        if task is not None:
            self._view.update(task, note=note)  # type: ignore[arg-type]


def progress_on(stream: TextIO, environment: Mapping[str, str], *, quiet: bool = False) -> Silent:
    """The view that suits a stream, which should be stderr: live on a terminal, plain lines elsewhere.

    ``NO_COLOR`` takes the colours away; ``TERM=dumb`` and a stream that is no terminal give plain lines.
    """
    if quiet:
        return Silent()
    asks: Callable[[], bool] | None = getattr(stream, "isatty", None)
    if asks is None or not asks() or environment.get("TERM") == "dumb":
        return Lines(stream)
    return Bars(Console(file=stream, no_color=bool(environment.get("NO_COLOR")), highlight=False, markup=False))
